libcacheworker_core_a_SOURCES += \
	cacheworker/expire/expire.h \
	cacheworker/expire/expire_commands.h
