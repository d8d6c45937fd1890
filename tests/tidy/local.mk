# Files of tests/tidy; see the top Makefile.am.
