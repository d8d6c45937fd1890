# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/engine/engine.h
