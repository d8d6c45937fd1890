#include "cacheworker/repl/repl.h"

#include "cacheworker/aof/aof.h"
#include "cacheworker/aof/place.h"
#include "cacheworker/engine/aside.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_file.h"
#include "cacheworker/repl/repl_internal.h"
#include "cacheworker/repl/resync.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"

enum { SCRATCH_KEPT = 1 << 20 }; /* bytes of memory for the next command */

const struct cw_repl_settings *repl_settings(const struct cw_repl *repl)
{
    return cw_engine_repl_settings(repl->engine);
}

int64_t repl_timeout_ns(const struct cw_repl *repl)
{
    return repl_settings(repl)->timeout_s * NS_PER_S;
}

static void draw_id(struct cw_repl *repl)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < CW_REPLID_LENGTH; i++)
        repl->id[i] = digits[rand_below(&repl->rand, 16)];
}

/* --- creation --- */

/* Into the engine's keyspace, which stays as it is unless the whole file is good. */
static int load_data(struct cw_repl *repl, const struct storage *storage, struct cw_rdb_origin *ret_origin)
{
    struct cw_keyspace *fresh = cw_engine_new_keyspace(repl->engine);
    cw_keyspace_set_expiry_mode(fresh, CW_EXPIRY_IGNORED);
    struct buf programs = {0};
    int error = cw_rdb_load_file(storage, cw_engine_config(repl->engine)->rdb_file, fresh, ret_origin, &programs);
    if (error < 0) {
        cw_keyspace_destroy(fresh);
    } else {
        cw_engine_install_keyspace(repl->engine, fresh);
        cw_engine_install_programs(repl->engine, buf_slice(&programs));
        cw_engine_note_loaded(repl->engine, 0);
    }
    buf_free(&programs);
    return error;
}

_Static_assert((int)CW_RDB_STREAM_ID == (int)CW_REPLID_LENGTH, "one id");

/* What was appended so far is of the stream that begins anew, or that goes on: behind what the file says. */
static void take_place(struct cw_repl *repl, const struct cw_rdb_origin *origin)
{
    bool is_replica = repl->has_order && repl->order.host[0] != '\0';
    repl->stream_database = STREAM_DATABASE_NONE;
    repl->keeps_backlog = origin->stream_id[0] != '\0';
    repl_choose_feeding(repl);
    if (!repl->keeps_backlog) {
        repl->history.last_offset = 0;
        cw_backlog_reset(&repl->backlog, 0);
        return;
    }
    char *id = is_replica ? repl->id : repl->second_id;
    memcpy(id, origin->stream_id, sizeof(origin->stream_id));
    if (is_replica)
        cw_engine_set_stream_database(repl->engine, origin->stream_database);
    else
        repl->second_end = origin->stream_offset;
    repl->history.last_offset += origin->stream_offset;
    cw_backlog_shift(&repl->backlog, origin->stream_offset);
}

void cw_repl_take_data(struct cw_repl *repl, struct cw_keyspace *fresh, const struct cw_rdb_origin *origin,
                       struct slice programs)
{
    cw_engine_install_keyspace(repl->engine, fresh);
    cw_engine_install_programs(repl->engine, programs);
    if (repl->is_standalone) {
        take_place(repl, origin);
        return;
    }
    if (repl_note_origin(repl, origin) < 0)
        cw_repl_note_damage(repl, ERR_CORRUPT);
    repl->history = origin->history;
    cw_engine_set_stream_database(repl->engine, origin->stream_database);
    cw_backlog_reset(&repl->backlog, repl->history.last_offset);
}

void cw_repl_note_damage(struct cw_repl *repl, int error)
{
    repl->is_damaged = true;
    repl->disk_failed = error == ERR_IO;
}

