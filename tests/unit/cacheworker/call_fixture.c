#include "tests/unit/cacheworker/call_fixture.h"

#include "cacheworker/acl/access.h"
#include "cacheworker/bitmap/bitmap_commands.h"
#include "cacheworker/engine/aside.h"
#include "cacheworker/engine/objects.h"
#include "cacheworker/expire/expire_commands.h"
#include "cacheworker/geo/geo_commands.h"
#include "cacheworker/hash/field_commands.h"
#include "cacheworker/hash/hash_commands.h"
#include "cacheworker/hyperloglog/hyperloglog_commands.h"
#include "cacheworker/keyspace/key_commands.h"
#include "cacheworker/limiter/limiter_commands.h"
#include "cacheworker/list/list_commands.h"
#include "cacheworker/pubsub/notify.h"
#include "cacheworker/rdb/background_save.h"
#include "cacheworker/rdb/dump_commands.h"
#include "cacheworker/rdb/rdb_cursor.h"
#include "cacheworker/set/set_algebra_commands.h"
#include "cacheworker/set/set_commands.h"
#include "cacheworker/sort/sort_commands.h"
#include "cacheworker/stream/stream_commands.h"
#include "cacheworker/string/string_commands.h"
#include "cacheworker/zset/zset_commands.h"
#include "common/base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *name;
    cw_command_function function;
} functions[] = {
    {"append", cw_append_command},
    {"bitcount", cw_bitcount_command},
    {"bitfield", cw_bitfield_command},
    {"bitfield_ro", cw_bitfield_ro_command},
    {"bitop", cw_bitop_command},
    {"bitpos", cw_bitpos_command},
    {"cl.throttle", cw_cl_throttle_command},
    {"copy", cw_copy_command},
    {"dbsize", cw_dbsize_command},
    {"decr", cw_decr_command},
    {"decrby", cw_decrby_command},
    {"del", cw_del_command},
    {"delex", cw_delex_command},
    {"delifeq", cw_delifeq_command},
    {"digest", cw_digest_command},
    {"dump", cw_dump_command},
    {"exists", cw_exists_command},
    {"expire", cw_expire_command},
    {"expireat", cw_expireat_command},
    {"expiretime", cw_expiretime_command},
    {"flushall", cw_flushall_command},
    {"flushdb", cw_flushdb_command},
    {"geoadd", cw_geoadd_command},
    {"geodist", cw_geodist_command},
    {"geohash", cw_geohash_command},
    {"geopos", cw_geopos_command},
    {"georadius", cw_georadius_command},
    {"georadius_ro", cw_georadius_ro_command},
    {"georadiusbymember", cw_georadiusbymember_command},
    {"georadiusbymember_ro", cw_georadiusbymember_ro_command},
    {"geosearch", cw_geosearch_command},
    {"geosearchstore", cw_geosearchstore_command},
    {"get", cw_get_command},
    {"getbit", cw_getbit_command},
    {"getdel", cw_getdel_command},
    {"getex", cw_getex_command},
    {"getrange", cw_getrange_command},
    {"getset", cw_getset_command},
    {"hdel", cw_hdel_command},
    {"hexists", cw_hexists_command},
    {"hexpire", cw_hexpire_command},
    {"hexpireat", cw_hexpireat_command},
    {"hexpiretime", cw_hexpiretime_command},
    {"hget", cw_hget_command},
    {"hgetall", cw_hgetall_command},
    {"hgetdel", cw_hgetdel_command},
    {"hgetex", cw_hgetex_command},
    {"hincrby", cw_hincrby_command},
    {"hincrbyfloat", cw_hincrbyfloat_command},
    {"hkeys", cw_hkeys_command},
    {"hlen", cw_hlen_command},
    {"hmget", cw_hmget_command},
    {"hmset", cw_hmset_command},
    {"hpersist", cw_hpersist_command},
    {"hpexpire", cw_hpexpire_command},
    {"hpexpireat", cw_hpexpireat_command},
    {"hpexpiretime", cw_hpexpiretime_command},
    {"hpttl", cw_hpttl_command},
    {"hrandfield", cw_hrandfield_command},
    {"hscan", cw_hscan_command},
    {"hset", cw_hset_command},
    {"hsetex", cw_hsetex_command},
    {"hsetnx", cw_hsetnx_command},
    {"hstrlen", cw_hstrlen_command},
    {"httl", cw_httl_command},
    {"hvals", cw_hvals_command},
    {"incr", cw_incr_command},
    {"incrby", cw_incrby_command},
    {"incrbyfloat", cw_incrbyfloat_command},
    {"keys", cw_keys_command},
    {"lcs", cw_lcs_command},
    {"lrange", cw_lrange_command},
    {"linsert", cw_linsert_command},
    {"lmove", cw_lmove_command},
    {"lmpop", cw_lmpop_command},
    {"lpop", cw_lpop_command},
    {"lpush", cw_lpush_command},
    {"lpushx", cw_lpushx_command},
    {"lrem", cw_lrem_command},
    {"lset", cw_lset_command},
    {"ltrim", cw_ltrim_command},
    {"memory|usage", cw_memory_usage_command},
    {"mget", cw_mget_command},
    {"move", cw_move_command},
    {"mset", cw_mset_command},
    {"msetex", cw_msetex_command},
    {"msetnx", cw_msetnx_command},
    {"object|encoding", cw_object_encoding_command},
    {"object|freq", cw_object_freq_command},
    {"object|help", cw_object_help_command},
    {"object|idletime", cw_object_idletime_command},
    {"object|refcount", cw_object_refcount_command},
    {"persist", cw_persist_command},
    {"pexpire", cw_pexpire_command},
    {"pexpireat", cw_pexpireat_command},
    {"pexpiretime", cw_pexpiretime_command},
    {"pfadd", cw_pfadd_command},
    {"pfcount", cw_pfcount_command},
    {"pfdebug", cw_pfdebug_command},
    {"pfmerge", cw_pfmerge_command},
    {"pfselftest", cw_pfselftest_command},
    {"psetex", cw_psetex_command},
    {"pttl", cw_pttl_command},
    {"randomkey", cw_randomkey_command},
    {"ratelimit.window", cw_ratelimit_window_command},
    {"rename", cw_rename_command},
    {"renamenx", cw_renamenx_command},
    {"restore", cw_restore_command},
    {"rpush", cw_rpush_command},
    {"rpop", cw_rpop_command},
    {"rpoplpush", cw_rpoplpush_command},
    {"rpush", cw_rpush_command},
    {"rpushx", cw_rpushx_command},
    {"sadd", cw_sadd_command},
    {"scan", cw_scan_command},
    {"scard", cw_scard_command},
    {"sdiff", cw_sdiff_command},
    {"sdiffstore", cw_sdiffstore_command},
    {"set", cw_set_command},
    {"setbit", cw_setbit_command},
    {"setex", cw_setex_command},
    {"setnx", cw_setnx_command},
    {"setrange", cw_setrange_command},
    {"sinter", cw_sinter_command},
    {"sintercard", cw_sintercard_command},
    {"sinterstore", cw_sinterstore_command},
    {"sismember", cw_sismember_command},
    {"smembers", cw_smembers_command},
    {"smismember", cw_smismember_command},
    {"smove", cw_smove_command},
    {"sort", cw_sort_command},
    {"sort_ro", cw_sort_ro_command},
    {"spop", cw_spop_command},
    {"srandmember", cw_srandmember_command},
    {"srem", cw_srem_command},
    {"sscan", cw_sscan_command},
    {"strlen", cw_strlen_command},
    {"substr", cw_getrange_command},
    {"sunion", cw_sunion_command},
    {"sunionstore", cw_sunionstore_command},
    {"swapdb", cw_swapdb_command},
    {"touch", cw_touch_command},
    {"ttl", cw_ttl_command},
    {"type", cw_type_command},
    {"unlink", cw_unlink_command},
    {"xack", cw_xack_command},
    {"xadd", cw_xadd_command},
    {"xautoclaim", cw_xautoclaim_command},
    {"xclaim", cw_xclaim_command},
    {"xdel", cw_xdel_command},
    {"xgroup|create", cw_xgroup_create_command},
    {"xgroup|createconsumer", cw_xgroup_createconsumer_command},
    {"xgroup|delconsumer", cw_xgroup_delconsumer_command},
    {"xgroup|destroy", cw_xgroup_destroy_command},
    {"xgroup|help", cw_xgroup_help_command},
    {"xgroup|setid", cw_xgroup_setid_command},
    {"xinfo|consumers", cw_xinfo_consumers_command},
    {"xinfo|groups", cw_xinfo_groups_command},
    {"xinfo|help", cw_xinfo_help_command},
    {"xinfo|stream", cw_xinfo_stream_command},
    {"xlen", cw_xlen_command},
    {"xpending", cw_xpending_command},
    {"xrange", cw_xrange_command},
    {"xread", cw_xread_command},
    {"xreadgroup", cw_xreadgroup_command},
    {"xrevrange", cw_xrevrange_command},
    {"xsetid", cw_xsetid_command},
    {"xtrim", cw_xtrim_command},
    {"zadd", cw_zadd_command},
    {"zdiff", cw_zdiff_command},
    {"zdiffstore", cw_zdiffstore_command},
    {"zinter", cw_zinter_command},
    {"zintercard", cw_zintercard_command},
    {"zinterstore", cw_zinterstore_command},
    {"zrandmember", cw_zrandmember_command},
    {"zrange", cw_zrange_command},
    {"zrangestore", cw_zrangestore_command},
    {"zincrby", cw_zincrby_command},
    {"zpopmax", cw_zpopmax_command},
    {"zpopmin", cw_zpopmin_command},
    {"zremrangebylex", cw_zremrangebylex_command},
    {"zremrangebyrank", cw_zremrangebyrank_command},
    {"zremrangebyscore", cw_zremrangebyscore_command},
    {"zrem", cw_zrem_command},
    {"zunion", cw_zunion_command},
    {"zunionstore", cw_zunionstore_command},
};

