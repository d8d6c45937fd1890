#include "tests/sim/mutants.h"

#include "cacheworker/ha/ha.h"

#include <string.h>

static const struct mutant mutants[] = {
    {"lease-from-grant",
     "S3, S4: the lease counts from the GRANT's arrival",
     true,
     {.worker = CW_MUTANT_LEASE_FROM_GRANT}},
    {"clock-before-batch",
     "S3, S4: the lease is checked with the time before the batch",
     true,
     {.worker = CW_MUTANT_CLOCK_BEFORE_BATCH}},
    {"fence-not-durable",
     "S8, S10: FENCED leaves before the fence is durable",
     true,
     {.worker = CW_MUTANT_FENCE_NOT_DURABLE}},
    {"node-ignores-incarnation",
     "S3: a GRANT for an earlier life is taken",
     true,
     {.worker = CW_MUTANT_IGNORE_INCARNATION}},
    {"fence-taken-back", "S10: a fenced node goes on below its fence", true, {.worker = CW_MUTANT_FENCE_TAKEN_BACK}},
    {"grant-of-any-epoch", "S4: a GRANT of another epoch is taken", false, {.worker = CW_MUTANT_GRANT_OF_ANY_EPOCH}},
    {"grant-after-accepting",
     "S3, S4: a sentinel grants on after it accepted another epoch",
     false,
     {.sentinel = SN_MUTANT_GRANT_AFTER_ACCEPTING}},
    {"renew-after-refusing",
     "L1: the promise for which a value was refused is renewed",
     false,
     {.sentinel = SN_MUTANT_RENEW_AFTER_REFUSING}},
    {"forget-startup-promise",
     "S3, S12: a restart ends a sentinel's promises",
     true,
     {.sentinel = SN_MUTANT_FORGET_STARTUP_PROMISE}},
    {"ignore-lease",
     "S3, S4: the acceptor does not wait for its promise to run out",
     true,
     {.sentinel = SN_MUTANT_IGNORE_LEASE}},
    {"choose-without-fencing",
     "S8, S10: the choice rests on STATUS instead of FENCED",
     true,
     {.sentinel = SN_MUTANT_CHOOSE_WITHOUT_FENCING}},
    {"reply-before-durable",
     "S1, S2: PROMISE and ACCEPTED leave before the state is durable",
     true,
     {.sentinel = SN_MUTANT_REPLY_BEFORE_DURABLE}},
    {"grant-before-durable",
     "S3: grants under a learned value that is not durable yet",
     false,
     {.sentinel = SN_MUTANT_GRANT_BEFORE_DURABLE}},
    {"sentinel-ignores-incarnation",
     "S3, S10: any life of the master's node counts as the master",
     false,
     {.sentinel = SN_MUTANT_IGNORE_INCARNATION}},
    {"decide-without-dead",
     "L2: a new master though no majority sees the old one dead",
     false,
     {.sentinel = SN_MUTANT_DECIDE_WITHOUT_DEAD}},
    {"repeat-writes", "S7: unanswered writes are repeated", true, {.proxy = PX_MUTANT_REPEAT_WRITES}},
    {"accept-old-master",
     "S6: replies of a deposed master are delivered",
     true,
     {.proxy = PX_MUTANT_ACCEPT_OLD_MASTER}},
    {"take-lower-version", "S6: a lower version replaces a higher one", true, {.proxy = PX_MUTANT_TAKE_LOWER_VERSION}},
    {"reply-at-once", "S5: a sync master acknowledges without its replicas", true, {.worker = CW_MUTANT_REPLY_AT_ONCE}},
    {"drop-old-rule", "S5: a set that is only asked for is obeyed already", true, {.worker = CW_MUTANT_DROP_OLD_RULE}},
    {"ignore-lag",
     "async: a master acknowledges however far the replicas in sync are behind",
     true,
     {.worker = CW_MUTANT_IGNORE_LAG}},
    {"apply-halves",
     "S7: a replica executes what stands in a transaction before its end is there",
     false,
     {.worker = CW_MUTANT_APPLY_HALVES}},
    {"forget-branch",
     "S5: a new master forgets what its branch had acknowledged",
     false,
     {.worker = CW_MUTANT_FORGET_BRANCH}},
    {"aof-goes-on", "S8: behind a full sync the old append-only file goes on", true, {.worker = CW_MUTANT_AOF_GOES_ON}},
    {"aof-forgets-epochs",
     "S8: a replica's append-only file does not tell where epochs begin",
     true,
     {.worker = CW_MUTANT_AOF_FORGETS_EPOCHS}},
    {"keep-lagging",
     "S5: whoever answered FENCE is in sync, also when it lags",
     true,
     {.sentinel = SN_MUTANT_KEEP_LAGGING}},
    {NULL, NULL, false, {0}},
};

const struct mutant *mutants_all(void)
{
    return mutants;
}

const struct mutant *mutant_find(const char *name)
{
    for (const struct mutant *mutant = mutants; mutant->name != NULL; mutant++)
        if (strcmp(mutant->name, name) == 0)
            return mutant;
    return NULL;
}
