check_PROGRAMS += tests/unit/cacheworker/hash/hash_test
UNIT_TESTS += tests/unit/cacheworker/hash/hash_test
tests_unit_cacheworker_hash_hash_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_hash_hash_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/unit/cacheworker/hash/field_expiry_test
UNIT_TESTS += tests/unit/cacheworker/hash/field_expiry_test
tests_unit_cacheworker_hash_field_expiry_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_hash_field_expiry_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/unit/cacheworker/hash/field_commands_test
UNIT_TESTS += tests/unit/cacheworker/hash/field_commands_test
tests_unit_cacheworker_hash_field_commands_test_SOURCES = tests/unit/cacheworker/hash/field_commands_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_hash_field_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_hash_field_commands_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/unit/cacheworker/hash/field_replica_test
UNIT_TESTS += tests/unit/cacheworker/hash/field_replica_test
tests_unit_cacheworker_hash_field_replica_test_SOURCES = tests/unit/cacheworker/hash/field_replica_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_hash_field_replica_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_hash_field_replica_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
