# Positions, and the commands on them.
cacheworker_geo_tests = \
	tests/unit/cacheworker/geo/geo_test \
	tests/unit/cacheworker/geo/geo_commands_test
check_PROGRAMS += $(cacheworker_geo_tests)
UNIT_TESTS += $(cacheworker_geo_tests)
cacheworker_geo_ldadd = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
tests_unit_cacheworker_geo_geo_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_geo_geo_test_LDADD = $(cacheworker_geo_ldadd)
tests_unit_cacheworker_geo_geo_commands_test_SOURCES = tests/unit/cacheworker/geo/geo_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_geo_geo_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_geo_geo_commands_test_LDADD = $(cacheworker_geo_ldadd)
