# Files of tests/unit/common; see the top Makefile.am.
