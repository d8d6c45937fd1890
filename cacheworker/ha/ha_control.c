#include "cacheworker/ha/ha_internal.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/resp/resp_writer.h"

void cw_ha_send(struct cw_ha *ha, const struct control *control)
{
    message_encode(&ha->out, cw_engine_output(ha->engine, control->link));
    cw_engine_flush(ha->engine, control->link);
}

static void begin_message(struct cw_ha *ha, enum message_kind kind, const char *group)
{
    memset(&ha->out, 0, sizeof(ha->out));
    ha->out.kind = kind;
    size_t length = strnlen(group, GROUP_NAME_MAX - 1);
    memcpy(ha->out.group, group, length);
}

static void forget(struct cw_ha *ha, struct control *control)
{
    list_remove(&control->node);
    ha->strangers -= !control->is_greeted;
    mem_free(control);
}

static void refuse(struct cw_ha *ha, link_id link, const char *error)
{
    struct control *control = cw_engine_link_context(ha->engine, link);
    if (control != NULL) {
        cw_engine_set_link_context(ha->engine, link, NULL);
        forget(ha, control);
    }
    resp_write_error(cw_engine_output(ha->engine, link), slice_text(error));
    cw_engine_drain(ha->engine, link);
}

/* --- STATUS --- */

static uint32_t status_flags(const struct cw_ha *ha)
{
    const struct cw_repl *repl = cw_engine_repl(ha->engine);
    uint32_t flags = 0;
    if (cw_engine_is_busy(ha->engine))
        flags |= STATUS_BUSY;
    if (ha->persist_failed || cw_repl_disk_failed(repl))
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
    for (size_t i = 0; i < count; i++) {
        if (life_is_nobody(&views[i].life))
            continue;
        status->replicas[status->replica_count++] =
            (struct replica_lag){.life = views[i].life,
                                 .acknowledged_offset = views[i].acknowledged_offset,
                                 .lag_ms = views[i].lag_ns / NS_PER_MS};
    }
}

static void answer_poll(struct cw_ha *ha, struct control *control, uint64_t k, const char *group)
{
    int64_t now_ns = cw_engine_now_ns(ha->engine); /* of the event, so before the STATUS is composed */
    control->polls[control->poll_count++ % POLLS_REMEMBERED] = (struct poll){.k = k, .status_ns = now_ns};
    control->polled_ns = now_ns;

    begin_message(ha, MESSAGE_STATUS, group);
    struct status *status = &ha->out.status;
    status->k = k;
    status->life = ha->durable.life;
    memcpy(status->group, ha->durable.group, sizeof(status->group));
    status->version = ha->topology.version;
    status->epoch = ha->epoch;
    status->role = ha->role;
    status->fence = ha->durable.fence;
    status->flags = status_flags(ha);
    status->oldest_waiting_ms = cw_engine_oldest_waiting_ms(ha->engine);
    status->history = *cw_repl_history(cw_engine_repl(ha->engine));
    fill_replicas(ha, status);
    cw_ha_send(ha, control);
}

/* --- GRANT --- */

static const struct poll *find_poll(const struct control *control, uint64_t k)
{
    uint64_t held = control->poll_count < POLLS_REMEMBERED ? control->poll_count : POLLS_REMEMBERED;
    for (uint64_t i = 0; i < held; i++)
        if (control->polls[i].k == k)
            return &control->polls[i];
    return NULL;
}

static void remember_grant(struct cw_ha *ha, const struct identity *sentinel, int64_t status_ns)
{
    for (uint32_t i = 0; i < ha->grant_count; i++) {
        if (!identity_equal(&ha->grants[i].sentinel, sentinel))
            continue;
        if (ha->grants[i].status_ns < status_ns)
            ha->grants[i].status_ns = status_ns;
        return;
    }
    if (ha->grant_count < ARRAY_LENGTH(ha->grants))
        ha->grants[ha->grant_count++] = (struct lease_grant){.sentinel = *sentinel, .status_ns = status_ns};
}

static bool is_own_life(const struct cw_ha *ha, const struct life *life)
{
    return ha->mutants & CW_MUTANT_IGNORE_INCARNATION ? identity_equal(&life->node, &ha->durable.life.node)
                                                      : life_equal(life, &ha->durable.life);
}

static bool is_listed(const struct cw_ha *ha, const struct identity *sentinel)
{
    return sentinel_list_find(&ha->topology.sentinels, sentinel) >= 0 ||
           sentinel_list_find(&ha->topology.previous_sentinels, sentinel) >= 0;
}

/* T is looked up by k among the polls of this very connection, and never taken from the wire. */
static void take_grant(struct cw_ha *ha, const struct control *control, const struct message *message)
{
    const struct poll *poll = find_poll(control, message->grant.k);
    bool is_epoch = message->grant.epoch == ha->epoch || ha->mutants & CW_MUTANT_GRANT_OF_ANY_EPOCH;
    if (poll == NULL || ha->role != ROLE_MASTER || !is_epoch || !is_own_life(ha, &message->grant.life) ||
        !is_listed(ha, &control->sender))
        return;
    bool from_grant = ha->mutants & CW_MUTANT_LEASE_FROM_GRANT;
    remember_grant(ha, &control->sender, from_grant ? cw_engine_now_ns(ha->engine) : poll->status_ns);
    cw_ha_count_lease(ha);
}

