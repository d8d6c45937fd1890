# Adds its files to libcacheworker_core_a_SOURCES.
libcacheworker_core_a_SOURCES += \
	cacheworker/acl/access.c cacheworker/acl/access.h \
	cacheworker/acl/acl_commands.c cacheworker/acl/acl_commands.h \
	cacheworker/acl/acl_file.c cacheworker/acl/acl_file.h \
	cacheworker/acl/acl_log.c cacheworker/acl/acl_log.h \
	cacheworker/acl/selector.c cacheworker/acl/selector.h \
	cacheworker/acl/share.c cacheworker/acl/share.h \
	cacheworker/acl/user.c cacheworker/acl/user.h \
	cacheworker/acl/users.c cacheworker/acl/users.h
