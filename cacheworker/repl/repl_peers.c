#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl_internal.h"
#include "cacheworker/repl/resync.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"

/* --- a peer --- */

static struct peer *add_peer(struct cw_repl *repl, link_id link)
{
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        if (repl->peers[i] != NULL)
            continue;
        struct peer *peer = repl->peers[i] = mem_zero(sizeof(*peer));
        repl->peer_count++;
        peer->link = link;
        peer->heard_ns = peer->acknowledged_ns = cw_engine_now_ns(repl->engine);
        peer->wanted.has_length = true;
        cw_engine_become_replica(repl->engine, link);
        cw_engine_set_link_context(repl->engine, link, peer);
        return peer;
    }
    return NULL;
}

static void free_peer(struct cw_repl *repl, struct peer *peer)
{
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (repl->peers[i] == peer)
            repl->peers[i] = NULL;
    repl->peer_count--;
    repl->left_ns = cw_engine_now_ns(repl->engine);
    if (peer->transfer != NULL)
        repl_transfer_leave(repl, peer);
    buf_free(&peer->head);
    mem_free(peer);
}

void repl_peers_closed(struct cw_repl *repl, struct peer *peer)
{
    cw_engine_set_link_context(repl->engine, peer->link, NULL);
    free_peer(repl, peer);
}

static void drop(struct cw_repl *repl, struct peer *peer)
{
    cw_engine_set_link_context(repl->engine, peer->link, NULL);
    cw_engine_close(repl->engine, peer->link);
    free_peer(repl, peer);
}

static void drop_because(struct cw_repl *repl, struct peer *peer, const char *reason)
{
    const struct address *address = cw_engine_link_peer(repl->engine, peer->link);
    effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_WARNING, "replica %s:%u dropped: %s", address->host,
               peer->port, reason);
    drop(repl, peer);
}

static bool is_greeting(const struct cw_repl *repl, const struct peer *peer)
{
    return repl->is_standalone && peer->state == PEER_GREETING;
}

/* But one that has got nothing yet: by PSYNC it may be what changes the role (FAILOVER). In a group it named a role. */
void repl_peers_drop_all(struct cw_repl *repl)
{
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (repl->peers[i] != NULL && !is_greeting(repl, repl->peers[i]))
            drop(repl, repl->peers[i]);
}

void repl_peers_free(struct cw_repl *repl)
{
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (repl->peers[i] != NULL)
            free_peer(repl, repl->peers[i]);
}

/* --- REPLCONF --- */

static int take_host(struct peer *peer, struct slice host)
{
    if (host.length >= sizeof(peer->host) || memchr(host.data, '\0', host.length) != NULL)
        return ERR_INVALID;
    memset(peer->host, 0, sizeof(peer->host));
    memcpy(peer->host, host.data, host.length);
    return 0;
}

/* Words for what is to be in the snapshot. */
static int take_filter(struct peer *peer, struct slice words)
{
    peer->wanted.leaves_data = peer->wanted.leaves_programs = true;
    for (struct slice word = slice_take_word(&words); word.length > 0; word = slice_take_word(&words)) {
        if (!slice_equal_nocase(word, "functions"))
            return ERR_UNSUPPORTED;
        peer->wanted.leaves_programs = false;
    }
    return 0;
}

static void take_ability(struct peer *peer, struct slice ability)
{
    uint64_t room;
    if (slice_equal_nocase(ability, "eof"))
        peer->wanted.has_length = false;
    else if (slice_starts_with(ability, FRAMES_ABILITY) &&
             number_parse_u64(slice_skip(ability, strlen(FRAMES_ABILITY)), &room) == 0)
        peer->frames.room = room;
}

static void take_field(struct peer *peer, struct slice name, struct slice value, bool *ret_is_wrong)
{
    uint64_t number;
    int error = 0;
    if (slice_equal_nocase(name, "listening-port"))
        error = number_parse_u64(value, &number) < 0 || number > UINT16_MAX ? ERR_INVALID
                                                                            : (peer->port = (uint16_t)number, 0);
    else if (slice_equal_nocase(name, "ip-address"))
        error = take_host(peer, value);
    else if (slice_equal_nocase(name, "capa"))
        take_ability(peer, value);
    else if (slice_equal_nocase(name, "rdb-only"))
        error = number_parse_u64(value, &number) < 0 || number > 1 ? ERR_INVALID : (peer->wants_file = number == 1, 0);
    else if (slice_equal_nocase(name, "rdb-filter-only"))
        error = take_filter(peer, value);
    else if (slice_equal_nocase(name, "respite-life"))
        error = life_parse(value, &peer->life);
    else if (slice_equal_nocase(name, "respite-master"))
        error = life_parse(value, &peer->master);
    else if (slice_equal_nocase(name, "respite-epoch"))
        error = number_parse_u64(value, &peer->epoch);
    else if (slice_equal_nocase(name, "respite-history"))
        error = history_parse(value, &peer->history);
    if (error < 0) /* fields that we do not know are fine */
        *ret_is_wrong = true;
}

