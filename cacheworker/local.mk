# cacheworker/: the engine. Every folder but shell/ is core. Rooms name their files in a local.mk of their own.
noinst_LIBRARIES += libcacheworker_core.a
libcacheworker_core_a_SOURCES = cacheworker/engine/worker.h cacheworker/engine/call.h
include cacheworker/keyspace/local.mk
include cacheworker/packed/local.mk
include cacheworker/expire/local.mk
include cacheworker/evict/local.mk
include cacheworker/stream/local.mk
include cacheworker/string/local.mk
include cacheworker/hash/local.mk
include cacheworker/limiter/local.mk
include cacheworker/list/local.mk
include cacheworker/set/local.mk
include cacheworker/sort/local.mk
include cacheworker/zset/local.mk
include cacheworker/bitmap/local.mk
include cacheworker/hyperloglog/local.mk
include cacheworker/geo/local.mk
include cacheworker/engine/local.mk
include cacheworker/ha/local.mk
include cacheworker/repl/local.mk
include cacheworker/rdb/local.mk
include cacheworker/aof/local.mk
include cacheworker/pubsub/local.mk
include cacheworker/tracking/local.mk
include cacheworker/block/local.mk
include cacheworker/txn/local.mk
include cacheworker/info/local.mk
include cacheworker/script/local.mk
include cacheworker/acl/local.mk

sbin_PROGRAMS += respite-cacheworker
respite_cacheworker_SOURCES = \
	cacheworker/main.c cacheworker/shell/check_files.c cacheworker/shell/check_files.h \
	cacheworker/shell/redis_conf_file.c cacheworker/shell/redis_conf_file.h \
	cacheworker/shell/worker_settings.c cacheworker/shell/worker_settings.h
respite_cacheworker_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS)
respite_cacheworker_LDADD = libcacheworker_core.a $(SHELL_LIBS)
