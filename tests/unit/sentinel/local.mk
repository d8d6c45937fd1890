# Files of tests/unit/sentinel; see the top Makefile.am.
