# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/rdb/rdb.h \
	cacheworker/rdb/rdb_file.h
