cacheworker_sort_tests = \
	tests/unit/cacheworker/sort/sort_commands_test \
	tests/unit/cacheworker/sort/sort_test
check_PROGRAMS += $(cacheworker_sort_tests)
UNIT_TESTS += $(cacheworker_sort_tests)
tests_unit_cacheworker_sort_sort_commands_test_SOURCES = \
	tests/unit/cacheworker/sort/sort_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_sort_sort_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_sort_sort_commands_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
tests_unit_cacheworker_sort_sort_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_sort_sort_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
