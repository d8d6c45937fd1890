#include "cacheworker/engine/session.h"

#include "cacheworker/block/block.h"
#include "cacheworker/engine/client_memory.h"
#include "cacheworker/engine/marks.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/ha/control.h"
#include "cacheworker/ha/ha.h"
#include "cacheworker/pubsub/pubsub.h"
#include "cacheworker/tracking/tracking.h"
#include "cacheworker/repl/repl.h"
#include "cacheworker/txn/transaction_commands.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

#include <inttypes.h>

enum {
    FIRST_LINKS = 2 * CW_CONTROL_LINKS,
    KEPT_WHILE_IDLE = 256,       /* bytes of input memory that a session may hold while it has nothing to parse */
    PAUSE_ABOVE = 256 << 10,     /* a session that must wait is read no more once it has this much waiting */
    REPLICA_INPUT_MAX = 4 << 20, /* of a replica; what it says is short */
    POOLED_CAPACITY = 4 * CW_SPARE_BUFFER_BYTES, /* bigger output buffers go back to the allocator */
};

#define TELL_HELD_NS NS_PER_S

/* --- the link table --- */

static link_id take_link(struct cw_engine *engine)
{
    if (engine->free_count == 0) {
        uint32_t capacity = engine->link_capacity ? 2 * engine->link_capacity : FIRST_LINKS;
        engine->links = mem_resize(engine->links, capacity * sizeof(struct cw_session *));
        engine->free_links = mem_resize(engine->free_links, capacity * sizeof(uint32_t));
        uint32_t first = engine->config.standalone ? 0 : CW_CONTROL_LINKS; /* the control core's are below */
        for (uint32_t link = capacity; link-- > engine->link_capacity;) {
            engine->links[link] = NULL;
            if (link >= first)
                engine->free_links[engine->free_count++] = link;
        }
        engine->link_capacity = capacity;
    }
    return engine->free_links[--engine->free_count];
}

struct cw_session *cw_session_find(const struct cw_engine *engine, link_id link)
{
    return link < engine->link_capacity ? engine->links[link] : NULL;
}

struct cw_session *cw_session_open(struct cw_engine *engine, enum cw_link_kind kind, const struct address *peer)
{
    struct cw_session *session = mem_zero(sizeof(*session));
    session->kind = kind;
    session->link = take_link(engine);
    session->protocol = 2;
    session->user = engine->access.acl.nobody;
    session->id = ++engine->next_session_id;
    session->connected_ns = session->active_ns = engine->now_ns;
    if (peer != NULL)
        session->peer = *peer;
    list_init(&session->ready);
    list_init(&session->touched);
    list_init(&session->waiting);
    list_init(&session->held);
    list_init(&session->soft);
    list_init(&session->monitor);
    list_add_last(&engine->sessions, &session->all);
    engine->links[session->link] = session;
    return session;
}

struct cw_session *cw_session_with_id(const struct cw_engine *engine, uint64_t id)
{
    LIST_FOR_EACH(node, &engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->id == id)
            return session;
    }
    return NULL;
}

static void free_session(struct cw_session *session)
{
    buf_free(&session->kept);
    buf_free(&session->out);
    if (session->partial != NULL)
        resp_request_free(session->partial);
    mem_free(session->partial);
    mem_free(session->marks);
    mem_free(session->name);
    mem_free(session->library_name);
    mem_free(session->library_version);
    mem_free(session);
}

/* --- input --- */

void cw_session_touch(struct cw_engine *engine, struct cw_session *session)
{
    if (list_is_empty(&session->touched))
        list_add_last(&engine->touched, &session->touched);
}

