# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/repl/ahead.c cacheworker/repl/ahead.h \
	cacheworker/repl/backlog.c cacheworker/repl/backlog.h \
	cacheworker/repl/diverged.c cacheworker/repl/diverged.h \
	cacheworker/repl/frames.c cacheworker/repl/frames.h \
	cacheworker/repl/migration.c cacheworker/repl/migration.h \
	cacheworker/repl/patience.c cacheworker/repl/patience.h \
	cacheworker/repl/repl.c cacheworker/repl/repl.h cacheworker/repl/repl_internal.h cacheworker/repl/repl_settings.h \
	cacheworker/repl/repl_failover.c \
	cacheworker/repl/repl_follow.c \
	cacheworker/repl/repl_info.c \
	cacheworker/repl/repl_migration.c \
	cacheworker/repl/repl_peers.c \
	cacheworker/repl/repl_stock.c \
	cacheworker/repl/repl_transfer.c \
	cacheworker/repl/resync.c cacheworker/repl/resync.h
