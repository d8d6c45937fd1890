libcacheworker_core_a_SOURCES += \
	cacheworker/keyspace/entry.h \
	cacheworker/keyspace/key_commands.h \
	cacheworker/keyspace/keyspace.h
