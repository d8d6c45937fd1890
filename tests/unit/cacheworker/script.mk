# Scripts: the interpreter alone, and long commands in a worker.
check_PROGRAMS += tests/unit/cacheworker/script/interpreter_test
UNIT_TESTS += tests/unit/cacheworker/script/interpreter_test
tests_unit_cacheworker_script_interpreter_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_script_interpreter_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/script/long_command_test
UNIT_TESTS += tests/unit/cacheworker/script/long_command_test
tests_unit_cacheworker_script_long_command_test_SOURCES = tests/unit/cacheworker/script/long_command_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_script_long_command_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_script_long_command_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
