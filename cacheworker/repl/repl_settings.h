/* repl_settings.h: the parameters of replication, as CONFIG has them (redis.conf of 7.2): a part of struct cw_settings.
 *
 * Seconds where the name says so. In a group the sentinels say who follows whom and what is durable: there
 * `min_replicas` refuses writes in addition to what the quorum asks for, and what is of a server by itself is not set.
 */
#ifndef CACHEWORKER_REPL_REPL_SETTINGS_H
#define CACHEWORKER_REPL_REPL_SETTINGS_H

#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct cw_repl_settings {
    int64_t min_replicas; /* a master with fewer good ones refuses writes; 0: needs none */
    int64_t max_lag_s;    /* one is good that has acknowledged within this time; 0: nobody is asked for */
    int64_t timeout_s;    /* silence after which either side gives the other up */
    int64_t ping_period_s;
    int64_t backlog_bytes;   /* of the stream, kept for partial resync */
    int64_t backlog_ttl_s;   /* a master without replicas forgets its stream then; 0: never. Of a server by itself */
    int64_t sync_delay_s;    /* a full sync waits so long for other replicas that could share it */
    int64_t sync_replicas;   /* but not when there are so many of them; 0: it waits for any number */
    int64_t full_sync_bytes; /* of the stream, held by a replica until it has its snapshot; 0: as output limits say */
    int64_t priority;        /* these four are of a server by itself: what it tells its master, and INFO */
    bool is_announced;
    struct slice announced_host; /* owned; empty: as the master sees it */
    int64_t announced_port;      /* 0: its own */
};

#endif
