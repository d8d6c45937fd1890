/* proxy.h: one proxy thread's core, behind common/base/door.h. It keeps no file.
 *
 * A proxy of N threads has N of these, each with its own listening socket and loop; they share nothing but `shared`, in
 * which each answers what the others ask about its clients. Listener 0 is the clients'.
 *
 * What clients are told of a switch (QUORUM section 5; proxy/core/link.h has the rules):
 *   -UNCERTAIN ...  the connection to the master was lost before it answered; the command may have been executed;
 *   -TRYAGAIN ...   no master within the bounds of holding; the command was not executed, and may be sent again;
 *   -EXECABORT ...  the transaction was lost before its EXEC was sent; nothing of it was executed. */
#ifndef PROXY_CORE_PROXY_H
#define PROXY_CORE_PROXY_H

#include "common/base/door.h"
#include "common/ha/topology.h"

enum { PX_SENTINELS_MAX = TOPOLOGY_SENTINELS_MAX, PX_THREADS_MAX = 64 };

struct px_letter; /* inquiry.c */

/* What the threads of one proxy have in common; all fields are changed atomically. Owned by the shell. */
struct px_shared {
    unsigned thread_count;                               /* constant */
    _Atomic(struct px_letter *) inboxes[PX_THREADS_MAX]; /* of what they ask each other (inquiry.h) */
    _Atomic uint32_t client_connections;
    _Atomic uint64_t last_client_id; /* CLIENT ID is unique in the proxy */
};

void px_shared_free(struct px_shared *shared); /* what nobody has read; the proxies are gone */

/* Guards that a test takes away to see that the simulator notices; 0 in production. */
enum {
    PX_MUTANT_REPEAT_WRITES = 1 << 0,      /* unanswered writes are repeated like reads */
    PX_MUTANT_ACCEPT_OLD_MASTER = 1 << 1,  /* connections to a deposed master are kept, their replies delivered */
    PX_MUTANT_TAKE_LOWER_VERSION = 1 << 2, /* a topology of a lower version replaces a higher one */
};

struct px_config { /* copied at creation, slices included */
    char group[GROUP_NAME_MAX];
    struct identity identity; /* drawn by the shell at each start */
    struct slice secret;      /* of links to sentinels and workers */
    struct slice requirepass; /* of the default user; empty: clients need no password */
    uint32_t sentinel_count;
    struct address sentinels[PX_SENTINELS_MAX];
    uint32_t databases;
    uint32_t max_connections;          /* clients; default 2,000 */
    int64_t idle_timeout_ns;           /* default 150 s; 0: never */
    int64_t hold_timeout_ns;           /* how long a command may wait for a master; default 15 s */
    uint32_t hold_commands_max;        /* per proxy */
    size_t hold_bytes_max;             /* per proxy */
    size_t client_output_max;          /* bytes of one client's replies; beyond it is closed */
    size_t client_input_max;           /* bytes of one client's incomplete request (client-query-buffer-limit) */
    int64_t authentication_timeout_ns; /* where a password is set; default 10 s */
    uint32_t links_per_pool;           /* shared backend links per (database, protocol) */
    uint64_t random_seed;              /* of the jitter */
    unsigned mutants;                  /* PX_MUTANT_*; 0 in production */
    unsigned thread;                   /* its number, below shared->thread_count */
    struct px_shared *shared;          /* borrowed, outlives the proxy */
};

struct px_proxy;

void px_config_defaults(struct px_config *config);
MUST_CHECK int px_proxy_create(const struct px_config *config, struct px_proxy **ret_proxy); /* ERR_INVALID */

extern const struct door px_proxy_door;

#endif