void cw_session_receive(struct cw_engine *engine, struct cw_session *session, struct slice bytes)
{
    if (session->flags & CW_SESSION_CLOSING)
        return;
    session->active_ns = engine->now_ns;
    engine->statistics.reads++;
    engine->statistics.input_bytes += bytes.length;
    if (session->waiting_since_ns == 0)
        session->waiting_since_ns = engine->now_ns;
    if (session->received.length > 0) {
        buf_add_slice(&session->kept, session->received);
        buf_add_slice(&session->kept, bytes);
        session->received = slice_of(NULL, 0);
    } else {
        session->received = bytes;
    }
    cw_session_touch(engine, session);
    if (list_is_empty(&session->ready) && !(session->flags & CW_SESSION_WAITING))
        list_add_last(session->kind == CW_LINK_CLIENT ? &engine->ready : &engine->replicas_ready, &session->ready);
}

/* An incomplete request takes its parser along; the caller's is left fresh. */
static void set_aside(struct cw_session *session, struct resp_request *request)
{
    session->partial = mem_alloc(sizeof(*request));
    *session->partial = *request;
    *request = (struct resp_request){0};
}

static int64_t read_request(struct cw_session *session, struct slice input, const struct resp_limits *limits,
                            struct resp_request *request)
{
    if (session->partial != NULL) {
        resp_request_free(request);
        *request = *session->partial;
        mem_free(session->partial);
        session->partial = NULL;
    }
    return resp_request_read(request, input, limits);
}

/* Consumes a request without moving or forgetting its bytes: argv points into them. */
static int take(struct cw_session *session, int64_t used, bool from_kept)
{
    session->last_used = used < 0 ? 0 : (size_t)used; /* what is broken is not consumed */
    session->last_from_kept = from_kept;
    if (used < 0)
        return (int)used;
    if (from_kept)
        session->kept.start += (size_t)used;
    else
        session->received = slice_skip(session->received, (size_t)used);
    return 1;
}

int cw_session_next_request(struct cw_session *session, const struct resp_limits *limits, struct resp_request *request)
{
    while (buf_length(&session->kept) > 0) {
        int64_t used = read_request(session, buf_slice(&session->kept), limits, request);
        if (used != 0)
            return take(session, used, true);
        size_t missing = resp_request_missing(request);
        set_aside(session, request);
        if (session->received.length == 0 || session->batched)
            return 0;
        /* Only what this request needs is copied; what follows it is parsed where it lies. */
        size_t count = missing < session->received.length ? missing : session->received.length;
        buf_add(&session->kept, session->received.data, count);
        session->received = slice_skip(session->received, count);
    }
    if (session->received.length == 0)
        return 0;
    int64_t used = read_request(session, session->received, limits, request);
    if (used != 0)
        return take(session, used, false);
    set_aside(session, request);
    return 0;
}

void cw_session_rewind(struct cw_session *session, struct cw_session_place place)
{
    if (session->partial != NULL) { /* of what stands behind */
        resp_request_free(session->partial);
        mem_free(session->partial);
        session->partial = NULL;
    }
    if (place.is_in_kept)
        session->kept.start = (size_t)(place.begin - session->kept.memory);
    else
        session->received =
            slice_of(place.begin, session->received.length + (size_t)(session->received.data - place.begin));
}

void cw_session_unread(struct cw_session *session)
{
    if (session->last_from_kept)
        session->kept.start -= session->last_used;
    else
        session->received =
            slice_of(session->received.data - session->last_used, session->received.length + session->last_used);
    session->last_used = 0;
}

