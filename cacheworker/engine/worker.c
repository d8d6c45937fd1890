#include "cacheworker/engine/worker.h"

#include "cacheworker/block/block.h"
#include "cacheworker/acl/acl_file.h"
#include "cacheworker/engine/bind.h"
#include "cacheworker/engine/client_memory.h"
#include "cacheworker/engine/memory.h"
#include "cacheworker/engine/objects.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/engine/wait.h"
#include "cacheworker/expire/expire.h"
#include "cacheworker/ha/control.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/info/timing.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/pubsub/notify.h"
#include "cacheworker/pubsub/pubsub.h"
#include "cacheworker/tracking/tracking.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/script/scripting.h"
#include "cacheworker/txn/transaction_commands.h"
#include "cacheworker/rdb/rdb_file.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

#include <inttypes.h>

enum {
    SURPLUS_SESSIONS = 64,      /* beyond maxclients, so that proxies and replicas still get in */
    SURPLUS_PATIENCE_MS = 1000, /* by then a surplus session has proved what it is, or is told to go */
    CRON_INTERVAL_MS = 100,
    EXPIRE_BUDGET = 25000, /* of cw_expire_cycle: half a millisecond */
    FREE_BUDGET = 4096,    /* of cw_keyspace_free_step, per turn: a fifth of a millisecond */
    COMPACT_BUDGET = 4096, /* of cw_keyspace_compact_step, per turn: a fifth of a millisecond */
};

#define COMPACT_INTERVAL_NS (2 * NS_PER_S) /* between two passes */

/* --- creation --- */

void cw_config_defaults(struct cw_config *config, bool standalone)
{
    *config = (struct cw_config){
        .standalone = standalone,
        .databases = standalone ? 16 : 5,
        .max_clients = 10000,
        .acl_file = standalone ? "" : CW_ACL_GROUP_FILE,
        .acllog_max_len = 128,
        .rdb_file = CW_RDB_FILE,
        .aof_directory = "appendonlydir",
        .aof_name = "appendonly.aof",
        .log_level = LOG_LEVEL_NOTICE,
        .backlog_bytes = (size_t)64 << 20,
        .max_lag_ns = NS_PER_S,
        .stuck_limit_ns = CW_STUCK_LIMIT_NS,
        .query_buffer_max = (size_t)1 << 30,
        .client_output_max = (size_t)1 << 30,
        .client_memory_max = (size_t)2 << 30,
        .maxmemory_policy = CW_POLICY_NOEVICTION,
    };
}

static struct slice own_slice(struct slice bytes)
{
    return slice_of(mem_copy_text(bytes.data, bytes.length), bytes.length);
}

static void free_slice(struct slice *bytes)
{
    mem_free((void *)(uintptr_t)bytes->data);
    *bytes = slice_of(NULL, 0);
}

static void expired(void *context, unsigned database, struct slice key)
{
    struct cw_engine *engine = context;
    cw_changes_tell(&engine->changes, database, key, false, CW_CHANGED_BY_EXPIRY);
    cw_notify(engine, CW_NOTIFY_EXPIRED, "expired", database, key);
    if (!cw_repl_is_feeding(engine->repl))
        return;
    const struct slice argv[] = {cw_settings_deletion(engine->settings.unlinks_expired), key};
    cw_repl_append(engine->repl, database, argv, ARRAY_LENGTH(argv));
}

static void key_added(void *context, unsigned database, struct slice key)
{
    cw_notify(context, CW_NOTIFY_NEW, "new", database, key);
}

static void key_missed(void *context, unsigned database, struct slice key)
{
    cw_notify(context, CW_NOTIFY_MISS, "keymiss", database, key);
}

static void expired_parts(void *context, unsigned database, struct slice key, const struct slice *names, size_t count)
{
    struct cw_engine *engine = context;
    cw_changes_tell(&engine->changes, database, key, true, CW_CHANGED_BY_EXPIRY);
    cw_notify(engine, CW_NOTIFY_HASH, "hexpired", database, key);
    if (!cw_repl_is_feeding(engine->repl))
        return;
    struct slice *argv = mem_alloc((2 + count) * sizeof(*argv));
    argv[0] = SLICE_LITERAL("HDEL");
    argv[1] = key;
    memcpy(argv + 2, names, count * sizeof(*names));
    cw_repl_append(engine->repl, database, argv, 2 + count);
    mem_free(argv);
}

