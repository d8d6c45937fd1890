/* state.h: the engine's own state. Only engine/, info/ and pubsub/ look inside; ha/ and repl/ go by engine.h. */
#ifndef CACHEWORKER_ENGINE_STATE_H
#define CACHEWORKER_ENGINE_STATE_H

#include "cacheworker/acl/access.h"
#include "cacheworker/aof/aof.h"
#include "cacheworker/block/waiters.h"
#include "cacheworker/engine/batch.h"
#include "cacheworker/engine/call.h"
#include "cacheworker/engine/changes.h"
#include "cacheworker/engine/engine.h"
#include "cacheworker/engine/leaving.h"
#include "cacheworker/engine/loading.h"
#include "cacheworker/engine/long_command.h"
#include "cacheworker/engine/overlay.h"
#include "cacheworker/engine/pending_writes.h"
#include "cacheworker/engine/session.h"
#include "cacheworker/engine/settings.h"
#include "cacheworker/engine/shutdown.h"
#include "cacheworker/engine/version.h"
#include "cacheworker/expire/expire.h"
#include "cacheworker/info/latency.h"
#include "cacheworker/info/slowlog.h"
#include "cacheworker/rdb/background_save.h"
#include "cacheworker/info/statistics.h"
#include "common/base/list.h"
#include "common/base/rand.h"

struct cw_control;
struct cw_pubsub;
struct cw_tracking;
struct cw_transactions;
struct cw_scripting;

struct cw_unit {    /* of nested.h */
    unsigned depth; /* 0: there is none */
    bool is_out_of_memory;
    struct cw_session *session; /* borrowed; on whose behalf */
};

struct cw_stream {               /* of a master */
    struct resp_request request; /* the one that is being read */
    size_t scanned;              /* bytes at the front that were read, and wait for the rest of their unit */
    bool in_block;               /* they began with MULTI */
    unsigned database;
    bool is_waiting; /* the unit at the front is complete, and waits for a snapshot */

    struct buf *told;         /* borrowed; gets what is executed, as others are to be told; NULL: nobody asks */
    struct buf retold;        /* owned; in the place of the last command, */
    unsigned retold_commands; /* so many, */
    bool is_retold;           /* where it must not be told as it came */
};

enum {
    CW_SPARE_BUFFERS = 64,
    CW_SPARE_BUFFER_BYTES = 16 << 10,
    CW_SMALL_BUFFERS = 1024, /* for what many sessions are pushed at once */
    CW_SMALL_BUFFER_BYTES = 4 << 10,
};

struct cw_engine {
    struct cw_config config; /* its slices owned */
    struct cw_settings settings;
    struct cw_overlay overlay;
    struct cw_keyspace *keyspace;         /* owned */
    uint64_t keyspace_generation;         /* of the data set: with another one, hashes of keys are others */
    struct cw_leaving leaving;            /* former data sets */
    struct cw_changes changes;            /* of the keyspace */
    struct cw_evict *evict;               /* owned */
    struct cw_desk *desk;                 /* owned; NULL standalone */
    struct cw_ha *ha;                     /* owned */
    struct cw_repl *repl;                 /* owned */
    struct cw_pubsub *pubsub;             /* owned */
    struct cw_tracking *tracking;         /* owned */
    struct cw_waiters waiters;            /* blocked clients */
    struct cw_transactions *transactions; /* owned */
    struct cw_batch *batch;               /* owned */
    struct cw_scripting *scripting;       /* owned */
    struct cw_long_command long_command;
    bool error_is_counted; /* the reply to a script is an error of a command in it, which was counted there */
    struct cw_statistics statistics;
    struct cw_slowlog slowlog;
    struct cw_latency latency;
    struct cw_access access;
    struct rand rand;

    struct effects *effects; /* borrowed while a step runs */
    int64_t now_ns;          /* of that step */
    int64_t wall_us;
    int64_t start_ns;
    enum cw_serving serving;      /* of the batch being executed */
    bool lacks_replicas;          /* in it: too few for writes */
    struct cw_session *executing; /* whose command is being executed; NULL between commands, and for a stream's */
    struct cw_unit unit;
    struct buf pushes; /* owned; what that session is to get behind the reply */

    struct cw_session **links; /* owned; by link_id */
    uint32_t link_capacity;
    uint32_t *free_links; /* owned; a stack */
    uint32_t free_count;
    struct list sessions;       /* all, oldest first */
    struct list ready;          /* clients with input to be parsed */
    struct list replicas_ready; /* replicas with input */
    struct list parked;         /* clients whose next request must wait: no lease, DEBUG SLEEP, CLIENT PAUSE */
    struct list touched;
    struct list waiting;                     /* in WAIT */
    struct list held;                        /* clients with replies that wait for an acknowledgement */
    struct cw_pending_writes pending_writes; /* on while replies may wait */
    struct list dead;                        /* ended in this step */
    struct list monitors;                    /* clients in MONITOR */
    struct list soft;                        /* clients above a soft limit of what they may leave unread */
    uint32_t clients;                        /* that count against maxclients */
    size_t client_memory_bytes;              /* what all clients take */
    uint64_t next_session_id;
    struct buf spare_buffers[CW_SPARE_BUFFERS]; /* owned; empty, with memory */
    uint32_t spare_count;
    struct buf small_buffers[CW_SMALL_BUFFERS]; /* owned; the same */
    uint32_t small_count;
    link_id *flushed; /* owned; links with CW_SESSION_FLUSHED */
    uint32_t flushed_count;
    uint32_t flushed_capacity;

    bool is_shown;    /* to a snapshot, as of the beginning of the turn: some commands wait (owed.h) */
    bool turn_wanted; /* something that parked sessions wait for has changed */
    bool freeing;     /* there is memory to be given back */
    bool compacting;
    int64_t compact_ns; /* not looked at before, while it is not compacting */
    int64_t sleep_since_ns;
    int64_t sleep_until_ns; /* DEBUG SLEEP; 0: none */
    int64_t pause_until_ns; /* CLIENT PAUSE; 0: none */
    bool pause_writes_only;
    bool all_waited;             /* in the last turn no client's command could be executed */
    size_t startup_memory_bytes; /* of data, before there was any */
    size_t peak_memory_bytes;    /* of data, at the end of any turn */
    unsigned evict_budget;       /* of what cw_evict_step may still cost in this turn */
    bool evict_again;            /* memory is above the limit, and more keys may go */
    int64_t memory_exceeds_ns;   /* since when it has been; 0: it is not */
    struct cw_expire expire;
    bool expire_again;     /* the last cycle found keys that were due, and was cut */
    int64_t expire_ns;     /* when the active expiry cycle last ran */
    bool cron_paused;      /* DEBUG PAUSE-CRON */
    bool active_expiry;    /* DEBUG SET-ACTIVE-EXPIRE */
    int64_t idle_check_ns; /* when sessions were last looked through */
    int64_t turn_cpu_ns;   /* processor time when the last turn began; 0: not known */
    uint64_t loaded_keys;  /* by the last load of all data */
    uint64_t due_keys;     /* that it left out */
    struct cw_loading loading;
    int64_t saved_us; /* wall clock of the last SAVE, or of the start */
    struct cw_background_save background_save;
    struct cw_aof aof;
    struct cw_shutdown shutdown;

    struct cw_stream stream; /* that is applied: cw_engine_apply */
};

struct cw_worker {
    struct cw_engine engine;
    struct cw_control *control; /* owned; NULL standalone, and when it was handed over */
};

#endif
