# Tests of cacheworker/tracking; see the top Makefile.am.

check_PROGRAMS += tests/unit/cacheworker/tracking/read_keys_test
UNIT_TESTS += tests/unit/cacheworker/tracking/read_keys_test
tests_unit_cacheworker_tracking_read_keys_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_tracking_read_keys_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/cacheworker/tracking/broadcast_test
UNIT_TESTS += tests/unit/cacheworker/tracking/broadcast_test
tests_unit_cacheworker_tracking_broadcast_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_tracking_broadcast_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS)
