# The keyspace and the commands on it. What executes command lines without an engine is call_fixture.
cacheworker_keyspace_tests = \
	tests/unit/cacheworker/evict/evict_test \
	tests/unit/cacheworker/keyspace/access_test \
	tests/unit/cacheworker/keyspace/arena_test \
	tests/unit/cacheworker/keyspace/hash_test \
	tests/unit/cacheworker/keyspace/keyspace_test \
	tests/unit/cacheworker/keyspace/key_commands_test \
	tests/unit/cacheworker/keyspace/table_test \
	tests/unit/cacheworker/bitmap/bitmap_commands_test \
	tests/unit/cacheworker/bitmap/bits_test \
	tests/unit/cacheworker/expire/expire_commands_test \
	tests/unit/cacheworker/hyperloglog/hyperloglog_commands_test \
	tests/unit/cacheworker/hyperloglog/hyperloglog_test \
	tests/unit/cacheworker/string/string_commands_test \
	tests/unit/cacheworker/string/xxh3_test
check_PROGRAMS += $(cacheworker_keyspace_tests)
UNIT_TESTS += $(cacheworker_keyspace_tests)
cacheworker_keyspace_ldadd = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
tests_unit_cacheworker_evict_evict_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_evict_evict_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_keyspace_access_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_keyspace_access_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_keyspace_arena_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_keyspace_arena_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_keyspace_hash_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_keyspace_hash_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_keyspace_keyspace_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_keyspace_keyspace_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_keyspace_key_commands_test_SOURCES = tests/unit/cacheworker/keyspace/key_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_keyspace_key_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_keyspace_key_commands_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_expire_expire_commands_test_SOURCES = tests/unit/cacheworker/expire/expire_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_expire_expire_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_expire_expire_commands_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_string_string_commands_test_SOURCES = tests/unit/cacheworker/string/string_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_string_string_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_string_string_commands_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_keyspace_table_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_keyspace_table_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_string_xxh3_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_string_xxh3_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_bitmap_bitmap_commands_test_SOURCES = \
	tests/unit/cacheworker/bitmap/bitmap_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_bitmap_bitmap_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_bitmap_bitmap_commands_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_bitmap_bits_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_bitmap_bits_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_hyperloglog_hyperloglog_commands_test_SOURCES = \
	tests/unit/cacheworker/hyperloglog/hyperloglog_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_hyperloglog_hyperloglog_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_hyperloglog_hyperloglog_commands_test_LDADD = $(cacheworker_keyspace_ldadd)
tests_unit_cacheworker_hyperloglog_hyperloglog_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_hyperloglog_hyperloglog_test_LDADD = $(cacheworker_keyspace_ldadd)
