# Files of tests/lib; see the top Makefile.am.
