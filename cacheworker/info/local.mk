# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/info/histogram.c cacheworker/info/histogram.h \
	cacheworker/info/info.c cacheworker/info/info.h \
	cacheworker/info/latency.c cacheworker/info/latency.h \
	cacheworker/info/latency_commands.c cacheworker/info/latency_commands.h \
	cacheworker/info/memory_commands.c cacheworker/info/memory_commands.h \
	cacheworker/info/memory_report.c cacheworker/info/memory_report.h \
	cacheworker/info/monitor.c cacheworker/info/monitor.h \
	cacheworker/info/redact.c cacheworker/info/redact.h \
	cacheworker/info/slowlog.c cacheworker/info/slowlog.h \
	cacheworker/info/statistics.c cacheworker/info/statistics.h \
	cacheworker/info/timing.c cacheworker/info/timing.h
