#include "cacheworker/ha/ha.h"

#include "cacheworker/ha/ha_internal.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

#define PERSIST_RETRY_NS NS_PER_S

/* A command thread that has nothing to do shows that it turns. */
#define TURN_AT_LEAST_NS (500 * NS_PER_MS)

#define LOOK_AT_SESSIONS_NS (100 * NS_PER_MS)

/* The state of the last life, or a new identity where it cannot be read. */
static void read_state(struct cw_ha *ha, const struct cw_config *config)
{
    struct cw_node_state state = {0};
    bool readable = config->state_found && cw_node_state_decode(config->state, &state) == 0;
    if (!readable) {
        ha->is_new = true;
        ha->was_damaged = config->state_found;
        state.life.node = config->new_identity;
    }
    ha->durable = state;
    if (!readable || !(ha->mutants & CW_MUTANT_IGNORE_INCARNATION)) {
        state.life.incarnation++;
        state.life.bits = config->incarnation_bits;
    }
    ha->wanted = state;
}

int cw_ha_create(struct cw_engine *engine, struct cw_ha **ret_ha)
{
    const struct cw_config *config = cw_engine_config(engine);
    if (!config->standalone && identity_is_nobody(&config->new_identity) && !config->state_found)
        return ERR_INVALID;
    struct cw_ha *ha = mem_zero(sizeof(*ha));
    ha->engine = engine;
    ha->mutants = config->mutants;
    ha->is_standalone = config->standalone;
    ha->role = ROLE_UNADOPTED;
    ha->desk = cw_engine_desk(engine);
    ha->term = 1;
    ha->lease_seen_ns = INT64_MIN;
    ha->published_ns = INT64_MIN;
    read_state(ha, config);
    *ret_ha = ha;
    return 0;
}

void cw_ha_destroy(struct cw_ha *ha)
{
    if (ha == NULL)
        return;
    resp_request_free(&ha->request);
    buf_free(&ha->letter_in);
    buf_free(&ha->letter_out);
    mem_free(ha);
}

void cw_ha_persist(struct cw_ha *ha)
{
    if (ha->is_persisting || cw_node_state_equal(&ha->wanted, &ha->durable))
        return;
    struct buf text = {0};
    ha->in_flight = ha->wanted;
    ha->is_persisting = true;
    cw_node_state_encode(&ha->in_flight, &text);
    effect_persist(cw_engine_effects(ha->engine), CW_NODE_STATE_FILE, ++ha->persist_token, buf_slice(&text));
    buf_free(&text);
}

static void log_identity(const struct cw_ha *ha)
{
    char node[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&ha->durable.life.node, node);
    struct effects *effects = cw_engine_effects(ha->engine);
    if (ha->is_new)
        effect_log(effects, ha->was_damaged ? LOG_LEVEL_WARNING : LOG_LEVEL_NOTICE, "%s; this node is now %s",
                   ha->was_damaged ? CW_NODE_STATE_FILE " is damaged" : "no " CW_NODE_STATE_FILE, node);
    effect_log(effects, LOG_LEVEL_INFO, "node %s incarnation %llu", node,
               (unsigned long long)ha->durable.life.incarnation);
}

/* Nobody may ask a life that is not yet durable: it could be given twice. */
static void listen_when_durable(struct cw_ha *ha)
{
    if (ha->is_listening || !life_equal(&ha->durable.life, &ha->wanted.life))
        return;
    ha->is_listening = true;
    ha->wakes = true;
    log_identity(ha);
    effect_listen(cw_engine_effects(ha->engine));
}

void cw_ha_start(struct cw_ha *ha)
{
    if (ha->is_standalone) {
        ha->is_listening = true;
        effect_listen(cw_engine_effects(ha->engine));
        return;
    }
    cw_ha_persist(ha);
    listen_when_durable(ha); /* with the mutant that keeps its incarnation there is nothing to persist */
}

void cw_ha_stop(struct cw_ha *ha)
{
    cw_ha_begin_term(ha);
}

