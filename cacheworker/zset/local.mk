libcacheworker_core_a_SOURCES += \
	cacheworker/zset/order.c cacheworker/zset/order.h \
	cacheworker/zset/score.c cacheworker/zset/score.h \
	cacheworker/zset/zset.c cacheworker/zset/zset.h \
	cacheworker/zset/zset_combine.c \
	cacheworker/zset/zset_commands.c cacheworker/zset/zset_commands.h \
	cacheworker/zset/zset_range.c \
	cacheworker/zset/zset_rdb.c cacheworker/zset/zset_rdb.h \
	cacheworker/zset/zset_reply.h \
	cacheworker/zset/zset_store.c cacheworker/zset/zset_store.h
