#include "proxy/core/session.h"

#include "common/base/mem.h"
#include "common/command/command_id.h"
#include "common/resp/resp_writer.h"
#include "proxy/core/pool.h"
#include "proxy/core/wheel.h"

#include <stdio.h>

#define ANSWER_UNCERTAIN                                                                                               \
    "-UNCERTAIN the connection to the master was lost before it answered; the command may or may not have been "       \
    "executed\r\n"
#define ANSWER_TRYAGAIN  "-TRYAGAIN no master is available at the moment; the command was not executed\r\n"
#define ANSWER_UNBLOCKED "-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n"
#define ANSWER_EXECABORT "-EXECABORT Transaction discarded because the connection to the master was lost\r\n"

#define BIT(state) (1u << (state))

/* From which state which other can follow. */
static const unsigned may_follow[PX_SESSION_STATES] = {
    [PX_SESSION_AUTHENTICATE] = BIT(PX_SESSION_SHARED) | BIT(PX_SESSION_DRAINING),
    [PX_SESSION_SHARED] = BIT(PX_SESSION_AUTHENTICATE) | BIT(PX_SESSION_PINNED) | BIT(PX_SESSION_DRAINING),
    [PX_SESSION_PINNED] = BIT(PX_SESSION_AUTHENTICATE) | BIT(PX_SESSION_SHARED) | BIT(PX_SESSION_SUBSCRIBED) |
                          BIT(PX_SESSION_MONITORING) | BIT(PX_SESSION_DRAINING),
    [PX_SESSION_SUBSCRIBED] =
        BIT(PX_SESSION_AUTHENTICATE) | BIT(PX_SESSION_PINNED) | BIT(PX_SESSION_SHARED) | BIT(PX_SESSION_DRAINING),
    [PX_SESSION_MONITORING] = BIT(PX_SESSION_AUTHENTICATE) | BIT(PX_SESSION_SHARED) | BIT(PX_SESSION_DRAINING),
    [PX_SESSION_DRAINING] = 0,
};

void px_session_change(struct px_session *session, enum px_session_state state)
{
    if (session->state == state)
        return;
    CHECK(may_follow[session->state] & BIT(state));
    session->state = (uint8_t)state;
}

/* ---- life ---- */

struct px_session *px_session_create(struct px_proxy *proxy, const struct address *peer, bool refused)
{
    struct px_session *session = mem_zero(sizeof(*session));
    session->proxy = proxy;
    session->protocol = 2;
    session->refused = refused;
    session->state = proxy->config.requirepass.length > 0 ? PX_SESSION_AUTHENTICATE : PX_SESSION_SHARED;
    session->connected_ns = session->active_ns = proxy->now_ns;
    if (peer != NULL)
        snprintf(session->peer, sizeof(session->peer), "%.48s:%u", peer->host, (unsigned)peer->port);
    list_init(&session->dirty);
    list_init(&session->runnable);
    list_init(&session->doomed);
    list_init(&session->wheel);
    list_add_last(&proxy->sessions, &session->node);
    session->id = px_port_take(proxy, PX_PORT_CLIENT, session);
    return session;
}

static void free_partial(struct px_session *session)
{
    if (session->partial == NULL)
        return;
    resp_request_free(session->partial);
    mem_free(session->partial);
    session->partial = NULL;
}

static void free_subscriptions(struct px_session *session)
{
    if (session->subscriptions == NULL)
        return;
    px_subscriptions_free(session->subscriptions);
    mem_free(session->subscriptions);
    session->subscriptions = NULL;
}

void px_session_forget_login(struct px_session *session)
{
    if (session->login == NULL)
        return;
    mem_free(session->login->user);
    mem_free(session->login->name);
    mem_free(session->login);
    session->login = NULL;
}

/* What remains of a closed session. */
static void free_ghost(struct px_session *session)
{
    px_user_give(session->user);
    mem_free(session);
}

static void free_tracking(struct px_session *session)
{
    if (session->tracking == NULL)
        return;
    px_tracking_free(session->tracking);
    mem_free(session->tracking);
    session->tracking = NULL;
}

void px_session_destroy(struct px_session *session)
{
    session->closed = true;
    px_port_give(session->proxy, session->id);
    session->id = LINK_NONE;
    if (session->private_link != NULL)
        px_pool_give_private(session->proxy, session->private_link);
    session->private_link = NULL;
    list_remove(&session->node);
    list_remove(&session->dirty);
    list_remove(&session->runnable);
    list_remove(&session->doomed);
    list_remove(&session->wheel);
    free_subscriptions(session);
    free_tracking(session);
    free_partial(session);
    buf_free(&session->input);
    buf_free(&session->output);
    mem_free(session->name);
    mem_free(session->library_name);
    mem_free(session->library_version);
    px_session_forget_login(session);
    px_inquiry_cancel(session);
    if (session->outstanding > 0)
        list_add_last(&session->proxy->ghosts, &session->node);
    else
        free_ghost(session);
}

void px_session_forget_slot(struct px_session *session)
{
    CHECK(session->outstanding > 0);
    session->outstanding--;
    if (session->closed && session->outstanding == 0 && session->id == LINK_NONE && session->private_link == NULL &&
        !list_is_empty(&session->node)) {
        list_remove(&session->node);
        free_ghost(session);
    }
}