void cw_repl_create(struct cw_engine *engine, struct cw_repl **ret_repl)
{
    const struct cw_config *config = cw_engine_config(engine);
    struct cw_repl *repl = mem_zero(sizeof(*repl));
    repl->engine = engine;
    repl->pending_writes = cw_engine_pending_writes(engine);
    repl->is_standalone = config->standalone;
    repl->role = config->standalone ? REPL_LEADING : REPL_RESTING;
    repl->stream_database = STREAM_DATABASE_NONE;
    repl->follow.link = LINK_NONE;
    rand_seed(&repl->rand, rand_mix(config->random_seed ^ config->incarnation_bits));
    repl->probe.link = LINK_NONE;
    draw_id(repl);
    if (config->replicaof.host[0] != '\0' && config->standalone) {
        repl->has_order = true; /* when the data are there */
        repl->order = config->replicaof;
    }
    cw_backlog_reset(&repl->backlog, 0);
    *ret_repl = repl;
}

void cw_repl_destroy(struct cw_repl *repl)
{
    if (repl == NULL)
        return;
    repl_peers_free(repl);
    repl_follow_free(repl);
    cw_backlog_free(&repl->backlog);
    buf_free(&repl->scratch);
    buf_free(&repl->unit);
    buf_free(&repl->probe.input);
    cw_migration_free(&repl->migration);
    mem_free(repl);
}

/* --- roles --- */

static void leave_role(struct cw_repl *repl)
{
    cw_engine_end_command(repl->engine, "NOTMASTER this node's role ended while the script ran");
    repl_peers_drop_all(repl);
    repl_migration_leave(repl);
    repl_follow_end(repl);
    /* If it goes on as somebody's replica, the stream does not begin with a SELECT. */
    if (repl->role == REPL_LEADING && repl->stream_database != STREAM_DATABASE_NONE)
        cw_engine_set_stream_database(repl->engine, (unsigned)repl->stream_database);
    cw_keyspace_set_expiry_mode(cw_engine_keyspace(repl->engine), CW_EXPIRY_HIDES);
    repl->role = REPL_RESTING;
    repl->is_frozen = false;
    repl->keeps_backlog = false;
    repl_choose_feeding(repl);
}

static void write_command(struct buf *out, const struct slice *argv, size_t argc)
{
    resp_write_array(out, argc);
    for (size_t i = 0; i < argc; i++)
        resp_write_bulk(out, argv[i]);
}

/* --- the place in the stream, for the append-only file --- */

static void note_epoch(struct cw_repl *repl)
{
    if (!repl->is_recorded)
        return;
    struct buf line = {0};
    cw_place_write_epoch(&repl->history, &line);
    cw_aof_append(repl->engine, buf_slice(&line));
    buf_free(&line);
}

void repl_note_branch(struct cw_repl *repl)
{
    bool forgets = cw_engine_config(repl->engine)->mutants & CW_MUTANT_AOF_FORGETS_EPOCHS;
    if (!repl->is_recorded || forgets)
        return;
    struct buf lines = {0};
    cw_place_write(&repl->history, &repl->follow.branch, &lines);
    cw_aof_append(repl->engine, buf_slice(&lines));
    buf_free(&lines);
}

/* A master's stream selects a database before the next command. */
static void write_select(const struct cw_repl *repl, struct buf *out)
{
    char text[NUMBER_TEXT_MAX];
    size_t length = number_format_u64(text, cw_engine_stream_database(repl->engine));
    struct buf command = {0};
    write_command(&command, (struct slice[]){SLICE_LITERAL("SELECT"), slice_of(text, length)}, 2);
    if (!repl->is_standalone)
        cw_place_write_aside(buf_length(&command), out);
    buf_add_slice(out, buf_slice(&command));
    buf_free(&command);
}

void cw_repl_write_place(const struct cw_repl *repl, struct buf *out)
{
    bool is_streaming = repl->role == REPL_FOLLOWING && repl->follow.state == FOLLOW_STREAMING;
    if (repl->role != REPL_LEADING)
        write_select(repl, out);
    if (!repl->is_standalone)
        cw_place_write(&repl->history, is_streaming ? &repl->follow.branch : &repl->history, out);
}

void cw_repl_take_history(struct cw_repl *repl, const struct history *history)
{
    repl->history = *history;
    cw_backlog_reset(&repl->backlog, history->last_offset);
}

