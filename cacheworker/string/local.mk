libcacheworker_core_a_SOURCES += \
	cacheworker/string/condition.c cacheworker/string/condition.h \
	cacheworker/string/lcs.c cacheworker/string/lcs.h \
	cacheworker/string/long_double.c cacheworker/string/long_double.h \
	cacheworker/string/string_commands.c cacheworker/string/string_commands.h \
	cacheworker/string/string_edit.c cacheworker/string/string_edit.h \
	cacheworker/string/xxh3.c cacheworker/string/xxh3.h