void px_session_doom(struct px_session *session, const char *reason)
{
    if (session->closed || !list_is_empty(&session->doomed))
        return;
    if (reason != NULL)
        effect_log(session->proxy->effects, LOG_LEVEL_INFO, "client %s is closed: %s", session->peer, reason);
    list_add_last(&session->proxy->doomed, &session->doomed);
}

void px_session_drain(struct px_session *session)
{
    if (session->state == PX_SESSION_DRAINING)
        return;
    px_session_change(session, PX_SESSION_DRAINING);
    list_remove(&session->dirty); /* draining announces */
    effect_drain(session->proxy->effects, session->id);
}

/* ---- output ---- */

static void mark_dirty(struct px_session *session)
{
    if (list_is_empty(&session->dirty))
        list_add_last(&session->proxy->dirty_sessions, &session->dirty);
}

static void make_runnable(struct px_session *session)
{
    if (!session->closed && list_is_empty(&session->runnable))
        list_add_last(&session->proxy->runnable, &session->runnable);
}

static void append(struct px_session *session, struct slice bytes)
{
    if (UNLIKELY(session->closed || session->state == PX_SESSION_DRAINING || !list_is_empty(&session->doomed)))
        return;
    buf_add_slice(&session->output, bytes);
    if (UNLIKELY(buf_length(&session->output) > session->proxy->config.client_output_max))
        px_session_doom(session, "its output limit");
    mark_dirty(session);
}

struct buf *px_session_reply(struct px_session *session)
{
    if (session->silent) {
        buf_clear(&session->proxy->discard);
        return &session->proxy->discard;
    }
    mark_dirty(session);
    return &session->output;
}

void px_session_push(struct px_session *session, struct slice frame)
{
    append(session, frame);
}

/* A slot of the session has had its answer. */
static void settle_slot(struct px_session *session)
{
    if (UNLIKELY(session->closed)) {
        px_session_forget_slot(session);
        return;
    }
    session->outstanding--;
    session->active_ns = session->proxy->now_ns;
    bool room = session->wait == PX_WAIT_ROOM && session->outstanding <= PX_PIPELINE_MAX / 2;
    bool goes_on = session->wait != PX_WAIT_NONE || session->private_link != NULL || session->ended;
    if ((session->outstanding == 0 && goes_on) || room)
        make_runnable(session);
}

/* What the answer of a command on a private link means for the session. */
static void note_answer(struct px_session *session, const struct px_slot *slot, char type)
{
    if (slot->kind == PX_SLOT_SELECT && type == '+')
        session->database = slot->database;
    else if (slot->kind == PX_SLOT_EXEC && type == '*')
        session->database = slot->database;
    else if (slot->kind == PX_SLOT_MONITOR && type == '+' && session->state == PX_SESSION_PINNED)
        px_session_change(session, PX_SESSION_MONITORING);
}

/* The same for one that has asked to track. CLIENT CACHING holds for one command, or one transaction. */
static void note_tracking(struct px_session *session, const struct px_slot *slot, char type)
{
    struct px_tracking *tracking = session->tracking;
    switch ((enum px_slot_kind)slot->kind) {
    case PX_SLOT_TRACKING:
        if (type == '+')
            px_tracking_grant(tracking);
        if (!tracking->is_on)
            free_tracking(session);
        break;
    case PX_SLOT_CACHING:
        if (type == '+')
            tracking->caching = (enum px_caching)slot->database;
        break;
    case PX_SLOT_CLIENT:
    case PX_SLOT_MULTI:
    case PX_SLOT_QUEUED: break;
    default: tracking->caching = PX_CACHING_NONE; break;
    }
}

/* An answer to what the session itself has asked. */
static void take_answer(struct px_session *session, const struct px_slot *slot, struct slice frame)
{
    bool is_yes = frame.length > 0 && frame.data[0] == '+';
    session->silent = slot->silent;
    if (slot->kind == PX_SLOT_LOGIN) {
        px_session_logged_in(session, frame);
    } else {
        session->may = is_yes ? PX_MAY_GRANTED : PX_MAY_REFUSED;
        if (!is_yes && !slot->silent)
            append(session, frame);
    }
}

static bool is_question(const struct px_slot *slot)
{
    return slot->kind == PX_SLOT_LOGIN || slot->kind == PX_SLOT_MAY;
}

void px_session_deliver(const struct px_slot *slot, struct slice frame)
{
    struct px_session *session = slot->session;
    if (UNLIKELY(is_question(slot)) && !session->closed)
        take_answer(session, slot, frame);
    else if (LIKELY(!slot->silent))
        append(session, frame);
    if (UNLIKELY(slot->kind > PX_SLOT_WRITE) && !session->closed)
        note_answer(session, slot, frame.data[0]);
    if (UNLIKELY(session->tracking != NULL))
        note_tracking(session, slot, frame.data[0]);
    settle_slot(session);
}

void px_session_answer(const struct px_slot *slot)
{
    struct px_session *session = slot->session;
    struct slice text = {NULL, 0};
    switch ((enum px_answer)slot->answer) {
    case PX_ANSWER_NONE: break;
    case PX_ANSWER_OK: text = SLICE_LITERAL("+OK\r\n"); break;
    case PX_ANSWER_QUEUED: text = SLICE_LITERAL("+QUEUED\r\n"); break;
    case PX_ANSWER_NULL: text = session->protocol == 3 ? SLICE_LITERAL("_\r\n") : SLICE_LITERAL("*-1\r\n"); break;
    case PX_ANSWER_UNBLOCKED: text = SLICE_LITERAL(ANSWER_UNBLOCKED); break;
    case PX_ANSWER_EXECABORT: text = SLICE_LITERAL(ANSWER_EXECABORT); break;
    case PX_ANSWER_UNCERTAIN:
        text = SLICE_LITERAL(ANSWER_UNCERTAIN);
        session->proxy->statistics.uncertain++;
        break;
    case PX_ANSWER_TRYAGAIN:
        text = SLICE_LITERAL(ANSWER_TRYAGAIN);
        session->proxy->statistics.hold_limit++;
        break;
    }
    if (is_question(slot) && !session->closed)
        take_answer(session, slot, text);
    else if (!slot->silent)
        append(session, text);
    settle_slot(session);
}