/* The secret in a REPLCONF makes the peer ours; without one it must be a standalone worker's client. */
static const char *admit(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc, bool *ret_is_ours)
{
    struct slice secret = cw_engine_config(repl->engine)->secret;
    for (size_t i = 1; i + 1 < argc; i += 2) {
        if (!slice_equal_nocase(argv[i], "respite-secret"))
            continue;
        *ret_is_ours = true;
        return secret.length > 0 && slice_equal_secret(argv[i + 1], secret) ? NULL : "WRONGPASS wrong secret";
    }
    *ret_is_ours = false;
    return repl->is_standalone && cw_engine_is_authenticated(repl->engine, link) ? NULL
                                                                                 : "NOAUTH Authentication required.";
}

static struct peer *peer_of(struct cw_repl *repl, link_id link)
{
    return cw_engine_link_kind(repl->engine, link) == CW_LINK_REPLICA ? cw_engine_link_context(repl->engine, link)
                                                                      : NULL;
}

static void refuse(struct cw_repl *repl, link_id link, const char *error)
{
    resp_write_error(cw_engine_output(repl->engine, link), slice_text(error));
    cw_engine_drain(repl->engine, link);
}

/* The peer of the link, which a session becomes with its first REPLCONF or PSYNC; NULL when it was refused. */
static struct peer *admitted_peer(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc)
{
    struct peer *peer = peer_of(repl, link);
    if (peer != NULL)
        return peer;
    if (cw_engine_link_kind(repl->engine, link) != CW_LINK_CLIENT)
        return NULL; /* dropped, and on its way out */
    bool is_ours;
    const char *error = admit(repl, link, argv, argc, &is_ours);
    if (error == NULL && (peer = add_peer(repl, link)) == NULL)
        error = "ERR too many replicas";
    if (error != NULL) {
        refuse(repl, link, error);
        return NULL;
    }
    peer->is_ours = peer->wanted.has_users = is_ours;
    return peer;
}

/* The first ack says that the snapshot is loaded, or the stream taken up. */
static void take_ack(struct cw_repl *repl, struct peer *peer, struct slice text)
{
    uint64_t offset;
    if (number_parse_u64(text, &offset) < 0 || offset > repl->history.last_offset)
        return;
    peer->acknowledged_ns = cw_engine_now_ns(repl->engine);
    bool is_ready = offset >= peer->first_offset || peer->is_old; /* one of these does not know where it is */
    if (peer->state < PEER_LOADING || !is_ready || offset > peer->next_offset)
        return;
    if (peer->state != PEER_ONLINE) {
        peer->state = PEER_ONLINE;
        effect_log(cw_engine_effects(repl->engine), LOG_LEVEL_NOTICE, "replica %s:%u is online at offset %llu",
                   cw_engine_link_peer(repl->engine, peer->link)->host, peer->port, (unsigned long long)offset);
    }
    if (offset > peer->acknowledged_offset)
        peer->acknowledged_offset = offset;
}

/* What it has on its disk; nothing of it says nothing of that any more. */
static void take_synced(struct cw_repl *repl, struct peer *peer, const struct slice *argv, size_t argc)
{
    uint64_t offset;
    peer->has_synced = argc >= 5 && slice_equal_nocase(argv[3], "fack") && number_parse_u64(argv[4], &offset) == 0 &&
                       offset <= repl->history.last_offset;
    if (peer->has_synced)
        peer->synced_offset = offset;
}

static void replconf(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc)
{
    struct peer *peer = admitted_peer(repl, link, argv, argc);
    if (peer == NULL)
        return;
    if (argc >= 3 && slice_equal_nocase(argv[1], "ack")) {
        take_ack(repl, peer, argv[2]);
        take_synced(repl, peer, argv, argc);
        return; /* never answered */
    }
    if (argc == 2 && slice_equal_nocase(argv[1], "respite-alive"))
        return; /* from a replica that is loading; never answered */
    bool is_wrong = argc % 2 == 0;
    for (size_t i = 1; i + 1 < argc; i += 2)
        take_field(peer, argv[i], argv[i + 1], &is_wrong);
    struct buf *out = cw_engine_output(repl->engine, link);
    if (is_wrong)
        resp_write_error(out, SLICE_LITERAL("ERR syntax error"));
    else
        resp_write_ok(out);
}

