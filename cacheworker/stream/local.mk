libcacheworker_core_a_SOURCES += \
	cacheworker/stream/id_map.c cacheworker/stream/id_map.h \
	cacheworker/stream/stream_id.c cacheworker/stream/stream_id.h \
	cacheworker/stream/stream_memory.h
