# Adds its files to libcacheworker_core_a_SOURCES.
