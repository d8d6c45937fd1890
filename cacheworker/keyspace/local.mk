libcacheworker_core_a_SOURCES += \
	cacheworker/keyspace/access.c cacheworker/keyspace/access.h \
	cacheworker/keyspace/active_expiry.c \
	cacheworker/keyspace/arena.c cacheworker/keyspace/arena.h \
	cacheworker/keyspace/budget.h \
	cacheworker/keyspace/compaction.c \
	cacheworker/keyspace/dictionary.c cacheworker/keyspace/dictionary.h \
	cacheworker/keyspace/entry.c cacheworker/keyspace/entry.h \
	cacheworker/keyspace/entry_memory.c cacheworker/keyspace/entry_memory.h \
	cacheworker/keyspace/eviction_look.c \
	cacheworker/keyspace/garbage.c \
	cacheworker/keyspace/hash.c cacheworker/keyspace/hash.h \
	cacheworker/keyspace/key_commands.c cacheworker/keyspace/key_commands.h \
	cacheworker/keyspace/keyspace.c cacheworker/keyspace/keyspace.h \
	cacheworker/keyspace/keyspace_internal.h \
	cacheworker/keyspace/lookup.c cacheworker/keyspace/lookup.h \
	cacheworker/keyspace/many_words.c cacheworker/keyspace/many_words.h \
	cacheworker/keyspace/object.h \
	cacheworker/keyspace/packing.h \
	cacheworker/keyspace/picks.c cacheworker/keyspace/picks.h \
	cacheworker/keyspace/packed_entry.c cacheworker/keyspace/packed_entry.h \
	cacheworker/keyspace/scan.c cacheworker/keyspace/scan.h \
	cacheworker/keyspace/snapshot.c \
	cacheworker/keyspace/table.c cacheworker/keyspace/table.h