struct cw_keyspace *cw_engine_new_keyspace(struct cw_engine *engine)
{
    struct cw_keyspace_config config = {
        .objects = &cw_objects,
        .packing = &engine->settings.packing,
        .access = &engine->settings.access,
        .databases = engine->config.databases,
        .seed = rand_u64(&engine->rand),
        .expiry_mode = CW_EXPIRY_IGNORED,
        .expired = expired,
        .expired_parts = expired_parts,
        .added = key_added,
        .missed = key_missed,
        .context = engine,
    };
    return cw_keyspace_create(&config);
}

static void free_engine(struct cw_engine *engine)
{
    cw_ha_destroy(engine->ha);
    cw_repl_destroy(engine->repl);
    cw_sessions_free_all(engine);
    cw_transactions_destroy(engine->transactions);
    cw_waiters_destroy(&engine->waiters);
    cw_access_destroy(engine);
    cw_pubsub_destroy(engine->pubsub);
    cw_tracking_destroy(engine->tracking);
    cw_keyspace_destroy(engine->keyspace);
    cw_leaving_destroy(&engine->leaving);
    cw_changes_destroy(&engine->changes);
    cw_evict_destroy(engine->evict);
    cw_desk_destroy(engine->desk);
    cw_batch_free(engine->batch);
    cw_scripting_destroy(engine->scripting);
    cw_long_destroy(&engine->long_command);
    buf_free(&engine->pushes);
    cw_statistics_destroy(&engine->statistics);
    cw_loading_free(&engine->loading);
    cw_background_save_free(&engine->background_save);
    cw_aof_free(&engine->aof);
    cw_pending_writes_end(&engine->pending_writes);
    cw_settings_destroy(&engine->settings);
    cw_overlay_destroy(&engine->overlay);
    cw_slowlog_destroy(&engine->slowlog);
    resp_request_free(&engine->stream.request);
    buf_free(&engine->stream.retold);
    free_slice(&engine->config.requirepass);
    free_slice(&engine->config.users);
    free_slice(&engine->config.secret);
    free_slice(&engine->config.state);
    free_slice(&engine->config.parameters);
}

static void init_lists(struct cw_engine *engine)
{
    list_init(&engine->sessions);
    list_init(&engine->ready);
    list_init(&engine->replicas_ready);
    list_init(&engine->parked);
    list_init(&engine->touched);
    list_init(&engine->waiting);
    list_init(&engine->held);
    list_init(&engine->dead);
    list_init(&engine->soft);
    list_init(&engine->monitors);
}

static void free_worker(struct cw_worker *worker)
{
    cw_control_door.destroy(worker->control);
    free_engine(&worker->engine);
    mem_free(worker);
}

static void create_control(struct cw_worker *worker)
{
    struct cw_engine *engine = &worker->engine;
    engine->desk = cw_desk_create();
    struct cw_control_config config = {.desk = engine->desk,
                                       .secret = engine->config.secret,
                                       .stuck_limit_ns = engine->config.stuck_limit_ns,
                                       .mutants = engine->config.mutants};
    worker->control = cw_control_create(&config);
}

