libcacheworker_core_a_SOURCES += \
	cacheworker/zset/score.c cacheworker/zset/score.h
