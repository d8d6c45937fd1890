# Files of tests/unit/sentinel; see the top Makefile.am.
sentinel_unit_tests = \
	tests/unit/sentinel/acceptor_test \
	tests/unit/sentinel/choose_test \
	tests/unit/sentinel/cluster_test \
	tests/unit/sentinel/golden_test \
	tests/unit/sentinel/guard_test \
	tests/unit/sentinel/losses_test \
	tests/unit/sentinel/spares_test \
	tests/unit/sentinel/state_test \
	tests/unit/sentinel/votes_test

check_PROGRAMS += $(sentinel_unit_tests)
UNIT_TESTS += $(sentinel_unit_tests)
EXTRA_DIST += \
	tests/golden/sentinel/discovery.txt \
	tests/golden/sentinel/operator.txt \
	tests/golden/sentinel/password.txt

sentinel_unit_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
sentinel_unit_ldadd = libtests.a libsentinel_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
sentinel_cluster = tests/unit/sentinel/cluster.c tests/unit/sentinel/cluster.h

tests_unit_sentinel_acceptor_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_acceptor_test_LDADD = $(sentinel_unit_ldadd)
tests_unit_sentinel_choose_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_choose_test_LDADD = $(sentinel_unit_ldadd)
tests_unit_sentinel_cluster_test_SOURCES = tests/unit/sentinel/cluster_test.c $(sentinel_cluster)
tests_unit_sentinel_cluster_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_cluster_test_LDADD = $(sentinel_unit_ldadd)
tests_unit_sentinel_golden_test_SOURCES = tests/unit/sentinel/golden_test.c $(sentinel_cluster)
tests_unit_sentinel_golden_test_CFLAGS = \
	$(sentinel_unit_cflags) -DGOLDEN_DIRECTORY='"$(abs_top_srcdir)/tests/golden/sentinel"'
tests_unit_sentinel_golden_test_LDADD = $(sentinel_unit_ldadd)
tests_unit_sentinel_guard_test_SOURCES = tests/unit/sentinel/guard_test.c $(sentinel_cluster)
tests_unit_sentinel_guard_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_guard_test_LDADD = $(sentinel_unit_ldadd)
tests_unit_sentinel_losses_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_losses_test_LDADD = $(sentinel_unit_ldadd)
tests_unit_sentinel_spares_test_SOURCES = tests/unit/sentinel/spares_test.c $(sentinel_cluster)
tests_unit_sentinel_spares_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_spares_test_LDADD = $(sentinel_unit_ldadd)
tests_unit_sentinel_state_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_state_test_LDADD = $(sentinel_unit_ldadd)
tests_unit_sentinel_votes_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_votes_test_LDADD = $(sentinel_unit_ldadd)
