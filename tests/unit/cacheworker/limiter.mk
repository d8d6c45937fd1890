# Tests of cacheworker/limiter; see the top Makefile.am.

check_PROGRAMS += tests/unit/cacheworker/limiter/gcra_test
UNIT_TESTS += tests/unit/cacheworker/limiter/gcra_test
tests_unit_cacheworker_limiter_gcra_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_limiter_gcra_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/cacheworker/limiter/window_test
UNIT_TESTS += tests/unit/cacheworker/limiter/window_test
tests_unit_cacheworker_limiter_window_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_limiter_window_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/cacheworker/limiter/limiter_commands_test
UNIT_TESTS += tests/unit/cacheworker/limiter/limiter_commands_test
tests_unit_cacheworker_limiter_limiter_commands_test_SOURCES = \
	tests/unit/cacheworker/limiter/limiter_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_limiter_limiter_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_limiter_limiter_commands_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