void px_session_finish(const struct px_slot *slot)
{
    settle_slot(slot->session);
}

/* ---- state that lives in a connection ---- */

void px_session_confirm(struct px_session *session, const struct px_push *push)
{
    bool can_subscribe = session->state == PX_SESSION_PINNED || session->state == PX_SESSION_SUBSCRIBED;
    if (push->name.data == NULL || !can_subscribe)
        return;
    if (push->kind == PX_PUSH_SUBSCRIBED) {
        if (session->subscriptions == NULL)
            session->subscriptions = mem_zero(sizeof(struct px_subscriptions));
        px_subscriptions_add(session->subscriptions, push->topic, push->name);
        px_session_change(session, PX_SESSION_SUBSCRIBED);
    } else if (session->subscriptions != NULL) {
        px_subscriptions_remove(session->subscriptions, push->topic, push->name);
        if (px_subscriptions_count(session->subscriptions) == 0) {
            free_subscriptions(session);
            px_session_change(session, PX_SESSION_PINNED);
            make_runnable(session);
        }
    }
}

void px_session_lost_state(struct px_session *session, bool transaction, bool watched)
{
    if (transaction) {
        session->in_multi = false;
        session->phantom = watched ? PX_PHANTOM_NULL : PX_PHANTOM_ABORT;
    } else if (watched) {
        session->watch_lost = true;
    }
}

/* Only RESP3 has pushes; a session of RESP2 could have redirected them, which no proxy offers. */
void px_session_lost_tracking(struct px_session *session)
{
    if (px_session_tracks(session) && session->protocol == 3)
        px_session_push(session, SLICE_LITERAL(">2\r\n$10\r\ninvalidate\r\n_\r\n"));
}

static void unpin_if_stateless(struct px_session *session)
{
    struct px_link *link = session->private_link;
    if (link == NULL || session->outstanding > 0 || session->in_multi || link->transaction || link->watching ||
        session->subscriptions != NULL || px_session_tracks(session) || session->state == PX_SESSION_MONITORING)
        return;
    session->private_link = NULL;
    session->shared = NULL;
    px_pool_give_private(session->proxy, link);
    if (session->state == PX_SESSION_PINNED)
        px_session_change(session, PX_SESSION_SHARED);
}

/* Gives the session a link of its own. False: replies of the shared one are outstanding. */
static bool pin(struct px_session *session)
{
    if (session->private_link != NULL)
        return true;
    if (session->outstanding > 0) {
        session->wait = PX_WAIT_REPLIES;
        return false;
    }
    session->private_link = px_pool_take_private(session->proxy, session);
    px_session_change(session, PX_SESSION_PINNED);
    return true;
}

void px_session_pin(struct px_session *session)
{
    bool pinned = pin(session);
    CHECK(pinned);
}

static bool wait_for_replies(struct px_session *session)
{
    if (session->outstanding == 0)
        return false;
    session->wait = PX_WAIT_REPLIES;
    return true;
}

void px_session_forget_state(struct px_session *session)
{
    struct px_link *link = session->private_link;
    session->private_link = NULL;
    session->shared = NULL;
    if (link != NULL)
        px_pool_give_private(session->proxy, link);
    free_subscriptions(session);
    free_tracking(session);
    mem_free(session->name);
    session->name = NULL;
    session->in_multi = session->watch_lost = session->reply_off = session->skip_next = session->silent = false;
    session->phantom = PX_PHANTOM_NONE;
    session->protocol = 2;
    session->database = 0;
    px_user_give(session->user);
    session->user = NULL;
    bool protected = session->proxy->config.requirepass.length > 0;
    px_session_change(session, protected ? PX_SESSION_AUTHENTICATE : PX_SESSION_SHARED);
}

/* ---- requests ---- */

enum admission { ADMIT, ADMIT_LATER, ADMIT_NEVER };

static enum admission admit(struct px_session *session, const struct px_link *link, size_t length)
{
    struct px_proxy *proxy = session->proxy;
    if (UNLIKELY(session->outstanding >= PX_PIPELINE_MAX) ||
        (UNLIKELY(buf_length(&link->out) >= PX_LINK_BYTES_MAX) && session->outstanding > 0)) {
        session->wait = PX_WAIT_ROOM;
        return ADMIT_LATER;
    }
    if (LIKELY(px_link_is_ready(link)))
        return ADMIT;
    if (proxy->held_commands < proxy->config.hold_commands_max &&
        proxy->held_bytes + length <= proxy->config.hold_bytes_max)
        return ADMIT;
    if (wait_for_replies(session))
        return ADMIT_LATER;
    return ADMIT_NEVER;
}

