# The structures of sorted sets, by themselves.
cacheworker_zset_tests = \
	tests/unit/cacheworker/zset/order_test \
	tests/unit/cacheworker/zset/score_test
check_PROGRAMS += $(cacheworker_zset_tests)
UNIT_TESTS += $(cacheworker_zset_tests)
cacheworker_zset_ldadd = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
tests_unit_cacheworker_zset_order_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_zset_order_test_LDADD = $(cacheworker_zset_ldadd)
tests_unit_cacheworker_zset_score_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_zset_score_test_LDADD = $(cacheworker_zset_ldadd)
check_PROGRAMS += tests/unit/cacheworker/zset/zset_test
UNIT_TESTS += tests/unit/cacheworker/zset/zset_test
tests_unit_cacheworker_zset_zset_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_zset_zset_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/unit/cacheworker/zset/zset_combine_test
UNIT_TESTS += tests/unit/cacheworker/zset/zset_combine_test
tests_unit_cacheworker_zset_zset_combine_test_SOURCES = tests/unit/cacheworker/zset/zset_combine_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_zset_zset_combine_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_zset_zset_combine_test_LDADD = $(cacheworker_zset_ldadd)