/* An aside as "<key field=date ...>" or, of the next command, "<of next: key field=date ...>". */
static void add_aside(struct buf *out, enum cw_aside when, struct slice record)
{
    struct cw_rdb_cursor cursor = {.bytes = record};
    struct buf unpacked = {0};
    struct slice text;
    uint64_t number;
    buf_add_text(out, when == CW_ASIDE_NOW ? "<" : "<of next: ");
    assert_int_equal(cw_rdb_take_plain_length(&cursor, &number), 1);
    assert_int_equal(cw_rdb_take_string(&cursor, &unpacked, &text), 1);
    buf_add_slice(out, text);
    while (cursor.position < record.length) {
        assert_int_equal(cw_rdb_take_string(&cursor, &unpacked, &text), 1);
        assert_int_equal(cw_rdb_take_little_endian(&cursor, 8, &number), 1);
        buf_add_text(out, " ");
        buf_add_slice(out, text);
        if ((int64_t)number == CW_NO_EXPIRY)
            buf_add_text(out, "=none");
        else
            buf_add_format(out, "=%lld", (long long)number - FIXTURE_NOW_MS);
    }
    buf_add_text(out, ">");
    buf_free(&unpacked);
}

/* Stands in for the engine's stream; the fixture is the engine. */
void cw_call_propagate(struct cw_call *call, const struct slice *argv, size_t argc)
{
    struct buf *out = &((struct call_fixture *)(void *)call->engine)->propagated;
    struct slice record;
    enum cw_aside aside = cw_aside_read(argv, argc, &record);
    call->propagation_replaced = true;
    if (buf_length(out) > 0)
        buf_add_text(out, "; ");
    if (aside != CW_ASIDE_NONE) {
        add_aside(out, aside, record);
        return;
    }
    for (size_t i = 0; i < argc; i++) {
        if (i > 0)
            buf_add_text(out, " ");
        buf_add_slice(out, argv[i]);
    }
}

