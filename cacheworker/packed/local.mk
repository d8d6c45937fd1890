# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/packed/intset.c cacheworker/packed/intset.h \
	cacheworker/packed/listpack.c cacheworker/packed/listpack.h \
	cacheworker/packed/little_endian.h \
	cacheworker/packed/packed.c cacheworker/packed/packed.h cacheworker/packed/packed_reply.h \
	cacheworker/packed/ziplist.c cacheworker/packed/ziplist.h \
	cacheworker/packed/zipmap.c cacheworker/packed/zipmap.h
