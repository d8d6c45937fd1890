# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/limiter/gcra.c cacheworker/limiter/gcra.h \
	cacheworker/limiter/limiter_commands.c cacheworker/limiter/limiter_commands.h \
	cacheworker/limiter/window.c cacheworker/limiter/window.h