/* --- PSYNC --- */

/* Why this node does not feed that peer, or NULL. */
static const char *refusal(const struct cw_repl *repl, const struct peer *peer)
{
    if (repl->failover.state != FAILOVER_NONE)
        return "NOMASTERLINK Can't SYNC while failing over";
    if (cw_repl_stock_master(repl) != NULL)
        return cw_repl_is_link_up(repl) ? NULL : "NOMASTERLINK Can't SYNC while not connected with my master";
    if (repl->role != REPL_LEADING || repl->is_frozen)
        return "NOTMASTER this node is not a master";
    if (repl->is_standalone)
        return NULL;
    if (!peer->is_ours || peer->epoch != repl->epoch || !life_equal(&peer->master, &repl->self))
        return "NOTMASTER this node is not the master of that epoch";
    return NULL;
}

static void replace_older(struct cw_repl *repl, const struct peer *peer)
{
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        struct peer *older = repl->peers[i];
        if (older != NULL && older != peer && peer->is_ours && identity_equal(&older->life.node, &peer->life.node))
            drop(repl, older);
    }
}

static void go_on(struct cw_repl *repl, struct peer *peer, uint64_t offset)
{
    struct buf *out = cw_engine_output(repl->engine, peer->link);
    peer->state = PEER_STREAMING;
    peer->first_offset = peer->next_offset = offset;
    buf_add_format(out, "+CONTINUE %s", repl->id);
    if (peer->is_ours) {
        buf_add_text(out, " ");
        history_format(&repl->history, out);
    }
    buf_add_text(out, "\r\n");
    cw_engine_flush(repl->engine, peer->link);
}

static bool may_go_on(const struct cw_repl *repl, const struct peer *peer, struct slice id, uint64_t offset)
{
    if (peer->is_ours && !repl->is_standalone)
        return offset == peer->history.last_offset &&
               cw_may_continue(&peer->history, &repl->history, repl->backlog.first);
    bool is_known =
        slice_equal(id, slice_of(repl->id, CW_REPLID_LENGTH)) ||
        (repl->second_id[0] != '\0' && slice_equal(id, slice_text(repl->second_id)) && offset <= repl->second_end);
    return is_known && offset >= repl->backlog.first && offset <= repl->history.last_offset;
}

/* The peer of a link that may be given the stream now, or NULL. */
static struct peer *peer_to_feed(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc,
                                 bool is_well_formed)
{
    struct peer *peer = admitted_peer(repl, link, argv, argc);
    if (peer == NULL)
        return NULL;
    const char *error = peer->state != PEER_GREETING || !is_well_formed ? "ERR syntax error" : refusal(repl, peer);
    if (error != NULL) {
        repl_peers_closed(repl, peer);
        refuse(repl, link, error);
        return NULL;
    }
    replace_older(repl, peer);
    if (!repl->keeps_backlog && repl->role == REPL_LEADING) { /* standalone: no replica needed the stream so far */
        repl->keeps_backlog = true;
        repl_choose_feeding(repl);
        cw_backlog_reset(&repl->backlog, repl->history.last_offset);
    }
    peer->heard_ns = cw_engine_now_ns(repl->engine);
    return peer;
}

/* Who wants to know the length first gets what can be held until then. */
static const char *full_sync_refusal(const struct cw_repl *repl, const struct peer *peer)
{
    bool is_too_big = peer->wanted.has_length && !peer->wanted.leaves_data &&
                      cw_keyspace_data_bytes(cw_engine_keyspace(repl->engine)) > LENGTH_FIRST_MAX;
    return is_too_big ? "ERR the data are too many for a replica without REPLCONF capa eof" : NULL;
}

static void want_snapshot(struct cw_repl *repl, struct peer *peer)
{
    const char *error = full_sync_refusal(repl, peer);
    if (error != NULL) {
        link_id link = peer->link;
        repl_peers_closed(repl, peer);
        refuse(repl, link, error);
        return;
    }
    peer->state = PEER_WAITING;
    peer->waiting_ns = cw_engine_now_ns(repl->engine);
    repl->counts.full_syncs++;
}

/* SYNC, of tools and old replicas: a snapshot without a line before it. */
static void sync_as_of_old(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc)
{
    struct peer *peer = peer_to_feed(repl, link, argv, argc, argc == 1);
    if (peer == NULL)
        return;
    peer->is_old = true;
    want_snapshot(repl, peer);
}

