/* sentinel.h: a sentinel's core, behind common/base/door.h.
 *
 * Files (given at creation, replaced by EFFECT_PERSIST): "sentinel.state": id, run, and per group the promised ballot,
 * the accepted ballot and the accepted value; CRC32C at the end. */
#ifndef SENTINEL_CORE_SENTINEL_H
#define SENTINEL_CORE_SENTINEL_H

#include "common/base/door.h"
#include "common/ha/topology.h"

enum sn_endpoint { SN_ENDPOINT_PROXY, SN_ENDPOINT_MASTER }; /* what Sentinel-aware clients are told */

struct sn_config {                 /* copied at creation, slices included */
    struct slice secret;           /* of control links; empty refuses all of them */
    struct slice requirepass;      /* of clients that ask (AUTH); empty: none */
    struct address address;        /* where others reach this sentinel */
    enum sn_endpoint endpoint;
    struct address proxy;          /* told to clients with SN_ENDPOINT_PROXY */
    bool restart_shortcut;         /* QUORUM section 2; default true */
    int64_t cold_start_wait_ns;    /* default 30 s */
    uint64_t random_seed;          /* of the jitter */
    struct identity new_identity;  /* drawn by the shell; becomes the id when there is no readable state */
    struct slice state;            /* content of "sentinel.state" */
    bool state_found;              /* false: there was no such file */
};

struct sn_sentinel;

/* ERR_INVALID for a configuration that cannot work. A state that is damaged is no error: the sentinel takes its new
 * identity and says so. */
MUST_CHECK int sn_sentinel_create(const struct sn_config *config, struct sn_sentinel **ret_sentinel);

extern const struct door sn_sentinel_door;

#endif
