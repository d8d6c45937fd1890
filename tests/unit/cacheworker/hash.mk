check_PROGRAMS += tests/unit/cacheworker/hash/hash_test
UNIT_TESTS += tests/unit/cacheworker/hash/hash_test
tests_unit_cacheworker_hash_hash_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_hash_hash_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
