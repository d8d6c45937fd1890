libcacheworker_core_a_SOURCES += \
	cacheworker/zset/order.c cacheworker/zset/order.h \
	cacheworker/zset/score.c cacheworker/zset/score.h
