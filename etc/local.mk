# Commented sample configurations; tests/system/test_daemons.py holds them against the programs.
EXTRA_DIST += etc/cacheworker.conf etc/proxy.conf etc/sentinel.conf
