libcacheworker_core_a_SOURCES += \
	cacheworker/sort/sort.c cacheworker/sort/sort.h \
	cacheworker/sort/sort_commands.c cacheworker/sort/sort_commands.h
