# Tests of cacheworker/ha, repl, rdb and aof.
cacheworker_ha_unit_tests = \
	tests/unit/cacheworker/aof/aof_load_test \
	tests/unit/cacheworker/aof/aof_check_test \
	tests/unit/cacheworker/aof/aof_reader_test \
	tests/unit/cacheworker/aof/aof_test \
	tests/unit/cacheworker/aof/entry_commands_test \
	tests/unit/cacheworker/aof/manifest_test \
	tests/unit/cacheworker/aof/place_test \
	tests/unit/cacheworker/ha/assignment_test \
	tests/unit/cacheworker/ha/desk_test \
	tests/unit/cacheworker/ha/gate_test \
	tests/unit/cacheworker/ha/insync_test \
	tests/unit/cacheworker/ha/node_state_test \
	tests/unit/cacheworker/ha/worker_files_test \
	tests/unit/cacheworker/ha/worker_ha_test \
	tests/unit/cacheworker/ha/worker_rejoin_test \
	tests/unit/cacheworker/rdb/background_save_test \
	tests/unit/cacheworker/rdb/encodings_test \
	tests/unit/cacheworker/rdb/rdb_file_test \
	tests/unit/cacheworker/rdb/rdb_test \
	tests/unit/cacheworker/rdb/value_parts_test \
	tests/unit/cacheworker/repl/ahead_test \
	tests/unit/cacheworker/repl/backlog_test \
	tests/unit/cacheworker/repl/diverged_test \
	tests/unit/cacheworker/repl/frames_test \
	tests/unit/cacheworker/repl/full_sync_test \
	tests/unit/cacheworker/repl/migration_group_test \
	tests/unit/cacheworker/repl/migration_test \
	tests/unit/cacheworker/repl/patience_test \
	tests/unit/cacheworker/repl/replication_settings_test \
	tests/unit/cacheworker/repl/restart_test \
	tests/unit/cacheworker/repl/resync_test \
	tests/unit/cacheworker/repl/stock_master_test \
	tests/unit/cacheworker/repl/stock_replica_test

check_PROGRAMS += $(cacheworker_ha_unit_tests)
UNIT_TESTS += $(cacheworker_ha_unit_tests)

cacheworker_ha_test_libraries = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
tests_unit_cacheworker_aof_aof_load_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_aof_aof_load_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_aof_aof_check_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_aof_aof_check_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_aof_aof_reader_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_aof_aof_reader_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_aof_aof_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_aof_aof_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_aof_entry_commands_test_SOURCES = \
	tests/unit/cacheworker/aof/entry_commands_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_aof_entry_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_aof_entry_commands_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_aof_manifest_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_aof_manifest_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_aof_place_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_aof_place_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_ha_assignment_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_ha_assignment_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_ha_desk_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_ha_desk_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_ha_gate_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_ha_gate_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_ha_insync_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_ha_insync_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_ha_node_state_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_ha_node_state_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_rdb_background_save_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_rdb_background_save_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_rdb_encodings_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_rdb_encodings_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_rdb_rdb_file_test_SOURCES = \
	tests/unit/cacheworker/rdb/rdb_file_test.c \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h
tests_unit_cacheworker_rdb_rdb_file_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_rdb_rdb_file_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_rdb_rdb_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_rdb_rdb_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_rdb_value_parts_test_SOURCES = \
	tests/unit/cacheworker/rdb/value_parts_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_rdb_value_parts_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_rdb_value_parts_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_ahead_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_ahead_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_backlog_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_backlog_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_diverged_test_SOURCES = \
	tests/unit/cacheworker/repl/diverged_test.c \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h
tests_unit_cacheworker_repl_diverged_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_diverged_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_frames_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_frames_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_full_sync_test_SOURCES = \
	tests/unit/cacheworker/repl/full_sync_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_repl_full_sync_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_full_sync_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_migration_group_test_SOURCES = \
	tests/unit/cacheworker/repl/migration_group_test.c \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h \
	tests/unit/cacheworker/net.c tests/unit/cacheworker/net.h
tests_unit_cacheworker_repl_migration_group_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_migration_group_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_migration_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_migration_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_patience_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_patience_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_resync_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_resync_test_LDADD = $(cacheworker_ha_test_libraries)
cacheworker_ha_cluster = tests/unit/cacheworker/ha/cluster.c tests/unit/cacheworker/ha/cluster.h \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h \
	tests/unit/cacheworker/net.c tests/unit/cacheworker/net.h
tests_unit_cacheworker_ha_worker_files_test_SOURCES = tests/unit/cacheworker/ha/worker_files_test.c $(cacheworker_ha_cluster)
tests_unit_cacheworker_ha_worker_files_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_ha_worker_files_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_ha_worker_ha_test_SOURCES = tests/unit/cacheworker/ha/worker_ha_test.c $(cacheworker_ha_cluster)
tests_unit_cacheworker_ha_worker_ha_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_ha_worker_ha_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_ha_worker_rejoin_test_SOURCES = tests/unit/cacheworker/ha/worker_rejoin_test.c $(cacheworker_ha_cluster)
tests_unit_cacheworker_ha_worker_rejoin_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_ha_worker_rejoin_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_stock_master_test_SOURCES = \
	tests/unit/cacheworker/repl/stock_master_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_repl_stock_master_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_stock_master_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_replication_settings_test_SOURCES = \
	tests/unit/cacheworker/repl/replication_settings_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_repl_replication_settings_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_replication_settings_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_restart_test_SOURCES = \
	tests/unit/cacheworker/repl/restart_test.c \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_repl_restart_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_restart_test_LDADD = $(cacheworker_ha_test_libraries)
tests_unit_cacheworker_repl_stock_replica_test_SOURCES = \
	tests/unit/cacheworker/repl/stock_replica_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_repl_stock_replica_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_repl_stock_replica_test_LDADD = $(cacheworker_ha_test_libraries)
