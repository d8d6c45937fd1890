# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/acl/selector.c cacheworker/acl/selector.h \
	cacheworker/acl/user.c cacheworker/acl/user.h \
	cacheworker/acl/users.c cacheworker/acl/users.h