/* What it holds came otherwise than by commands whose keys were noted. */
static void any_key_is_pending(struct cw_repl *repl)
{
    if (cw_pending_writes_are_noted(repl->pending_writes))
        cw_pending_writes_settle_all(repl->pending_writes, repl->history.last_offset);
}

void cw_repl_lead(struct cw_repl *repl, const struct life *self, uint64_t epoch)
{
    leave_role(repl);
    repl->role = REPL_LEADING;
    repl->keeps_backlog = true;
    repl_choose_feeding(repl);
    repl->self = *self;
    repl->epoch = epoch;
    repl->stream_database = STREAM_DATABASE_NONE;
    repl->pinged_ns = cw_engine_now_ns(repl->engine);
    repl->marks[0] = (struct mark){.offset = 0, .ns = repl->pinged_ns};
    repl->mark_count = 1;
    history_begin_epoch(&repl->history, epoch);
    note_epoch(repl);
    draw_id(repl);
    any_key_is_pending(repl);
    repl_migration_lead(repl);
}

void cw_repl_follow(struct cw_repl *repl, const struct life *self, uint64_t epoch, const struct life *master,
                    const struct address *address)
{
    leave_role(repl);
    repl->role = REPL_FOLLOWING;
    repl->self = *self;
    repl->epoch = epoch;
    repl_follow_begin(repl, master, address);
}

void repl_keep_second_id(struct cw_repl *repl)
{
    memcpy(repl->second_id, repl->id, sizeof(repl->second_id));
    repl->second_end = repl->history.last_offset;
}

/* With what it holds: the stream that it followed goes on under a new id. */
static void lead_again(struct cw_repl *repl, bool is_placed)
{
    repl->role = REPL_LEADING;
    repl->keeps_backlog = is_placed;
    repl_choose_feeding(repl);
    repl->stream_database = STREAM_DATABASE_NONE;
    repl->pinged_ns = repl->left_ns = cw_engine_now_ns(repl->engine);
    if (is_placed)
        repl_keep_second_id(repl);
    draw_id(repl);
    any_key_is_pending(repl);
}

/* Whether the data are what the stream of this id makes of nothing: not of a master that has fed nobody. */
static bool is_placed(const struct cw_repl *repl)
{
    return repl->role == REPL_LEADING ? repl->keeps_backlog : !repl->follow.wants_full;
}

static void obey(struct cw_repl *repl, const struct address *master)
{
    if (master == NULL && repl->role == REPL_LEADING)
        return;
    bool was_placed = is_placed(repl);
    leave_role(repl);
    if (master == NULL) {
        lead_again(repl, was_placed);
        return;
    }
    repl->role = REPL_FOLLOWING;
    repl_follow_begin(repl, NULL, master);
    repl->follow.wants_full = !was_placed;
}

void cw_repl_obey(struct cw_repl *repl, const struct address *master)
{
    CHECK(repl->is_standalone);
    if (repl->in_unit) {
        repl->has_order = true;
        repl->order = master != NULL ? *master : (struct address){.port = 0};
        return;
    }
    obey(repl, master);
}

static void obey_order(struct cw_repl *repl)
{
    repl->has_order = false;
    obey(repl, repl->order.host[0] != '\0' ? &repl->order : NULL);
}

void cw_repl_start(struct cw_repl *repl)
{
    repl->pinged_ns = repl->left_ns = cw_engine_now_ns(repl->engine);
    if (repl->has_order)
        obey_order(repl);
}

const struct address *cw_repl_stock_master(const struct cw_repl *repl)
{
    return repl->role == REPL_FOLLOWING && repl->follow.is_stock ? &repl->follow.address : NULL;
}

void cw_repl_rest(struct cw_repl *repl)
{
    leave_role(repl);
}

void cw_repl_freeze(struct cw_repl *repl)
{
    cw_engine_end_command(repl->engine, "NOTMASTER this node was fenced while the script ran");
    repl->is_frozen = true;
    repl_migration_leave(repl);
    repl_follow_end(repl);
    if (repl->role == REPL_LEADING) /* what is due may not be deleted any more, not even in this very step */
        cw_keyspace_set_expiry_mode(cw_engine_keyspace(repl->engine), CW_EXPIRY_HIDES);
}

