libcacheworker_core_a_SOURCES += \
	cacheworker/stream/id_map.c cacheworker/stream/id_map.h \
	cacheworker/stream/name_list.c cacheworker/stream/name_list.h \
	cacheworker/stream/stream.c cacheworker/stream/stream.h \
	cacheworker/stream/stream_call.c cacheworker/stream/stream_call.h \
	cacheworker/stream/stream_claim_commands.c \
	cacheworker/stream/stream_commands.c cacheworker/stream/stream_commands.h \
	cacheworker/stream/stream_group.c cacheworker/stream/stream_group.h \
	cacheworker/stream/stream_group_commands.c \
	cacheworker/stream/stream_id.c cacheworker/stream/stream_id.h \
	cacheworker/stream/stream_info_commands.c \
	cacheworker/stream/stream_memory.h \
	cacheworker/stream/stream_node.c cacheworker/stream/stream_node.h \
	cacheworker/stream/stream_object.c cacheworker/stream/stream_object.h \
	cacheworker/stream/stream_rdb.c cacheworker/stream/stream_rdb.h \
	cacheworker/stream/stream_read_commands.c