static void keep(struct cw_engine *engine, struct cw_session *session)
{
    if (session->flags & CW_SESSION_OVERFLOWN) {
        effect_log(engine->effects, LOG_LEVEL_WARNING, "client id=%" PRIu64 " closed: output buffer limit",
                   session->id);
        engine->statistics.output_limit_disconnections++;
        cw_session_abort(engine, session);
        return;
    }
    if (session->received.length > 0) {
        buf_add_slice(&session->kept, session->received);
        session->received = slice_of(NULL, 0);
    }
    size_t length = buf_length(&session->kept);
    if (length == 0) {
        buf_clear(&session->kept);
        buf_shrink(&session->kept, KEPT_WHILE_IDLE);
    }
    bool waits = !list_is_empty(&session->ready) || (session->flags & CW_SESSION_WAITING);
    if (!waits && buf_length(&session->out) == 0)
        session->waiting_since_ns = 0; /* half a request is not one that waits */
    /* What is queued for EXEC is input that was not executed. */
    size_t queued = session->transaction != NULL ? cw_transaction_queued_bytes(session->transaction) : 0;
    if (length + queued > (session->kind == CW_LINK_CLIENT ? engine->settings.query_buffer_max : REPLICA_INPUT_MAX)) {
        effect_log(engine->effects, LOG_LEVEL_WARNING, "client id=%" PRIu64 " closed: query buffer limit", session->id);
        engine->statistics.query_limit_disconnections++;
        cw_session_abort(engine, session);
        return;
    }
    if (waits && length > PAUSE_ABOVE && !(session->flags & CW_SESSION_PAUSED)) {
        session->flags |= CW_SESSION_PAUSED;
        effect_pause(engine->effects, session->link);
    } else if (length <= PAUSE_ABOVE && (session->flags & CW_SESSION_PAUSED)) {
        session->flags &= ~(uint32_t)CW_SESSION_PAUSED;
        effect_resume(engine->effects, session->link);
    }
    cw_client_memory_note(engine, session);
}

void cw_sessions_keep(struct cw_engine *engine)
{
    LIST_FOR_EACH(node, &engine->touched)
    {
        list_remove(node);
        keep(engine, LIST_ENTRY(node, struct cw_session, touched));
    }
}

/* --- output --- */

struct buf *cw_session_out(struct cw_engine *engine, struct cw_session *session)
{
    if (session->out.memory == NULL) {
        if (engine->spare_count > 0)
            session->out = engine->spare_buffers[--engine->spare_count];
        else
            buf_reserve(&session->out, CW_SPARE_BUFFER_BYTES);
    }
    return &session->out;
}

/* The same for a few bytes: of a message to thousands, big buffers would come from the kernel and go back to it. */
static struct buf *small_out(struct cw_engine *engine, struct cw_session *session)
{
    if (session->out.memory == NULL) {
        if (engine->small_count > 0)
            session->out = engine->small_buffers[--engine->small_count];
        else
            buf_reserve(&session->out, CW_SMALL_BUFFER_BYTES);
    }
    return &session->out;
}

void cw_session_give_back_output(struct cw_engine *engine, struct cw_session *session)
{
    struct buf *out = &session->out;
    if (out->memory == NULL || buf_length(out) > 0)
        return;
    buf_clear(out);
    bool is_spare = out->capacity >= CW_SPARE_BUFFER_BYTES && out->capacity <= POOLED_CAPACITY;
    if (is_spare && engine->spare_count < CW_SPARE_BUFFERS) {
        engine->spare_buffers[engine->spare_count++] = *out;
        *out = (struct buf){0};
    } else if (out->capacity == CW_SMALL_BUFFER_BYTES && engine->small_count < CW_SMALL_BUFFERS) {
        engine->small_buffers[engine->small_count++] = *out;
        *out = (struct buf){0};
    } else {
        buf_free(out);
    }
}

void cw_session_flush(struct cw_engine *engine, struct cw_session *session)
{
    if (session->flags & CW_SESSION_FLUSHED)
        return;
    session->flags |= CW_SESSION_FLUSHED;
    if (engine->flushed_count == engine->flushed_capacity) {
        engine->flushed_capacity = engine->flushed_capacity ? 2 * engine->flushed_capacity : FIRST_LINKS;
        engine->flushed = mem_resize(engine->flushed, engine->flushed_capacity * sizeof(link_id));
    }
    engine->flushed[engine->flushed_count++] = session->link;
    effect_flush(engine->effects, session->link);
}