/* --- the stream --- */

static void remember_moment(struct cw_repl *repl)
{
    int64_t spacing_ns = cw_engine_config(repl->engine)->max_lag_ns / 64;
    int64_t now_ns = cw_engine_now_ns(repl->engine);
    const struct mark *newest = &repl->marks[(repl->mark_count - 1) % MARKS];
    if (repl->mark_count > 0 && now_ns - newest->ns < spacing_ns)
        return;
    repl->marks[repl->mark_count++ % MARKS] = (struct mark){.offset = repl->history.last_offset, .ns = now_ns};
}

void repl_add_to_stream(struct cw_repl *repl, struct slice bytes)
{
    remember_moment(repl);
    if (repl->keeps_backlog)
        cw_backlog_append(&repl->backlog, bytes);
    repl->history.last_offset += bytes.length;
}

static inline void add_commands(struct cw_repl *repl, struct slice bytes)
{
    repl_add_to_stream(repl, bytes);
    if (UNLIKELY(repl->is_recorded))
        cw_aof_append(repl->engine, bytes);
}

void repl_add_commands(struct cw_repl *repl, struct slice bytes)
{
    add_commands(repl, bytes);
    any_key_is_pending(repl);
}

/* What was gathered is in the stream. */
static inline void settle(struct cw_repl *repl)
{
    if (UNLIKELY(cw_pending_writes_are_noted(repl->pending_writes)))
        cw_pending_writes_settle(repl->pending_writes, repl->history.last_offset);
}

/* With a SELECT before it where the database changes. */
static void write_in_database(struct cw_repl *repl, struct buf *out, unsigned database, const struct slice *argv,
                              size_t argc)
{
    if (repl->stream_database != (int)database) {
        char text[NUMBER_TEXT_MAX];
        const struct slice select[] = {SLICE_LITERAL("SELECT"), slice_of(text, number_format_u64(text, database))};
        write_command(out, select, ARRAY_LENGTH(select));
        repl->stream_database = (int)database;
    }
    write_command(out, argv, argc);
}

/* An aside is a part of the command that follows it. */
static void append_to_unit(struct cw_repl *repl, unsigned database, const struct slice *argv, size_t argc)
{
    struct slice record;
    write_in_database(repl, &repl->unit, database, argv, argc);
    repl->unit_commands += cw_aside_read(argv, argc, &record) != CW_ASIDE_OF_NEXT;
}

void cw_repl_append(struct cw_repl *repl, unsigned database, const struct slice *argv, size_t argc)
{
    if (!repl->is_feeding || repl->is_muted)
        return;
    CHECK(repl->role == REPL_LEADING && !repl->is_frozen);
    if (UNLIKELY(cw_pending_writes_are_noted(repl->pending_writes)))
        cw_pending_writes_gather(repl->pending_writes, argv, argc);
    if (repl->in_unit) {
        append_to_unit(repl, database, argv, argc);
        return;
    }
    buf_clear(&repl->scratch);
    write_in_database(repl, &repl->scratch, database, argv, argc);
    add_commands(repl, buf_slice(&repl->scratch));
    settle(repl);
    buf_clear(&repl->scratch);
    buf_shrink(&repl->scratch, SCRATCH_KEPT);
}

void cw_repl_record(struct cw_repl *repl, bool is_recorded)
{
    CHECK(!is_recorded || !repl->in_unit);
    repl->is_recorded = is_recorded;
    repl_choose_feeding(repl);
    repl->stream_database = STREAM_DATABASE_NONE;
    if (is_recorded && repl->migration.is_following)
        repl_migration_say_database(repl);
}

void cw_repl_mute(struct cw_repl *repl, bool is_muted)
{
    repl->is_muted = is_muted;
}

void cw_repl_begin_unit(struct cw_repl *repl)
{
    CHECK(!repl->in_unit && buf_length(&repl->unit) == 0);
    repl->in_unit = true;
    repl->unit_commands = 0;
}