/* The shared link for a command; NULL: it must wait. */
static struct px_link *shared_link(struct px_session *session, const struct px_request *request)
{
    struct px_proxy *proxy = session->proxy;
    if (UNLIKELY(session->shared == NULL))
        session->shared = px_pool_shared(proxy, px_pool_of(proxy, session->user, session->database, session->protocol));
    bool has_reads = px_pool_splits(proxy, session->shared);
    if (LIKELY(!has_reads && (session->outstanding == 0 || session->lanes.lane == PX_LANE_ALL))) {
        session->lanes.lane = PX_LANE_ALL;
        return session->shared;
    }
    bool is_read = request->row != NULL && command_shows_its_keys(request->row);
    switch (px_lanes_choose(&session->lanes, is_read, has_reads, session->outstanding)) {
    case PX_LANE_ALL: return session->shared;
    case PX_LANE_READS: return session->shared->beside;
    case PX_LANE_LATER: session->wait = PX_WAIT_REPLIES; break;
    }
    return NULL;
}

/* Queues a command on the session's link. False: it must wait. */
static bool forward(struct px_session *session, const struct px_request *request, struct px_slot slot)
{
    struct px_proxy *proxy = session->proxy;
    struct px_link *link = session->private_link != NULL ? session->private_link : shared_link(session, request);
    if (UNLIKELY(link == NULL))
        return false;
    enum admission admission = admit(session, link, request->bytes.length);
    if (UNLIKELY(admission == ADMIT_LATER))
        return false;
    if (UNLIKELY(admission == ADMIT_NEVER)) {
        buf_add_slice(px_session_reply(session), SLICE_LITERAL(ANSWER_TRYAGAIN));
        proxy->statistics.hold_limit++;
        if (session->in_multi)
            px_session_lost_state(session, true, false);
        return true;
    }
    slot.session = session;
    slot.arrived_ns = proxy->now_ns;
    slot.length = (uint32_t)request->bytes.length;
    slot.silent = session->silent;
    session->outstanding++;
    session->wrote = session->wrote || slot.kind == PX_SLOT_WRITE || slot.kind == PX_SLOT_EXEC;
    px_link_forward(link, &slot, request->bytes);
    if (slot.kind == PX_SLOT_MULTI) {
        session->in_multi = true;
        session->multi_database = session->database;
    } else if (slot.kind == PX_SLOT_EXEC || slot.kind == PX_SLOT_DISCARD) {
        session->in_multi = false;
    }
    return true;
}

static bool forward_kind(struct px_session *session, const struct px_request *request, enum px_slot_kind kind)
{
    return forward(session, request, (struct px_slot){.kind = (uint8_t)kind});
}

bool px_session_ask_slot(struct px_session *session, struct px_slot slot, struct slice bytes)
{
    CHECK(session->outstanding == 0);
    struct px_request request = {.bytes = bytes};
    forward(session, &request, slot);
    return session->outstanding > 0;
}

bool px_session_ask(struct px_session *session, enum px_slot_kind kind, struct slice bytes)
{
    return px_session_ask_slot(session, (struct px_slot){.kind = (uint8_t)kind}, bytes);
}

/* Whether the session may do by itself what its user asks for. False: not yet, or not at all, which *ret_taken tells.
 */
static bool may_do(struct px_session *session, const struct px_request *request, bool *ret_taken)
{
    enum px_may may = (enum px_may)session->may;
    bool needs_leave = request->row->id == COMMAND_ID_CLIENT || request->row->id == COMMAND_ID_SELECT;
    if (session->user == NULL || !needs_leave)
        return true;
    session->may = PX_MAY_UNASKED;
    *ret_taken = may == PX_MAY_REFUSED;
    if (may == PX_MAY_GRANTED || may == PX_MAY_REFUSED)
        return may == PX_MAY_GRANTED;
    struct buf bytes = {0};
    resp_write_array(&bytes, request->argc + 2);
    resp_write_bulk_text(&bytes, "RESPITE");
    resp_write_bulk_text(&bytes, "MAY");
    for (size_t i = 0; i < request->argc; i++)
        resp_write_bulk(&bytes, request->argv[i]);
    *ret_taken = !px_session_ask(session, PX_SLOT_MAY, buf_slice(&bytes));
    buf_free(&bytes);
    if (!*ret_taken) {
        session->may = PX_MAY_ASKED;
        session->wait = PX_WAIT_REPLIES;
    }
    return false;
}

static bool forward_plain(struct px_session *session, const struct px_request *request)
{
    if (session->in_multi)
        return forward_kind(session, request, PX_SLOT_QUEUED);
    bool repeatable = px_route_is_repeatable(request->row, request->argv, request->argc);
    return forward(session, request,
                   (struct px_slot){.kind = repeatable ? PX_SLOT_READ : PX_SLOT_WRITE,
                                    .scripted = px_route_runs_script(request->row)});
}

/* Taken in any state. */
static bool leaves(const struct px_request *request)
{
    return request->row != NULL && (request->row->id == COMMAND_ID_QUIT || request->row->id == COMMAND_ID_RESET);
}

/* A command that a transaction cannot hold: as in Redis, it is answered with an error, and so will EXEC be. */
static bool break_transaction(struct px_session *session, const struct px_request *request)
{
    static const char discard[] = "*1\r\n$7\r\nDISCARD\r\n";
    struct px_request discarding = {.bytes = SLICE_LITERAL(discard)};
    if (wait_for_replies(session))
        return false;
    resp_write_error_format(px_session_reply(session), "ERR Command '%s' is not allowed in a transaction",
                            request->row->name);
    bool silent = session->silent;
    session->silent = true;
    bool forwarded = forward_kind(session, &discarding, PX_SLOT_DISCARD);
    CHECK(forwarded);
    session->silent = silent;
    session->phantom = PX_PHANTOM_ERRORS;
    return true;
}

