# Files of tests/unit/common; see the top Makefile.am.
common_unit_tests = \
	tests/unit/common/base/address_test \
	tests/unit/common/base/buf_test \
	tests/unit/common/base/crc32c_test \
	tests/unit/common/base/crc64_test \
	tests/unit/common/base/door_test \
	tests/unit/common/base/fiber_test \
	tests/unit/common/base/glob_test \
	tests/unit/common/base/hashmap_test \
	tests/unit/common/base/heap_test \
	tests/unit/common/base/number_test \
	tests/unit/common/base/rand_test \
	tests/unit/common/base/sha1_test \
	tests/unit/common/base/sha256_test \
	tests/unit/common/base/sm_test \
	tests/unit/common/base/throttle_test \
	tests/unit/common/command/command_arguments_test \
	tests/unit/common/command/command_keys_test \
	tests/unit/common/command/command_table_test \
	tests/unit/common/ha/lease_test \
	tests/unit/common/ha/messages_test \
	tests/unit/common/ha/topology_test \
	tests/unit/common/resp/resp_reader_test \
	tests/unit/common/resp/resp_writer_test

check_PROGRAMS += $(common_unit_tests)
UNIT_TESTS += $(common_unit_tests)

common_unit_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
common_unit_ldadd = libtests.a libcommon_core.a $(CMOCKA_LIBS) -lm

tests_unit_common_base_address_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_address_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_buf_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_buf_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_door_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_door_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_number_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_number_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_rand_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_rand_test_LDADD = $(common_unit_ldadd)
tests_unit_common_resp_resp_writer_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_resp_resp_writer_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_throttle_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_throttle_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_sha256_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_sha256_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_hashmap_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_hashmap_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_heap_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_heap_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_sm_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_sm_test_LDADD = $(common_unit_ldadd)
tests_unit_common_ha_lease_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_ha_lease_test_LDADD = $(common_unit_ldadd)
tests_unit_common_ha_topology_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_ha_topology_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_crc32c_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_crc32c_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_crc64_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_crc64_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_glob_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_glob_test_LDADD = $(common_unit_ldadd)
tests_unit_common_ha_messages_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_ha_messages_test_LDADD = $(common_unit_ldadd)
tests_unit_common_resp_resp_reader_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_resp_resp_reader_test_LDADD = $(common_unit_ldadd)
tests_unit_common_command_command_arguments_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_command_command_arguments_test_LDADD = $(common_unit_ldadd)
tests_unit_common_command_command_keys_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_command_command_keys_test_LDADD = $(common_unit_ldadd)
tests_unit_common_command_command_table_test_CFLAGS = \
	$(common_unit_cflags) -DGOLDEN_DIR='"$(abs_top_srcdir)/tests/golden"'
tests_unit_common_command_command_table_test_LDADD = $(common_unit_ldadd)
EXTRA_DIST += tests/golden/command_reference.txt

# The tests of common/shell link what the shells link.
common_shell_tests = \
	tests/unit/common/conf/conf_schema_test \
	tests/unit/common/conf/redis_conf_test \
	tests/unit/common/shell/conf_libconfig_test \
	tests/unit/common/shell/file_thread_test \
	tests/unit/common/shell/host_test \
	tests/unit/common/shell/listener_test \
	tests/unit/common/shell/log_sink_test \
	tests/unit/common/shell/storage_directory_test
check_PROGRAMS += $(common_shell_tests)
UNIT_TESTS += $(common_shell_tests)
COMMON_SHELL_TEST_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS) $(LIBEVENT_CFLAGS) $(LIBCONFIG_CFLAGS)

tests_unit_common_conf_redis_conf_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_conf_redis_conf_test_LDADD = $(common_unit_ldadd)
tests_unit_common_conf_conf_schema_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_conf_conf_schema_test_LDADD = $(common_unit_ldadd)
tests_unit_common_shell_conf_libconfig_test_CFLAGS = $(COMMON_SHELL_TEST_CFLAGS)
tests_unit_common_shell_conf_libconfig_test_LDADD = $(SHELL_LIBS) $(CMOCKA_LIBS)
tests_unit_common_shell_file_thread_test_CFLAGS = $(COMMON_SHELL_TEST_CFLAGS)
tests_unit_common_shell_file_thread_test_LDADD = $(SHELL_LIBS) $(CMOCKA_LIBS)
tests_unit_common_shell_host_test_CFLAGS = $(COMMON_SHELL_TEST_CFLAGS)
tests_unit_common_shell_host_test_LDADD = $(SHELL_LIBS) $(CMOCKA_LIBS)
tests_unit_common_shell_listener_test_CFLAGS = $(COMMON_SHELL_TEST_CFLAGS)
tests_unit_common_shell_listener_test_LDADD = $(SHELL_LIBS) $(CMOCKA_LIBS)
tests_unit_common_shell_log_sink_test_CFLAGS = $(COMMON_SHELL_TEST_CFLAGS)
tests_unit_common_shell_log_sink_test_LDADD = $(SHELL_LIBS) $(CMOCKA_LIBS)
tests_unit_common_shell_storage_directory_test_CFLAGS = $(COMMON_SHELL_TEST_CFLAGS)
tests_unit_common_shell_storage_directory_test_LDADD = $(SHELL_LIBS) $(CMOCKA_LIBS)
tests_unit_common_base_fiber_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_fiber_test_LDADD = $(common_unit_ldadd)
tests_unit_common_base_sha1_test_CFLAGS = $(common_unit_cflags)
tests_unit_common_base_sha1_test_LDADD = $(common_unit_ldadd)
