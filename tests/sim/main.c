/* sim: runs whole appliances on simulated time, one per seed, twice each.
 *
 *   sim [--seeds A-B] [--verbose] [--mutant NAME]     default: the seeds of the regular run
 *   sim --file FILE                                   the seeds that the file names
 *   sim --mutants                                     every mutant must be caught within its seeds
 *
 * Prints TAP. A failing seed prints the command that replays it. */
#include "tests/sim/mutants.h"
#include "tests/sim/swarm.h"

#include "common/base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEFAULT_FIRST = 1, DEFAULT_LAST = 300, MUTANT_SEEDS = 120 };

struct totals {
    uint64_t seeds, failovers, exchanges, acknowledged, lost, uncertain, refused, faults[FAULT_KINDS],
        plots[PLOT_KINDS], events;
};

struct outcome {
    uint64_t hash;
    uint64_t failovers;
    char violation[640];
};

static void run_seed(uint64_t seed, const struct mutants *mutants, bool verbose, struct totals *totals,
                     struct outcome *outcome)
{
    struct appliance *appliance = mem_zero(sizeof(*appliance));
    struct oracle *oracle = mem_zero(sizeof(*oracle));
    struct swarm swarm;
    world_init(&appliance->world, seed);
    appliance->world.verbose = verbose;
    appliance->durability = seed % 3 == 0 ? DURABILITY_SYNC : DURABILITY_ASYNC;
    appliance->acknowledgements = seed % 9 == 0 ? 2 : 1;
    oracle_init(oracle, appliance);
    swarm_draw(&swarm, appliance, oracle);
    appliance_start(appliance, mutants);
    appliance->workload.stop_ns = SWARM_END_NS - 500 * NS_PER_MS;
    swarm_arm(&swarm);
    for (int64_t at_ns = 0; at_ns < SWARM_END_NS && oracle->violation[0] == '\0'; at_ns += NS_PER_S)
        world_run(&appliance->world, at_ns + NS_PER_S);
    if (oracle->violation[0] == '\0')
        oracle_finish(oracle);

    outcome->hash = appliance->world.hash;
    outcome->failovers = oracle->failovers;
    snprintf(outcome->violation, sizeof(outcome->violation), "%s", oracle->violation);
    totals->seeds++;
    totals->failovers += oracle->failovers;
    totals->exchanges += oracle->exchanges;
    totals->acknowledged += appliance->workload.acknowledged;
    totals->lost += oracle->lost;
    totals->uncertain += appliance->workload.uncertain;
    totals->refused += appliance->workload.refused;
    totals->events += appliance->world.event_count;
    for (unsigned kind = 0; kind < FAULT_KINDS; kind++)
        totals->faults[kind] += swarm.drawn[kind];
    for (unsigned kind = 0; kind < PLOT_KINDS; kind++)
        totals->plots[kind] += swarm.plot.drawn[kind];
    appliance_free(appliance);
    mem_free(appliance);
    oracle_free(oracle);
    mem_free(oracle);
}

static void print_totals(const struct totals *totals)
{
    printf("# %" PRIu64 " seeds, %" PRIu64 " failovers, %" PRIu64 " exchanges of a spare, %" PRIu64
           " acknowledged, %" PRIu64 " of the appended lost, %" PRIu64 " uncertain, %" PRIu64
           " refused after the hold, %" PRIu64 " events; faults:",
           totals->seeds, totals->failovers, totals->exchanges, totals->acknowledged, totals->lost, totals->uncertain,
           totals->refused, totals->events);
    for (unsigned kind = 0; kind < FAULT_KINDS; kind++)
        printf(" %s %" PRIu64, fault_name((enum fault_kind)kind), totals->faults[kind]);
    printf("; plots:");
    for (unsigned kind = 0; kind < PLOT_KINDS; kind++)
        printf(" %s %" PRIu64, plot_name((enum plot_kind)kind), totals->plots[kind]);
    printf("\n");
}