bool cw_repl_end_unit(struct cw_repl *repl)
{
    static const struct slice multi = SLICE_LITERAL("*1\r\n$5\r\nMULTI\r\n");
    static const struct slice exec = SLICE_LITERAL("*1\r\n$4\r\nEXEC\r\n");
    bool is_block = repl->unit_commands > 1;
    repl->in_unit = false;
    if (repl->unit_commands == 0)
        return false;
    if (is_block)
        add_commands(repl, multi);
    add_commands(repl, buf_slice(&repl->unit));
    if (is_block)
        add_commands(repl, exec);
    settle(repl);
    buf_clear(&repl->unit);
    buf_shrink(&repl->unit, SCRATCH_KEPT);
    return true;
}

/* A script may have a unit open for long. */
void repl_append_notice(struct cw_repl *repl, const struct slice *argv, size_t argc)
{
    buf_clear(&repl->scratch);
    write_command(&repl->scratch, argv, argc);
    if (repl->is_standalone)
        repl_add_to_stream(repl, buf_slice(&repl->scratch));
    else
        add_commands(repl, buf_slice(&repl->scratch)); /* a group's file has every byte: it tells the offset */
    buf_clear(&repl->scratch);
}

static bool may_add(const struct cw_repl *repl)
{
    if (!(repl->is_feeding || cw_repl_refuses_writes(repl)) || repl->role != REPL_LEADING || repl->is_frozen)
        return false;
    enum cw_serving serving = cw_ha_serving(cw_engine_ha(repl->engine), cw_engine_now_ns(repl->engine));
    return serving == CW_SERVING_MASTER || serving == CW_SERVING_MIGRATING;
}

static bool has_replicas(const struct cw_repl *repl)
{
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (repl->peers[i] != NULL && repl->peers[i]->state != PEER_GREETING)
            return true;
    return false;
}

void cw_repl_request_acks(struct cw_repl *repl)
{
    static const struct slice argv[] = {SLICE_LITERAL("REPLCONF"), SLICE_LITERAL("GETACK"), SLICE_LITERAL("*")};
    if (may_add(repl) && has_replicas(repl))
        repl_append_notice(repl, argv, ARRAY_LENGTH(argv));
}

/* For a failover, or for the end: then replicas are to catch up. */
static bool stands_still(const struct cw_repl *repl)
{
    return repl->failover.state != FAILOVER_NONE || cw_engine_is_ending(repl->engine);
}

static void ping_replicas(struct cw_repl *repl)
{
    static const struct slice argv[] = {SLICE_LITERAL("PING")};
    int64_t now_ns = cw_engine_now_ns(repl->engine);
    if (now_ns - repl->pinged_ns < repl_settings(repl)->ping_period_s * NS_PER_S || !has_replicas(repl) ||
        !may_add(repl) || stands_still(repl))
        return;
    repl->pinged_ns = now_ns;
    repl_append_notice(repl, argv, ARRAY_LENGTH(argv));
}

static void trim_backlog(struct cw_repl *repl)
{
    uint64_t kept = (uint64_t)repl_settings(repl)->backlog_bytes;
    uint64_t end = repl->history.last_offset;
    uint64_t keep_from = end > kept ? end - kept : 0;
    uint64_t needed = repl_peers_oldest_offset(repl);
    cw_backlog_trim(&repl->backlog, needed < keep_from ? needed : keep_from);
}

/* When a master that nobody follows forgets its stream. In a group somebody will come for it. */
static int64_t forgets_at_ns(const struct cw_repl *repl)
{
    int64_t ttl_s = repl_settings(repl)->backlog_ttl_s;
    bool may_forget =
        repl->is_standalone && repl->role == REPL_LEADING && repl->keeps_backlog && repl->peer_count == 0 && ttl_s > 0;
    return may_forget ? repl->left_ns + ttl_s * NS_PER_S : NEVER_NS;
}

static void forget_stream(struct cw_repl *repl)
{
    repl->keeps_backlog = false;
    repl_choose_feeding(repl);
    cw_backlog_reset(&repl->backlog, repl->history.last_offset);
    draw_id(repl);
    repl->second_id[0] = '\0';
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE,
               "no replica for %lld s: what was kept for one is forgotten",
               (long long)repl_settings(repl)->backlog_ttl_s);
}

