# sentinel/: the quorum.
noinst_LIBRARIES += libsentinel_core.a
libsentinel_core_a_SOURCES = \
	sentinel/core/acceptor.c \
	sentinel/core/acceptor.h \
	sentinel/core/api.c \
	sentinel/core/api.h \
	sentinel/core/api_pubsub.c \
	sentinel/core/api_respite.c \
	sentinel/core/api_sentinel.c \
	sentinel/core/choose.c \
	sentinel/core/choose.h \
	sentinel/core/core.h \
	sentinel/core/creation.c \
	sentinel/core/failover.c \
	sentinel/core/failover.h \
	sentinel/core/force.c sentinel/core/force.h \
	sentinel/core/group.c \
	sentinel/core/group.h \
	sentinel/core/held.c \
	sentinel/core/held.h \
	sentinel/core/inspect.c \
	sentinel/core/inspect.h \
	sentinel/core/links.c \
	sentinel/core/links.h \
	sentinel/core/losses.c sentinel/core/losses.h \
	sentinel/core/node.c \
	sentinel/core/node.h \
	sentinel/core/peers.c \
	sentinel/core/peers.h \
	sentinel/core/poll.c \
	sentinel/core/poll.h \
	sentinel/core/proposer.c \
	sentinel/core/proposer.h \
	sentinel/core/protection.c \
	sentinel/core/protection.h \
	sentinel/core/reconcile.c \
	sentinel/core/reconcile.h \
	sentinel/core/sentinel.c \
	sentinel/core/sentinel.h \
	sentinel/core/settled.c \
	sentinel/core/settled.h \
	sentinel/core/spares.c \
	sentinel/core/spares.h \
	sentinel/core/state.c \
	sentinel/core/state.h \
	sentinel/core/values.c \
	sentinel/core/values.h \
	sentinel/core/votes.c \
	sentinel/core/votes.h \
	sentinel/core/why.c \
	sentinel/core/why.h

sbin_PROGRAMS += respite-sentinel
respite_sentinel_SOURCES = sentinel/main.c sentinel/shell/sentinel_settings.c sentinel/shell/sentinel_settings.h
respite_sentinel_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS)
respite_sentinel_LDADD = libsentinel_core.a $(SHELL_LIBS)
