libcacheworker_core_a_SOURCES += \
	cacheworker/expire/expire.c cacheworker/expire/expire.h \
	cacheworker/expire/expire_commands.c cacheworker/expire/expire_commands.h
