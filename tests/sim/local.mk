# Files of tests/sim; see the top Makefile.am.
