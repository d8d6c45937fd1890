libcacheworker_core_a_SOURCES += \
	cacheworker/hash/big_hash.c cacheworker/hash/big_hash.h \
	cacheworker/hash/field_commands.c cacheworker/hash/field_commands.h \
	cacheworker/hash/field_expiry.c cacheworker/hash/field_expiry.h \
	cacheworker/hash/hash.c cacheworker/hash/hash.h \
	cacheworker/hash/hash_commands.c cacheworker/hash/hash_commands.h \
	cacheworker/hash/hash_rdb.c cacheworker/hash/hash_rdb.h