/* --- FENCE --- */

static void send_fenced(struct cw_ha *ha, struct control *control)
{
    control->owes_fenced = false;
    begin_message(ha, MESSAGE_FENCED, ha->durable.group);
    struct fenced *fenced = &ha->out.fenced;
    fenced->epoch = control->fence_epoch;
    fenced->ballot = control->fence_ballot;
    fenced->life = ha->durable.life;
    fenced->is_release = ha->role == ROLE_MASTER && ha->epoch + 1 == control->fence_epoch;
    fenced->history = *cw_repl_history(cw_engine_repl(ha->engine));
    /* Whatever was executed may have been acknowledged; claiming more than that is on the safe side. */
    fenced->acknowledged_offset = fenced->is_release ? fenced->history.last_offset : 0;
    fenced->damaged = cw_repl_is_damaged(cw_engine_repl(ha->engine));
    cw_ha_send(ha, control);
}

void cw_ha_send_fenced(struct cw_ha *ha)
{
    LIST_FOR_EACH(node, &ha->controls)
    {
        struct control *control = LIST_ENTRY(node, struct control, node);
        if (!control->owes_fenced)
            continue;
        if (control->fence_epoch < ha->wanted.fence)
            control->owes_fenced = false; /* a higher fence has come: this proposer is superseded */
        else if (control->fence_epoch == ha->durable.fence)
            send_fenced(ha, control);
    }
}

static void take_fence(struct cw_ha *ha, struct control *control, const struct message *message)
{
    uint64_t epoch = message->fence.epoch;
    if (epoch <= ha->topology.epoch || epoch <= ha->epoch || epoch < ha->wanted.fence)
        return;
    control->owes_fenced = true;
    control->fence_epoch = epoch;
    control->fence_ballot = message->fence.ballot;
    if (epoch > ha->wanted.fence)
        cw_ha_take_fence(ha, epoch);
    cw_ha_send_fenced(ha);
}

/* --- INSYNC --- */

/* To one sentinel after another, of those that have polled lately. */
void cw_ha_send_insync(struct cw_ha *ha)
{
    unsigned candidates = 0;
    int64_t recently_ns = cw_engine_now_ns(ha->engine) - 2 * POLL_INTERVAL_NS;
    LIST_FOR_EACH(node, &ha->controls)
    {
        const struct control *control = LIST_ENTRY(node, struct control, node);
        candidates += control->peer == PEER_SENTINEL && control->polled_ns > recently_ns;
    }
    if (candidates == 0)
        return;
    unsigned chosen = ha->ask_turn++ % candidates;
    LIST_FOR_EACH(node, &ha->controls)
    {
        const struct control *control = LIST_ENTRY(node, struct control, node);
        if (control->peer != PEER_SENTINEL || control->polled_ns <= recently_ns || chosen-- > 0)
            continue;
        begin_message(ha, MESSAGE_INSYNC, ha->durable.group);
        ha->out.insync = ha->insync.request;
        cw_ha_send(ha, control);
        return;
    }
}

/* --- requests --- */

static void greet(struct cw_ha *ha, struct control *control, const struct message *message)
{
    struct slice secret = cw_engine_config(ha->engine)->secret;
    if (secret.length == 0 || !slice_equal_secret(message->hello.secret, secret)) {
        refuse(ha, control->link, "WRONGPASS wrong secret");
        return;
    }
    LIST_FOR_EACH(node, &ha->controls)
    {
        struct control *older = LIST_ENTRY(node, struct control, node);
        if (older == control || !older->is_greeted || older->peer != message->hello.kind ||
            !identity_equal(&older->sender, &message->hello.sender))
            continue;
        cw_engine_close(ha->engine, older->link); /* the newest connection of a sentinel is the one that counts */
        forget(ha, older);
    }
    control->is_greeted = true;
    ha->strangers--;
    control->peer = message->hello.kind;
    control->sender = message->hello.sender;
}

static bool is_own_group(const struct cw_ha *ha, const char *group)
{
    return ha->wanted.group[0] != '\0' && strcmp(ha->wanted.group, group) == 0;
}

static void control_message(struct cw_ha *ha, struct control *control, const struct message *message)
{
    switch (message->kind) {
    case MESSAGE_HELLO: greet(ha, control, message); break;
    case MESSAGE_POLL: answer_poll(ha, control, message->poll.k, message->group); break;
    case MESSAGE_GRANT:
        if (is_own_group(ha, message->group))
            take_grant(ha, control, message);
        break;
    case MESSAGE_FENCE:
        if (is_own_group(ha, message->group))
            take_fence(ha, control, message);
        break;
    case MESSAGE_LEARN: cw_ha_take_topology(ha, &message->learn.topology); break;
    default: refuse(ha, control->link, "ERR not a message for a node"); break;
    }
}

