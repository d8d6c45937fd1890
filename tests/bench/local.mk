# Files of tests/bench; see the top Makefile.am.
