# Files of tests/unit/sentinel; see the top Makefile.am.
sentinel_unit_tests = \
	tests/unit/sentinel/cluster_test

check_PROGRAMS += $(sentinel_unit_tests)
UNIT_TESTS += $(sentinel_unit_tests)

sentinel_unit_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
sentinel_unit_ldadd = libsentinel_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

tests_unit_sentinel_cluster_test_SOURCES = tests/unit/sentinel/cluster_test.c \
	tests/unit/sentinel/cluster.c tests/unit/sentinel/cluster.h
tests_unit_sentinel_cluster_test_CFLAGS = $(sentinel_unit_cflags)
tests_unit_sentinel_cluster_test_LDADD = $(sentinel_unit_ldadd)
