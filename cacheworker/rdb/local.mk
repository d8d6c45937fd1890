# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/rdb/background_save.c cacheworker/rdb/background_save.h \
	cacheworker/rdb/dump_commands.c cacheworker/rdb/dump_commands.h \
	cacheworker/rdb/dump_payload.c cacheworker/rdb/dump_payload.h \
	cacheworker/rdb/lzf.c cacheworker/rdb/lzf.h \
	cacheworker/rdb/picture.c cacheworker/rdb/picture.h \
	cacheworker/rdb/rdb.h cacheworker/rdb/rdb_format.h \
	cacheworker/rdb/rdb_check.c cacheworker/rdb/rdb_check.h \
	cacheworker/rdb/rdb_cursor.c cacheworker/rdb/rdb_cursor.h \
	cacheworker/rdb/rdb_emit.c cacheworker/rdb/rdb_emit.h \
	cacheworker/rdb/rdb_file.c cacheworker/rdb/rdb_file.h \
	cacheworker/rdb/rdb_pack.c cacheworker/rdb/rdb_pack.h \
	cacheworker/rdb/rdb_load.c cacheworker/rdb/rdb_load.h \
	cacheworker/rdb/rdb_reader.c \
	cacheworker/rdb/rdb_value.c cacheworker/rdb/rdb_value.h \
	cacheworker/rdb/rdb_writer.c
