# Tests of cacheworker/packed.
cacheworker_packed_tests = \
	tests/unit/cacheworker/packed/intset_test \
	tests/unit/cacheworker/packed/listpack_test \
	tests/unit/cacheworker/packed/ziplist_test
check_PROGRAMS += $(cacheworker_packed_tests)
UNIT_TESTS += $(cacheworker_packed_tests)
cacheworker_packed_ldadd = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
tests_unit_cacheworker_packed_intset_test_SOURCES = \
	tests/unit/cacheworker/packed/intset_test.c tests/unit/cacheworker/packed/bytes.h
tests_unit_cacheworker_packed_intset_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_packed_intset_test_LDADD = $(cacheworker_packed_ldadd)
tests_unit_cacheworker_packed_listpack_test_SOURCES = \
	tests/unit/cacheworker/packed/listpack_test.c tests/unit/cacheworker/packed/bytes.h
tests_unit_cacheworker_packed_listpack_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_packed_listpack_test_LDADD = $(cacheworker_packed_ldadd)
tests_unit_cacheworker_packed_ziplist_test_SOURCES = \
	tests/unit/cacheworker/packed/ziplist_test.c tests/unit/cacheworker/packed/bytes.h
tests_unit_cacheworker_packed_ziplist_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_packed_ziplist_test_LDADD = $(cacheworker_packed_ldadd)
