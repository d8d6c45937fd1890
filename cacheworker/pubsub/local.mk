# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/pubsub/notify.c cacheworker/pubsub/notify.h \
	cacheworker/pubsub/notify_classes.c cacheworker/pubsub/notify_classes.h \
	cacheworker/pubsub/pubsub.c cacheworker/pubsub/pubsub.h \
	cacheworker/pubsub/pubsub_commands.c cacheworker/pubsub/pubsub_commands.h
