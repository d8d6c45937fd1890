# tests/fuzz: libFuzzer targets. Configured with --enable-fuzz (and CC=clang) they search; otherwise each replays its
# checked-in corpus, or the files given to it.
FUZZ_TARGETS += \
	tests/fuzz/fuzz_acl \
	tests/fuzz/fuzz_append_only \
	tests/fuzz/fuzz_configuration \
	tests/fuzz/fuzz_dispatch \
	tests/fuzz/fuzz_follower \
	tests/fuzz/fuzz_glob \
	tests/fuzz/fuzz_hyperloglog \
	tests/fuzz/fuzz_manifest \
	tests/fuzz/fuzz_messages \
	tests/fuzz/fuzz_migration \
	tests/fuzz/fuzz_node \
	tests/fuzz/fuzz_node_state \
	tests/fuzz/fuzz_packed \
	tests/fuzz/fuzz_proxy \
	tests/fuzz/fuzz_redis_conf \
	tests/fuzz/fuzz_resp_reply \
	tests/fuzz/fuzz_resp_request \
	tests/fuzz/fuzz_restore \
	tests/fuzz/fuzz_script \
	tests/fuzz/fuzz_sentinel \
	tests/fuzz/fuzz_sentinel_state \
	tests/fuzz/fuzz_session \
	tests/fuzz/fuzz_snapshot
check_PROGRAMS += $(FUZZ_TARGETS)
EXTRA_DIST += tests/fuzz/corpus

fuzz_common_sources = tests/fuzz/fuzz.c tests/fuzz/fuzz.h
if !FUZZ
fuzz_common_sources += tests/fuzz/replay.c
endif
fuzz_cflags = $(AM_CFLAGS) -DCORPUS_DIR='"$(abs_top_srcdir)/tests/fuzz/corpus"'
fuzz_ldflags = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
fuzz_ldadd = libcommon_core.a -lm
fuzz_puppet = tests/fuzz/memory_disk.c tests/fuzz/memory_disk.h tests/fuzz/puppet.c tests/fuzz/puppet.h
fuzz_held = tests/fuzz/held.c tests/fuzz/held.h
fuzz_bench = tests/unit/cacheworker/engine/bench.c tests/unit/cacheworker/engine/bench.h

tests_fuzz_fuzz_append_only_SOURCES = tests/fuzz/fuzz_append_only.c cacheworker/shell/check_files.c \
	cacheworker/shell/check_files.h $(fuzz_common_sources)
