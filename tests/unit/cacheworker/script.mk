# Scripts: the interpreter alone, and long commands in a worker.
check_PROGRAMS += tests/unit/cacheworker/script/interpreter_test
UNIT_TESTS += tests/unit/cacheworker/script/interpreter_test
tests_unit_cacheworker_script_interpreter_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_script_interpreter_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