/* As "event key"; "event 3:key" of another database than the selected one. */
void cw_notify(struct cw_engine *engine, enum cw_notify_class class, const char *event, unsigned database,
               struct slice key)
{
    struct call_fixture *fixture = (struct call_fixture *)(void *)engine;
    if (!(fixture->settings.notify_classes & class))
        return;
    buf_add_format(&fixture->events, "%s%s ", buf_length(&fixture->events) > 0 ? "; " : "", event);
    if (database != fixture->database)
        buf_add_format(&fixture->events, "%u:", database);
    buf_add_slice(&fixture->events, key);
}

static void on_added(void *context, unsigned database, struct slice key)
{
    cw_notify(context, CW_NOTIFY_NEW, "new", database, key);
}

static void on_missed(void *context, unsigned database, struct slice key)
{
    cw_notify(context, CW_NOTIFY_MISS, "keymiss", database, key);
}

void cw_background_save_flush(struct cw_engine *engine)
{
    (void)engine;
}

bool cw_access_may_read_every_key(const struct cw_call *call)
{
    (void)call;
    return true;
}

int64_t cw_call_now_us(const struct cw_call *call)
{
    return call->now_ms * 1000;
}

bool cw_reply_is_full(const struct cw_call *call)
{
    size_t most = call->settings->output.of[CW_OUTPUT_NORMAL].hard;
    return most > 0 && buf_length(call->reply) >= most;
}

void cw_call_propagate_nothing(struct cw_call *call)
{
    call->propagation_replaced = true;
}

static void on_expired(void *context, unsigned database, struct slice key)
{
    struct call_fixture *fixture = context;
    buf_add_format(&fixture->propagated, "[%u] DEL ", database);
    buf_add_slice(&fixture->propagated, key);
}

static void on_expired_parts(void *context, unsigned database, struct slice key, const struct slice *names,
                             size_t count)
{
    struct call_fixture *fixture = context;
    buf_add_format(&fixture->propagated, "[%u] HDEL ", database);
    buf_add_slice(&fixture->propagated, key);
    for (size_t i = 0; i < count; i++) {
        buf_add_text(&fixture->propagated, " ");
        buf_add_slice(&fixture->propagated, names[i]);
    }
}

