libcacheworker_core_a_SOURCES += \
	cacheworker/string/string_commands.h
