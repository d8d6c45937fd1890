#include "cacheworker/engine/settings.h"

#include "cacheworker/engine/state.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"

#include <inttypes.h>

enum setting_kind {
    SETTING_CONSTANT,
    SETTING_INTEGER,
    SETTING_MEMORY,
    SETTING_TEXT,
    SETTING_COMPUTED,
    SETTING_POLICY, /* maxmemory-policy */
};

struct setting {
    const char *name;
    enum setting_kind kind;
    size_t offset;        /* in struct cw_settings: int64_t, size_t or struct slice */
    int64_t least, most;  /* of a number */
    const char *constant; /* the only value */
    void (*compute)(const struct cw_engine *engine, struct buf *out);
};

static void compute_databases(const struct cw_engine *engine, struct buf *out)
{
    buf_add_u64(out, engine->config.databases);
}

static void compute_port(const struct cw_engine *engine, struct buf *out)
{
    buf_add_u64(out, engine->config.port);
}

static void compute_bind(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.data.host);
}

static void compute_backlog(const struct cw_engine *engine, struct buf *out)
{
    buf_add_u64(out, engine->config.backlog_bytes);
}

static void compute_query_buffer(const struct cw_engine *engine, struct buf *out)
{
    buf_add_u64(out, engine->config.query_buffer_max);
}

static void compute_output_buffer(const struct cw_engine *engine, struct buf *out)
{
    buf_add_format(out, "normal %zu 0 0 slave 0 0 0 pubsub %zu 0 0", engine->config.client_output_max,
                   engine->config.client_output_max);
}

static void compute_debug(const struct cw_engine *engine, struct buf *out)
{
    buf_add_text(out, engine->config.enable_debug_command ? "yes" : "no");
}

#define FIELD(member) offsetof(struct cw_settings, member)
#define CONSTANT(name, value)                                                                                          \
    {                                                                                                                  \
        name, SETTING_CONSTANT, 0, 0, 0, value, NULL                                                                   \
    }
#define COMPUTED(name, call)                                                                                           \
    {                                                                                                                  \
        name, SETTING_COMPUTED, 0, 0, 0, NULL, call                                                                    \
    }

#define PACKING(name, member, least, most)                                                                             \
    {                                                                                                                  \
        name, SETTING_INTEGER, FIELD(packing.member), least, most, NULL, NULL                                          \
    }