/* One seed, twice: the same history both times. Returns whether all is well. */
static bool check_seed(uint64_t seed, const struct mutants *mutants, bool verbose, struct totals *totals)
{
    struct outcome first, second;
    struct totals ignored = {0};
    run_seed(seed, mutants, verbose, totals, &first);
    run_seed(seed, mutants, false, &ignored, &second);
    if (first.violation[0] == '\0' && first.hash == second.hash)
        return true;
    printf("# seed %" PRIu64 ": %s\n", seed,
           first.violation[0] != '\0' ? first.violation : "two runs of the same seed differ");
    printf("# replay: tests/sim/sim --seeds %" PRIu64 "-%" PRIu64 " --verbose\n", seed, seed);
    return false;
}

static int run_seeds(uint64_t first, uint64_t last, const struct mutants *mutants, bool verbose)
{
    struct totals totals = {0};
    uint64_t failed = 0, number = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        bool well = check_seed(seed, mutants, verbose, &totals);
        failed += !well;
        printf("%s %" PRIu64 " - seed %" PRIu64 "\n", well ? "ok" : "not ok", ++number, seed);
        fflush(stdout);
    }
    if (last - first >= 20) {
        bool enough = totals.failovers >= totals.seeds;
        failed += !enough;
        printf("%s %" PRIu64 " - at least one failover per seed on average\n", enough ? "ok" : "not ok", ++number);
    }
    printf("1..%" PRIu64 "\n", number);
    print_totals(&totals);
    return failed == 0 ? 0 : 1;
}

/* The seeds that ever failed: a number per line, what failed behind it; '#' begins a comment. */
static int run_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return 2;
    }
    char line[256];
    struct totals totals = {0};
    struct mutants none = {0};
    uint64_t seed, number = 0, failed = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%" SCNu64, &seed) != 1)
            continue;
        bool well = check_seed(seed, &none, false, &totals);
        failed += !well;
        printf("%s %" PRIu64 " - seed %" PRIu64 "\n", well ? "ok" : "not ok", ++number, seed);
    }
    fclose(file);
    printf("1..%" PRIu64 "\n", number);
    return failed == 0 ? 0 : 1;
}

/* A guard that no seed misses is not a guard. */
static int run_mutants(uint64_t seeds)
{
    int failed = 0;
    unsigned number = 0;
    for (const struct mutant *mutant = mutants_all(); mutant->name != NULL; mutant++) {
        if (!mutant->is_shown)
            continue;
        struct outcome outcome = {.violation = ""};
        struct totals totals = {0};
        uint64_t seed = 0;
        while (outcome.violation[0] == '\0' && seed < seeds)
            run_seed(++seed, &mutant->mutants, false, &totals, &outcome);
        bool killed = outcome.violation[0] != '\0';
        failed += !killed;
        printf("%s %u - mutant %s (%s)", killed ? "ok" : "not ok", ++number, mutant->name, mutant->breaks);
        if (killed)
            printf(" # killed by seed %" PRIu64 ": %s", seed, outcome.violation);
        printf("\n");
        fflush(stdout);
    }
    printf("1..%u\n", number);
    return failed == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    uint64_t first = DEFAULT_FIRST, last = DEFAULT_LAST;
    struct mutants mutants = {0};
    bool verbose = false, all_mutants = false;
    const char *file = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--verbose") == 0) {
            verbose = true;
        } else if (strcmp(argv[i], "--mutants") == 0) {
            all_mutants = true;
        } else if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc &&
                   sscanf(argv[i + 1], "%" SCNu64 "-%" SCNu64, &first, &last) == 2 && first <= last) {
            i++;
        } else if (strcmp(argv[i], "--file") == 0 && i + 1 < argc) {
            file = argv[++i];
        } else if (strcmp(argv[i], "--mutant") == 0 && i + 1 < argc && mutant_find(argv[i + 1]) != NULL) {
            mutants = mutant_find(argv[++i])->mutants;
        } else {
            fprintf(stderr, "usage: sim [--seeds A-B] [--verbose] [--mutant NAME] | sim --file FILE | sim --mutants\n");
            return 2;
        }
    }
    if (file != NULL)
        return run_file(file);
    return all_mutants ? run_mutants(MUTANT_SEEDS) : run_seeds(first, last, &mutants, verbose);
}
