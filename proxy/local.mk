# proxy/: the endpoint.
noinst_LIBRARIES += libproxy_core.a
libproxy_core_a_SOURCES = \
	proxy/core/clients.c proxy/core/clients.h \
	proxy/core/context.h \
	proxy/core/inquiry.c proxy/core/inquiry.h \
	proxy/core/inspect.h \
	proxy/core/lanes.c proxy/core/lanes.h \
	proxy/core/link.c proxy/core/link.h \
	proxy/core/parked.c proxy/core/parked.h \
	proxy/core/pool.c proxy/core/pool.h \
	proxy/core/proxy.c proxy/core/proxy.h \
	proxy/core/route.c proxy/core/route.h \
	proxy/core/session.c proxy/core/session.h \
	proxy/core/session_commands.c \
	proxy/core/subscriptions.c proxy/core/subscriptions.h \
	proxy/core/tracking.c proxy/core/tracking.h \
	proxy/core/watch.c proxy/core/watch.h \
	proxy/core/wheel.c proxy/core/wheel.h

sbin_PROGRAMS += respite-proxy
respite_proxy_SOURCES = proxy/main.c proxy/shell/proxy_settings.c proxy/shell/proxy_settings.h
respite_proxy_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS)
respite_proxy_LDADD = libproxy_core.a $(SHELL_LIBS)