static const struct cw_output_limit *output_limit(const struct cw_engine *engine, const struct cw_session *session)
{
    enum cw_output_class class = CW_OUTPUT_NORMAL;
    if (session->kind == CW_LINK_REPLICA)
        class = CW_OUTPUT_REPLICA;
    else if (session->flags & CW_SESSION_IN_PUBSUB)
        class = CW_OUTPUT_PUBSUB;
    return &engine->settings.output.of[class];
}

size_t cw_session_output_most(const struct cw_engine *engine, const struct cw_session *session)
{
    size_t hard = output_limit(engine, session)->hard;
    size_t all = session->kind == CW_LINK_CLIENT ? cw_client_memory_most(engine) : SIZE_MAX;
    return hard > 0 && hard < all ? hard : all;
}

static void judge_output(struct cw_engine *engine, struct cw_session *session)
{
    const struct cw_output_limit *limit = output_limit(engine, session);
    size_t length = buf_length(&session->out);
    bool exceeded = cw_output_limit_exceeded(limit, length, engine->now_ns, &session->soft_since_ns) ||
                    length >= cw_session_output_most(engine, session);
    if (exceeded) {
        session->flags |= CW_SESSION_CLOSING | CW_SESSION_OVERFLOWN;
        cw_session_touch(engine, session);
        engine->turn_wanted = true; /* this one's sessions may have been looked through already */
    }
    if (exceeded || session->soft_since_ns == 0)
        list_remove(&session->soft);
    else if (list_is_empty(&session->soft))
        list_add_last(&engine->soft, &session->soft);
    cw_client_memory_note(engine, session);
}

void cw_session_check_output(struct cw_engine *engine, struct cw_session *session)
{
    if (UNLIKELY(buf_length(&session->out) >= engine->settings.output.least))
        judge_output(engine, session);
}

void cw_sessions_check_soft_limits(struct cw_engine *engine)
{
    LIST_FOR_EACH(node, &engine->soft)
    judge_output(engine, LIST_ENTRY(node, struct cw_session, soft));
}

void cw_session_push(struct cw_engine *engine, struct cw_session *session, struct slice bytes)
{
    if (session->flags & CW_SESSION_CLOSING)
        return;
    if (session == engine->executing) {
        if (buf_length(&engine->pushes) < cw_session_output_most(engine, session)) /* or it is closed for it anyway */
            buf_add_slice(&engine->pushes, bytes);
        return;
    }
    buf_add_slice(small_out(engine, session), bytes);
    session->flags &= ~(uint32_t)CW_SESSION_UNGATED;
    cw_session_flush(engine, session);
    cw_session_check_output(engine, session);
}

void cw_session_sent(struct cw_engine *engine, struct cw_session *session, size_t count)
{
    engine->statistics.writes++;
    engine->statistics.output_bytes += count;
    session->sent_bytes += count;
    buf_consume(&session->out, count);
    if (buf_length(&session->out) == 0) {
        cw_session_give_back_output(engine, session);
        if (list_is_empty(&session->ready) && !(session->flags & CW_SESSION_WAITING))
            session->waiting_since_ns = 0;
    }
    cw_client_memory_note(engine, session);
}

/* --- replies that wait for an acknowledgement --- */

static bool is_held(const struct cw_engine *engine, const struct cw_session *session)
{
    return session->kind == CW_LINK_CLIENT && !(session->flags & CW_SESSION_UNGATED) &&
           cw_engine_released(engine) != CW_RELEASED_ALL;
}

/* Which of out waits, was decided when the step that wrote it ended: what stands behind the last mark is free. */
struct slice cw_session_releasable(const struct cw_engine *engine, struct cw_session *session)
{
    struct slice out = buf_slice(&session->out);
    struct cw_marks *marks = session->marks;
    if (LIKELY(marks == NULL) || !is_held(engine, session))
        return out;
    cw_marks_release(marks, cw_engine_released(engine));
    if (marks->count == 0)
        return out;
    uint64_t free = marks->free_until > session->sent_bytes ? marks->free_until - session->sent_bytes : 0;
    return slice_of(out.data, (size_t)free);
}

