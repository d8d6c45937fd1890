libcacheworker_core_a_SOURCES += \
	cacheworker/keyspace/arena.c cacheworker/keyspace/arena.h \
	cacheworker/keyspace/entry.c cacheworker/keyspace/entry.h \
	cacheworker/keyspace/hash.c cacheworker/keyspace/hash.h \
	cacheworker/keyspace/key_commands.c cacheworker/keyspace/key_commands.h \
	cacheworker/keyspace/keyspace.c cacheworker/keyspace/keyspace.h \
	cacheworker/keyspace/lookup.c cacheworker/keyspace/lookup.h \
	cacheworker/keyspace/table.c cacheworker/keyspace/table.h