int cw_worker_create(const struct cw_config *config, struct cw_worker **ret_worker)
{
    if (config->databases == 0 || config->max_clients == 0)
        return ERR_INVALID;
    struct cw_worker *worker = mem_zero(sizeof(*worker));
    struct cw_engine *engine = &worker->engine;
    engine->config = *config;
    engine->config.requirepass = own_slice(config->requirepass);
    engine->config.users = own_slice(config->users);
    engine->config.secret = own_slice(config->secret);
    engine->config.state = own_slice(config->state);
    engine->config.parameters = own_slice(config->parameters);
    init_lists(engine);
    rand_seed(&engine->rand, config->random_seed);
    cw_statistics_create(&engine->statistics);
    cw_slowlog_create(&engine->slowlog);
    cw_settings_create(&engine->settings, &engine->config);
    cw_access_create(engine);
    engine->pubsub = cw_pubsub_create(rand_u64(&engine->rand));
    engine->tracking = cw_tracking_create(engine);
    engine->batch = cw_batch_create();
    engine->scripting = cw_scripting_create(engine);
    engine->active_expiry = true;
    engine->keyspace = cw_engine_new_keyspace(engine);
    cw_changes_create(&engine->changes, engine->keyspace);
    engine->transactions = cw_transactions_create(engine);
    struct siphash_key seed = {{rand_u64(&engine->rand), rand_u64(&engine->rand)}};
    cw_waiters_create(&engine->waiters, &engine->changes, config->databases, seed);
    engine->startup_memory_bytes = cw_keyspace_data_bytes(engine->keyspace);
    engine->evict = cw_evict_create(engine->config.databases, rand_u64(&engine->rand));
    if (!config->standalone)
        create_control(worker);

    int result = cw_access_configure(engine);
    if (result == 0)
        result = cw_overlay_create(engine);
    if (result == 0)
        result = cw_access_read_file(engine);
    if (result < 0) {
        free_worker(worker);
        return result;
    }
    cw_repl_create(engine, &engine->repl);
    struct buf why = {0};
    result = cw_aof_create(engine, &why);
    if (result == 0)
        result = cw_loading_create(engine, &why);
    if (result < 0 && config->complain != NULL)
        config->complain(config->complain_context, buf_slice(&why));
    buf_free(&why);
    if (result < 0) {
        free_worker(worker);
        return result;
    }
    result = cw_ha_create(engine, &engine->ha);
    if (result < 0) {
        free_worker(worker);
        return result;
    }
    *ret_worker = worker;
    return 0;
}

struct cw_control *cw_worker_part_with_control(struct cw_worker *worker)
{
    struct cw_control *control = worker->control;
    worker->control = NULL;
    if (control != NULL)
        cw_control_stand_alone(control);
    return control;
}

static void destroy(void *core)
{
    if (core != NULL)
        free_worker(core);
}

/* --- accepting --- */

static link_id accept_link(void *core, int listener, const struct address *peer, int64_t now_ns,
                           struct effects *effects)
{
    struct cw_worker *worker = core;
    struct cw_engine *engine = &worker->engine;
    if (listener == CW_LISTENER_CONTROL)
        return worker->control != NULL ? cw_control_door.accept(worker->control, listener, peer, now_ns, effects)
                                       : LINK_NONE;
    engine->now_ns = now_ns;
    engine->statistics.total_connections++;
    if (engine->clients >= engine->settings.max_clients + SURPLUS_SESSIONS) {
        engine->statistics.rejected_connections++;
        return LINK_NONE;
    }
    struct cw_session *session = cw_session_open(engine, CW_LINK_CLIENT, peer);
    if (engine->clients >= engine->settings.max_clients)
        session->flags |= CW_SESSION_SURPLUS;
    session->flags |= CW_SESSION_COUNTED;
    engine->clients++;
    cw_access_begin(engine, session);
    cw_client_memory_note(engine, session);
    return session->link;
}

/* --- turns --- */

static bool expects_due(const struct cw_engine *engine)
{
    for (unsigned database = 0; database < engine->config.databases; database++) {
        if (cw_keyspace_expects_due(engine->keyspace, database))
            return true;
    }
    return false;
}

static void expire_keys(struct cw_engine *engine)
{
    if (!engine->active_expiry || engine->cron_paused || engine->pause_until_ns > 0 ||
        engine->serving != CW_SERVING_MASTER) {
        engine->expire_again = false;
        return;
    }
    if (!engine->expire_again && engine->now_ns - engine->expire_ns < CRON_INTERVAL_MS * NS_PER_MS)
        return;
    engine->expire_ns = engine->now_ns;
    int64_t began_ns = cw_timing_begin(engine);
    uint64_t deleted = cw_expire_cycle(&engine->expire, engine->keyspace, engine->wall_us / 1000, EXPIRE_BUDGET);
    engine->statistics.expire_cycles_ns += (uint64_t)cw_timing_end(engine, CW_LATENCY_EXPIRE_CYCLE, began_ns);
    engine->statistics.expire_cycles_cut += engine->expire.more;
    engine->expire_again = deleted > 0 && engine->expire.more; /* where nothing was due there is no hurry */
}

static bool may_have_idle(const struct cw_engine *engine)
{
    return engine->clients > engine->settings.max_clients || (engine->settings.timeout_s > 0 && engine->clients > 0);
}