/* The master before hands over to this replica of its. */
static bool take_over(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc)
{
    if (admitted_peer(repl, link, argv, argc) == NULL)
        return false;
    const char *error = repl_failover_take(repl, argv[1]);
    if (error != NULL)
        resp_write_error(cw_engine_output(repl->engine, link), slice_text(error));
    return error == NULL;
}

/* PSYNC id offset: the first byte wanted, one behind the last that is held; "? -1" asks for a full sync. */
static void psync(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc)
{
    bool takes_over = repl->is_standalone && argc == 4 && slice_equal_nocase(argv[3], "failover");
    if (takes_over && !take_over(repl, link, argv, argc))
        return;
    struct peer *peer = peer_to_feed(repl, link, argv, argc, argc == 3 || takes_over);
    if (peer == NULL)
        return;
    int64_t wanted;
    if (number_parse_i64(argv[2], &wanted) == 0 && wanted > 0 && may_go_on(repl, peer, argv[1], (uint64_t)wanted - 1)) {
        go_on(repl, peer, (uint64_t)wanted - 1);
        repl->counts.partial_syncs++;
        return;
    }
    repl->counts.refused_partial_syncs += !slice_equal(argv[1], SLICE_LITERAL("?"));
    want_snapshot(repl, peer);
}

void repl_peers_request(struct cw_repl *repl, link_id link, const struct slice *argv, size_t argc)
{
    struct peer *peer = peer_of(repl, link);
    if (peer != NULL)
        peer->heard_ns = cw_engine_now_ns(repl->engine);
    if (slice_equal_nocase(argv[0], "replconf"))
        replconf(repl, link, argv, argc);
    else if (slice_equal_nocase(argv[0], "psync"))
        psync(repl, link, argv, argc);
    else if (slice_equal_nocase(argv[0], "sync"))
        sync_as_of_old(repl, link, argv, argc);
    else if (slice_equal_nocase(argv[0], "ping") && peer != NULL)
        resp_write_simple(cw_engine_output(repl->engine, link), SLICE_LITERAL("PONG"));
    else
        resp_write_error(cw_engine_output(repl->engine, link), SLICE_LITERAL("ERR not supported by this node"));
    if (cw_engine_link_kind(repl->engine, link) == CW_LINK_REPLICA)
        cw_engine_flush(repl->engine, link);
}

/* --- output --- */

static struct slice frame_output(const struct cw_repl *repl, const struct peer *peer)
{
    if (peer->frame.left == 0)
        return (struct slice){0};
    struct slice bytes = peer->frame.kind == CW_FRAME_SNAPSHOT ? repl_transfer_output(peer)
                                                               : cw_backlog_read(&repl->backlog, peer->next_offset);
    return slice_of(bytes.data, bytes.length < peer->frame.left ? bytes.length : peer->frame.left);
}

static void begin_frame(const struct cw_repl *repl, struct peer *peer)
{
    if (!peer->is_framed || peer->transfer == NULL || peer->frame.left > 0)
        return;
    peer->frame =
        cw_frames_next(&peer->frames, peer->transfer->bytes.end - peer->taken,
                       repl->history.last_offset - peer->next_offset, (uint64_t)repl_settings(repl)->backlog_bytes);
    if (peer->frame.left > 0)
        cw_frame_write(&peer->frame, &peer->head);
}

static void frame_sent(struct cw_repl *repl, struct peer *peer, size_t count)
{
    peer->frame.left -= count;
    if (peer->frame.kind == CW_FRAME_SNAPSHOT) {
        repl_transfer_sent(repl, peer, count);
    } else {
        peer->next_offset += count;
        peer->still_ns = 0;
    }
    begin_frame(repl, peer);
}

static struct slice output_of(const struct cw_repl *repl, const struct peer *peer)
{
    if (buf_length(&peer->head) > 0)
        return buf_slice(&peer->head);
    if (peer->transfer != NULL)
        return peer->is_framed ? frame_output(repl, peer) : repl_transfer_output(peer);
    return peer->state >= PEER_STREAMING ? cw_backlog_read(&repl->backlog, peer->next_offset) : (struct slice){0};
}

struct slice cw_repl_output(struct cw_repl *repl, link_id link)
{
    struct peer *peer = peer_of(repl, link);
    return peer != NULL ? output_of(repl, peer) : (struct slice){0};
}

void cw_repl_sent(struct cw_repl *repl, link_id link, size_t count)
{
    struct peer *peer = peer_of(repl, link);
    if (peer == NULL)
        return;
    if (buf_length(&peer->head) > 0) {
        buf_consume(&peer->head, count);
    } else if (peer->transfer != NULL && peer->is_framed) {
        frame_sent(repl, peer, count);
    } else if (peer->transfer != NULL) {
        repl_transfer_sent(repl, peer, count);
    } else {
        peer->next_offset += count;
    }
    if (output_of(repl, peer).length > 0)
        cw_engine_flush(repl->engine, link);
}

