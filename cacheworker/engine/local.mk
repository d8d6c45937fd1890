# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/engine/command_commands.c cacheworker/engine/command_commands.h \
	cacheworker/engine/engine.h
