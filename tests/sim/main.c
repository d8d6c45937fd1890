/* sim: runs whole appliances on simulated time, one per seed, twice each.
 *
 *   sim [--seeds A-B] [--verbose] [--mutant NAME] [--without N,N...]   default: the seeds of the regular run
 *   sim --shrink SEED [--mutant NAME]                 which of the faults of a failing seed it takes to fail
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

enum { DEFAULT_FIRST = 1, DEFAULT_LAST = 500, MUTANT_SEEDS = 200 };

struct totals {
    uint64_t seeds, failovers, exchanges, pictures, loaded, cut_overs, aborts, interrupted, compared, repeated, stopped,
        acknowledged, lost, uncertain, refused, faults[FAULT_KINDS], plots[PLOT_KINDS], events;
};

struct settings {
    struct mutants mutants;
    struct omissions omissions;
};

struct outcome {
    uint64_t hash;
    uint64_t failovers;
    unsigned strikes;
    char violation[640];
};

/* Every fifth group keeps append-only files. */
static const char *appendfsync_of(uint64_t seed)
{
    static const char *const policies[] = {"always", "everysec", "no"};
    return seed % 5 == 2 ? policies[seed / 5 % ARRAY_LENGTH(policies)] : NULL;
}

/* Every fifth group writes dump.rdb, and every second of those with append-only files. */
static const char *save_points_of(uint64_t seed)
{
    static const char *const points[] = {"2 1", "4 10", "8 1 3 100"};
    return seed % 5 == 4 || seed % 10 == 7 ? points[seed / 10 % ARRAY_LENGTH(points)] : NULL;
}

static void run_seed(uint64_t seed, const struct settings *settings, bool verbose, struct totals *totals,
                     struct outcome *outcome)
{
    struct appliance *appliance = mem_zero(sizeof(*appliance));
    struct oracle *oracle = mem_zero(sizeof(*oracle));
    struct swarm swarm;
    world_init(&appliance->world, seed);
    appliance->world.verbose = verbose;
    appliance->durability = seed % 3 == 0 || settings->mutants.migrates ? DURABILITY_SYNC : DURABILITY_ASYNC;
    appliance->acknowledgements = seed % 9 == 0 ? 2 : 1;
    appliance->appendfsync = appendfsync_of(seed);
    appliance->rewrites = seed % 2 == 0;
    appliance->save_points = save_points_of(seed);
    appliance->saves_slowly = seed % 2 == 0;
    appliance->migrates = seed % 12 == 3 || settings->mutants.migrates; /* of those with sync */
    oracle_init(oracle, appliance);
    swarm_draw(&swarm, appliance, oracle, &settings->omissions);
    if (seed % 8 == 3 || seed % 8 == 4)
        appliance->world.options.repeat_per_million = (uint32_t)(10000 + seed / 8 % 8 * 100000);
    appliance_start(appliance, &settings->mutants);
    appliance->workload.stop_ns = SWARM_END_NS - 500 * NS_PER_MS;
    appliance->workload.disk_refuses = appliance->appendfsync != NULL;
    appliance->workload.with_changes = seed % 4 == 0;
    appliance->workload.with_scripts = seed % 8 == 6 && !appliance->migrates;
    swarm.stops_workers = seed % 7 == 4;
    swarm_arm(&swarm);
    if (appliance->migrates)
        migration_arm(&appliance->migration);
    for (int64_t at_ns = 0; at_ns < SWARM_END_NS && oracle->violation[0] == '\0'; at_ns += NS_PER_S)
        world_run(&appliance->world, at_ns + NS_PER_S);
    if (oracle->violation[0] == '\0')
        oracle_finish(oracle);

    outcome->hash = appliance->world.hash;
    outcome->failovers = oracle->failovers;
    outcome->strikes = swarm.strikes;
    snprintf(outcome->violation, sizeof(outcome->violation), "%s", oracle->violation);
    totals->seeds++;
    totals->failovers += oracle->failovers;
    totals->exchanges += oracle->exchanges;
    for (unsigned i = 0; i < WORKERS; i++)
        totals->pictures += oracle->picture_count[i];
    totals->loaded += oracle->loaded;
    *(appliance->migration.aborts ? &totals->aborts : &totals->cut_overs) += appliance->migration.ends;
    totals->interrupted += appliance->migration.interrupted;
    totals->stopped += swarm.stopped;
    totals->repeated += appliance->world.repeated;
    totals->compared += appliance->migration.compared;
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
    printf("; snapshots: begun %" PRIu64 " found %" PRIu64 "; migrations: cut-overs %" PRIu64 " aborts %" PRIu64
           " interrupted %" PRIu64 " compared %" PRIu64 "; control messages repeated %" PRIu64
           "; workers stopped %" PRIu64 "\n",
           totals->pictures, totals->loaded, totals->cut_overs, totals->aborts, totals->interrupted, totals->compared,
           totals->repeated, totals->stopped);
}