static bool has_output(const struct cw_repl *repl, const struct peer *peer)
{
    return output_of(repl, peer).length > 0;
}

static void keep_waiting(struct cw_repl *repl, struct peer *peer, int64_t now_ns)
{
    if (peer->state != PEER_WAITING || now_ns - peer->newline_ns < NEWLINE_INTERVAL_NS)
        return;
    peer->newline_ns = now_ns;
    buf_add_text(&peer->head, "\n");
    cw_engine_flush(repl->engine, peer->link);
}

/* It has all that it came for. */
static void let_go(struct cw_repl *repl, struct peer *peer)
{
    link_id link = peer->link;
    repl_peers_closed(repl, peer);
    cw_engine_drain(repl->engine, link);
}

static bool stands_still(const struct cw_repl *repl, struct peer *peer, int64_t now_ns)
{
    if (peer->state != PEER_SNAPSHOT || !has_output(repl, peer))
        peer->still_ns = 0;
    else if (peer->still_ns == 0)
        peer->still_ns = now_ns;
    return peer->still_ns > 0 && now_ns - peer->still_ns >= repl_timeout_ns(repl);
}

/* What it has not taken is held once for all replicas. */
static bool is_too_far_behind(const struct cw_repl *repl, struct peer *peer)
{
    if (peer->state < PEER_SNAPSHOT)
        return false;
    bool is_syncing = peer->state == PEER_SNAPSHOT || peer->state == PEER_LOADING;
    return cw_patience_is_over(&peer->patience, repl->history.last_offset - peer->next_offset,
                               PENDING_MAX + (uint64_t)repl_settings(repl)->backlog_bytes,
                               is_syncing ? cw_keyspace_data_bytes(cw_engine_keyspace(repl->engine)) : 0, is_syncing);
}

/* What stands still is given up: the replica comes again, and continues or takes a full sync. */
static void look_after(struct cw_repl *repl, struct peer *peer, int64_t now_ns)
{
    bool must_talk = peer->is_ours || peer->state == PEER_GREETING || (peer->state == PEER_ONLINE && !peer->is_old);
    bool has_file = peer->wants_file && peer->state >= PEER_LOADING;
    begin_frame(repl, peer);
    if (has_file)
        let_go(repl, peer);
    else if (must_talk && now_ns - peer->heard_ns >= repl_timeout_ns(repl))
        drop_because(repl, peer, "no sign of life");
    else if (stands_still(repl, peer, now_ns))
        drop_because(repl, peer, "it does not take its snapshot");
    else if (is_too_far_behind(repl, peer))
        drop_because(repl, peer, "too far behind");
    else if (has_output(repl, peer))
        cw_engine_flush(repl->engine, peer->link);
    else
        keep_waiting(repl, peer, now_ns);
}

void repl_peers_turn(struct cw_repl *repl)
{
    int64_t now_ns = cw_engine_now_ns(repl->engine);
    repl_transfer_turn(repl);
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (repl->peers[i] != NULL)
            look_after(repl, repl->peers[i], now_ns);
}

static int64_t next_look_ns(const struct cw_repl *repl, const struct peer *peer)
{
    switch (peer->state) {
    case PEER_WAITING: return peer->newline_ns + NEWLINE_INTERVAL_NS;
    case PEER_SNAPSHOT: return peer->still_ns > 0 ? peer->still_ns + repl_timeout_ns(repl) : NEVER_NS;
    default: return peer->heard_ns + repl_timeout_ns(repl);
    }
}

int64_t repl_peers_deadline(const struct cw_repl *repl)
{
    int64_t now_ns = cw_engine_now_ns(repl->engine);
    int64_t deadline_ns = repl_transfer_deadline(repl);
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++) {
        if (repl->peers[i] == NULL)
            continue;
        int64_t at_ns = next_look_ns(repl, repl->peers[i]);
        if (at_ns > now_ns && at_ns < deadline_ns)
            deadline_ns = at_ns;
    }
    return deadline_ns;
}

uint64_t repl_peers_oldest_offset(const struct cw_repl *repl)
{
    uint64_t oldest = UINT64_MAX;
    for (size_t i = 0; i < CW_REPLICAS_MAX; i++)
        if (repl->peers[i] != NULL && repl->peers[i]->state >= PEER_SNAPSHOT && repl->peers[i]->next_offset < oldest)
            oldest = repl->peers[i]->next_offset;
    return oldest;
}
