EXTRA_DIST += packaging/generate-configure packaging/install-missing