void cw_repl_note_left_out(struct cw_repl *repl, unsigned database, const struct slice *argv, size_t argc)
{
    CHECK(repl->is_standalone && repl->role == REPL_LEADING);
    uint64_t kept = (uint64_t)repl_settings(repl)->backlog_bytes;
    buf_clear(&repl->scratch);
    write_in_database(repl, &repl->scratch, database, argv, argc);
    cw_backlog_append(&repl->backlog, buf_slice(&repl->scratch));
    repl->history.last_offset += buf_length(&repl->scratch);
    buf_clear(&repl->scratch);
    if (repl->history.last_offset > kept)
        cw_backlog_forget(&repl->backlog, repl->history.last_offset - kept);
}

/* --- the engine's calls --- */

void cw_repl_request(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc)
{
    repl_peers_request(repl, link, argv, argc);
}

void cw_repl_link_opened(struct cw_repl *repl, link_id link)
{
    if (link == repl->follow.link)
        repl_follow_opened(repl);
    else if (link == repl->probe.link)
        repl_probe_opened(repl);
}

void cw_repl_link_closed(struct cw_repl *repl, link_id link)
{
    if (link == repl->follow.link) {
        repl_follow_closed(repl);
        return;
    }
    if (link == repl->probe.link) {
        repl_probe_closed(repl);
        return;
    }
    struct peer *peer = cw_engine_link_context(repl->engine, link);
    if (peer != NULL)
        repl_peers_closed(repl, peer);
}

void cw_repl_received(struct cw_repl *repl, link_id link, struct slice bytes)
{
    if (link == repl->follow.link)
        repl_follow_received(repl, bytes);
    else if (link == repl->probe.link)
        repl_probe_received(repl, bytes);
}

/* A replica, or a master in a migration. */
static bool has_master(const struct cw_repl *repl)
{
    return (repl->role == REPL_FOLLOWING || repl->migration.is_following) && !repl->is_frozen;
}

void cw_repl_turn(struct cw_repl *repl)
{
    if (UNLIKELY(repl->has_order) && !repl->in_unit)
        obey_order(repl);
    if (UNLIKELY(repl->failover.state != FAILOVER_NONE))
        repl_failover_turn(repl);
    if (repl->peer_count > 0) {
        ping_replicas(repl);
        repl_peers_turn(repl);
    }
    if (has_master(repl))
        repl_follow_turn(repl);
    if (UNLIKELY(cw_repl_refuses_writes(repl)))
        repl_migration_turn(repl);
    if (repl->backlog.count > 0)
        trim_backlog(repl);
    if (cw_engine_now_ns(repl->engine) >= forgets_at_ns(repl) && !repl->in_unit)
        forget_stream(repl);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t cw_repl_deadline(const struct cw_repl *repl)
{
    int64_t deadline_ns = NEVER_NS;
    if (has_master(repl))
        deadline_ns = earlier(repl_follow_deadline(repl), repl_migration_deadline(repl));
    deadline_ns = earlier(deadline_ns, repl_failover_deadline(repl));
    if (repl->peer_count == 0)
        return earlier(deadline_ns, forgets_at_ns(repl));
    deadline_ns = earlier(deadline_ns, repl_peers_deadline(repl));
    bool pings = has_replicas(repl) && may_add(repl) && !stands_still(repl);
    return pings ? earlier(deadline_ns, repl->pinged_ns + repl_settings(repl)->ping_period_s * NS_PER_S) : deadline_ns;
}

/* A stream that has no database selected begins with a SELECT, so then any number is right. Nor does what is done in a
 * unit stand in the stream before that ends. */
struct cw_rdb_origin cw_repl_origin(const struct cw_repl *repl)
{
    struct cw_rdb_origin origin = {.history = repl->history, .programs = cw_engine_programs(repl->engine)};
    if (repl->is_standalone && is_placed(repl) && !repl->in_unit) {
        memcpy(origin.stream_id, repl->id, sizeof(origin.stream_id));
        origin.stream_offset = repl->history.last_offset;
    }
    if (cw_migration_is_on(&repl->migration)) {
        struct buf record = {0};
        cw_migration_record_write(&repl->migration.source, &record);
        CHECK(buf_length(&record) < sizeof(origin.migration));
        memcpy(origin.migration, buf_slice(&record).data, buf_length(&record));
        buf_free(&record);
    }
    if (repl->role != REPL_LEADING || repl->migration.is_following)
        origin.stream_database = cw_engine_stream_database(repl->engine);
    else if (repl->stream_database != STREAM_DATABASE_NONE)
        origin.stream_database = (unsigned)repl->stream_database;
    return origin;
}

bool cw_repl_is_feeding(const struct cw_repl *repl)
{
    return repl->is_feeding;
}

int cw_repl_save(struct cw_repl *repl)
{
    const struct cw_config *config = cw_engine_config(repl->engine);
    if (config->storage == NULL)
        return ERR_NOT_FOUND;
    if (cw_engine_is_loading(repl->engine)) /* the file holds the data */
        return ERR_BUSY;
    struct cw_rdb_origin origin = cw_repl_origin(repl);
    int error = cw_rdb_save(config->storage, config->rdb_file, cw_engine_keyspace(repl->engine), &origin,
                            cw_engine_wall_us(repl->engine));
    if (error < 0 && !repl->disk_failed)
        effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_ERROR, "cannot write %s: %s", config->rdb_file,
                   error_text(error));
    cw_repl_note_disk(repl, error);
    return error;
}

