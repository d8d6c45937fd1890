# tests/sim: whole appliances on simulated time. Links cores only.
check_PROGRAMS += tests/sim/sim
tests_sim_sim_SOURCES = \
	tests/sim/appliance.c tests/sim/appliance.h \
	tests/sim/changes.c tests/sim/changes.h \
	tests/sim/disk.c tests/sim/disk.h \
	tests/sim/history.c tests/sim/history.h \
	tests/sim/inbox.h \
	tests/sim/main.c \
	tests/sim/migration.c tests/sim/migration.h \
	tests/sim/mutants.c tests/sim/mutants.h \
	tests/sim/oracle.c tests/sim/oracle.h \
	tests/sim/oracle_sync.c tests/sim/oracle_sync.h \
	tests/sim/plot.c tests/sim/plot.h \
	tests/sim/queue.c tests/sim/queue.h \
	tests/sim/repeats.c tests/sim/repeats.h \
	tests/sim/scripts.c tests/sim/scripts.h \
	tests/sim/stream.c tests/sim/stream.h \
	tests/sim/swarm.c tests/sim/swarm.h \
	tests/sim/words.c tests/sim/words.h \
	tests/sim/workload.c tests/sim/workload.h \
	tests/sim/world.c tests/sim/world.h
tests_sim_sim_LDADD = libsentinel_core.a libcacheworker_core.a libproxy_core.a libcommon_core.a -lm
EXTRA_DIST += tests/sim/seeds.txt

# make sim SEEDS=A-B
SEEDS = 1-500
.PHONY: sim
sim: tests/sim/sim
	tests/sim/sim --seeds $(SEEDS)
