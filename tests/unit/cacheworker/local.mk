# Files of tests/unit/cacheworker; see the top Makefile.am.

check_PROGRAMS += tests/unit/cacheworker/engine/command_commands_test
UNIT_TESTS += tests/unit/cacheworker/engine/command_commands_test
tests_unit_cacheworker_engine_command_commands_test_CFLAGS = \
	$(AM_CFLAGS) $(CMOCKA_CFLAGS) -DGOLDEN_DIR='"$(abs_top_srcdir)/tests/golden"'
tests_unit_cacheworker_engine_command_commands_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
EXTRA_DIST += tests/golden/command_transcript.txt
check_PROGRAMS += tests/unit/cacheworker/engine/golden_test
UNIT_TESTS += tests/unit/cacheworker/engine/golden_test
tests_unit_cacheworker_engine_golden_test_SOURCES = \
	tests/unit/cacheworker/engine/golden_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_engine_golden_test_CFLAGS = \
	$(AM_CFLAGS) $(CMOCKA_CFLAGS) -DGOLDEN_DIRECTORY='"$(abs_top_srcdir)/tests/golden/engine"'
tests_unit_cacheworker_engine_golden_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
EXTRA_DIST += tests/golden/engine
include tests/unit/cacheworker/ha.mk

check_PROGRAMS += tests/unit/cacheworker/engine/worker_test
UNIT_TESTS += tests/unit/cacheworker/engine/worker_test
tests_unit_cacheworker_engine_worker_test_SOURCES = \
	tests/unit/cacheworker/engine/worker_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_engine_worker_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_worker_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
include tests/unit/cacheworker/keyspace.mk
include tests/unit/cacheworker/geo.mk
include tests/unit/cacheworker/hash.mk
include tests/unit/cacheworker/limiter.mk
include tests/unit/cacheworker/list.mk
include tests/unit/cacheworker/set.mk
include tests/unit/cacheworker/sort.mk
include tests/unit/cacheworker/packed.mk
include tests/unit/cacheworker/pubsub.mk
include tests/unit/cacheworker/stream.mk
include tests/unit/cacheworker/txn.mk
include tests/unit/cacheworker/tracking.mk
include tests/unit/cacheworker/script.mk
include tests/unit/cacheworker/zset.mk
include tests/unit/cacheworker/acl.mk

check_PROGRAMS += tests/unit/cacheworker/engine/apply_test
UNIT_TESTS += tests/unit/cacheworker/engine/apply_test
tests_unit_cacheworker_engine_apply_test_SOURCES = \
	tests/unit/cacheworker/engine/apply_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_engine_apply_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_apply_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/memory_test
UNIT_TESTS += tests/unit/cacheworker/engine/memory_test
tests_unit_cacheworker_engine_memory_test_SOURCES = \
	tests/unit/cacheworker/engine/memory_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_engine_memory_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_memory_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/output_limits_test
UNIT_TESTS += tests/unit/cacheworker/engine/output_limits_test
tests_unit_cacheworker_engine_output_limits_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_output_limits_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/info/histogram_test
UNIT_TESTS += tests/unit/cacheworker/info/histogram_test
tests_unit_cacheworker_info_histogram_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_info_histogram_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/matrix_test
UNIT_TESTS += tests/unit/cacheworker/engine/matrix_test
tests_unit_cacheworker_engine_matrix_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_matrix_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/pending_writes_test
UNIT_TESTS += tests/unit/cacheworker/engine/pending_writes_test
tests_unit_cacheworker_engine_pending_writes_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_pending_writes_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/marks_test
UNIT_TESTS += tests/unit/cacheworker/engine/marks_test
tests_unit_cacheworker_engine_marks_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_marks_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/compaction_test
UNIT_TESTS += tests/unit/cacheworker/engine/compaction_test
tests_unit_cacheworker_engine_compaction_test_SOURCES = tests/unit/cacheworker/engine/compaction_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_engine_compaction_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_compaction_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/owed_test
UNIT_TESTS += tests/unit/cacheworker/engine/owed_test
tests_unit_cacheworker_engine_owed_test_SOURCES = tests/unit/cacheworker/engine/owed_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_engine_owed_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_owed_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/digest_test
UNIT_TESTS += tests/unit/cacheworker/engine/digest_test
tests_unit_cacheworker_engine_digest_test_SOURCES = tests/unit/cacheworker/engine/digest_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_engine_digest_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_digest_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/client_memory_test
UNIT_TESTS += tests/unit/cacheworker/engine/client_memory_test
tests_unit_cacheworker_engine_client_memory_test_SOURCES = \
	tests/unit/cacheworker/engine/client_memory_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h
tests_unit_cacheworker_engine_client_memory_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_client_memory_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/settings_test
UNIT_TESTS += tests/unit/cacheworker/engine/settings_test
tests_unit_cacheworker_engine_settings_test_SOURCES = \
	tests/unit/cacheworker/engine/settings_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h
tests_unit_cacheworker_engine_settings_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_settings_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/debug_commands_test
UNIT_TESTS += tests/unit/cacheworker/engine/debug_commands_test
tests_unit_cacheworker_engine_debug_commands_test_SOURCES = \
	tests/unit/cacheworker/engine/debug_commands_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h
tests_unit_cacheworker_engine_debug_commands_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_debug_commands_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/stream_test
UNIT_TESTS += tests/unit/cacheworker/engine/stream_test
tests_unit_cacheworker_engine_stream_test_SOURCES = tests/unit/cacheworker/engine/stream_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_engine_stream_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_stream_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/nested_test
UNIT_TESTS += tests/unit/cacheworker/engine/nested_test
tests_unit_cacheworker_engine_nested_test_SOURCES = tests/unit/cacheworker/engine/nested_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_engine_nested_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_nested_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/changes_test
UNIT_TESTS += tests/unit/cacheworker/engine/changes_test
tests_unit_cacheworker_engine_changes_test_SOURCES = tests/unit/cacheworker/engine/changes_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h
tests_unit_cacheworker_engine_changes_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_changes_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/engine/loading_test
UNIT_TESTS += tests/unit/cacheworker/engine/loading_test
tests_unit_cacheworker_engine_loading_test_SOURCES = \
	tests/unit/cacheworker/engine/loading_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h
tests_unit_cacheworker_engine_loading_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_loading_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
check_PROGRAMS += tests/unit/cacheworker/engine/shutdown_test
UNIT_TESTS += tests/unit/cacheworker/engine/shutdown_test
tests_unit_cacheworker_engine_shutdown_test_SOURCES = \
	tests/unit/cacheworker/engine/shutdown_test.c \
	tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h \
	tests/unit/cacheworker/memory_storage.c tests/unit/cacheworker/memory_storage.h
tests_unit_cacheworker_engine_shutdown_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_engine_shutdown_test_LDADD = \
	libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
