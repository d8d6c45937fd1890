# proxy/: the endpoint.
noinst_LIBRARIES += libproxy_core.a
libproxy_core_a_SOURCES = proxy/core/proxy.h
