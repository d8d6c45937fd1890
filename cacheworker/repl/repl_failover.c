#include "cacheworker/repl/repl_internal.h"

/* A server by itself hands its place to a replica: writes are paused until one has all of the stream, which is then
 * followed, and told so by PSYNC. */

static void finish(struct cw_repl *repl)
{
    repl->failover = (struct failover){.state = FAILOVER_NONE};
    cw_engine_pause_for_failover(repl->engine, false);
}

static void give_up(struct cw_repl *repl, const char *why)
{
    bool is_under_way = repl->failover.state == FAILOVER_UNDER_WAY;
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "failover to %s:%u given up: %s",
               repl->failover.target.host[0] != '\0' ? repl->failover.target.host : "any replica",
               repl->failover.target.port, why);
    if (is_under_way)
        cw_repl_obey(repl, NULL);
    finish(repl);
}

/* --- replicas --- */

static struct address address_of(const struct cw_repl *repl, const struct peer *peer)
{
    struct address address = *cw_engine_link_peer(repl->engine, peer->link);
    if (peer->host[0] != '\0')
        memcpy(address.host, peer->host, sizeof(address.host));
    address.port = peer->port;
    return address;
}

static bool is_replica(const struct peer *peer)
{
    return peer != NULL && peer->state != PEER_GREETING;
}

static const struct peer *find_replica(const struct cw_repl *repl, const struct address *address)
{
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        if (!is_replica(repl->peers[i]))
            continue;
        struct address its = address_of(repl, repl->peers[i]);
        if (address_equal(&its, address))
            return repl->peers[i];
    }
    return NULL;
}

static bool has_all(const struct cw_repl *repl, const struct peer *peer)
{
    return peer != NULL && peer->state == PEER_ONLINE && peer->acknowledged_offset == repl->history.last_offset;
}

/* Who takes over now, or NULL. */
static const struct peer *successor(const struct cw_repl *repl)
{
    if (repl->failover.target.host[0] != '\0') {
        const struct peer *target = find_replica(repl, &repl->failover.target);
        return has_all(repl, target) ? target : NULL;
    }
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (has_all(repl, repl->peers[i]))
            return repl->peers[i];
    return NULL;
}

/* --- orders --- */

static const char *refusal(const struct cw_repl *repl, const struct cw_failover_order *order)
{
    unsigned replicas = 0;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        replicas += is_replica(repl->peers[i]);
    if (repl->failover.state != FAILOVER_NONE)
        return "ERR FAILOVER already in progress.";
    if (repl->role != REPL_LEADING)
        return "ERR FAILOVER is not valid when server is a replica.";
    if (replicas == 0)
        return "ERR FAILOVER requires connected replicas.";
    if (order->is_forced && (order->timeout_ms == 0 || order->target == NULL))
        return "ERR FAILOVER with force option requires both a timeout and target HOST and IP.";
    if (order->target == NULL)
        return NULL;
    const struct peer *target = find_replica(repl, order->target);
    if (target == NULL)
        return "ERR FAILOVER target HOST and PORT is not a replica.";
    return target->state == PEER_ONLINE ? NULL : "ERR FAILOVER target replica is not online.";
}

const char *cw_repl_fail_over(struct cw_repl *repl, const struct cw_failover_order *order)
{
    CHECK(repl->is_standalone);
    const char *error = refusal(repl, order);
    if (error != NULL)
        return error;
    int64_t now_ns = cw_engine_now_ns(repl->engine);
    repl->failover = (struct failover){
        .state = FAILOVER_WAITING,
        .is_forced = order->is_forced,
        .end_ns = order->timeout_ms > 0 ? now_ns + order->timeout_ms * NS_PER_MS : NEVER_NS,
    };
    if (order->target != NULL)
        repl->failover.target = *order->target;
    cw_engine_pause_for_failover(repl->engine, true);
    cw_repl_request_acks(repl);
    return NULL;
}

const char *cw_repl_abort_failover(struct cw_repl *repl)
{
    if (repl->failover.state == FAILOVER_NONE)
        return "ERR No failover in progress.";
    give_up(repl, "by order of a client");
    return NULL;
}

bool cw_repl_is_failing_over(const struct cw_repl *repl)
{
    return repl->failover.state != FAILOVER_NONE;
}

/* --- what happens meanwhile --- */

static void hand_over(struct cw_repl *repl)
{
    struct address target = repl->failover.target;
    repl->failover.state = FAILOVER_UNDER_WAY;
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "failover to %s:%u", target.host, target.port);
    cw_repl_obey(repl, &target);
    cw_engine_stop_writing(repl->engine);
}

void repl_failover_turn(struct cw_repl *repl)
{
    if (repl->failover.state != FAILOVER_WAITING || repl->in_unit || cw_engine_is_in_command(repl->engine))
        return;
    bool is_over = cw_engine_now_ns(repl->engine) >= repl->failover.end_ns;
    const struct peer *peer = is_over ? NULL : successor(repl);
    if (is_over && !repl->failover.is_forced) {
        give_up(repl, "no replica had all of the stream in time");
    } else if (is_over) {
        effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE,
                   "failover to %s:%u: time out exceeded, failing over.", repl->failover.target.host,
                   repl->failover.target.port);
        hand_over(repl);
    } else if (peer != NULL) {
        repl->failover.target = address_of(repl, peer);
        hand_over(repl);
    }
}

int64_t repl_failover_deadline(const struct cw_repl *repl)
{
    return repl->failover.state == FAILOVER_WAITING ? repl->failover.end_ns : NEVER_NS;
}

void repl_failover_answered(struct cw_repl *repl, bool is_taken)
{
    if (repl->failover.state != FAILOVER_UNDER_WAY)
        return;
    if (is_taken)
        finish(repl);
    else
        give_up(repl, "Failover target rejected psync request");
}

const char *repl_failover_take(struct cw_repl *repl, struct slice id)
{
    if (cw_repl_stock_master(repl) == NULL)
        return "ERR PSYNC FAILOVER can't be sent to a master.";
    if (!slice_equal_nocase(id, repl->id))
        return "ERR PSYNC FAILOVER replid must match my replid.";
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "master, by order of the one before");
    cw_repl_obey(repl, NULL);
    return NULL;
}
