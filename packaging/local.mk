EXTRA_DIST += packaging/install-missing