/* Closes what is idle for longer than `timeout`, and surplus sessions that proved nothing. */
static void close_idle(struct cw_engine *engine)
{
    if (!may_have_idle(engine) || engine->cron_paused ||
        engine->now_ns - engine->idle_check_ns < CRON_INTERVAL_MS * NS_PER_MS)
        return;
    engine->idle_check_ns = engine->now_ns;
    int64_t timeout_ns = engine->settings.timeout_s * NS_PER_S;
    LIST_FOR_EACH(node, &engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->kind != CW_LINK_CLIENT || (session->flags & (CW_SESSION_CLOSING | CW_SESSION_ATTACHED)))
            continue;
        if ((session->flags & CW_SESSION_SURPLUS) &&
            engine->now_ns - session->connected_ns > SURPLUS_PATIENCE_MS * NS_PER_MS) {
            engine->statistics.rejected_connections++;
            resp_write_error(cw_session_out(engine, session), SLICE_LITERAL("ERR max number of clients reached"));
            cw_session_flush(engine, session);
            cw_session_drain(engine, session);
        } else if (timeout_ns > 0 && engine->now_ns - session->active_ns > timeout_ns &&
                   !(session->flags & (CW_SESSION_WAITING | CW_SESSION_IN_PUBSUB)) &&
                   list_is_empty(&session->monitor)) {
            cw_session_close(engine, session);
        }
    }
}

/* True while there is more of it. */
static bool free_some(struct cw_engine *engine)
{
    return cw_keyspace_free_step(engine->keyspace, FREE_BUDGET) || cw_leaving_free_step(&engine->leaving, FREE_BUDGET);
}

/* Looks now and then whether memory can be given back, and goes on for as long as it can. Not while memory is being
 * freed: what that leaves is still to be seen. */
static void compact(struct cw_engine *engine)
{
    bool is_wanted =
        engine->compacting || (engine->now_ns >= engine->compact_ns && cw_keyspace_has_slack(engine->keyspace));
    if (engine->freeing || !is_wanted)
        return;
    engine->compacting = cw_keyspace_compact_step(engine->keyspace, COMPACT_BUDGET);
    if (!engine->compacting)
        engine->compact_ns = engine->now_ns + COMPACT_INTERVAL_NS;
}

/* What the last turn cost: what was done since its event, the output after it included. It counts from when this one
 * begins. */
static void measure_turn(struct cw_engine *engine, int64_t cpu_ns)
{
    int64_t cost_ns = cpu_ns - engine->turn_cpu_ns;
    engine->statistics.turns++;
    if (engine->turn_cpu_ns > 0) {
        engine->statistics.turns_ns += (uint64_t)cost_ns;
        if (cost_ns > engine->statistics.longest_turn_ns)
            engine->statistics.longest_turn_ns = cost_ns;
    }
    engine->turn_cpu_ns = cpu_ns;
}

/* Who waited for a snapshot that has ended looks again. */
static void wake_waiting(struct cw_engine *engine)
{
    bool any = !list_is_empty(&engine->parked) || engine->stream.is_waiting;
    if (UNLIKELY(engine->is_shown) && any && !cw_keyspace_snapshot_is_active(engine->keyspace))
        engine->turn_wanted = true;
}

static void turn(struct cw_engine *engine)
{
    engine->turn_wanted = false;
    if (UNLIKELY(engine->loading.is_running))
        cw_loading_turn(engine);
    cw_memory_begin_turn(engine);
    cw_client_memory_turn(engine); /* after the world took what it could of the last turn's output */
    cw_batch_run_replicas(engine); /* first: what they acknowledge opens the gate in this turn */
    cw_ha_turn(engine->ha);
    cw_batch_run(engine);
    cw_sessions_check_soft_limits(engine);
    cw_sessions_keep(engine);
    expire_keys(engine);
    cw_memory_end_turn(engine);
    if (cw_tracking_turn(engine->tracking))
        engine->turn_wanted = true;
    if (LIKELY(!cw_engine_is_loading(engine))) {
        cw_repl_turn(engine->repl);
        cw_background_save_turn(engine);
    }
    cw_waits_turn(engine);
    if (UNLIKELY(engine->shutdown.state == CW_SHUTDOWN_AWAITS_REPLICAS))
        cw_shutdown_turn(engine);
    cw_block_turn(engine);
    close_idle(engine);
    compact(engine);
    engine->freeing = free_some(engine);
    cw_aof_turn(engine); /* the last that may ask something of the disk: all of the turn's writes are there */
    wake_waiting(engine);
    cw_statistics_sample(&engine->statistics, engine->now_ns);
    cw_ha_publish(engine->ha);
}