void cw_ha_persisted(struct cw_ha *ha, uint64_t token, int result)
{
    if (!ha->is_persisting || token != ha->persist_token)
        return;
    ha->is_persisting = false;
    if (result < 0) {
        if (!ha->persist_failed)
            effect_log(cw_engine_effects(ha->engine), LOG_LEVEL_ERROR, "cannot make %s durable: %s", CW_NODE_STATE_FILE,
                       error_text(result));
        ha->persist_failed = true;
        ha->persist_retry_ns = cw_engine_now_ns(ha->engine) + PERSIST_RETRY_NS;
        cw_ha_give_up_role(ha);
        return;
    }
    ha->persist_failed = false;
    ha->durable = ha->in_flight;
    cw_ha_persist(ha);
    listen_when_durable(ha);
    cw_ha_take_pending(ha);
    cw_ha_send_fenced(ha);
    cw_ha_publish(ha);
}

/* --- what STATUS says --- */

static uint32_t status_flags(const struct cw_ha *ha)
{
    const struct cw_repl *repl = cw_engine_repl(ha->engine);
    uint32_t flags = 0;
    if (cw_engine_is_loading(ha->engine))
        flags |= STATUS_LOADING;
    if (cw_engine_is_busy(ha->engine))
        flags |= STATUS_BUSY;
    if (ha->persist_failed || cw_repl_disk_failed(repl) || cw_engine_aof_failed(ha->engine))
        flags |= STATUS_DISK_ERROR;
    if (cw_repl_is_link_up(repl))
        flags |= STATUS_LINK_UP;
    if (cw_repl_is_syncing(repl))
        flags |= STATUS_SYNCING;
    return flags;
}

static void fill_replicas(const struct cw_ha *ha, struct status *status)
{
    struct cw_replica_view views[TOPOLOGY_MEMBERS_MAX];
    size_t count =
        cw_repl_replicas(cw_engine_repl(ha->engine), cw_engine_now_ns(ha->engine), views, ARRAY_LENGTH(views));
    status->replica_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (life_is_nobody(&views[i].life))
            continue;
        status->replicas[status->replica_count++] =
            (struct replica_lag){.life = views[i].life,
                                 .acknowledged_offset = views[i].acknowledged_offset,
                                 .lag_ms = views[i].lag_ns / NS_PER_MS};
    }
}

static void fill_status(const struct cw_ha *ha, struct status *status)
{
    status->life = ha->durable.life;
    memcpy(status->group, ha->durable.group, sizeof(status->group));
    status->version = ha->topology.version;
    status->epoch = ha->epoch;
    status->role = ha->role;
    status->fence = ha->durable.fence;
    status->flags = status_flags(ha);
    status->discarded_bytes = cw_repl_diverged(cw_engine_repl(ha->engine))->bytes;
    status->history = *cw_repl_history(cw_engine_repl(ha->engine));
    fill_replicas(ha, status);
}

void cw_ha_publish(struct cw_ha *ha)
{
    if (ha->is_standalone)
        return;
    struct cw_figures *figures = cw_newest_draft(&ha->desk->figures);
    ha->published_ns = cw_engine_now_ns(ha->engine);
    figures->may_be_asked = ha->is_listening;
    figures->letters_read = ha->letters_read;
    figures->term = ha->term;
    figures->published_ns = ha->published_ns;
    if (ha->published_ns - ha->looked_at_sessions_ns >= LOOK_AT_SESSIONS_NS) { /* there may be thousands */
        ha->looked_at_sessions_ns = ha->published_ns;
        ha->waiting_since_ns = cw_engine_waiting_since_ns(ha->engine);
    }
    figures->waiting_since_ns = ha->waiting_since_ns;
    fill_status(ha, &figures->status);
    if (figures->standing != ha->standing) /* it is big, and seldom another one */
        figures->topology = ha->topology;
    figures->standing = ha->standing;
    cw_newest_publish(&ha->desk->figures);
}

bool cw_ha_take_wake(struct cw_ha *ha)
{
    bool wakes = ha->wakes;
    ha->wakes = false;
    return wakes;
}

/* --- what the replicas have acknowledged --- */

uint64_t cw_ha_acknowledged(const struct cw_ha *ha)
{
    uint64_t end = cw_repl_offset(cw_engine_repl(ha->engine));
    /* In async whatever was executed may have been acknowledged; claiming more than that is on the safe side. */
    return cw_ha_is_async(ha) ? end : cw_gate_acknowledged(&ha->gate, end);
}

