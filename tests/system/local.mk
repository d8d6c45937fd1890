# Files of tests/system; see the top Makefile.am.