static void received(struct cw_engine *engine, struct cw_session *session, struct slice bytes)
{
    if (session->kind == CW_LINK_MASTER) {
        session->active_ns = engine->now_ns;
        engine->statistics.reads++;
        engine->statistics.input_bytes += bytes.length;
        engine->statistics.replication_input_bytes += bytes.length;
        cw_repl_received(engine->repl, session->link, bytes);
    } else {
        cw_session_receive(engine, session, bytes);
    }
}

static void answered_file(struct cw_engine *engine, const struct event *event)
{
    if (cw_aof_is_token(event->token)) {
        cw_aof_answered(engine, event->token, event->result);
        return;
    }
    if (event->token == CW_LOADING_TOKEN) {
        cw_loading_answered(engine, event->result);
        return;
    }
    cw_background_save_answered(engine, event->token, event->result);
    if (engine->shutdown.state == CW_SHUTDOWN_AWAITS_DISK)
        cw_shutdown_answered(engine);
}

static void step_engine(struct cw_engine *engine, const struct event *event, struct effects *effects)
{
    engine->effects = effects;
    engine->now_ns = event->now_ns;
    engine->wall_us = event->wall_us;
    struct cw_session *session = NULL;
    if (event->kind == EVENT_OPENED || event->kind == EVENT_RECEIVED || event->kind == EVENT_CLOSED) {
        session = cw_session_find(engine, event->link);
        if (session == NULL)
            return; /* closed by us in the meantime */
    }
    switch (event->kind) {
    case EVENT_START:
        engine->start_ns = engine->now_ns;
        engine->saved_us = engine->wall_us;
        cw_overlay_complain(engine);
        if (engine->settings.log_level != (int)engine->config.log_level)
            effect_log_level(effects, (enum log_level)engine->settings.log_level);
        cw_loading_start(engine);
        cw_ha_start(engine->ha);
        if (!engine->loading.is_running)
            cw_repl_start(engine->repl);
        break;
    case EVENT_OPENED: cw_repl_link_opened(engine->repl, session->link); break;
    case EVENT_RECEIVED: received(engine, session, event->bytes); break;
    case EVENT_CLOSED: cw_session_closed(engine, session); break;
    case EVENT_ENDED: break; /* it hears of none */
    case EVENT_PERSISTED: cw_ha_persisted(engine->ha, event->token, event->result); break;
    case EVENT_FILE: answered_file(engine, event); break;
    case EVENT_TURN:
        measure_turn(engine, event->cpu_ns);
        turn(engine);
        break;
    case EVENT_STOP: cw_shutdown_by_signal(engine, event->is_interrupt); break;
    }
    if (UNLIKELY(cw_waiters_have_ready(&engine->waiters)))
        cw_block_serve(engine); /* what a stream brought, or time took away */
    cw_sessions_end_step(engine);
    cw_access_end_step(engine);
}

static bool is_of_control(const struct cw_worker *worker, link_id link)
{
    return worker->control != NULL && link < CW_CONTROL_LINKS;
}

/* Both cores behind one door: the control core looks at what each turn of the command core leaves on the desk, and what
 * it finds for the command core is dealt with in another turn at once. */
static void turn_control(struct cw_worker *worker, const struct event *event, struct effects *effects)
{
    cw_control_door.step(worker->control, event, effects);
    if (cw_control_take_wake(worker->control))
        worker->engine.turn_wanted = true;
}

static void step(void *core, const struct event *event, struct effects *effects)
{
    struct cw_worker *worker = core;
    bool is_of_link = event->kind == EVENT_RECEIVED || event->kind == EVENT_CLOSED;
    if (is_of_link && is_of_control(worker, event->link)) {
        turn_control(worker, event, effects);
        return;
    }
    step_engine(&worker->engine, event, effects);
    bool wakes = cw_ha_take_wake(worker->engine.ha);
    if (worker->control == NULL && wakes) {
        effect_wake(effects);
    } else if (worker->control != NULL && (wakes || event->kind == EVENT_TURN)) {
        struct event turn = {.kind = EVENT_TURN, .now_ns = event->now_ns, .wall_us = event->wall_us};
        turn_control(worker, &turn, effects);
    }
}

