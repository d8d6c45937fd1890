check_PROGRAMS += tests/unit/cacheworker/txn/watch_test
UNIT_TESTS += tests/unit/cacheworker/txn/watch_test
tests_unit_cacheworker_txn_watch_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_txn_watch_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/block/waiters_test
UNIT_TESTS += tests/unit/cacheworker/block/waiters_test
tests_unit_cacheworker_block_waiters_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_block_waiters_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