/* The transaction was lost; what is sent until its end has no effect. */
static bool take_in_phantom(struct px_session *session, const struct px_request *request, enum px_route route)
{
    if (wait_for_replies(session))
        return false;
    struct buf *reply = px_session_reply(session);
    if (route == PX_ROUTE_EXEC) {
        if (session->phantom == PX_PHANTOM_ABORT)
            buf_add_slice(reply, SLICE_LITERAL(ANSWER_EXECABORT));
        else if (session->phantom == PX_PHANTOM_ERRORS)
            resp_write_error(reply, SLICE_LITERAL("EXECABORT Transaction discarded because of previous errors."));
        else
            resp_write_null_array(reply, session->protocol);
    } else if (route == PX_ROUTE_DISCARD) {
        resp_write_ok(reply);
    } else if (leaves(request)) {
        px_session_own_command(session, request);
        return true;
    } else {
        resp_write_simple(reply, SLICE_LITERAL("QUEUED"));
        return true;
    }
    session->phantom = PX_PHANTOM_NONE;
    session->watch_lost = false;
    return true;
}

static bool refuse(struct px_session *session, const char *text)
{
    if (wait_for_replies(session))
        return false;
    resp_write_error(px_session_reply(session), slice_text(text));
    return true;
}

/* CLIENT TRACKING ON, or OFF of a session that has it on: the worker keeps the account, on a link of its own. */
static bool take_tracking(struct px_session *session, const struct px_request *request)
{
    if (px_tracking_redirects(request->argv, request->argc))
        return refuse(session, "ERR REDIRECT is not possible through a proxy; track in RESP3");
    size_t present = session->tracking != NULL ? buf_length(&session->tracking->requests) : 0;
    if (present + request->bytes.length > PX_TRACKING_BYTES_MAX)
        return refuse(session, "ERR too many prefixes");
    if (wait_for_replies(session) || !pin(session))
        return false;
    if (session->tracking == NULL)
        session->tracking = mem_zero(sizeof(*session->tracking));
    px_tracking_ask(session->tracking, request->argv, request->argc, request->bytes);
    return forward_kind(session, request, PX_SLOT_TRACKING);
}

/* What of CLIENT the worker answers. */
static bool is_about_tracking(const struct px_session *session, const struct px_request *request)
{
    struct slice word = request->argv[1];
    if (slice_equal_nocase(word, "tracking"))
        return request->argc > 2 && (px_session_tracks(session) || !slice_equal_nocase(request->argv[2], "off"));
    return px_session_tracks(session) &&
           ((request->argc == 3 && slice_equal_nocase(word, "caching")) ||
            (request->argc == 2 && (slice_equal_nocase(word, "trackinginfo") || slice_equal_nocase(word, "getredir"))));
}

static bool take_about_tracking(struct px_session *session, const struct px_request *request)
{
    if (slice_equal_nocase(request->argv[1], "tracking"))
        return take_tracking(session, request);
    if (request->argc == 2)
        return forward_kind(session, request, PX_SLOT_CLIENT);
    bool yes = slice_equal_nocase(request->argv[2], "yes");
    return forward(session, request,
                   (struct px_slot){.kind = PX_SLOT_CACHING, .database = yes ? PX_CACHING_YES : PX_CACHING_NO});
}

static bool take_own(struct px_session *session, const struct px_request *request)
{
    bool selects = request->row->id == COMMAND_ID_SELECT;
    if (session->in_multi && !leaves(request) && !selects)
        return break_transaction(session, request);
    if (request->row->id == COMMAND_ID_CLIENT && is_about_tracking(session, request))
        return take_about_tracking(session, request);
    if (selects && session->private_link != NULL) {
        uint64_t database = 0;
        if (number_parse_u64(request->argv[1], &database) < 0 || database >= session->proxy->config.databases)
            return forward_plain(session, request); /* the worker has the words for it */
        if (!session->in_multi)
            return forward(session, request, (struct px_slot){.kind = PX_SLOT_SELECT, .database = (uint32_t)database});
        bool taken = forward_kind(session, request, PX_SLOT_QUEUED);
        if (taken)
            session->multi_database = (uint32_t)database;
        return taken;
    }
    bool taken = false;
    if (wait_for_replies(session))
        return false;
    if (!may_do(session, request, &taken))
        return taken;
    px_session_own_command(session, request);
    return true;
}

static bool take_multi(struct px_session *session, const struct px_request *request)
{
    if (session->in_multi)
        return forward_kind(session, request, PX_SLOT_QUEUED);
    if (session->watch_lost) {
        if (wait_for_replies(session))
            return false;
        session->phantom = PX_PHANTOM_NULL;
        resp_write_ok(px_session_reply(session));
        return true;
    }
    return pin(session) && forward_kind(session, request, PX_SLOT_MULTI);
}

static bool take_transaction_end(struct px_session *session, const struct px_request *request, enum px_slot_kind kind)
{
    if (!session->in_multi)
        return forward_kind(session, request, PX_SLOT_READ); /* an error: nothing is begun */
    return forward(session, request, (struct px_slot){.kind = (uint8_t)kind, .database = session->multi_database});
}