/* One seed, twice: the same history both times. Returns whether all is well. */
static bool check_seed(uint64_t seed, const struct settings *settings, bool verbose, struct totals *totals)
{
    struct outcome first, second;
    struct totals ignored = {0};
    run_seed(seed, settings, verbose, totals, &first);
    run_seed(seed, settings, false, &ignored, &second);
    if (first.violation[0] == '\0' && first.hash == second.hash)
        return true;
    printf("# seed %" PRIu64 ": %s\n", seed,
           first.violation[0] != '\0' ? first.violation : "two runs of the same seed differ");
    printf("# replay: tests/sim/sim --seeds %" PRIu64 "-%" PRIu64 " --verbose\n", seed, seed);
    return false;
}

static int run_seeds(uint64_t first, uint64_t last, const struct settings *settings, bool verbose)
{
    struct totals totals = {0};
    uint64_t failed = 0, number = 0;
    for (uint64_t seed = first; seed <= last; seed++) {
        bool well = check_seed(seed, settings, verbose, &totals);
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

/* "N,N,...": the strikes to leave out. */
static bool parse_omissions(const char *text, struct omissions *ret_omissions)
{
    *ret_omissions = (struct omissions){.is_left_out = {false}};
    while (*text != '\0') {
        char *end;
        unsigned long number = strtoul(text, &end, 10);
        if (end == text || number >= STRIKES_MAX)
            return false;
        ret_omissions->is_left_out[number] = true;
        text = *end == ',' ? end + 1 : end;
        if (*end != ',' && *end != '\0')
            return false;
    }
    return true;
}

static void print_omissions(const struct omissions *omissions)
{
    const char *before = "";
    for (unsigned i = 0; i < STRIKES_MAX; i++) {
        if (!omissions->is_left_out[i])
            continue;
        printf("%s%u", before, i);
        before = ",";
    }
}

/* The property that was violated: what stands before the first colon behind the time. */
static bool is_same_violation(const char *a, const char *b)
{
    const char *a_name = strstr(a, "s: "), *b_name = strstr(b, "s: ");
    return a_name != NULL && b_name != NULL && strncmp(a_name, b_name, 5) == 0;
}

/* Leaves out one strike after another as long as the same property is violated; what remains is what it takes. */
static int shrink(uint64_t seed, struct settings *settings)
{
    struct outcome first, outcome;
    struct totals totals = {0};
    run_seed(seed, settings, false, &totals, &first);
    if (first.violation[0] == '\0') {
        printf("seed %" PRIu64 " does not fail\n", seed);
        return 1;
    }
    unsigned kept = 0;
    for (unsigned i = 0; i < first.strikes && i < STRIKES_MAX; i++) {
        settings->omissions.is_left_out[i] = true;
        run_seed(seed, settings, false, &totals, &outcome);
        bool is_needed = !is_same_violation(outcome.violation, first.violation);
        settings->omissions.is_left_out[i] = !is_needed;
        kept += is_needed;
    }
    run_seed(seed, settings, true, &totals, &outcome);
    printf("# %u of %u faults are enough: %s\n# a line for seeds.txt: %" PRIu64 " ", kept, first.strikes,
           outcome.violation, seed);
    print_omissions(&settings->omissions);
    printf("\n");
    return 0;
}

/* The seeds that ever failed: a number per line, and where that is enough the faults to leave out ("17 0,2,3"); what
 * failed stands behind it. '#' begins a comment. */
static int run_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        return 2;
    }
    char line[512], without[400];
    struct totals totals = {0};
    uint64_t seed, number = 0, failed = 0;
    while (fgets(line, sizeof(line), file) != NULL) {
        struct settings settings = {0};
        int words = sscanf(line, "%" SCNu64 " %399s", &seed, without);
        if (words < 1)
            continue;
        if (words == 2 && !parse_omissions(without, &settings.omissions))
            settings.omissions = (struct omissions){.is_left_out = {false}}; /* it is a word of the comment */
        bool well = check_seed(seed, &settings, false, &totals);
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
        struct settings settings = {.mutants = mutant->mutants};
        uint64_t seed = 0;
        while (outcome.violation[0] == '\0' && seed < seeds)
            run_seed(++seed, &settings, false, &totals, &outcome);
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
    uint64_t to_shrink = 0;
    struct settings settings = {0};
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
            settings.mutants = mutant_find(argv[++i])->mutants;
        } else if (strcmp(argv[i], "--without") == 0 && i + 1 < argc &&
                   parse_omissions(argv[i + 1], &settings.omissions)) {
            i++;
        } else if (strcmp(argv[i], "--shrink") == 0 && i + 1 < argc &&
                   sscanf(argv[i + 1], "%" SCNu64, &to_shrink) == 1) {
            i++;
        } else {
            fprintf(stderr, "usage: sim [--seeds A-B] [--verbose] [--mutant NAME] [--without N,N...] |\n"
                            "       sim --shrink SEED [--mutant NAME] | sim --file FILE | sim --mutants\n");
            return 2;
        }
    }
    if (file != NULL)
        return run_file(file);
    if (to_shrink != 0)
        return shrink(to_shrink, &settings);
    return all_mutants ? run_mutants(MUTANT_SEEDS) : run_seeds(first, last, &settings, verbose);
}
