/* worker.h: a cache worker's core, behind common/base/door.h: engine, HA and replication together.
 *
 * What sentinels ask while a command runs is answered by a second core (cacheworker/ha/control.h). cw_worker_door
 * drives both, one after the other, as in the simulator; the daemon parts them and gives each a thread.
 *
 * Listeners, by number: 0 data (clients, replicas), 1 control (sentinels; absent with standalone).
 * Files: "users.acl" (who may do what, in a group) through the storage table; "node.state" (id, incarnation and its
 * bits, fence, group) replaced by EFFECT_PERSIST; "dump.rdb" through the storage table, read when the core starts
 * (loading.h), written by SAVE; "appendonlydir/" (aof/aof.h) read through the storage table, written by EFFECT_FILE. A
 * worker without a directory has no storage and no state.
 */
#ifndef CACHEWORKER_ENGINE_WORKER_H
#define CACHEWORKER_ENGINE_WORKER_H

#include "cacheworker/evict/policy.h"
#include "common/base/door.h"
#include "common/ha/topology.h"

enum { CW_LISTENER_DATA = 0, CW_LISTENER_CONTROL = 1 };

struct cw_cpu_times { /* what the process has used */
    int64_t user_us;
    int64_t system_us;
    int64_t command_user_us; /* of these, the calling thread, which executes commands */
    int64_t command_system_us;
};

struct cw_config {      /* copied at creation, slices included */
    bool standalone;    /* a plain server: no sentinels, no lease, serves at once */
    uint32_t databases; /* default 16 standalone, 5 in the appliance */
    struct slice requirepass;
    struct slice users;   /* lines "user name rules..." that a server starts with; empty: "default" alone */
    const char *acl_file; /* in storage; a constant or outlives the worker; "": none. A group has its own */
    bool acl_pubsub_all;  /* acl-pubsub-default allchannels */
    uint32_t acllog_max_len;
    struct slice secret;      /* of control, proxy and replication links */
    enum log_level log_level; /* what the shell begins with */
    uint32_t max_clients;
    uint32_t max_clients_most; /* that CONFIG SET can raise it to, for want of descriptors; 0: any number */
    struct address data;       /* where others reach this node */
    struct address control;
    struct address replicaof; /* whom a server by itself follows at its start; no host: it is a master */
    size_t backlog_bytes;     /* of the replication stream kept for partial resync */
    int64_t max_lag_ns;       /* default 1 s */
    int64_t stuck_limit_ns; /* a node whose command thread does not turn for so long is stuck; default 30 s; 0: never */
    bool sync_blocks;       /* in a sync mode without a replica in sync: wait for one (sync_missing block) */
    bool enable_debug_command;
    size_t query_buffer_max;
    size_t client_output_max;
    size_t client_memory_max; /* what the buffers of all clients take; 0: no limit */
    size_t maxmemory_bytes;   /* of data; 0: no limit. This and the policy are where CONFIG SET begins */
    enum cw_policy maxmemory_policy;
    uint64_t random_seed;         /* keyspace hashing and random commands */
    struct identity new_identity; /* drawn by the shell; becomes the node's id when there is no readable state */
    uint64_t incarnation_bits;    /* drawn by the shell */
    struct slice parameters;      /* lines as in redis.conf: what CONFIG SET would take, and users (overlay.h) */
    struct slice state;           /* content of "node.state" */
    bool state_found;
    size_t loading_slice_bytes;    /* of the files of the data, in one turn; 0: as it is good */
    const struct storage *storage; /* borrowed, outlives the worker; NULL: nothing touches the disk */
    int64_t wall_us;               /* of the creation; 0: not known, and no key of the data is due yet */
    const char *rdb_file;          /* plain names in the storage: constants, or outlive the worker; "dump.rdb", */
    const char *aof_directory;     /* "appendonlydir", and "appendonly.aof", with which the names in it begin. Of the */
    const char *aof_name;          /* latter neither is longer than CW_AOF_NAME_MAX */
    int pid;                       /* shown by INFO */
    uint16_t port;                 /* shown by INFO */
    const char *executable;        /* these are shown by INFO too; borrowed, outlive the worker; NULL: not known */
    const char *config_file;
    const char *directory;
    const char *system; /* "Linux 6.1.0 x86_64" */
    size_t system_memory_bytes;
    int64_t (*stopwatch_ns)(void); /* for statistics only: how long commands took; NULL: nobody measures */
    void (*cpu_times)(struct cw_cpu_times *ret_times); /* shown by INFO; NULL: none */
    size_t (*resident_bytes)(void);                    /* shown by INFO; NULL: what the worker knows of itself */
    void (*random_bytes)(void *bytes, size_t length);  /* for ACL GENPASS; NULL: drawn from the seed */
    void (*sleep_ns)(int64_t ns); /* for DEBUG SLEEP; NULL: commands are held for that time instead */
    /* Why the worker cannot be created, where an error alone would not say it; NULL: nobody wants to know. */
    void (*complain)(void *context, struct slice words);
    void *complain_context;
    unsigned mutants; /* CW_MUTANT_ bits of ha.h; the simulator only, else 0 */
};

struct cw_control;
struct cw_worker;

void cw_config_defaults(struct cw_config *config, bool standalone);

/* ERR_INVALID, also for users that cannot be read; ERR_CORRUPT and the like when the data cannot be loaded, as far as
 * that is found now (loading.h: in the appliance the node starts without data, says so, and rejoins by full sync). */
MUST_CHECK int cw_worker_create(const struct cw_config *config, struct cw_worker **ret_worker);

/* From here on cw_worker_door is the command core's alone, the control listener's links are the returned core's, and
 * each has a thread of its own. Owned by the caller, who destroys it before the worker. NULL standalone. */
struct cw_control *cw_worker_part_with_control(struct cw_worker *worker);

extern const struct door cw_worker_door;

#endif
