libcacheworker_core_a_SOURCES += \
	cacheworker/hyperloglog/hyperloglog.c cacheworker/hyperloglog/hyperloglog.h \
	cacheworker/hyperloglog/hyperloglog_commands.c cacheworker/hyperloglog/hyperloglog_commands.h \
	cacheworker/hyperloglog/self_test.c cacheworker/hyperloglog/self_test.h
