# Files of tests/unit/proxy; see the top Makefile.am.