static void forget_marks(struct cw_session *session)
{
    list_remove(&session->held);
    mem_free(session->marks);
    session->marks = NULL;
}

static void drain_now(struct cw_engine *engine, struct cw_session *session)
{
    session->flags &= ~(uint32_t)CW_SESSION_DRAIN_DUE;
    effect_drain(engine->effects, session->link);
}

static bool is_told_held(const struct cw_engine *engine, const struct cw_session *session)
{
    return !(session->flags & CW_SESSION_ATTACHED) ||
           (session->told_held_ns > 0 && engine->now_ns - session->told_held_ns < TELL_HELD_NS);
}

void cw_session_tell_held(struct cw_engine *engine, struct cw_session *session)
{
    if (is_told_held(engine, session))
        return;
    session->told_held_ns = engine->now_ns;
    cw_session_push(engine, session, SLICE_LITERAL(">1\r\n$12\r\nrespite-held\r\n"));
}

void cw_session_shows(struct cw_session *session, size_t before, bool is_first, uint64_t offset)
{
    uint64_t position = session->sent_bytes + before;
    if (is_first) {
        session->shown_bytes = position;
        session->shown_offset = 0;
    }
    if (session->shown_bytes != position)
        return;
    session->shown_bytes = session->sent_bytes + buf_length(&session->out);
    session->shown_offset = offset > session->shown_offset ? offset : session->shown_offset;
}

/* At the end of a step: what it added to out shows the stream as it is now, unless all of it is known to show less. */
static void mark(struct cw_engine *engine, struct cw_session *session)
{
    uint64_t position = session->sent_bytes + buf_length(&session->out);
    uint64_t offset = session->shown_bytes == position ? session->shown_offset : cw_repl_offset(engine->repl);
    if (position <= session->marked_bytes)
        return;
    session->marked_bytes = position;
    if (session->marks == NULL && offset <= cw_engine_released(engine))
        return;
    if (session->marks == NULL) {
        session->marks = mem_zero(sizeof(*session->marks));
        list_add_last(&engine->held, &session->held);
    }
    cw_session_tell_held(engine, session);
    session->marked_bytes = session->sent_bytes + buf_length(&session->out);
    cw_marks_add(session->marks, session->marked_bytes, offset);
}

void cw_session_release(struct cw_engine *engine, struct cw_session *session, uint64_t released)
{
    bool any = cw_marks_release(session->marks, released);
    bool all = session->marks->count == 0;
    if (any && buf_length(&session->out) > 0)
        cw_session_flush(engine, session);
    if (!all)
        return;
    forget_marks(session);
    if (session->flags & CW_SESSION_DRAIN_DUE)
        drain_now(engine, session);
}

/* --- WAIT --- */

void cw_session_resume(struct cw_engine *engine, struct cw_session *session)
{
    list_remove(&session->waiting);
    session->waits_for_shutdown = false;
    session->flags &= ~(uint32_t)CW_SESSION_WAITING;
    cw_session_flush(engine, session);
    if (cw_session_has_input(session) && !(session->flags & CW_SESSION_CLOSING))
        list_add_last(&engine->ready, &session->ready);
}

void cw_session_end_wait_with_error(struct cw_engine *engine, struct cw_session *session)
{
    resp_write_error(cw_session_out(engine, session), SLICE_LITERAL("UNBLOCKED client unblocked via CLIENT UNBLOCK"));
    cw_session_resume(engine, session);
}

/* --- the end --- */