void call_fixture_open(struct call_fixture *fixture)
{
    *fixture =
        (struct call_fixture){.protocol = 2, .now_ms = FIXTURE_NOW_MS, .settings = {.hll_sparse_max_bytes = 3000}};
    struct cw_keyspace_config config = {.databases = 16,
                                        .seed = 7,
                                        .expired = on_expired,
                                        .expired_parts = on_expired_parts,
                                        .added = on_added,
                                        .missed = on_missed,
                                        .context = fixture,
                                        .objects = &cw_objects};
    fixture->keyspace = cw_keyspace_create(&config);
}

void call_fixture_close(struct call_fixture *fixture)
{
    cw_keyspace_destroy(fixture->keyspace);
    buf_free(&fixture->reply);
    buf_free(&fixture->propagated);
    buf_free(&fixture->events);
    resp_request_free(&fixture->line);
}

static cw_command_function function_of(const struct command *command)
{
    for (size_t i = 0; i < ARRAY_LENGTH(functions); i++)
        if (strcmp(functions[i].name, command->full_name) == 0)
            return functions[i].function;
    return NULL;
}

void call_fixture_execute(struct call_fixture *fixture, const struct slice *argv, size_t argc)
{
    buf_clear(&fixture->reply);
    buf_clear(&fixture->propagated);
    buf_clear(&fixture->events);
    fixture->dirty = 0;
    if (argc == 2 && slice_equal_nocase(argv[0], "select")) {
        int64_t number = 0;
        assert_int_equal(number_parse_i64(argv[1], &number), 0);
        fixture->database = (unsigned)number;
        resp_write_ok(&fixture->reply);
        return;
    }
    const struct command *command = command_resolve(argv, argc);
    cw_command_function function = command ? function_of(command) : NULL;
    assert_non_null(function);
    if (!command_arity_fits(command, argc)) {
        resp_write_error_format(&fixture->reply, "ERR wrong number of arguments for '%s' command", command->full_name);
        return;
    }
    struct cw_call call = {
        .engine = (struct cw_engine *)(void *)fixture,
        .settings = &fixture->settings,
        .session = fixture->is_client ? (struct cw_session *)(void *)fixture : NULL,
        .keyspace = fixture->keyspace,
        .database = fixture->database,
        .command = command,
        .argv = argv,
        .argc = argc,
        .reply = &fixture->reply,
        .protocol = fixture->protocol,
        .flags = fixture->flags | CW_CALL_DENY_BLOCKING,
        .now_ms = fixture->now_ms,
    };
    if (command->first_key > 0 && (size_t)command->first_key < argc)
        call.first_key_hash = cw_keyspace_hash(fixture->keyspace, argv[command->first_key]);
    function(&call);
    fixture->dirty = call.dirty;
    if (call.dirty > 0 && !call.propagation_replaced)
        cw_call_propagate(&call, argv, argc);
}

void call_fixture_run(struct call_fixture *fixture, const char *line)
{
    struct buf text = {0};
    buf_add_text(&text, line);
    buf_add_text(&text, "\r\n");
    struct resp_limits limits = RESP_LIMITS_DEFAULT;
    assert_int_equal(resp_request_read(&fixture->line, buf_slice(&text), &limits), (int64_t)buf_length(&text));
    call_fixture_execute(fixture, fixture->line.argv, fixture->line.argc);
    buf_free(&text);
}

static void assert_text(struct slice bytes, const char *expected, const char *line, const char *file, int line_number)
{
    struct buf text = {0};
    for (size_t i = 0; i < bytes.length; i++)
        if (bytes.data[i] != '\r')
            buf_add(&text, bytes.data[i] == '\n' ? " " : bytes.data + i, 1);
    buf_add(&text, "", 1);
    if (strcmp(buf_slice(&text).data, expected) != 0)
        print_error("%s\n", line);
    _assert_string_equal(buf_slice(&text).data, expected, file, line_number);
    buf_free(&text);
}

void call_fixture_assert_events(struct call_fixture *fixture, const char *line, const char *expected, const char *file,
                                int line_number)
{
    fixture->settings.notify_classes = CW_NOTIFY_ALL | CW_NOTIFY_NEW | CW_NOTIFY_MISS;
    cw_keyspace_announce(fixture->keyspace, true, true);
    call_fixture_run(fixture, line);
    fixture->settings.notify_classes = 0;
    cw_keyspace_announce(fixture->keyspace, false, false);
    assert_text(buf_slice(&fixture->events), expected, line, file, line_number);
}

void call_fixture_assert(struct call_fixture *fixture, const char *line, const char *expected, const char *effect,
                         const char *file, int line_number)
{
    call_fixture_run(fixture, line);
    assert_text(buf_slice(&fixture->reply), expected, line, file, line_number);
    if (effect)
        assert_text(buf_slice(&fixture->propagated), effect, line, file, line_number);
}
