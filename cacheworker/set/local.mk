libcacheworker_core_a_SOURCES += \
	cacheworker/set/set.c cacheworker/set/set.h \
	cacheworker/set/set_algebra_commands.c cacheworker/set/set_algebra_commands.h \
	cacheworker/set/set_commands.c cacheworker/set/set_commands.h \
	cacheworker/set/set_rdb.c cacheworker/set/set_rdb.h
