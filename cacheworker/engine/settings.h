/* settings.h: the parameters that CONFIG GET and CONFIG SET know.
 *
 * One row per parameter. What exists is a field of struct cw_settings or of struct cw_config; what clients and tools
 * ask for although this worker has nothing to adjust there is a constant with the value that is true of it. */
#ifndef CACHEWORKER_ENGINE_SETTINGS_H
#define CACHEWORKER_ENGINE_SETTINGS_H

#include "cacheworker/engine/worker.h"
#include "cacheworker/evict/evict.h"
#include "cacheworker/keyspace/packing.h"
#include "common/base/buf.h"
#include "common/resp/resp_limits.h"

struct cw_engine;

struct cw_settings {
    struct resp_limits limits;   /* of authenticated clients; bulk_length_max is proto-max-bulk-len */
    struct slice requirepass;    /* owned; empty: no password */
    size_t hll_sparse_max_bytes; /* a longer sparse HyperLogLog becomes dense */
    int64_t max_clients;
    int64_t timeout_s; /* idle clients are closed; 0: never */
    int64_t slowlog_slower_than_us;
    int64_t slowlog_max_length;
    struct cw_packing packing;
    struct cw_access_rules access; /* counts_uses follows the policy */
    struct cw_evict_rules eviction;
    int64_t eviction_tenacity; /* 0 to 100; from 10 on all the same */
};

/* `settings` must stay where it is: parts of it point to each other. */
void cw_settings_create(struct cw_settings *settings, const struct cw_config *config);
void cw_settings_destroy(struct cw_settings *settings);

size_t cw_settings_count(void);
const char *cw_settings_name(size_t index);
void cw_settings_value(const struct cw_engine *engine, size_t index, struct buf *out);

enum { CW_SETTINGS_NONE = -1 };
int cw_settings_find(struct slice name); /* index, or CW_SETTINGS_NONE */

/* Sets all or nothing. Else ret_index is the pair that is wrong and `reason` got why, in Redis' words: ERR_NOT_FOUND
 * (no such parameter, no reason), ERR_EXISTS (given twice), ERR_INVALID. */
MUST_CHECK int cw_settings_set(struct cw_engine *engine, const struct slice *pairs, size_t count, size_t *ret_index,
                               struct buf *reason);

/* "100", "64mb", "1g": as Redis reads them, k being 1000 and kb 1024. ERR_INVALID. */
MUST_CHECK int cw_settings_parse_memory(struct slice text, int64_t *ret_bytes);

#endif