/* Of UNSUBSCRIBE, PUNSUBSCRIBE, SUNSUBSCRIBE. */
static enum px_topic topic_of_leave(const struct command *row)
{
    switch (row->name[0]) {
    case 'p': return PX_TOPIC_PATTERN;
    case 's': return PX_TOPIC_SHARD;
    default: return PX_TOPIC_CHANNEL;
    }
}

/* It need not wait for the replies before it: the subscriptions of a pipeline begin as soon as Redis' would, and
 * somebody may publish then without having seen a confirmation. */
static bool take_subscribe(struct px_session *session, const struct px_request *request)
{
    if (session->in_multi)
        return break_transaction(session, request);
    if (!pin(session))
        return false;
    return forward(session, request,
                   (struct px_slot){.kind = PX_SLOT_SUBSCRIPTION, .confirmations = (uint32_t)request->argc - 1});
}

/* Channels and patterns are counted together, shard channels alone. */
static uint32_t count_shown(const struct px_session *session, enum px_topic topic)
{
    const struct px_subscriptions *set = session->subscriptions;
    if (set == NULL)
        return 0;
    uint32_t shards = set->counts[PX_TOPIC_SHARD];
    return topic == PX_TOPIC_SHARD ? shards : px_subscriptions_count(set) - shards;
}

/* Of somebody who is not subscribed to anything. */
static void confirm_nothing(struct px_session *session, const struct px_request *request)
{
    struct buf *reply = px_session_reply(session);
    size_t count = request->argc > 1 ? request->argc - 1 : 1;
    for (size_t i = 0; i < count; i++) {
        resp_write_push(reply, session->protocol, 3);
        resp_write_bulk_text(reply, request->row->name);
        if (request->argc > 1)
            resp_write_bulk(reply, request->argv[i + 1]);
        else
            resp_write_null(reply, session->protocol);
        resp_write_integer(reply, count_shown(session, topic_of_leave(request->row)));
    }
}

static bool take_unsubscribe(struct px_session *session, const struct px_request *request)
{
    if (session->in_multi)
        return break_transaction(session, request);
    struct px_slot slot = {.kind = PX_SLOT_SUBSCRIPTION, .confirmations = (uint32_t)request->argc - 1};
    if (session->subscriptions != NULL && request->argc > 1)
        return forward(session, request, slot);
    if (wait_for_replies(session))
        return false;
    enum px_topic topic = topic_of_leave(request->row);
    if (session->subscriptions == NULL || (request->argc == 1 && session->subscriptions->counts[topic] == 0)) {
        confirm_nothing(session, request);
        return true;
    }
    /* All of them, named one by one, so that the number of confirmations is known, also after a switch. */
    struct buf *scratch = &session->proxy->scratch;
    struct px_request all = *request;
    buf_clear(scratch);
    px_subscriptions_write_leave(session->subscriptions, topic, scratch);
    all.bytes = buf_slice(scratch);
    slot.confirmations = session->subscriptions->counts[topic];
    return forward(session, &all, slot);
}

static bool take_ping(struct px_session *session, const struct px_request *request)
{
    if (session->state != PX_SESSION_SUBSCRIBED || session->protocol != 2)
        return forward_plain(session, request);
    if (wait_for_replies(session))
        return false;
    struct buf *reply = px_session_reply(session);
    resp_write_array(reply, 2);
    resp_write_bulk_text(reply, "pong");
    resp_write_bulk(reply, request->argc > 1 ? request->argv[1] : SLICE_LITERAL(""));
    return true;
}

static bool take_blocking(struct px_session *session, const struct px_request *request)
{
    if (session->in_multi)
        return forward_kind(session, request, PX_SLOT_QUEUED);
    bool reads = request->row->flags & COMMAND_READONLY;
    return pin(session) && forward_kind(session, request, reads ? PX_SLOT_BLOCKING_READ : PX_SLOT_BLOCKING);
}

/* Which replicas have what the client wrote to an earlier master, nobody can tell it any more. The present one would
 * speak of its own history, where that may be missing. */
static bool take_wait(struct px_session *session, const struct px_request *request)
{
    if (session->in_multi || session->wrote || !session->wrote_before)
        return take_blocking(session, request);
    if (wait_for_replies(session))
        return false;
    struct buf *reply = px_session_reply(session);
    if (request->row->id == COMMAND_ID_WAITAOF) {
        resp_write_array(reply, 2);
        resp_write_integer(reply, 0);
    }
    resp_write_integer(reply, 0);
    return true;
}

void px_sessions_switch(struct px_proxy *proxy)
{
    LIST_FOR_EACH(node, &proxy->sessions)
    {
        struct px_session *session = LIST_ENTRY(node, struct px_session, node);
        session->wrote_before = session->wrote_before || session->wrote;
        session->wrote = false;
    }
}

