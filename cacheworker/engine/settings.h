/* settings.h: the parameters that CONFIG GET and CONFIG SET know: all of Redis 7.2, and what of them a worker goes by.
 *
 * The table is parameters.def. A parameter that has a meaning here is a field of struct cw_settings, or comes from
 * struct cw_config and stays as it is; any other can be read, and be set to what it is. */
#ifndef CACHEWORKER_ENGINE_SETTINGS_H
#define CACHEWORKER_ENGINE_SETTINGS_H

#include "cacheworker/engine/output_limits.h"
#include "cacheworker/engine/worker.h"
#include "cacheworker/evict/evict.h"
#include "cacheworker/keyspace/packing.h"
#include "cacheworker/rdb/background_save.h"
#include "cacheworker/repl/repl_settings.h"
#include "common/base/buf.h"
#include "common/resp/resp_limits.h"

struct cw_engine;

enum { CW_PERCENTILES_MAX = 32 };

struct cw_percentiles { /* that INFO shows of the latencies of commands */
    double of[CW_PERCENTILES_MAX];
    size_t count;
};

struct cw_settings {
    struct resp_limits limits;  /* of authenticated clients; bulk_length_max is proto-max-bulk-len */
    struct slice requirepass;   /* owned; empty: no password */
    struct slice masteruser;    /* owned */
    struct slice masterauth;    /* owned; empty: a master asks for no password */
    int64_t shutdown_timeout_s; /* for replicas to catch up, before this server ends */
    int shutdown_on_sigint;     /* options of shutdown.h */
    int shutdown_on_sigterm;    /* the same */
    bool serves_stale;          /* replica-serve-stale-data: of a server by itself */
    struct cw_repl_settings replication;
    size_t hll_sparse_max_bytes; /* a longer sparse HyperLogLog becomes dense */
    size_t query_buffer_max;
    struct cw_output_limits output;
    int64_t maxmemory_clients; /* bytes; below 0: percent of maxmemory; 0: no limit */
    int64_t max_clients;
    int64_t busy_reply_threshold_ms; /* then a script is slow: long_command.h; 0: never */
    int64_t timeout_s;               /* idle clients are closed; 0: never */
    int64_t slowlog_slower_than_us;
    int64_t slowlog_max_length;
    int64_t latency_threshold_ms; /* the latency monitor keeps what takes so long; 0: nothing */
    int64_t slow_ns;              /* follows both: what takes less concerns neither */
    bool latency_tracking;        /* a histogram for each command */
    struct cw_percentiles percentiles;
    int64_t acllog_max_length;
    int pubsub_default; /* acl-pubsub-default; 0: new users hear all channels */
    struct cw_save_points save_points;
    bool appendonly;
    bool aof_timestamps;
    bool aof_uses_rdb; /* for bases; else they are made of commands */
    int appendfsync;   /* enum cw_aof_sync */
    bool aof_load_truncated;
    bool sets_aside_damaged_data;
    int64_t auto_aof_rewrite_percentage; /* 0: never */
    int64_t auto_aof_rewrite_min_bytes;
    struct cw_packing packing;
    struct cw_access_rules access; /* counts_uses follows the policy */
    struct cw_evict_rules eviction;
    int64_t eviction_tenacity;       /* 0 to 100; from 10 on all the same */
    uint32_t notify_classes;         /* enum cw_notify_class */
    int64_t tracking_table_max_keys; /* 0: any number */
    int log_level;                   /* enum log_level; the shell leaves out what is below it */
    int64_t hz;                      /* shown by INFO; nothing goes by it, for work is done when it is due */
    bool rdb_compression;
    int64_t rdb_key_save_delay_us; /* for tests: a snapshot on its way to a file takes so long for each key */
    struct {                       /* nothing goes by these */
        bool dynamic_hz;
        int64_t tcp_keepalive_s;
        bool disable_tcp_nodelay;
        int diskless_load; /* there is one way: the old data stay until the new are complete */
        bool diskless_sync;
        int sanitize_dump_payload; /* all of it is verified, always */
    } unused;
    bool trusts_dumps; /* no parameter: DEBUG SET-SKIP-CHECKSUM-VALIDATION */
    /* Whether what was evicted, expired, or deleted by a command that does other things too, goes into the stream as
     * UNLINK, so that stock replicas free it beside their work, and not as DEL. Here it is always freed in steps. */
    bool unlinks_evicted;
    bool unlinks_expired;
    bool unlinks_deleted;
    /* Set, and shown: what is big is freed in steps whatever they say (ADR 6). But FLUSHALL without a word is ASYNC
     * when the first says so. */
    bool lazy_user_flush;
    bool lazy_user_del;
    bool lazy_replica_flush;
};

/* `settings` must stay where it is: parts of it point to each other. */
void cw_settings_create(struct cw_settings *settings, const struct cw_config *config);
void cw_settings_destroy(struct cw_settings *settings);

/* Why CONFIG SET does not change a parameter: nothing here goes by it, or only what the worker was started with. */
#define CW_SETTINGS_NO_USE     "this server has no use for it, so it keeps its value"
#define CW_SETTINGS_FROM_START "this server takes it from its own configuration when it starts"

static inline struct slice cw_settings_deletion(bool unlinks)
{
    return unlinks ? SLICE_LITERAL("UNLINK") : SLICE_LITERAL("DEL");
}

/* Why and whether a line of a configuration file has an effect. */
enum cw_settings_verdict {
    CW_SETTINGS_TAKES,     /* cw_settings_set will do it */
    CW_SETTINGS_SO_ANYWAY, /* it is so, and cannot be otherwise */
    CW_SETTINGS_NO_EFFECT, /* it cannot be so; `reason` got why */
    CW_SETTINGS_WRONG,     /* no value of the parameter; `reason` got why, in Redis' words */
    CW_SETTINGS_UNKNOWN,
};
enum cw_settings_verdict cw_settings_judge(const struct cw_config *config, struct slice name, struct slice value,
                                           struct buf *reason);

/* By index, from 0 to count - 1; aliases have an index of their own. */
size_t cw_settings_count(void);
const char *cw_settings_name(size_t index);
void cw_settings_value(const struct cw_engine *engine, size_t index, struct buf *out);
bool cw_settings_is_hidden(size_t index);    /* only who knows the name gets it */
bool cw_settings_is_settable(size_t index);  /* and no other name of another */
bool cw_settings_is_sensitive(size_t index); /* MONITOR and SLOWLOG must not show what it is set to */

enum { CW_SETTINGS_NONE = -1 };
int cw_settings_find(struct slice name); /* in any case; index, or CW_SETTINGS_NONE */

/* Sets all or nothing. Else ret_name is the parameter that is wrong and `reason` got why, in Redis' words:
 * ERR_NOT_FOUND (no such parameter, no reason), ERR_EXISTS (given twice), ERR_INVALID. */
MUST_CHECK int cw_settings_set(struct cw_engine *engine, const struct slice *pairs, size_t count,
                               struct slice *ret_name, struct buf *reason);

/* "99.9" */
void cw_settings_write_percentile(double percent, struct buf *out);

/* Replaces the owned bytes of a field. */
void cw_settings_set_text(struct slice *text, struct slice value);

/* "100", "64mb", "1g": as Redis reads them, k being 1000 and kb 1024. ERR_INVALID. */
MUST_CHECK int cw_settings_parse_memory(struct slice text, int64_t *ret_bytes);

#endif
