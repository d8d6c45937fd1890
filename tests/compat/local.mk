# tests/compat: the reference's own tests, which are not ours to ship.
EXTRA_DIST += \
	tests/compat/compare-command-docs \
	tests/compat/command-remarks.txt \
	tests/compat/document \
	tests/compat/external_server.tcl \
	tests/compat/known-failures.txt \
	tests/compat/known_failures.py \
	tests/compat/run-reference-suite \
	tests/compat/start-worker