static bool take_by_route(struct px_session *session, const struct px_request *request, enum px_route route)
{
    switch (route) {
    case PX_ROUTE_FORWARD: return forward_plain(session, request);
    case PX_ROUTE_OWN: return take_own(session, request);
    case PX_ROUTE_PING: return take_ping(session, request);
    case PX_ROUTE_MULTI: return take_multi(session, request);
    case PX_ROUTE_EXEC: return take_transaction_end(session, request, PX_SLOT_EXEC);
    case PX_ROUTE_DISCARD: return take_transaction_end(session, request, PX_SLOT_DISCARD);
    case PX_ROUTE_WATCH:
        if (session->in_multi)
            return forward_kind(session, request, PX_SLOT_QUEUED); /* the worker has the words for it */
        return pin(session) && forward_kind(session, request, PX_SLOT_WATCH);
    case PX_ROUTE_UNWATCH:
        if (session->in_multi)
            return forward_kind(session, request, PX_SLOT_QUEUED);
        session->watch_lost = false;
        return forward_kind(session, request, PX_SLOT_UNWATCH);
    case PX_ROUTE_SUBSCRIBE: return take_subscribe(session, request);
    case PX_ROUTE_UNSUBSCRIBE: return take_unsubscribe(session, request);
    case PX_ROUTE_MONITOR:
        if (session->in_multi)
            return break_transaction(session, request);
        if (session->subscriptions != NULL)
            return refuse(session, "ERR MONITOR is not possible while subscribed");
        return !wait_for_replies(session) && pin(session) && forward_kind(session, request, PX_SLOT_MONITOR);
    case PX_ROUTE_WAIT: return take_wait(session, request);
    case PX_ROUTE_BLOCKING: return take_blocking(session, request);
    case PX_ROUTE_BLOCKING_READ:
        return px_route_block(request->argv, request->argc) > 0 ? take_blocking(session, request)
                                                                : forward_plain(session, request);
    case PX_ROUTE_SCRIPT:
        if (request->argc > 1 && slice_equal_nocase(request->argv[1], "debug"))
            return refuse(session, "ERR SCRIPT DEBUG is not possible through a proxy");
        return forward_plain(session, request);
    case PX_ROUTE_REFUSED: return refuse(session, "ERR replication is not possible through a proxy");
    }
    return refuse(session, "ERR unknown command");
}

/* Nothing but a name and a password reaches a worker from here; the worker, and Redis, look at the number of arguments
 * first. */
static bool take_unauthenticated(struct px_session *session, const struct px_request *request, enum px_route route)
{
    if (request->row != NULL && !command_arity_fits(request->row, request->argc)) {
        if (wait_for_replies(session))
            return false;
        resp_write_error_format(px_session_reply(session), "ERR wrong number of arguments for '%s' command",
                                request->row->full_name);
        return true;
    }
    bool introduces =
        route == PX_ROUTE_OWN && (request->row->id == COMMAND_ID_AUTH || request->row->id == COMMAND_ID_HELLO);
    if (!introduces && !leaves(request))
        return refuse(session, "NOAUTH Authentication required.");
    px_session_own_command(session, request);
    return true;
}

/* A command in a state that allows few. */
static bool take_in_state(struct px_session *session, const struct px_request *request, enum px_route route)
{
    if (session->state == PX_SESSION_AUTHENTICATE)
        return take_unauthenticated(session, request, route);
    if (session->phantom != PX_PHANTOM_NONE)
        return take_in_phantom(session, request, route);
    if (session->state == PX_SESSION_MONITORING && !leaves(request))
        return refuse(session, "ERR only QUIT and RESET are possible while monitoring");
    bool allowed =
        route == PX_ROUTE_SUBSCRIBE || route == PX_ROUTE_UNSUBSCRIBE || route == PX_ROUTE_PING || leaves(request);
    if (session->state == PX_SESSION_SUBSCRIBED && session->protocol == 2 && !allowed) {
        if (wait_for_replies(session))
            return false;
        resp_write_error_format(px_session_reply(session),
                                "ERR Can't execute '%s': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                                "RESET are allowed in this context",
                                request->row ? request->row->full_name : "unknown command");
        return true;
    }
    return take_by_route(session, request, route);
}

/* An inline request becomes an array, so that links carry one form only. */
static struct slice as_array(struct px_proxy *proxy, const struct slice *argv, size_t argc)
{
    buf_clear(&proxy->scratch);
    resp_write_array(&proxy->scratch, argc);
    for (size_t i = 0; i < argc; i++)
        resp_write_bulk(&proxy->scratch, argv[i]);
    return buf_slice(&proxy->scratch);
}

/* Takes one request. False: it must wait, and stays in the input. */
static bool take(struct px_session *session, const struct resp_request *parsed, struct slice bytes)
{
    struct px_proxy *proxy = session->proxy;
    if (UNLIKELY(parsed->argc == 0))
        return true;
    if (UNLIKELY(session->login != NULL || session->inquiry != NULL)) {
        session->wait = PX_WAIT_REPLIES;
        return false;
    }
    struct px_request request = {
        .row = command_lookup(parsed->argv[0]), .argv = parsed->argv, .argc = parsed->argc, .bytes = bytes};
    if (UNLIKELY(bytes.data[0] != '*'))
        request.bytes = as_array(proxy, parsed->argv, parsed->argc);

    enum px_route route = PX_ROUTE_FORWARD;
    if (LIKELY(request.row != NULL) && LIKELY(command_arity_fits(request.row, request.argc)))
        route = px_route_of(request.row);
    session->silent = session->reply_off || session->skip_next;
    const struct command *last_command = session->last_command;
    session->last_command = request.row;
    bool taken = false;
    if (LIKELY(route == PX_ROUTE_FORWARD && session->state == PX_SESSION_SHARED && session->phantom == PX_PHANTOM_NONE))
        taken = forward_plain(session, &request);
    else
        taken = take_in_state(session, &request, route);
    if (!taken) {
        session->last_command = last_command;
        return false;
    }
    session->skip_next = session->skip_next && !session->silent;
    session->active_ns = proxy->now_ns;
    return true;
}