static const struct setting settings_table[] = {
    CONSTANT("activedefrag", "no"),
    CONSTANT("appendfsync", "everysec"),
    CONSTANT("appendonly", "no"),
    COMPUTED("bind", compute_bind),
    COMPUTED("client-output-buffer-limit", compute_output_buffer),
    COMPUTED("client-query-buffer-limit", compute_query_buffer),
    CONSTANT("cluster-enabled", "no"),
    CONSTANT("daemonize", "no"),
    COMPUTED("databases", compute_databases),
    CONSTANT("dbfilename", "dump.rdb"),
    COMPUTED("enable-debug-command", compute_debug),
    CONSTANT("hz", "10"),
    CONSTANT("lazyfree-lazy-eviction", "no"),
    CONSTANT("lazyfree-lazy-expire", "no"),
    CONSTANT("lazyfree-lazy-server-del", "no"),
    CONSTANT("lazyfree-lazy-user-del", "no"),
    CONSTANT("lazyfree-lazy-user-flush", "no"),
    CONSTANT("maxmemory-clients", "0"),
    CONSTANT("min-replicas-to-write", "0"),
    CONSTANT("notify-keyspace-events", ""),
    COMPUTED("port", compute_port),
    CONSTANT("protected-mode", "no"),
    CONSTANT("rdbchecksum", "yes"),
    CONSTANT("rdbcompression", "no"),
    COMPUTED("repl-backlog-size", compute_backlog),
    CONSTANT("replica-ignore-maxmemory", "yes"),
    CONSTANT("replica-read-only", "yes"),
    CONSTANT("replica-serve-stale-data", "no"),
    CONSTANT("replicaof", ""), /* who follows whom is the sentinels' to say */
    CONSTANT("save", ""),
    CONSTANT("slave-ignore-maxmemory", "yes"),
    CONSTANT("slave-read-only", "yes"),
    CONSTANT("slave-serve-stale-data", "no"),
    CONSTANT("slaveof", ""),
    PACKING("hash-max-listpack-entries", hash_max_listpack_entries, 0, INT64_MAX),
    PACKING("hash-max-listpack-value", hash_max_listpack_value, 0, INT64_MAX),
    PACKING("hash-max-ziplist-entries", hash_max_listpack_entries, 0, INT64_MAX),
    PACKING("hash-max-ziplist-value", hash_max_listpack_value, 0, INT64_MAX),
    PACKING("list-compress-depth", list_compress_depth, 0, INT32_MAX),
    PACKING("list-max-listpack-size", list_max_listpack_size, INT32_MIN, INT32_MAX),
    PACKING("list-max-ziplist-size", list_max_listpack_size, INT32_MIN, INT32_MAX),
    PACKING("set-max-intset-entries", set_max_intset_entries, 0, INT64_MAX),
    PACKING("set-max-listpack-entries", set_max_listpack_entries, 0, INT64_MAX),
    PACKING("set-max-listpack-value", set_max_listpack_value, 0, INT64_MAX),
    {"stream-node-max-bytes", SETTING_MEMORY, FIELD(packing.stream_node_max_bytes), 0, INT64_MAX, NULL, NULL},
    PACKING("stream-node-max-entries", stream_node_max_entries, 0, INT64_MAX),
    PACKING("zset-max-listpack-entries", zset_max_listpack_entries, 0, INT64_MAX),
    PACKING("zset-max-listpack-value", zset_max_listpack_value, 0, INT64_MAX),
    PACKING("zset-max-ziplist-entries", zset_max_listpack_entries, 0, INT64_MAX),
    PACKING("zset-max-ziplist-value", zset_max_listpack_value, 0, INT64_MAX),
    {"hll-sparse-max-bytes", SETTING_MEMORY, FIELD(hll_sparse_max_bytes), 0, INT64_MAX, NULL, NULL},
    {"lfu-decay-time", SETTING_INTEGER, FIELD(access.decay_minutes), 0, INT32_MAX, NULL, NULL},
    {"lfu-log-factor", SETTING_INTEGER, FIELD(access.log_factor), 0, INT32_MAX, NULL, NULL},
    {"maxclients", SETTING_INTEGER, FIELD(max_clients), 1, INT32_MAX, NULL, NULL},
    {"maxmemory", SETTING_MEMORY, FIELD(eviction.limit_bytes), 0, INT64_MAX, NULL, NULL},
    {"maxmemory-eviction-tenacity", SETTING_INTEGER, FIELD(eviction_tenacity), 0, 100, NULL, NULL},
    {"maxmemory-policy", SETTING_POLICY, FIELD(eviction.policy), 0, 0, NULL, NULL},
    {"maxmemory-samples", SETTING_INTEGER, FIELD(eviction.samples), 1, INT32_MAX, NULL, NULL},
    {"proto-max-bulk-len", SETTING_MEMORY, FIELD(limits.bulk_length_max), 1 << 20, INT64_MAX, NULL, NULL},
    {"requirepass", SETTING_TEXT, FIELD(requirepass), 0, 0, NULL, NULL},
    {"slowlog-log-slower-than", SETTING_INTEGER, FIELD(slowlog_slower_than_us), -1, INT64_MAX, NULL, NULL},
    {"slowlog-max-len", SETTING_INTEGER, FIELD(slowlog_max_length), 0, INT64_MAX, NULL, NULL},
    {"timeout", SETTING_INTEGER, FIELD(timeout_s), 0, INT32_MAX, NULL, NULL},
};

#undef PACKING
#undef COMPUTED
#undef CONSTANT
#undef FIELD

static void set_policy(struct cw_settings *settings, enum cw_policy policy)
{
    settings->eviction.policy = policy;
    settings->access.counts_uses = cw_policy_is_lfu(policy);
}

void cw_settings_create(struct cw_settings *settings, const struct cw_config *config)
{
    *settings = (struct cw_settings){
        .limits = RESP_LIMITS_DEFAULT,
        .requirepass =
            slice_of(mem_copy_text(config->requirepass.data, config->requirepass.length), config->requirepass.length),
        .hll_sparse_max_bytes = 3000,
        .max_clients = config->max_clients,
        .slowlog_slower_than_us = 10000,
        .slowlog_max_length = 128,
        .packing = CW_PACKING_DEFAULT,
        .access = CW_ACCESS_RULES_DEFAULT,
        .eviction = {.limit_bytes = config->maxmemory_bytes, .samples = 5, .access = &settings->access},
        .eviction_tenacity = 10,
    };
    set_policy(settings, config->maxmemory_policy);
}

void cw_settings_destroy(struct cw_settings *settings)
{
    mem_free((void *)(uintptr_t)settings->requirepass.data);
    settings->requirepass = slice_of(NULL, 0);
}

size_t cw_settings_count(void)
{
    return ARRAY_LENGTH(settings_table);
}

const char *cw_settings_name(size_t index)
{
    return settings_table[index].name;
}

int cw_settings_find(struct slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(settings_table); i++) {
        if (slice_equal_nocase(name, settings_table[i].name))
            return (int)i;
    }
    return CW_SETTINGS_NONE;
}

static void *field_of(struct cw_settings *settings, const struct setting *setting)
{
    return (char *)settings + setting->offset;
}

void cw_settings_value(const struct cw_engine *engine, size_t index, struct buf *out)
{
    const struct setting *setting = &settings_table[index];
    const void *field = (const char *)&engine->settings + setting->offset;
    switch (setting->kind) {
    case SETTING_CONSTANT: buf_add_text(out, setting->constant); break;
    case SETTING_COMPUTED: setting->compute(engine, out); break;
    case SETTING_INTEGER: buf_add_i64(out, *(const int64_t *)field); break;
    case SETTING_MEMORY: buf_add_u64(out, *(const size_t *)field); break;
    case SETTING_TEXT: buf_add_slice(out, *(const struct slice *)field); break;
    case SETTING_POLICY: buf_add_text(out, cw_policy_name(*(const enum cw_policy *)field)); break;
    }
}

