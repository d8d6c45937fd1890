check_PROGRAMS += tests/unit/cacheworker/list/list_test
UNIT_TESTS += tests/unit/cacheworker/list/list_test
tests_unit_cacheworker_list_list_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_list_list_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/list/list_node_test
UNIT_TESTS += tests/unit/cacheworker/list/list_node_test
tests_unit_cacheworker_list_list_node_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_list_list_node_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/cacheworker/list/list_nodes_test
UNIT_TESTS += tests/unit/cacheworker/list/list_nodes_test
tests_unit_cacheworker_list_list_nodes_test_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_cacheworker_list_list_nodes_test_LDADD = libcacheworker_core.a libcommon_core.a $(CMOCKA_LIBS) -lm