/* The rule of the topology, and from the asking for another set until its fate is known that one's too. */
static uint64_t covered(const struct cw_ha *ha, const struct cw_replica_view *views, size_t count)
{
    struct cw_rule rule = {.acknowledgements = ha->topology.acknowledgements,
                           .blocks = ha->insync.blocks,
                           .count = ha->topology.in_sync_count,
                           .in_sync = ha->topology.in_sync};
    uint64_t by_topology = cw_rule_covers(&rule, views, count);
    if (ha->mutants & CW_MUTANT_REPLY_AT_ONCE)
        return CW_GATE_OPEN;
    if (!ha->insync.is_asking)
        return by_topology;
    rule = cw_insync_rule(&ha->insync);
    uint64_t by_request = cw_rule_covers(&rule, views, count);
    if (ha->mutants & CW_MUTANT_DROP_OLD_RULE)
        return by_request;
    return by_topology < by_request ? by_topology : by_request;
}

static void update_gate(struct cw_ha *ha, const struct cw_replica_view *views, size_t count)
{
    uint64_t end = cw_repl_offset(cw_engine_repl(ha->engine));
    if (cw_gate_update(&ha->gate, covered(ha, views, count), end))
        cw_engine_release(ha->engine, cw_engine_released(ha->engine));
}