int cw_settings_parse_memory(struct slice text, int64_t *ret_bytes)
{
    static const struct {
        const char *suffix;
        int64_t factor;
    } units[] = {{"kb", 1024}, {"mb", 1024 * 1024}, {"gb", 1024 * 1024 * 1024},
                 {"k", 1000},  {"m", 1000 * 1000},  {"g", 1000 * 1000 * 1000},
                 {"b", 1}};
    int64_t factor = 1;
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++) {
        size_t length = strlen(units[i].suffix);
        if (text.length > length && strncasecmp(text.data + text.length - length, units[i].suffix, length) == 0) {
            factor = units[i].factor;
            text.length -= length;
            break;
        }
    }
    int64_t number;
    if (number_parse_i64(text, &number) < 0 || number < 0 || __builtin_mul_overflow(number, factor, ret_bytes))
        return ERR_INVALID;
    return 0;
}

/* Saying what is so anyway is fine: clients do it to be sure. */
static bool is_present_value(const struct cw_engine *engine, size_t index, struct slice value)
{
    struct buf present = {0};
    cw_settings_value(engine, index, &present);
    bool same = slice_equal(buf_slice(&present), value);
    buf_free(&present);
    return same;
}

static void judge_policy(struct slice value, struct buf *reason)
{
    enum cw_policy policy;
    if (cw_policy_parse(value, &policy) == 0)
        return;
    buf_add_text(reason, "argument(s) must be one of the following: ");
    for (unsigned i = 0; i < CW_POLICY_COUNT; i++)
        buf_add_format(reason, "%s%s", i > 0 ? ", " : "", cw_policy_name((enum cw_policy)i));
}

/* Adds why `value` cannot be given to the parameter; nothing when it can. */
static void judge(const struct cw_engine *engine, size_t index, struct slice value, struct buf *reason)
{
    const struct setting *setting = &settings_table[index];
    int64_t number;
    switch (setting->kind) {
    case SETTING_CONSTANT:
    case SETTING_COMPUTED:
        if (!is_present_value(engine, index, value))
            buf_add_text(reason, "can't set immutable config");
        return;
    case SETTING_TEXT: return;
    case SETTING_POLICY: judge_policy(value, reason); return;
    case SETTING_INTEGER:
        if (number_parse_i64(value, &number) < 0) {
            buf_add_text(reason, "argument couldn't be parsed into an integer");
            return;
        }
        break;
    case SETTING_MEMORY:
        if (cw_settings_parse_memory(value, &number) < 0) {
            buf_add_text(reason, "argument must be a memory value");
            return;
        }
        break;
    }
    if (number < setting->least || number > setting->most)
        buf_add_format(reason, "argument must be between %" PRId64 " and %" PRId64 " inclusive", setting->least,
                       setting->most);
}

static void assign(struct cw_engine *engine, const struct setting *setting, struct slice value)
{
    void *field = field_of(&engine->settings, setting);
    enum cw_policy policy;
    int64_t number = 0;
    switch (setting->kind) {
    case SETTING_CONSTANT:
    case SETTING_COMPUTED: break;
    case SETTING_INTEGER: CHECK(number_parse_i64(value, field) == 0); break;
    case SETTING_MEMORY:
        CHECK(cw_settings_parse_memory(value, &number) == 0);
        *(size_t *)field = (size_t)number;
        break;
    case SETTING_POLICY:
        CHECK(cw_policy_parse(value, &policy) == 0);
        set_policy(&engine->settings, policy);
        break;
    case SETTING_TEXT: {
        struct slice *text = field;
        mem_free((void *)(uintptr_t)text->data);
        *text = slice_of(mem_copy_text(value.data, value.length), value.length);
        break;
    }
    }
}

int cw_settings_set(struct cw_engine *engine, const struct slice *pairs, size_t count, size_t *ret_index,
                    struct buf *reason)
{
    for (size_t i = 0; i < count; i++) {
        int index = cw_settings_find(pairs[2 * i]);
        *ret_index = i;
        if (index == CW_SETTINGS_NONE)
            return ERR_NOT_FOUND;
        for (size_t j = 0; j < i; j++) {
            if (cw_settings_find(pairs[2 * j]) == index) {
                buf_add_text(reason, "duplicate parameter");
                return ERR_EXISTS;
            }
        }
        judge(engine, (size_t)index, pairs[2 * i + 1], reason);
        if (buf_length(reason) > 0)
            return ERR_INVALID;
    }
    for (size_t i = 0; i < count; i++)
        assign(engine, &settings_table[cw_settings_find(pairs[2 * i])], pairs[2 * i + 1]);
    return 0;
}
