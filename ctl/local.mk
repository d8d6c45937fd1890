# ctl/: the operator's tool.
bin_PROGRAMS += respitectl
respitectl_SOURCES = \
	ctl/ask.c ctl/ask.h \
	ctl/control.c ctl/control.h \
	ctl/ctl_create.c \
	ctl/ctl_failover.c \
	ctl/ctl_migrate.c \
	ctl/ctl_status.c \
	ctl/main.c \
	ctl/verbs.h
respitectl_CFLAGS = $(AM_CFLAGS) $(HIREDIS_CFLAGS)
respitectl_LDADD = libcommon_core.a $(HIREDIS_LIBS) -lm
