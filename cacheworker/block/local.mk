# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/block/block.c cacheworker/block/block.h cacheworker/block/serve.c \
	cacheworker/block/waiters.c cacheworker/block/waiters.h
