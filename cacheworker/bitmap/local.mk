libcacheworker_core_a_SOURCES += \
	cacheworker/bitmap/bitfield_commands.c \
	cacheworker/bitmap/bitmap_commands.c cacheworker/bitmap/bitmap_commands.h \
	cacheworker/bitmap/bits.c cacheworker/bitmap/bits.h
