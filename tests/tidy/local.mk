# tests/tidy: what no compiler checks; ./runtests tidy.
EXTRA_DIST += \
	tests/tidy/allowed_headers.txt \
	tests/tidy/allowed_symbols.txt \
	tests/tidy/format.sh \
	tests/tidy/includes.sh \
	tests/tidy/purity.sh

# make tidy: on a build without sanitizers.
.PHONY: tidy
tidy: libcommon_core.a libsentinel_core.a libproxy_core.a libcacheworker_core.a
	$(top_srcdir)/tests/tidy/purity.sh .
	$(top_srcdir)/tests/tidy/includes.sh .
	$(top_srcdir)/tests/tidy/format.sh
