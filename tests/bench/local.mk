# tests/bench: the load generator and the table of `make bench`.
EXTRA_PROGRAMS = tests/bench/load
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD = libcommon_core.a -lm
CLEANFILES += $(EXTRA_PROGRAMS)
EXTRA_DIST += tests/bench/run.py tests/bench/persistence.py tests/bench/hit_rate.py tests/bench/stalls.py tests/bench/returns.py \
    tests/bench/held.py

# make bench [CASES=regex] [ROUNDS=n]
CASES = .
ROUNDS = 3
.PHONY: bench
bench: tests/bench/load respite-cacheworker respite-proxy respite-sentinel
	$(top_srcdir)/tests/bench/run.py --build . --source $(top_srcdir) --cases '$(CASES)' --rounds $(ROUNDS) --json bench.json
CLEANFILES += bench.json

# make tests/bench/keyspace_bench: the keyspace by itself
EXTRA_PROGRAMS += tests/bench/keyspace_bench
tests_bench_keyspace_bench_SOURCES = tests/bench/keyspace_bench.c
tests_bench_keyspace_bench_LDADD = libcacheworker_core.a libcommon_core.a
