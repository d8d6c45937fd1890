# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/evict/evict.c cacheworker/evict/evict.h \
	cacheworker/evict/policy.c cacheworker/evict/policy.h