/* --- output --- */

static bool may_leave(const struct cw_engine *engine, const struct cw_session *session, int64_t now_ns)
{
    if (UNLIKELY(now_ns < engine->sleep_until_ns))
        return false;
    return (session->flags & CW_SESSION_UNGATED) || cw_ha_may_reply(engine->ha, now_ns);
}

static struct slice output(void *core, link_id link, int64_t now_ns)
{
    struct cw_worker *worker = core;
    struct cw_engine *engine = &worker->engine;
    if (UNLIKELY(is_of_control(worker, link)))
        return cw_control_door.output(worker->control, link, now_ns);
    struct cw_session *session = cw_session_find(engine, link);
    if (session == NULL)
        return slice_of(NULL, 0);
    if (session->kind == CW_LINK_CLIENT && !may_leave(engine, session, now_ns))
        return slice_of(NULL, 0);
    if (buf_length(&session->out) > 0)
        return cw_session_releasable(engine, session);
    return session->kind == CW_LINK_REPLICA ? cw_repl_output(engine->repl, link) : slice_of(NULL, 0);
}

static void sent(void *core, link_id link, size_t count, struct effects *effects)
{
    struct cw_worker *worker = core;
    struct cw_engine *engine = &worker->engine;
    if (UNLIKELY(is_of_control(worker, link))) {
        cw_control_door.sent(worker->control, link, count, effects);
        return;
    }
    engine->effects = effects;
    struct cw_session *session = cw_session_find(engine, link);
    if (session == NULL)
        return;
    if (session->kind == CW_LINK_REPLICA && buf_length(&session->out) == 0) {
        engine->statistics.writes++;
        engine->statistics.output_bytes += count;
        engine->statistics.replication_output_bytes += count;
        cw_repl_sent(engine->repl, link, count);
    } else {
        cw_session_sent(engine, session, count);
    }
    cw_sessions_end_step(engine);
    cw_access_end_step(engine);
}

/* --- deadlines --- */

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static bool needs_cron(const struct cw_engine *engine)
{
    if (may_have_idle(engine))
        return true;
    return engine->serving == CW_SERVING_MASTER && engine->active_expiry && expects_due(engine);
}

static int64_t deadline_of_engine(const struct cw_engine *engine)
{
    if (!list_is_empty(&engine->ready) || engine->turn_wanted || cw_loading_wants_turn(&engine->loading) ||
        engine->expire_again || engine->freeing || engine->compacting || engine->evict_again)
        return engine->now_ns;
    int64_t next = earlier(cw_ha_deadline(engine->ha), cw_repl_deadline(engine->repl));
    next = earlier(next, cw_background_save_deadline(engine));
    next = earlier(next, cw_aof_deadline(engine));
    next = earlier(next, cw_shutdown_deadline(engine));
    if (engine->sleep_until_ns > 0)
        next = earlier(next, engine->sleep_until_ns);
    if (engine->pause_until_ns > 0)
        next = earlier(next, engine->pause_until_ns);
    next = earlier(next, cw_waiters_deadline(&engine->waiters));
    LIST_FOR_EACH(node, &engine->waiting)
    next = earlier(next, LIST_ENTRY(node, struct cw_session, waiting)->wait_deadline_ns);
    if (cw_keyspace_has_slack(engine->keyspace))
        next = earlier(next, engine->compact_ns);
    if (needs_cron(engine) || !list_is_empty(&engine->soft))
        next = earlier(next, engine->now_ns + CRON_INTERVAL_MS * NS_PER_MS);
    return next;
}

static int64_t deadline(const void *core)
{
    const struct cw_worker *worker = core;
    int64_t next_ns = deadline_of_engine(&worker->engine);
    return worker->control != NULL ? earlier(next_ns, cw_control_door.deadline(worker->control)) : next_ns;
}

const struct door cw_worker_door = {
    .accept = accept_link,
    .step = step,
    .output = output,
    .sent = sent,
    .deadline = deadline,
    .destroy = destroy,
};