void cw_repl_note_disk(struct cw_repl *repl, int error)
{
    repl->disk_failed = error < 0;
}

int cw_repl_reload(struct cw_repl *repl)
{
    const struct cw_config *config = cw_engine_config(repl->engine);
    if (config->storage == NULL)
        return ERR_NOT_FOUND;
    struct cw_rdb_origin origin;
    return load_data(repl, config->storage, &origin);
}

/* --- facts --- */

bool cw_repl_is_leading(const struct cw_repl *repl)
{
    return repl->role == REPL_LEADING;
}

const struct history *cw_repl_history(const struct cw_repl *repl)
{
    return &repl->history;
}

uint64_t cw_repl_offset(const struct cw_repl *repl)
{
    return repl->history.last_offset;
}

bool cw_repl_position(const struct cw_repl *repl, struct slice *ret_id, uint64_t *ret_offset)
{
    const struct cw_migration *migration = &repl->migration;
    *ret_id = repl->is_standalone ? slice_text(repl->id) : slice_of(migration->id, sizeof(migration->id));
    *ret_offset = repl->is_standalone ? repl->history.last_offset : migration->offset;
    return repl->is_standalone || (migration->is_following && migration->has_position);
}

bool cw_repl_is_damaged(const struct cw_repl *repl)
{
    return repl->is_damaged;
}

bool cw_repl_disk_failed(const struct cw_repl *repl)
{
    return repl->disk_failed;
}

bool cw_repl_is_link_up(const struct cw_repl *repl)
{
    return repl->role == REPL_FOLLOWING && repl->follow.state == FOLLOW_STREAMING;
}

bool cw_repl_is_syncing(const struct cw_repl *repl)
{
    return repl->role == REPL_FOLLOWING &&
           (repl->follow.state == FOLLOW_ANNOUNCED || repl->follow.state == FOLLOW_LOADING ||
            repl->follow.state == FOLLOW_DELIMITER);
}

bool cw_repl_holds_data(const struct cw_repl *repl)
{
    return repl->role == REPL_FOLLOWING && repl->follow.has_been_in_step;
}

const struct cw_diverged *cw_repl_diverged(const struct cw_repl *repl)
{
    return &repl->diverged;
}

/* The byte behind `offset` is as old as the newest mark that is not behind it. */
int64_t cw_repl_lag(const struct cw_repl *repl, uint64_t offset, int64_t now_ns)
{
    if (offset >= repl->history.last_offset || repl->mark_count == 0)
        return 0;
    uint64_t oldest = repl->mark_count > MARKS ? repl->mark_count - MARKS : 0;
    int64_t ns = repl->marks[oldest % MARKS].ns;
    for (uint64_t i = oldest; i < repl->mark_count && repl->marks[i % MARKS].offset <= offset; i++)
        ns = repl->marks[i % MARKS].ns;
    return now_ns > ns ? now_ns - ns : 0;
}

