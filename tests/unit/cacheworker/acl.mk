# Access control by itself: rules, users, their file.
cacheworker_acl_tests = \
	tests/unit/cacheworker/acl/acl_log_test \
	tests/unit/cacheworker/acl/user_test \
	tests/unit/cacheworker/acl/users_test
check_PROGRAMS += $(cacheworker_acl_tests)
UNIT_TESTS += $(cacheworker_acl_tests)
cacheworker_acl_ldadd = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
tests_unit_cacheworker_acl_user_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_acl_user_test_LDADD = $(cacheworker_acl_ldadd)
tests_unit_cacheworker_acl_users_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_acl_users_test_LDADD = $(cacheworker_acl_ldadd)
check_PROGRAMS += tests/unit/cacheworker/acl/keys_test
UNIT_TESTS += tests/unit/cacheworker/acl/keys_test
tests_unit_cacheworker_acl_keys_test_SOURCES = \
	tests/unit/cacheworker/acl/keys_test.c tests/unit/cacheworker/acl/samples.h \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_acl_keys_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_acl_keys_test_LDADD = $(cacheworker_acl_ldadd)
tests_unit_cacheworker_acl_acl_log_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_acl_acl_log_test_LDADD = $(cacheworker_acl_ldadd)
