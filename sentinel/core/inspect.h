/* inspect.h: what oracles and tests may see of a sentinel. It changes nothing. */
#ifndef SENTINEL_CORE_INSPECT_H
#define SENTINEL_CORE_INSPECT_H

#include "common/ha/topology.h"

struct sn_sentinel;

struct sn_inspection {
    const struct topology *learned; /* borrowed until the next step; version 0: nothing */
    struct ballot learned_ballot;
    const struct topology *accepted; /* borrowed until the next step; version 0: nothing */
    struct ballot accepted_ballot;
    struct ballot promised;
    uint64_t protected_epoch; /* of the promise that goes with a GRANT */
    struct life protected_life;
    int64_t promise_until_ns; /* below it no higher epoch is accepted, unless the life is known to be gone */
    bool is_gone;
    bool is_unsettled;
    bool may_grant;
    bool round_runs;
    const char *failover_state; /* static */
    uint64_t known_lost_bytes;
};

struct identity sn_inspect_id(const struct sn_sentinel *sentinel);
uint64_t sn_inspect_run(const struct sn_sentinel *sentinel);
bool sn_inspect_is_serving(const struct sn_sentinel *sentinel);

/* False: the sentinel knows nothing of that group. */
MUST_CHECK bool sn_inspect_group(const struct sn_sentinel *sentinel, const char *name,
                                 struct sn_inspection *ret_inspection);

/* A hash of what decides its behaviour, for comparing two runs of one seed. */
uint64_t sn_inspect_hash(const struct sn_sentinel *sentinel);

#endif
