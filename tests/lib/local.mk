# Files of tests/lib; see the top Makefile.am.
check_LIBRARIES += libtests.a

libtests_a_SOURCES = \
	tests/lib/expect_abort.c tests/lib/expect_abort.h \
	tests/lib/values.c tests/lib/values.h
