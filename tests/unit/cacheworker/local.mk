# Files of tests/unit/cacheworker; see the top Makefile.am.