size_t cw_repl_replicas(const struct cw_repl *repl, int64_t now_ns, struct cw_replica_view *views, size_t capacity)
{
    size_t count = 0;
    for (size_t i = 0; i < CW_REPLICAS_MAX && count < capacity; i++) {
        const struct peer *peer = repl->peers[i];
        if (peer == NULL || peer->state == PEER_GREETING)
            continue;
        struct cw_replica_view *view = &views[count++];
        *view = (struct cw_replica_view){.life = peer->life,
                                         .is_online = peer->state == PEER_ONLINE,
                                         .is_waiting = peer->state == PEER_WAITING,
                                         .acknowledged_offset = peer->acknowledged_offset,
                                         .acknowledged_ns = peer->acknowledged_ns,
                                         .lag_ns = cw_repl_lag(repl, peer->acknowledged_offset, now_ns)};
        view->address = *cw_engine_link_peer(repl->engine, peer->link);
        if (peer->host[0] != '\0')
            memcpy(view->address.host, peer->host, sizeof(view->address.host));
        view->address.port = peer->port;
    }
    return count;
}

unsigned cw_repl_good_replicas(const struct cw_repl *repl)
{
    int64_t now_ns = cw_engine_now_ns(repl->engine), lag_s = repl_settings(repl)->max_lag_s;
    unsigned count = 0;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        const struct peer *peer = repl->peers[i];
        count += peer != NULL && peer->state == PEER_ONLINE && (now_ns - peer->acknowledged_ns) / NS_PER_S <= lag_s;
    }
    return count;
}

bool cw_repl_lacks_replicas(const struct cw_repl *repl)
{
    const struct cw_repl_settings *settings = repl_settings(repl);
    return UNLIKELY(settings->min_replicas > 0) && settings->max_lag_s > 0 && repl->role == REPL_LEADING &&
           cw_repl_good_replicas(repl) < settings->min_replicas;
}

unsigned cw_repl_synced(const struct cw_repl *repl, uint64_t offset)
{
    unsigned count = 0;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        count += repl->peers[i] != NULL && repl->peers[i]->state == PEER_ONLINE && repl->peers[i]->has_synced &&
                 repl->peers[i]->synced_offset >= offset;
    return count;
}

unsigned cw_repl_lagging(const struct cw_repl *repl, unsigned *ret_replicas)
{
    unsigned lagging = 0;
    *ret_replicas = 0;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        const struct peer *peer = repl->peers[i];
        if (peer == NULL || peer->state == PEER_GREETING || peer->wants_file || peer->is_old)
            continue;
        ++*ret_replicas;
        lagging += peer->state != PEER_ONLINE || peer->acknowledged_offset != repl->history.last_offset;
    }
    return lagging;
}

unsigned cw_repl_acknowledged(const struct cw_repl *repl, uint64_t offset)
{
    unsigned count = 0;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        count += repl->peers[i] != NULL && repl->peers[i]->state == PEER_ONLINE &&
                 repl->peers[i]->acknowledged_offset >= offset;
    return count;
}

size_t cw_repl_memory(const struct cw_repl *repl)
{
    size_t bytes = sizeof(*repl) + cw_backlog_memory(&repl->backlog) + repl->scratch.capacity + repl->unit.capacity +
                   repl->follow.input.capacity + cw_backlog_memory(&repl->follow.ahead.bytes);
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (repl->peers[i] != NULL)
            bytes += sizeof(struct peer) + repl->peers[i]->head.capacity;
    return bytes + repl_transfer_memory(repl);
}

struct cw_repl_counts *cw_repl_counts(struct cw_repl *repl)
{
    return &repl->counts;
}

bool cw_repl_draw_new_id(struct cw_repl *repl)
{
    bool may_draw = repl->is_standalone && repl->role == REPL_LEADING;
    if (may_draw)
        draw_id(repl);
    return may_draw;
}