tests_fuzz_fuzz_append_only_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_append_only_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_append_only_LDADD = libcacheworker_core.a $(SHELL_LIBS)
tests_fuzz_fuzz_configuration_SOURCES = tests/fuzz/fuzz_configuration.c $(fuzz_common_sources)
tests_fuzz_fuzz_configuration_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_configuration_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_configuration_LDADD = $(SHELL_LIBS)
tests_fuzz_fuzz_glob_SOURCES = tests/fuzz/fuzz_glob.c $(fuzz_common_sources)
tests_fuzz_fuzz_glob_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_glob_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_glob_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_restore_SOURCES = tests/fuzz/fuzz_restore.c $(fuzz_common_sources)
tests_fuzz_fuzz_restore_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_restore_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_restore_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_acl_SOURCES = tests/fuzz/fuzz_acl.c $(fuzz_common_sources)
tests_fuzz_fuzz_acl_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_acl_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_acl_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_hyperloglog_SOURCES = tests/fuzz/fuzz_hyperloglog.c $(fuzz_common_sources)
tests_fuzz_fuzz_hyperloglog_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_hyperloglog_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_hyperloglog_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_manifest_SOURCES = tests/fuzz/fuzz_manifest.c $(fuzz_common_sources)
tests_fuzz_fuzz_manifest_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_manifest_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_manifest_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_messages_SOURCES = tests/fuzz/fuzz_messages.c $(fuzz_common_sources)
tests_fuzz_fuzz_messages_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_messages_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_messages_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_node_state_SOURCES = tests/fuzz/fuzz_node_state.c $(fuzz_bench) $(fuzz_common_sources)
tests_fuzz_fuzz_node_state_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_node_state_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_node_state_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_packed_SOURCES = tests/fuzz/fuzz_packed.c $(fuzz_common_sources)
tests_fuzz_fuzz_packed_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_packed_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_packed_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_redis_conf_SOURCES = tests/fuzz/fuzz_redis_conf.c $(fuzz_common_sources)
tests_fuzz_fuzz_redis_conf_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_redis_conf_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_redis_conf_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_resp_reply_SOURCES = tests/fuzz/fuzz_resp_reply.c $(fuzz_common_sources)
tests_fuzz_fuzz_resp_reply_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_resp_reply_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_resp_reply_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_resp_request_SOURCES = tests/fuzz/fuzz_resp_request.c $(fuzz_common_sources)
tests_fuzz_fuzz_resp_request_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_resp_request_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_resp_request_LDADD = $(fuzz_ldadd)
tests_fuzz_fuzz_sentinel_state_SOURCES = tests/fuzz/fuzz_sentinel_state.c $(fuzz_common_sources)
tests_fuzz_fuzz_sentinel_state_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_sentinel_state_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_sentinel_state_LDADD = libsentinel_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_snapshot_SOURCES = tests/fuzz/fuzz_snapshot.c $(fuzz_common_sources)
tests_fuzz_fuzz_snapshot_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_snapshot_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_snapshot_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_dispatch_SOURCES = tests/fuzz/fuzz_dispatch.c $(fuzz_bench) $(fuzz_common_sources)
tests_fuzz_fuzz_dispatch_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_dispatch_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_dispatch_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_session_SOURCES = tests/fuzz/fuzz_session.c $(fuzz_bench) $(fuzz_common_sources)
tests_fuzz_fuzz_session_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_session_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_session_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_migration_SOURCES = tests/fuzz/fuzz_migration.c $(fuzz_held) $(fuzz_puppet) $(fuzz_common_sources)
tests_fuzz_fuzz_migration_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_migration_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_migration_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_node_SOURCES = tests/fuzz/fuzz_node.c $(fuzz_puppet) $(fuzz_common_sources)
tests_fuzz_fuzz_node_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_node_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_node_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_follower_SOURCES = tests/fuzz/fuzz_follower.c $(fuzz_held) $(fuzz_puppet) $(fuzz_common_sources)
tests_fuzz_fuzz_follower_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_follower_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_follower_LDADD = libcacheworker_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c $(fuzz_puppet) $(fuzz_common_sources)
tests_fuzz_fuzz_proxy_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_proxy_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_proxy_LDADD = libproxy_core.a $(fuzz_ldadd)
tests_fuzz_fuzz_sentinel_SOURCES = tests/fuzz/fuzz_sentinel.c $(fuzz_puppet) $(fuzz_common_sources)
tests_fuzz_fuzz_sentinel_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_sentinel_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_sentinel_LDADD = libsentinel_core.a $(fuzz_ldadd)

# make fuzz-smoke [SECONDS=n]: each target for so long, from its corpus. A finding stops it and stays in fuzz-findings/.
SECONDS = 60
.PHONY: fuzz-smoke
if FUZZ
fuzz-smoke: $(FUZZ_TARGETS)
	@for target in $(FUZZ_TARGETS); do \
	    name=`basename $$target`; \
	    $(MKDIR_P) fuzz-work/$$name fuzz-findings || exit 1; \
	    echo "$$name: $(SECONDS) seconds"; \
	    ./$$target -max_total_time=$(SECONDS) -max_len=4096 -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
	        -artifact_prefix=fuzz-findings/$$name- fuzz-work/$$name $(top_srcdir)/tests/fuzz/corpus/$$name \
	        >fuzz-work/$$name.log 2>&1 || { tail -n 40 fuzz-work/$$name.log; exit 1; }; \
	    grep -E 'number_of_executed_units|new_units_added' fuzz-work/$$name.log; \
	done
else
fuzz-smoke:
	@echo 'fuzz-smoke: configure with CC=clang --enable-fuzz --enable-sanitizers first'; exit 1
endif
clean-fuzz:
	rm -rf fuzz-work fuzz-findings
clean-local: clean-fuzz
.PHONY: clean-fuzz
tests_fuzz_fuzz_script_SOURCES = tests/fuzz/fuzz_script.c $(fuzz_common_sources)
tests_fuzz_fuzz_script_CFLAGS = $(fuzz_cflags)
tests_fuzz_fuzz_script_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_script_LDADD = libcacheworker_core.a $(fuzz_ldadd)