/* The moment at which a life will be max_lag behind if it acknowledges nothing more. */
static int64_t lags_at(const struct cw_ha *ha, const struct life *life, int64_t now_ns)
{
    uint64_t offset = cw_insync_acknowledged(&ha->insync, life);
    return now_ns - cw_repl_lag(cw_engine_repl(ha->engine), offset, now_ns) + ha->insync.max_lag_ns;
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Also of the set that is asked for: it may be the committed one already. */
static void update_lag(struct cw_ha *ha)
{
    int64_t now_ns = cw_engine_now_ns(ha->engine);
    int64_t before_ns = ha->lag_until_ns;
    ha->lag_until_ns = NEVER_NS;
    for (uint32_t i = 0; i < ha->topology.in_sync_count; i++)
        ha->lag_until_ns = earlier(ha->lag_until_ns, lags_at(ha, &ha->topology.in_sync[i], now_ns));
    for (uint32_t i = 0; ha->insync.is_asking && i < ha->insync.request.count; i++)
        ha->lag_until_ns = earlier(ha->lag_until_ns, lags_at(ha, &ha->insync.request.in_sync[i], now_ns));
    if (before_ns <= now_ns && ha->lag_until_ns > now_ns)
        cw_engine_gate_opened(ha->engine);
}

/* In sync modes clients wait for what is found here, so it looks in every turn. In async it looks ten times a second,
 * and in every turn only while replies are held because a replica lags. */
static void look_at_replicas(struct cw_ha *ha)
{
    struct cw_replica_view views[TOPOLOGY_MEMBERS_MAX];
    int64_t now_ns = cw_engine_now_ns(ha->engine);
    bool is_async = cw_ha_is_async(ha);
    bool is_due = now_ns >= cw_insync_deadline(&ha->insync);
    if (!is_due && is_async && now_ns < ha->lag_until_ns)
        return;
    size_t count = cw_repl_replicas(cw_engine_repl(ha->engine), now_ns, views, ARRAY_LENGTH(views));
    uint64_t must_hold = cw_ha_acknowledged(ha);
    if (is_due && cw_insync_look(&ha->insync, &ha->topology, &ha->durable.life, views, count, must_hold, now_ns))
        cw_ha_send_insync(ha);
    if (is_async) {
        cw_insync_note(&ha->insync, views, count);
        update_lag(ha);
    } else {
        update_gate(ha, views, count);
    }
}

/* --- turns --- */

void cw_ha_turn(struct cw_ha *ha)
{
    if (ha->is_standalone)
        return;
    atomic_store_explicit(&ha->desk->turned_ns, cw_engine_now_ns(ha->engine), memory_order_relaxed);
    cw_ha_read_letters(ha);
    cw_ha_look_at_lease(ha);
    cw_ha_tell_refusals(ha);
    if (ha->persist_failed && cw_engine_now_ns(ha->engine) >= ha->persist_retry_ns)
        cw_ha_persist(ha);
    if (ha->role == ROLE_MASTER && !cw_ha_is_fenced(ha))
        look_at_replicas(ha);
}

int64_t cw_ha_deadline(const struct cw_ha *ha)
{
    if (ha->is_standalone)
        return NEVER_NS;
    int64_t deadline_ns = ha->published_ns == INT64_MIN ? NEVER_NS : ha->published_ns + TURN_AT_LEAST_NS;
    if (ha->role == ROLE_MASTER && !cw_ha_is_fenced(ha))
        deadline_ns = earlier(deadline_ns, cw_insync_deadline(&ha->insync));
    if (ha->persist_failed && !ha->is_persisting)
        deadline_ns = earlier(deadline_ns, ha->persist_retry_ns);
    return deadline_ns;
}

static bool holds_lease(const struct cw_ha *ha, int64_t now_ns)
{
    return !cw_ha_is_fenced(ha) && now_ns < cw_ha_lease_until_ns(ha);
}

/* A server by itself is a master, or what REPLICAOF made of it. Its old data stay until the new are complete. */
static enum cw_serving serving_standalone(const struct cw_ha *ha)
{
    const struct cw_repl *repl = cw_engine_repl(ha->engine);
    if (LIKELY(cw_repl_stock_master(repl) == NULL))
        return CW_SERVING_MASTER;
    return cw_repl_is_link_up(repl) || cw_engine_serves_stale(ha->engine) ? CW_SERVING_REPLICA : CW_SERVING_STALE;
}

enum cw_serving cw_ha_serving(const struct cw_ha *ha, int64_t now_ns)
{
    if (UNLIKELY(cw_engine_is_loading(ha->engine)))
        return CW_SERVING_LOADING;
    if (ha->is_standalone)
        return serving_standalone(ha);
    const struct cw_repl *repl = cw_engine_repl(ha->engine);
    switch (ha->role) {
    case ROLE_MASTER:
        if (!holds_lease(ha, now_ns))
            return CW_SERVING_HOLD;
        return UNLIKELY(cw_repl_refuses_writes(repl)) ? CW_SERVING_MIGRATING : CW_SERVING_MASTER;
    case ROLE_REPLICA:
        if (cw_repl_is_link_up(repl))
            return CW_SERVING_REPLICA;
        return cw_repl_is_syncing(repl) && !cw_repl_holds_data(repl) ? CW_SERVING_LOADING : CW_SERVING_STALE;
    case ROLE_SPARE:
    case ROLE_UNADOPTED: break;
    }
    return CW_SERVING_UNADOPTED;
}

bool cw_ha_has_lease(const struct cw_ha *ha, int64_t now_ns)
{
    if (ha->mutants & CW_MUTANT_CLOCK_BEFORE_BATCH)
        now_ns = cw_engine_now_ns(ha->engine);
    return ha->role == ROLE_MASTER && holds_lease(ha, now_ns);
}

bool cw_ha_may_reply(const struct cw_ha *ha, int64_t now_ns)
{
    if (ha->role != ROLE_MASTER)
        return true;
    bool is_in_step = now_ns < ha->lag_until_ns || ha->mutants & CW_MUTANT_IGNORE_LAG;
    return cw_ha_has_lease(ha, now_ns) && is_in_step;
}

bool cw_ha_may_hold(const struct cw_ha *ha)
{
    return ha->role == ROLE_MASTER && !cw_ha_is_async(ha);
}

uint64_t cw_ha_released(const struct cw_ha *ha)
{
    return cw_ha_may_hold(ha) ? cw_gate_released(&ha->gate) : CW_RELEASED_ALL;
}

static uint64_t acknowledged_by(const struct life *life, const struct cw_replica_view *views, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (views[i].is_online && life_equal(&views[i].life, life))
            return views[i].acknowledged_offset;
    return 0;
}

uint64_t cw_ha_held_in_sync(const struct cw_ha *ha)
{
    struct cw_replica_view views[TOPOLOGY_MEMBERS_MAX];
    size_t count =
        cw_repl_replicas(cw_engine_repl(ha->engine), cw_engine_now_ns(ha->engine), views, ARRAY_LENGTH(views));
    uint64_t held = UINT64_MAX;
    for (uint32_t i = 0; i < ha->topology.in_sync_count; i++) {
        uint64_t offset = acknowledged_by(&ha->topology.in_sync[i], views, count);
        held = offset < held ? offset : held;
    }
    return held;
}

bool cw_ha_lacks_replica(const struct cw_ha *ha)
{
    return ha->topology.wanted_replicas > 0 && ha->topology.in_sync_count == 0;
}

bool cw_ha_is_held_by_all(const struct cw_ha *ha, uint64_t offset)
{
    struct cw_replica_view views[TOPOLOGY_MEMBERS_MAX];
    int64_t now_ns = cw_engine_now_ns(ha->engine);
    size_t count = cw_repl_replicas(cw_engine_repl(ha->engine), now_ns, views, ARRAY_LENGTH(views));
    size_t holding = 0;
    for (size_t i = 0; i < count; i++) {
        if (!views[i].is_online || now_ns - views[i].acknowledged_ns > ha->insync.max_lag_ns)
            continue;
        if (views[i].acknowledged_offset < offset)
            return false;
        holding++;
    }
    return holding > 0 || ha->topology.wanted_replicas == 0;
}

bool cw_ha_acks_at_once(const struct cw_ha *ha)
{
    return !cw_ha_is_async(ha);
}

bool cw_ha_is_master_of(const struct cw_ha *ha, uint64_t epoch, const struct life *life)
{
    return ha->role == ROLE_MASTER && ha->epoch == epoch && life_equal(life, &ha->durable.life);
}

const struct life *cw_ha_life(const struct cw_ha *ha)
{
    return &ha->wanted.life;
}

const struct topology *cw_ha_topology(const struct cw_ha *ha)
{
    return &ha->topology;
}

enum node_role cw_ha_role(const struct cw_ha *ha)
{
    return ha->role;
}

uint64_t cw_ha_epoch(const struct cw_ha *ha)
{
    return ha->epoch;
}

uint64_t cw_ha_fence(const struct cw_ha *ha)
{
    return ha->wanted.fence;
}

void cw_ha_info(const struct cw_ha *ha, struct buf *out)
{
    char node[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&ha->wanted.life.node, node);
    buf_add_format(out, "respite_role:%s\r\n", ha->is_standalone ? "standalone" : node_role_name(ha->role));
    if (ha->is_standalone)
        return;
    int64_t now_ns = cw_engine_now_ns(ha->engine);
    int64_t left_ms = holds_lease(ha, now_ns) ? (cw_ha_lease_until_ns(ha) - now_ns) / NS_PER_MS : 0;
    buf_add_format(out,
                   "respite_node:%s\r\nrespite_incarnation:%llu\r\nrespite_group:%s\r\nrespite_version:%llu\r\n"
                   "respite_epoch:%llu\r\nrespite_fence:%llu\r\nrespite_lease_left_ms:%lld\r\nrespite_in_sync:%u\r\n"
                   "respite_durability:%s\r\nrespite_acknowledgements:%u\r\nrespite_acknowledged_offset:%llu\r\n",
                   node, (unsigned long long)ha->wanted.life.incarnation, ha->durable.group,
                   (unsigned long long)ha->topology.version, (unsigned long long)ha->epoch,
                   (unsigned long long)ha->wanted.fence, (long long)left_ms, ha->topology.in_sync_count,
                   durability_name(ha->topology.durability), ha->topology.acknowledgements,
                   ha->role == ROLE_MASTER ? (unsigned long long)cw_ha_acknowledged(ha) : 0);
    buf_add_text(out, "respite_history:");
    history_format(cw_repl_history(cw_engine_repl(ha->engine)), out);
    buf_add_format(out, "\r\nrespite_state_durable:%s\r\n", ha->persist_failed ? "no" : "yes");
    const struct cw_diverged *diverged = cw_repl_diverged(cw_engine_repl(ha->engine));
    buf_add_format(
        out, "respite_diverged_tails:%llu\r\nrespite_diverged_writes:%llu\r\nrespite_diverged_bytes:%llu\r\n",
        (unsigned long long)diverged->tails, (unsigned long long)diverged->writes, (unsigned long long)diverged->bytes);
    buf_add_text(out, "respite_refused:");
    refusals_format(&ha->refusals, out);
    buf_add_text(out, "\r\n");
}
