# Files of tests/unit/proxy; see the top Makefile.am.
check_LIBRARIES += libproxy_stage.a
libproxy_stage_a_SOURCES = tests/unit/proxy/stage.c tests/unit/proxy/stage.h

proxy_unit_tests = \
	tests/unit/proxy/core/failover_test \
	tests/unit/proxy/core/lanes_test \
	tests/unit/proxy/core/parked_test \
	tests/unit/proxy/core/random_test \
	tests/unit/proxy/core/session_test \
	tests/unit/proxy/core/watch_test

check_PROGRAMS += $(proxy_unit_tests)
UNIT_TESTS += $(proxy_unit_tests)

proxy_unit_cflags = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
proxy_unit_ldadd = libproxy_stage.a libproxy_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

tests_unit_proxy_core_failover_test_CFLAGS = $(proxy_unit_cflags)
tests_unit_proxy_core_failover_test_LDADD = $(proxy_unit_ldadd)
tests_unit_proxy_core_session_test_CFLAGS = $(proxy_unit_cflags)
tests_unit_proxy_core_session_test_LDADD = $(proxy_unit_ldadd)
tests_unit_proxy_core_random_test_CFLAGS = $(proxy_unit_cflags)
tests_unit_proxy_core_random_test_LDADD = $(proxy_unit_ldadd)
tests_unit_proxy_core_watch_test_CFLAGS = $(proxy_unit_cflags)
tests_unit_proxy_core_watch_test_LDADD = $(proxy_unit_ldadd)
tests_unit_proxy_core_parked_test_CFLAGS = $(proxy_unit_cflags)
tests_unit_proxy_core_parked_test_LDADD = $(proxy_unit_ldadd)
tests_unit_proxy_core_lanes_test_CFLAGS = $(proxy_unit_cflags)
tests_unit_proxy_core_lanes_test_LDADD = $(proxy_unit_ldadd)
