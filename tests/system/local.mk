# tests/system: real daemons on loopback, with real clients.
noinst_PROGRAMS += tests/system/steady
tests_system_steady_SOURCES = tests/system/steady.c
tests_system_steady_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
tests_system_steady_LDADD = libcommon_core.a $(HIREDIS_LIBS) -lm
noinst_PROGRAMS += tests/system/hiredis_client
tests_system_hiredis_client_SOURCES = tests/system/hiredis_client.c
tests_system_hiredis_client_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
tests_system_hiredis_client_LDADD = $(HIREDIS_LIBS)
noinst_PROGRAMS += tests/system/end_after.so
tests_system_end_after_so_SOURCES = tests/system/end_after.c
tests_system_end_after_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_system_end_after_so_LDFLAGS = -shared
tests_system_end_after_so_LDADD = -ldl
noinst_PROGRAMS += tests/system/disk_faults.so
tests_system_disk_faults_so_SOURCES = tests/system/disk_faults.c
tests_system_disk_faults_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_system_disk_faults_so_LDFLAGS = -shared
tests_system_disk_faults_so_LDADD = -ldl
noinst_PROGRAMS += tests/system/disk_record.so
tests_system_disk_record_so_SOURCES = tests/system/disk_record.c
tests_system_disk_record_so_CFLAGS = $(AM_CFLAGS) -fPIC
tests_system_disk_record_so_LDFLAGS = -shared
tests_system_disk_record_so_LDADD = -ldl
noinst_PROGRAMS += tests/system/load_directories
tests_system_load_directories_SOURCES = tests/system/load_directories.c cacheworker/shell/check_files.c \
	cacheworker/shell/check_files.h tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_system_load_directories_LDADD = libcacheworker_core.a $(SHELL_LIBS)
EXTRA_DIST += \
	tests/system/appliance.py \
	tests/system/celery_tasks.py \
	tests/system/jobs.js \
	tests/system/node/package.json \
	tests/system/node/package-lock.json \
	tests/system/node_clients.js \
	tests/system/node_packages.py \
	tests/system/node_runner.js \
	tests/system/places.py \
	tests/system/worker.py \
	tests/system/power_cut.py \
	tests/system/rq_tasks.py \
	tests/system/differential_acl.py \
	tests/system/differential_bits.py \
	tests/system/differential_dump.py \
	tests/system/differential_geo.py \
	tests/system/differential_events.py \
	tests/system/differential_hash.py \
	tests/system/differential_list.py \
	tests/system/differential_set.py \
	tests/system/differential_script.py \
	tests/system/differential_sort.py \
	tests/system/differential_stream.py \
	tests/system/differential_wait.py \
	tests/system/differential_zset.py \
	tests/system/disks.py \
	tests/system/frameworks.js \
	tests/system/hosts.py \
	tests/system/tap.py \
	tests/system/threads.py
EXTRA_DIST += \
	tests/system/test_acl.py \
	tests/system/test_append_only_file.py \
	tests/system/test_background_save.py \
	tests/system/test_bad_input.py \
	tests/system/test_clients.py \
	tests/system/test_cold_start.py \
	tests/system/test_damage.py \
	tests/system/test_daemons.py \
	tests/system/test_differential.py \
	tests/system/test_empty_restart.py \
	tests/system/test_failover.py \
	tests/system/test_failover_again.py \
	tests/system/test_fields.py \
	tests/system/test_frameworks.py \
	tests/system/test_full_disk.py \
	tests/system/test_full_sync.py \
	tests/system/test_group_files.py \
	tests/system/test_held.py \
	tests/system/test_hyperloglog.py \
	tests/system/test_introspection.py \
	tests/system/test_jobs.py \
	tests/system/test_limits.py \
	tests/system/test_memory.py \
	tests/system/test_migration.py \
	tests/system/test_network.py \
	tests/system/test_power_cut.py \
	tests/system/test_primitives.py \
	tests/system/test_quickstart.py \
	tests/system/test_quorum.py \
	tests/system/test_rdb_files.py \
	tests/system/test_replication.py \
	tests/system/test_scripts.py \
	tests/system/test_spares.py \
	tests/system/test_stop_lengths.py \
	tests/system/test_stock_replication.py \
	tests/system/test_stopped.py \
	tests/system/test_sync.py \
	tests/system/test_tools.py \
	tests/system/test_tracking.py \
	tests/system/test_troubles.py \
	tests/system/test_types.py \
	tests/system/test_waiting.py