/* A link of the control listener: HELLO first, then a sentinel's messages. */
static void control_request(struct cw_ha *ha, link_id link, const struct slice *argv, size_t argc)
{
    struct control *control = cw_engine_link_context(ha->engine, link);
    if (control == NULL)
        return; /* refused before, and on its way out */
    if (message_decode(argv, argc, &ha->in) < 0) {
        refuse(ha, link, "ERR malformed message");
        return;
    }
    if (!control->is_greeted && ha->in.kind != MESSAGE_HELLO) {
        refuse(ha, link, "NOAUTH say HELLO first");
        return;
    }
    if (control->is_greeted && ha->in.kind == MESSAGE_HELLO) {
        refuse(ha, link, "ERR a link has one sender");
        return;
    }
    if (control->is_greeted && control->peer != PEER_SENTINEL && ha->in.kind != MESSAGE_POLL) {
        refuse(ha, link, "NOPERM only a sentinel may say that");
        return;
    }
    control_message(ha, control, &ha->in);
}

/* RESPITE ATTACH secret epoch node incarnation bits: a proxy's backend link. */
static void attach(struct cw_ha *ha, link_id link, const struct slice *argv, size_t argc)
{
    struct buf *out = cw_engine_output(ha->engine, link);
    struct slice secret = cw_engine_config(ha->engine)->secret;
    uint64_t epoch;
    struct life life;
    if (argc != 7 || number_parse_u64(argv[3], &epoch) < 0 || identity_parse(argv[4], &life.node) < 0 ||
        number_parse_u64(argv[5], &life.incarnation) < 0 || number_parse_u64(argv[6], &life.bits) < 0) {
        resp_write_error(out, SLICE_LITERAL("ERR usage: RESPITE ATTACH secret epoch node incarnation bits"));
    } else if (secret.length == 0 || !slice_equal_secret(argv[2], secret)) {
        resp_write_error(out, SLICE_LITERAL("WRONGPASS wrong secret"));
        cw_engine_drain(ha->engine, link);
    } else if (!cw_ha_is_master_of(ha, epoch, &life)) {
        resp_write_error(out, SLICE_LITERAL("NOTMASTER this node is not the master of that epoch"));
        cw_engine_drain(ha->engine, link);
    } else {
        cw_engine_attach(ha->engine, link);
        resp_write_ok(out);
    }
}

static void tell_topology(struct cw_ha *ha, link_id link)
{
    struct buf *out = cw_engine_output(ha->engine, link);
    if (!cw_engine_is_authenticated(ha->engine, link)) {
        resp_write_error(out, SLICE_LITERAL("NOAUTH Authentication required."));
        return;
    }
    if (ha->topology.version == 0) {
        resp_write_null(out, 2);
        return;
    }
    struct buf text = {0};
    topology_encode(&ha->topology, &text);
    resp_write_bulk(out, buf_slice(&text));
    buf_free(&text);
}

void cw_ha_request(struct cw_ha *ha, link_id link, const struct slice *argv, size_t argc)
{
    if (cw_engine_link_kind(ha->engine, link) == CW_LINK_CONTROL)
        control_request(ha, link, argv, argc);
    else if (argc >= 2 && slice_equal_nocase(argv[1], "attach"))
        attach(ha, link, argv, argc);
    else if (argc == 2 && slice_equal_nocase(argv[1], "topology"))
        tell_topology(ha, link);
    else
        resp_write_error(cw_engine_output(ha->engine, link), SLICE_LITERAL("ERR unknown subcommand of RESPITE"));
}

void cw_ha_link_opened(struct cw_ha *ha, link_id link)
{
    struct control *control = mem_zero(sizeof(*control));
    control->link = link;
    control->opened_ns = cw_engine_now_ns(ha->engine);
    control->polled_ns = INT64_MIN;
    list_add_last(&ha->controls, &control->node);
    ha->strangers++;
    cw_engine_set_link_context(ha->engine, link, control);
}

/* Who has not said HELLO in time goes, and the oldest of too many. */
void cw_ha_drop_strangers(struct cw_ha *ha)
{
    if (LIKELY(ha->strangers == 0))
        return;
    int64_t latest_ns = cw_engine_now_ns(ha->engine) - GREETING_NS;
    LIST_FOR_EACH(node, &ha->controls)
    {
        struct control *control = LIST_ENTRY(node, struct control, node);
        if (control->is_greeted || (control->opened_ns > latest_ns && ha->strangers <= STRANGERS_MAX))
            continue;
        cw_engine_close(ha->engine, control->link);
        forget(ha, control);
    }
}

int64_t cw_ha_strangers_deadline(const struct cw_ha *ha)
{
    if (LIKELY(ha->strangers == 0))
        return NEVER_NS;
    LIST_FOR_EACH(node, &ha->controls)
    {
        const struct control *control = LIST_ENTRY(node, struct control, node);
        if (!control->is_greeted)
            return control->opened_ns + GREETING_NS;
    }
    return NEVER_NS;
}

void cw_ha_link_closed(struct cw_ha *ha, link_id link)
{
    struct control *control = cw_engine_link_context(ha->engine, link);
    if (control == NULL)
        return;
    cw_engine_set_link_context(ha->engine, link, NULL);
    forget(ha, control);
}
