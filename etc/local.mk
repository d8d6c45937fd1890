# Files of etc; see the top Makefile.am.
