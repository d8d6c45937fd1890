# Files of tests/unit/common; see the top Makefile.am.
common_unit_tests = \
	tests/unit/common/base/crc32c_test \
	tests/unit/common/command/command_table_test \
	tests/unit/common/resp/resp_reader_test

check_PROGRAMS += $(common_unit_tests)
UNIT_TESTS += $(common_unit_tests)

tests_unit_common_resp_resp_reader_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_common_resp_resp_reader_test_LDADD = libcommon_core.a $(CMOCKA_LIBS) -lm

tests_unit_common_base_crc32c_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_common_base_crc32c_test_LDADD = libcommon_core.a $(CMOCKA_LIBS)

tests_unit_common_command_command_table_test_CFLAGS = \
	$(AM_CFLAGS) $(CMOCKA_CFLAGS) -DGOLDEN_DIR='"$(abs_top_srcdir)/tests/golden"'
tests_unit_common_command_command_table_test_LDADD = libcommon_core.a $(CMOCKA_LIBS)
EXTRA_DIST += tests/golden/command_reference.txt