static void leave_lists(struct cw_engine *engine, struct cw_session *session)
{
    session->flags |= CW_SESSION_CLOSING;
    session->received = slice_of(NULL, 0);
    buf_clear(&session->kept);
    list_remove(&session->ready);
    list_remove(&session->touched);
    list_remove(&session->waiting);
    list_remove(&session->soft);
    list_remove(&session->monitor);
    if (session->flags & CW_SESSION_COUNTED) {
        session->flags &= ~(uint32_t)CW_SESSION_COUNTED;
        engine->clients--;
    }
    cw_pubsub_forget(engine->pubsub, session);
    cw_transaction_discard(engine, session);
    cw_tracking_forget(engine->tracking, session);
    cw_block_forget(engine, session);
}

static void bury(struct cw_engine *engine, struct cw_session *session)
{
    leave_lists(engine, session);
    list_remove(&session->held);
    cw_client_memory_forget(engine, session);
    engine->links[session->link] = NULL;
    engine->free_links[engine->free_count++] = session->link;
    list_remove(&session->all);
    list_add_last(&engine->dead, &session->all);
}

void cw_session_close(struct cw_engine *engine, struct cw_session *session)
{
    if (engine->links[session->link] != session)
        return; /* closed already in this step */
    effect_close(engine->effects, session->link);
    bury(engine, session);
}

void cw_session_drain(struct cw_engine *engine, struct cw_session *session)
{
    if (session->flags & CW_SESSION_CLOSING)
        return;
    leave_lists(engine, session);
    if (buf_length(&session->out) > 0 && is_held(engine, session)) {
        session->flags |= CW_SESSION_DRAIN_DUE;
        cw_session_flush(engine, session);
    } else {
        effect_drain(engine->effects, session->link);
    }
}

void cw_session_closed(struct cw_engine *engine, struct cw_session *session)
{
    switch (session->kind) {
    case CW_LINK_REPLICA:
    case CW_LINK_MASTER: cw_repl_link_closed(engine->repl, session->link); break;
    case CW_LINK_CLIENT:
    case CW_LINK_FREE: break;
    }
    if (engine->links[session->link] == session)
        bury(engine, session);
}

void cw_session_abort(struct cw_engine *engine, struct cw_session *session)
{
    effect_close(engine->effects, session->link);
    cw_session_closed(engine, session);
}

void cw_sessions_end_step(struct cw_engine *engine)
{
    bool is_gated = engine->flushed_count > 0 && cw_engine_released(engine) != CW_RELEASED_ALL;
    for (uint32_t i = 0; i < engine->flushed_count; i++) {
        struct cw_session *session = engine->links[engine->flushed[i]];
        if (session == NULL)
            continue;
        if (UNLIKELY(is_gated) && is_held(engine, session))
            mark(engine, session);
        session->flags &= ~(uint32_t)CW_SESSION_FLUSHED; /* what is added here needs no flush of its own */
        if (UNLIKELY(session->flags & CW_SESSION_DRAIN_DUE) && session->marks == NULL)
            drain_now(engine, session);
        cw_client_memory_note(engine, session);
    }
    engine->flushed_count = 0;
    LIST_FOR_EACH(node, &engine->dead)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session == engine->long_command.session)
            continue; /* its command still runs */
        cw_session_give_back_output(engine, session);
        list_remove(node);
        free_session(session);
    }
}

void cw_sessions_free_all(struct cw_engine *engine)
{
    LIST_FOR_EACH(node, &engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        cw_pubsub_forget(engine->pubsub, session);
        cw_transaction_discard(engine, session);
        cw_tracking_forget(engine->tracking, session);
        cw_block_forget(engine, session);
        list_remove(node);
        free_session(session);
    }
    while (engine->spare_count > 0)
        buf_free(&engine->spare_buffers[--engine->spare_count]);
    while (engine->small_count > 0)
        buf_free(&engine->small_buffers[--engine->small_count]);
    mem_free(engine->links);
    mem_free(engine->free_links);
    mem_free(engine->flushed);
}

/* --- CLIENT LIST --- */

