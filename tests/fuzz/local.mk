# Files of tests/fuzz; see the top Makefile.am.
