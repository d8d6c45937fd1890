# Tests of cacheworker/pubsub; see the top Makefile.am.

check_PROGRAMS += tests/unit/cacheworker/pubsub/notify_classes_test
UNIT_TESTS += tests/unit/cacheworker/pubsub/notify_classes_test
tests_unit_cacheworker_pubsub_notify_classes_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_pubsub_notify_classes_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/cacheworker/pubsub/notify_test
UNIT_TESTS += tests/unit/cacheworker/pubsub/notify_test
tests_unit_cacheworker_pubsub_notify_test_SOURCES = tests/unit/cacheworker/pubsub/notify_test.c \
	tests/unit/cacheworker/call_fixture.c tests/unit/cacheworker/call_fixture.h
tests_unit_cacheworker_pubsub_notify_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_pubsub_notify_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
