# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/geo/geo.c cacheworker/geo/geo.h \
	cacheworker/geo/geo_arguments.c cacheworker/geo/geo_arguments.h \
	cacheworker/geo/geo_commands.c cacheworker/geo/geo_commands.h \
	cacheworker/geo/geo_search.c
