# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/aof/aof.c cacheworker/aof/aof.h \
	cacheworker/aof/aof_check.c cacheworker/aof/aof_check.h \
	cacheworker/aof/aof_internal.h \
	cacheworker/aof/aof_load.c cacheworker/aof/aof_load.h \
	cacheworker/aof/aof_reader.c cacheworker/aof/aof_reader.h \
	cacheworker/aof/aof_rewrite.c cacheworker/aof/aof_rewrite.h \
	cacheworker/aof/entry_commands.c cacheworker/aof/entry_commands.h \
	cacheworker/aof/entry_commands_stream.c cacheworker/aof/entry_commands_stream.h \
	cacheworker/aof/manifest.c cacheworker/aof/manifest.h \
	cacheworker/aof/place.c cacheworker/aof/place.h