static void describe_flags(const struct cw_session *session, struct buf *out)
{
    size_t before = buf_length(out);
    if (session->kind == CW_LINK_REPLICA)
        buf_add_text(out, "S");
    if (session->kind == CW_LINK_MASTER)
        buf_add_text(out, "M");
    if (!list_is_empty(&session->monitor))
        buf_add_text(out, "O");
    if (session->subscriber != NULL)
        buf_add_text(out, "P");
    if (session->flags & CW_SESSION_IN_MULTI)
        buf_add_text(out, "x");
    if (session->flags & CW_SESSION_WAITING)
        buf_add_text(out, "b");
    if (session->flags & CW_SESSION_TRACKING)
        buf_add_text(out, "t");
    if (cw_tracking_mode(session) & CW_TRACKING_BROKEN)
        buf_add_text(out, "R");
    if (cw_tracking_mode(session) & CW_TRACKING_BCAST)
        buf_add_text(out, "B");
    if (session->transaction != NULL && session->transaction->is_spoiled)
        buf_add_text(out, "d");
    if (session->flags & CW_SESSION_CLOSING)
        buf_add_text(out, "c");
    if (session->flags & CW_SESSION_NO_EVICT)
        buf_add_text(out, "e");
    if (session->flags & CW_SESSION_NO_TOUCH)
        buf_add_text(out, "T");
    if (buf_length(out) == before)
        buf_add_text(out, "N");
}

void cw_session_describe_address(const struct address *address, struct buf *out)
{
    if (address->host[0] == '/')
        buf_add_format(out, "%s:0", address->host);
    else
        buf_add_format(out, strchr(address->host, ':') ? "[%s]:%u" : "%s:%u", address->host, address->port);
}

void cw_session_describe(const struct cw_engine *engine, const struct cw_session *session, bool asks, struct buf *out)
{
    size_t input_length = buf_length(&session->kept) + (asks ? session->last_used : 0);
    size_t output_length = buf_length(&session->out);
    bool in_multi = session->flags & CW_SESSION_IN_MULTI;
    buf_add_format(out, "id=%" PRIu64 " addr=", session->id);
    cw_session_describe_address(&session->peer, out);
    buf_add_text(out, " laddr=");
    cw_session_describe_address(&engine->config.data, out);
    buf_add_format(out, " fd=-1 name=%s age=%" PRId64 " idle=%" PRId64 " flags=", session->name ? session->name : "",
                   (engine->now_ns - session->connected_ns) / NS_PER_S,
                   (engine->now_ns - session->active_ns) / NS_PER_S);
    describe_flags(session, out);
    buf_add_format(
        out,
        " db=%u sub=%zu psub=%zu ssub=%zu multi=%" PRId64 " qbuf=%zu qbuf-free=%zu argv-mem=0 multi-mem=%zu rbs=0 "
        "rbp=0 obl=%zu oll=0 omem=%zu tot-mem=%zu events=r cmd=%s user=%s redir=%" PRId64 " resp=%d lib-name=%s "
        "lib-ver=%s\n",
        session->database, cw_pubsub_count_of(session, CW_TOPIC_CHANNEL), cw_pubsub_count_of(session, CW_TOPIC_PATTERN),
        cw_pubsub_count_of(session, CW_TOPIC_SHARD_CHANNEL), in_multi ? (int64_t)session->transaction->count : -1,
        input_length, session->kept.capacity - buf_length(&session->kept),
        in_multi ? cw_transaction_queued_bytes(session->transaction) : 0, output_length,
        output_length > 0 ? session->out.capacity : 0, cw_session_memory(session),
        session->last_command ? session->last_command->full_name : "NULL", session->user->name,
        session->flags & CW_SESSION_TRACKING ? (int64_t)cw_tracking_redirect(session) : -1, session->protocol,
        session->library_name ? session->library_name : "", session->library_version ? session->library_version : "");
}