static void fail_protocol(struct px_session *session, const char *error)
{
    if (wait_for_replies(session))
        return; /* it is found again when the replies before it have come */
    session->silent = false;
    resp_write_error_format(px_session_reply(session), "ERR Protocol error: %s", error);
    px_session_drain(session);
}

static void remember_partial(struct px_session *session)
{
    if (session->partial != NULL)
        return;
    session->partial = mem_alloc(sizeof(*session->partial));
    *session->partial = session->proxy->request;
    session->proxy->request = (struct resp_request){0};
}

/* Takes requests from the front of `bytes`; returns how many bytes were used. */
static size_t take_all(struct px_session *session, struct slice bytes)
{
    struct px_proxy *proxy = session->proxy;
    size_t used = 0;
    session->wait = PX_WAIT_NONE;
    while (used < bytes.length && session->state != PX_SESSION_DRAINING && list_is_empty(&session->doomed)) {
        if (UNLIKELY(buf_length(&session->output) > PX_OUTPUT_HIGH)) {
            session->wait = PX_WAIT_OUTPUT;
            break;
        }
        const struct resp_limits *limits =
            session->state == PX_SESSION_AUTHENTICATE ? &proxy->limits_unauthenticated : &proxy->limits;
        struct resp_request *request = session->partial ? session->partial : &proxy->request;
        struct slice rest = slice_skip(bytes, used);
        int64_t length = resp_request_read(request, rest, limits);
        if (length == 0) {
            remember_partial(session);
            break;
        }
        if (length < 0) {
            fail_protocol(session, request->error);
            resp_request_reset(request);
            break;
        }
        bool taken = take(session, request, slice_of(rest.data, (size_t)length));
        free_partial(session);
        if (!taken)
            break;
        used += (size_t)length;
    }
    if (session->state == PX_SESSION_DRAINING)
        return bytes.length;
    return used;
}

/* Pauses or resumes reading: a client that does not read its replies, or whose commands must wait, is not read. */
static void throttle(struct px_session *session)
{
    if (session->state == PX_SESSION_DRAINING)
        return;
    size_t output = buf_length(&session->output);
    bool pause = output > PX_OUTPUT_HIGH || (session->paused && output > PX_OUTPUT_LOW) ||
                 (session->wait != PX_WAIT_NONE && buf_length(&session->input) > PX_INPUT_HIGH);
    if (session->state == PX_SESSION_AUTHENTICATE && output > PX_UNAUTHENTICATED_OUTPUT_MAX)
        px_session_doom(session, "it reads no replies before its authentication");
    if (pause == session->paused)
        return;
    session->paused = pause;
    if (pause)
        effect_pause(session->proxy->effects, session->id);
    else
        effect_resume(session->proxy->effects, session->id);
}

static void take_from_input(struct px_session *session)
{
    size_t used = take_all(session, buf_slice(&session->input));
    buf_consume(&session->input, used);
    buf_shrink(&session->input, PX_BUFFER_KEEP);
}

void px_session_received(struct px_session *session, struct slice bytes)
{
    if (session->state == PX_SESSION_DRAINING || !list_is_empty(&session->doomed))
        return;
    bool can_take = session->wait == PX_WAIT_NONE && !session->proxy->stopping;
    if (LIKELY(can_take && buf_length(&session->input) == 0)) {
        size_t used = take_all(session, bytes);
        if (used < bytes.length)
            buf_add_slice(&session->input, slice_skip(bytes, used));
    } else {
        buf_add_slice(&session->input, bytes);
        if (can_take)
            take_from_input(session);
    }
    throttle(session);
}

/* Of a client that says no more. As in a worker, it hears the answers to all that it has said, and nobody waits for
 * elements in its name: it might be gone. */
static void end_when_done(struct px_session *session)
{
    bool is_parked = session->private_link != NULL && px_parked_is_any(&session->private_link->parked);
    if (is_parked)
        px_session_doom(session, NULL);
    else if (session->outstanding == 0 && session->wait == PX_WAIT_NONE && buf_length(&session->output) == 0)
        px_session_drain(session);
}

void px_session_ended(struct px_session *session)
{
    session->ended = true;
    make_runnable(session);
}

void px_session_resume(struct px_session *session)
{
    make_runnable(session);
}

void px_session_parked(struct px_session *session)
{
    if (session->ended)
        make_runnable(session);
}

void px_session_run(struct px_session *session)
{
    if (session->state == PX_SESSION_DRAINING)
        return;
    unpin_if_stateless(session);
    if (!session->proxy->stopping && buf_length(&session->input) > 0)
        take_from_input(session);
    else
        session->wait = PX_WAIT_NONE;
    if (session->ended)
        end_when_done(session);
    throttle(session);
}

void px_session_sent(struct px_session *session, size_t count)
{
    buf_consume(&session->output, count);
    buf_shrink(&session->output, PX_BUFFER_KEEP);
    if (LIKELY(session->wait != PX_WAIT_OUTPUT && !session->paused && !session->ended))
        return;
    session->active_ns = session->proxy->now_ns; /* it reads, if slowly */
    if (buf_length(&session->output) <= PX_OUTPUT_LOW)
        make_runnable(session);
}

bool px_session_is_exempt_from_idle(const struct px_session *session)
{
    return (session->outstanding > 0 && !session->ended) || session->state == PX_SESSION_SUBSCRIBED ||
           session->state == PX_SESSION_MONITORING;
}
