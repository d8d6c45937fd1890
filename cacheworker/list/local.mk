libcacheworker_core_a_SOURCES += \
	cacheworker/list/list.c cacheworker/list/list.h \
	cacheworker/list/list_commands.c cacheworker/list/list_commands.h \
	cacheworker/list/list_limits.h cacheworker/list/list_memory.h \
	cacheworker/list/list_node.c cacheworker/list/list_node.h \
	cacheworker/list/list_nodes.c cacheworker/list/list_nodes.h \
	cacheworker/list/list_rdb.c cacheworker/list/list_rdb.h \
	cacheworker/list/long_list.c cacheworker/list/long_list.h
