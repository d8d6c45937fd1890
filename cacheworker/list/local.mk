libcacheworker_core_a_SOURCES += \
	cacheworker/list/list_memory.h \
	cacheworker/list/list_node.c cacheworker/list/list_node.h \
	cacheworker/list/list_nodes.c cacheworker/list/list_nodes.h
