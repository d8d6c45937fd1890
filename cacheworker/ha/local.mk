# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/ha/assignment.c cacheworker/ha/assignment.h \
	cacheworker/ha/control.c cacheworker/ha/control.h \
	cacheworker/ha/desk.c cacheworker/ha/desk.h \
	cacheworker/ha/mailbox.c cacheworker/ha/mailbox.h \
	cacheworker/ha/newest.c cacheworker/ha/newest.h \
	cacheworker/ha/gate.c cacheworker/ha/gate.h \
	cacheworker/ha/ha.c cacheworker/ha/ha.h cacheworker/ha/ha_internal.h \
	cacheworker/ha/ha_control.c \
	cacheworker/ha/ha_role.c \
	cacheworker/ha/insync.c cacheworker/ha/insync.h \
	cacheworker/ha/node_state.c cacheworker/ha/node_state.h
