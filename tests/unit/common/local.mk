# Files of tests/unit/common; see the top Makefile.am.
common_unit_tests = \
	tests/unit/common/base/crc32c_test \
	tests/unit/common/base/glob_test \
	tests/unit/common/resp/resp_reader_test

check_PROGRAMS += $(common_unit_tests)
UNIT_TESTS += $(common_unit_tests)

tests_unit_common_resp_resp_reader_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_common_resp_resp_reader_test_LDADD = libcommon_core.a $(CMOCKA_LIBS) -lm

tests_unit_common_base_crc32c_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_common_base_crc32c_test_LDADD = libcommon_core.a $(CMOCKA_LIBS)

tests_unit_common_base_glob_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_common_base_glob_test_LDADD = libcommon_core.a $(CMOCKA_LIBS)
