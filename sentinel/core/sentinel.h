/* sentinel.h: a sentinel's core, behind common/base/door.h.
 *
 * Files (given at creation, replaced by EFFECT_PERSIST): "sentinel.state": id, run, and per group the promised ballot,
 * the accepted ballot and the accepted value; CRC32C at the end. */
#ifndef SENTINEL_CORE_SENTINEL_H
#define SENTINEL_CORE_SENTINEL_H

#include "common/base/door.h"
#include "common/ha/topology.h"

/* Guards that the simulator can take away, to prove that its oracles would miss them (QUORUM section 10). */
enum {
    SN_MUTANT_GRANT_AFTER_ACCEPTING = 1 << 0,  /* S3, S4: grants on though it accepted a value of another epoch */
    SN_MUTANT_RENEW_AFTER_REFUSING = 1 << 1,   /* L1: renews the promise for which it refused a value */
    SN_MUTANT_FORGET_STARTUP_PROMISE = 1 << 2, /* S3, S12: a restart ends its promises */
    SN_MUTANT_IGNORE_LEASE = 1 << 3,           /* S3, S4: the acceptor does not wait for the promise to run out */
    SN_MUTANT_CHOOSE_WITHOUT_FENCING = 1 << 4, /* S5, S10: chooses by what STATUS said instead of FENCED */
    SN_MUTANT_REPLY_BEFORE_DURABLE = 1 << 5,   /* S1, S2: PROMISE and ACCEPTED leave before the state is durable */
    SN_MUTANT_GRANT_BEFORE_DURABLE = 1 << 6,   /* S3: grants under a learned value that is not durable yet */
    SN_MUTANT_COUNT_UNHEARD = 1 << 7,          /* S10: counts answers of nodes that no majority heard */
    SN_MUTANT_EAGER_COLD_START = 1 << 8,       /* S10: lets a cold start win before all have answered */
    SN_MUTANT_KEEP_LAGGING = 1 << 9,           /* S5: lists every answer in the new in-sync set */
    SN_MUTANT_IGNORE_INCARNATION = 1 << 10,    /* S3, S10: takes any life of the master's node for the master */
    SN_MUTANT_DECIDE_WITHOUT_DEAD = 1 << 11,   /* L2: chooses a new master though no majority sees the old one dead */
};

enum sn_endpoint { SN_ENDPOINT_PROXY, SN_ENDPOINT_MASTER }; /* what Sentinel-aware clients are told */

/* When acknowledged writes may be missing and cold_start_wait is over: does the best of those who answered win, or is
 * the decision left to the operator (QUORUM section 6)? */
enum sn_cold_start {
    SN_COLD_START_BY_DURABILITY, /* best in async, operator in the sync modes */
    SN_COLD_START_BEST,
    SN_COLD_START_OPERATOR,
};

struct sn_config {            /* copied at creation, slices included */
    struct slice secret;      /* of control links; empty refuses all of them */
    struct slice requirepass; /* of clients that ask (AUTH); empty: none */
    struct address address;   /* where others reach this sentinel */
    enum sn_endpoint endpoint;
    struct address proxy;       /* told to clients with SN_ENDPOINT_PROXY */
    bool restart_shortcut;      /* QUORUM section 2; default true */
    int64_t cold_start_wait_ns; /* default 30 s */
    enum sn_cold_start cold_start;
    int64_t spare_wait_ns;        /* default 10 s */
    uint64_t random_seed;         /* of the jitter */
    unsigned mutants;             /* SN_MUTANT_*; 0 in production */
    struct identity new_identity; /* drawn by the shell; becomes the id when there is no readable state */
    struct slice state;           /* content of "sentinel.state" */
    bool state_found;             /* false: there was no such file */
};

struct sn_sentinel;

/* ERR_INVALID for a configuration that cannot work. A state that is damaged is no error: the sentinel takes its new
 * identity and says so. */
MUST_CHECK int sn_sentinel_create(const struct sn_config *config, struct sn_sentinel **ret_sentinel);

extern const struct door sn_sentinel_door;

#endif
