# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/tracking/broadcast.c cacheworker/tracking/broadcast.h \
	cacheworker/tracking/read_keys.c cacheworker/tracking/read_keys.h \
	cacheworker/tracking/tracking.c cacheworker/tracking/tracking.h \
	cacheworker/tracking/tracking_commands.c cacheworker/tracking/tracking_commands.h
