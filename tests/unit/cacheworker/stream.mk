# Tests of cacheworker/stream.
cacheworker_stream_tests = \
	tests/unit/cacheworker/stream/id_map_test \
	tests/unit/cacheworker/stream/stream_commands_test \
	tests/unit/cacheworker/stream/stream_group_test \
	tests/unit/cacheworker/stream/stream_id_test \
	tests/unit/cacheworker/stream/stream_node_test \
	tests/unit/cacheworker/stream/stream_rdb_test \
	tests/unit/cacheworker/stream/stream_test
check_PROGRAMS += $(cacheworker_stream_tests)
UNIT_TESTS += $(cacheworker_stream_tests)
cacheworker_stream_ldadd = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
tests_unit_cacheworker_stream_id_map_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_stream_id_map_test_LDADD = $(cacheworker_stream_ldadd)
tests_unit_cacheworker_stream_stream_group_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_stream_stream_group_test_LDADD = $(cacheworker_stream_ldadd)
tests_unit_cacheworker_stream_stream_id_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_stream_stream_id_test_LDADD = $(cacheworker_stream_ldadd)
tests_unit_cacheworker_stream_stream_node_test_SOURCES = \
	tests/unit/cacheworker/stream/stream_node_test.c tests/unit/cacheworker/packed/bytes.h
tests_unit_cacheworker_stream_stream_node_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_stream_stream_node_test_LDADD = $(cacheworker_stream_ldadd)
tests_unit_cacheworker_stream_stream_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_stream_stream_test_LDADD = $(cacheworker_stream_ldadd)
tests_unit_cacheworker_stream_stream_commands_test_SOURCES = \
	tests/unit/cacheworker/stream/stream_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_stream_stream_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_stream_stream_commands_test_LDADD = $(cacheworker_stream_ldadd)
tests_unit_cacheworker_stream_stream_rdb_test_SOURCES = \
	tests/unit/cacheworker/stream/stream_rdb_test.c tests/unit/cacheworker/packed/bytes.h
tests_unit_cacheworker_stream_stream_rdb_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_stream_stream_rdb_test_LDADD = $(cacheworker_stream_ldadd)
