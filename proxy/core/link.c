#include "proxy/core/link.h"

#include "common/base/mem.h"
#include "common/resp/resp_writer.h"
#include "proxy/core/lanes.h"
#include "proxy/core/pool.h"
#include "proxy/core/session.h"
#include "proxy/core/subscriptions.h"

#define BACKOFF_MIN_NS (10 * NS_PER_MS)
#define BACKOFF_MAX_NS (320 * NS_PER_MS)
#define ATTACH_NS      (3 * NS_PER_S)
#define REFUSED_NS     NS_PER_S /* for the rest of the refusals */

enum { FIRST_SLOTS = 8 };

/* ---- the queue ---- */

static struct px_slot *slot_at(const struct px_link *link, uint32_t index)
{
    return &link->slots[(link->slot_head + index) & (link->slot_capacity - 1)];
}

static void push_slot(struct px_link *link, const struct px_slot *slot)
{
    if (link->slot_count == link->slot_capacity) {
        uint32_t capacity = link->slot_capacity ? 2 * link->slot_capacity : FIRST_SLOTS;
        struct px_slot *slots = mem_alloc(capacity * sizeof(struct px_slot));
        for (uint32_t i = 0; i < link->slot_count; i++)
            slots[i] = *slot_at(link, i);
        mem_free(link->slots);
        link->slots = slots;
        link->slot_capacity = capacity;
        link->slot_head = 0;
    }
    link->slot_count++;
    *slot_at(link, link->slot_count - 1) = *slot;
}

static struct px_slot pop_slot(struct px_link *link)
{
    struct px_slot slot = *slot_at(link, 0);
    link->slot_head = (link->slot_head + 1) & (link->slot_capacity - 1);
    link->slot_count--;
    buf_consume(&link->out, slot.length);
    link->written -= slot.length < link->written ? slot.length : link->written;
    if (link->state != PX_LINK_READY) {
        link->proxy->held_commands--;
        link->proxy->held_bytes -= slot.length;
    }
    if (UNLIKELY(px_parked_is_any(&link->parked)))
        px_parked_forget(&link->parked);
    return slot;
}

static void set_state(struct px_link *link, enum px_link_state state)
{
    struct px_proxy *proxy = link->proxy;
    if (link->state == PX_LINK_READY && state != PX_LINK_READY) {
        proxy->held_commands += link->slot_count;
        proxy->held_bytes += buf_length(&link->out);
        list_add_last(&proxy->unready, &link->unready);
    } else if (link->state != PX_LINK_READY && state == PX_LINK_READY) {
        proxy->held_commands -= link->slot_count;
        proxy->held_bytes -= buf_length(&link->out);
        list_remove(&link->unready);
    }
    link->state = state;
}

/* Answers what the worker is not asked any more, as far as it has come to the front. */
static void settle(struct px_link *link)
{
    while (link->slot_count > 0 && slot_at(link, 0)->answer != PX_ANSWER_NONE) {
        struct px_slot slot = pop_slot(link);
        px_session_answer(&slot);
    }
}

void px_link_forward(struct px_link *link, const struct px_slot *slot, struct slice bytes)
{
    CHECK(slot->length == bytes.length && bytes.length > 0);
    buf_add_slice(&link->out, bytes);
    push_slot(link, slot);
    if (UNLIKELY(link->state != PX_LINK_READY)) {
        link->proxy->held_commands++;
        link->proxy->held_bytes += bytes.length;
    } else if (list_is_empty(&link->dirty)) {
        list_add_last(&link->proxy->dirty_links, &link->dirty);
    }
}

/* On the link of reads: whether the front slot is asked again on the other one, where it stands behind the reads of its
 * client that were moved before. */
static bool move_head(struct px_link *link, bool is_refused)
{
    struct px_slot slot = *slot_at(link, 0);
    if (px_session_is_closed(slot.session) || !px_lanes_move(&slot.session->lanes, is_refused))
        return false;
    px_link_forward(link->beside, &slot, slice_of(link->out.memory + link->out.start, slot.length));
    pop_slot(link);
    return true;
}

/* ---- the fate of commands whose connection was lost: the table at the top of link.h ---- */

enum transaction_fate {
    TRANSACTION_NONE,
    TRANSACTION_KEPT, /* repeated as a whole */
    TRANSACTION_LOST, /* it began on the lost connection, and cannot be begun again */
};

struct fates {
    struct px_link *link;
    size_t end; /* offset behind the slot in question */
    enum transaction_fate transaction;
    bool watched; /* keys were watched on the lost connection */
};

/* A command can only have been executed once its last byte was written, and the worker did not refuse it. */
static bool may_be_executed(const struct px_link *link, const struct px_slot *slot, size_t end)
{
    return end <= link->written && !slot->refused;
}

/* Whether the EXEC of the transaction that begins at slot `index` may have been executed. */
static bool exec_may_be_executed(const struct px_link *link, uint32_t index, size_t end)
{
    for (uint32_t i = index + 1; i < link->slot_count; i++) {
        const struct px_slot *slot = slot_at(link, i);
        end += slot->length;
        if (slot->kind == PX_SLOT_EXEC)
            return may_be_executed(link, slot, end);
        if (slot->kind == PX_SLOT_DISCARD)
            return false;
    }
    return false;
}

static enum px_answer fate_of_transaction_end(struct fates *fates, const struct px_slot *slot, bool uncertain)
{
    enum transaction_fate transaction = fates->transaction;
    bool watched = fates->watched;
    fates->transaction = TRANSACTION_NONE;
    fates->watched = false;
    if (transaction == TRANSACTION_KEPT)
        return PX_ANSWER_NONE;
    if (slot->kind == PX_SLOT_DISCARD)
        return PX_ANSWER_OK;
    if (uncertain)
        return PX_ANSWER_UNCERTAIN;
    return watched ? PX_ANSWER_NULL : PX_ANSWER_EXECABORT;
}

/* What slot `index` is answered now; PX_ANSWER_NONE: it stays queued. */
static enum px_answer fate_of(struct fates *fates, uint32_t index)
{
    struct px_link *link = fates->link;
    const struct px_slot *slot = slot_at(link, index);
    bool uncertain = may_be_executed(link, slot, fates->end);
    switch ((enum px_slot_kind)slot->kind) {
    case PX_SLOT_WRITE:
        if (link->proxy->config.mutants & PX_MUTANT_REPEAT_WRITES)
            return PX_ANSWER_NONE;
        return uncertain ? PX_ANSWER_UNCERTAIN : PX_ANSWER_NONE;
    case PX_SLOT_UNBLOCK: {
        bool is_for_another = slot->database != (uint32_t)link->proxy->topology.epoch;
        return uncertain || is_for_another ? PX_ANSWER_UNCERTAIN : PX_ANSWER_NONE;
    }
    case PX_SLOT_BLOCKING: {
        bool did_nothing = index == 0 && link->parked.is_here;
        return uncertain && !did_nothing ? PX_ANSWER_UNCERTAIN : PX_ANSWER_NONE;
    }
    case PX_SLOT_MULTI: {
        bool lost = fates->watched || exec_may_be_executed(link, index, fates->end);
        fates->transaction = lost ? TRANSACTION_LOST : TRANSACTION_KEPT;
        return lost ? PX_ANSWER_OK : PX_ANSWER_NONE;
    }
    case PX_SLOT_QUEUED: return fates->transaction == TRANSACTION_LOST ? PX_ANSWER_QUEUED : PX_ANSWER_NONE;
    case PX_SLOT_EXEC:
    case PX_SLOT_DISCARD: return fate_of_transaction_end(fates, slot, uncertain);
    case PX_SLOT_UNWATCH: fates->watched = false; return PX_ANSWER_NONE;
    case PX_SLOT_READ:
    case PX_SLOT_BLOCKING_READ:
    case PX_SLOT_SELECT:
    case PX_SLOT_WATCH:
    case PX_SLOT_SUBSCRIPTION:
    case PX_SLOT_MONITOR:
    case PX_SLOT_TRACKING:
    case PX_SLOT_CACHING:
    case PX_SLOT_CLIENT:
    case PX_SLOT_LOGIN:
    case PX_SLOT_MAY: return PX_ANSWER_NONE;
    }
    return PX_ANSWER_NONE;
}

/* Gives every slot its fate, and leaves in the queue what the next connection shall carry or what is answered here. */
static void requeue(struct px_link *link)
{
    struct px_proxy *proxy = link->proxy;
    struct fates fates = {.link = link,
                          .transaction = link->transaction ? TRANSACTION_LOST : TRANSACTION_NONE,
                          .watched = link->watching};
    char *bytes = link->out.memory != NULL ? link->out.memory + link->out.start : NULL;
    size_t from = 0, to = 0;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < link->slot_count; i++) {
        struct px_slot slot = *slot_at(link, i);
        uint32_t length = slot.length;
        fates.end = from + length;
        if (slot.answer == PX_ANSWER_NONE) {
            slot.answer = fate_of(&fates, i) & 0xff;
            if (slot.answer != PX_ANSWER_NONE)
                slot.length = 0;
            else if (fates.end <= link->written)
                proxy->statistics.repeated++;
        }
        if (px_session_is_closed(slot.session)) {
            slot.length = 0;
            if (i == 0)
                px_parked_forget(&link->parked);
            px_session_forget_slot(slot.session);
        } else {
            if (slot.length > 0 && from != to)
                memmove(bytes + to, bytes + from, length);
            slot.refused = false;
            slot.confirmed = 0;
            *slot_at(link, kept++) = slot;
        }
        from += length;
        to += slot.length;
    }
    proxy->held_commands -= link->slot_count - kept;
    proxy->held_bytes -= from - to;
    link->slot_count = kept;
    link->out.end = link->out.start + to;
    link->written = 0;
    link->parked.is_here = false;
    if (link->owner != NULL)
        px_session_lost_state(link->owner, fates.transaction == TRANSACTION_LOST, fates.watched);
    link->transaction = link->watching = false;
}

static void forget_connection(struct px_link *link)
{
    px_port_give(link->proxy, link->id);
    link->id = LINK_NONE;
    link->epoch = 0;
    list_remove(&link->dirty);
    set_state(link, PX_LINK_CLOSED);
    buf_free(&link->greeting);
    buf_free(&link->partial);
    link->partial_dropped = false;
    link->frame = (struct resp_frame){0};
    link->swallow = 0;
    link->answered = 0;
    link->answered_bytes = 0;
    link->backoff_ns = link->backoff_ns ? 2 * link->backoff_ns : BACKOFF_MIN_NS;
    if (link->backoff_ns > BACKOFF_MAX_NS)
        link->backoff_ns = BACKOFF_MAX_NS;
    /* The links of many proxies lose the same master at the same moment. */
    link->retry_ns = link->proxy->now_ns + rand_between(&link->proxy->rand, link->backoff_ns / 2, link->backoff_ns);
}

/* What was sent long ago has not been held for that long. Who is refused again and again is, though. */
static void note_loss(struct px_link *link)
{
    bool was_ready = link->state == PX_LINK_READY || link->state == PX_LINK_REFUSED;
    if (was_ready && link->proxy->now_ns - link->ready_ns >= link->proxy->config.hold_timeout_ns)
        link->lost_ns = link->proxy->now_ns;
}

/* The connection is gone. */
static void lose(struct px_link *link)
{
    if (link->owner != NULL && (link->state == PX_LINK_READY || link->state == PX_LINK_REFUSED))
        px_session_lost_tracking(link->owner);
    note_loss(link);
    forget_connection(link);
    requeue(link);
    settle(link);
}

static void hang_up(struct px_link *link)
{
    effect_close(link->proxy->effects, link->id);
    lose(link);
}

static bool is_spare(const struct px_link *link)
{
    return link->is_private && link->owner == NULL;
}

/* ---- opening ---- */

struct px_link *px_link_create(struct px_proxy *proxy, struct px_pool *pool, struct px_session *owner)
{
    struct px_link *link = mem_zero(sizeof(*link));
    link->proxy = proxy;
    link->pool = pool;
    link->owner = owner;
    link->is_private = owner != NULL;
    link->id = LINK_NONE;
    link->retry_ns = INT64_MIN;
    link->lost_ns = INT64_MIN;
    list_init(&link->dirty);
    list_init(&link->spare);
    list_add_last(&proxy->links, &link->node);
    list_add_last(&proxy->unready, &link->unready);
    return link;
}

void px_link_destroy(struct px_link *link)
{
    if (link == NULL)
        return;
    if (link->id != LINK_NONE) {
        if (link->proxy->effects != NULL)
            effect_close(link->proxy->effects, link->id);
        forget_connection(link);
    }
    while (link->slot_count > 0) {
        struct px_slot slot = pop_slot(link);
        px_session_forget_slot(slot.session);
    }
    if (!list_is_empty(&link->spare)) {
        list_remove(&link->spare);
        link->pool->spare_count--;
    }
    list_remove(&link->node);
    list_remove(&link->unready);
    mem_free(link->slots);
    buf_free(&link->out);
    px_parked_free(&link->parked);
    mem_free(link);
}

static void connect_now(struct px_link *link)
{
    struct px_proxy *proxy = link->proxy;
    link->id = px_port_take(proxy, PX_PORT_BACKEND, link);
    set_state(link, PX_LINK_CONNECTING);
    link->attach_ns = proxy->now_ns + 2 * ATTACH_NS;
    effect_connect(proxy->effects, link->id, &proxy->master_address);
}

/* Whose commands it carries; NULL: of clients who have said no name, and needed none. */
static const char *user_of(const struct px_link *link)
{
    if (link->pool->user != NULL)
        return link->pool->user->name;
    return link->proxy->config.requirepass.length > 0 ? "default" : NULL;
}

void px_link_opened(struct px_link *link)
{
    struct px_proxy *proxy = link->proxy;
    const struct life *life = &proxy->topology.master;
    struct buf *out = &link->greeting;
    char node[IDENTITY_TEXT_LENGTH + 1];
    identity_format(&life->node, node);

    set_state(link, PX_LINK_ATTACHING);
    link->epoch = proxy->topology.epoch;
    link->attach_ns = proxy->now_ns + ATTACH_NS;
    link->greeting_replies = 1;
    const char *user = user_of(link);
    resp_write_array(out, user != NULL ? 8 : 7);
    resp_write_bulk_text(out, "RESPITE");
    resp_write_bulk_text(out, "ATTACH");
    resp_write_bulk(out, proxy->config.secret);
    resp_write_bulk_u64(out, proxy->topology.epoch);
    resp_write_bulk_text(out, node);
    resp_write_bulk_u64(out, life->incarnation);
    resp_write_bulk_u64(out, life->bits);
    if (user != NULL)
        resp_write_bulk_text(out, user);
    if (link->pool->protocol == 3) {
        link->greeting_replies++;
        buf_add_text(out, "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n");
    }
    uint32_t database = link->owner ? link->owner->database : link->pool->database;
    if (database != 0) {
        link->greeting_replies++;
        resp_write_array(out, 2);
        resp_write_bulk_text(out, "SELECT");
        resp_write_bulk_u64(out, database);
    }
    if (link->is_for_reads) {
        link->greeting_replies++;
        buf_add_text(out, "*2\r\n$7\r\nRESPITE\r\n$5\r\nREADS\r\n");
    }
    if (link->owner != NULL && link->owner->state == PX_SESSION_MONITORING) {
        link->greeting_replies++;
        buf_add_text(out, "*1\r\n$7\r\nMONITOR\r\n");
    }
    if (link->owner != NULL && px_session_tracks(link->owner))
        link->greeting_replies += px_tracking_write(link->owner->tracking, out);
    if (link->owner != NULL && link->owner->subscriptions != NULL)
        link->swallow = px_subscriptions_write(link->owner->subscriptions, out);
    effect_flush(proxy->effects, link->id);
}

/* The command at the front waited in another worker: it asks for the rest of its time, from where it was. */
static void resume_parked(struct px_link *link)
{
    struct px_proxy *proxy = link->proxy;
    struct px_slot *head = slot_at(link, 0);
    struct buf out = {0};
    px_parked_write(&link->parked, &proxy->limits, proxy->now_ns, &out);
    size_t length = buf_length(&out);
    buf_add_slice(&out, slice_skip(buf_slice(&link->out), head->length));
    proxy->held_bytes += length - head->length;
    head->length = (uint32_t)length;
    buf_free(&link->out);
    link->out = out;
}

static void become_ready(struct px_link *link)
{
    requeue(link); /* drops what waited for clients that have gone */
    if (px_parked_is_any(&link->parked))
        resume_parked(link);
    link->backoff_ns = 0;
    link->ready_ns = link->proxy->now_ns;
    set_state(link, PX_LINK_READY);
    settle(link);
    if (buf_length(&link->out) > 0 && list_is_empty(&link->dirty))
        list_add_last(&link->proxy->dirty_links, &link->dirty);
}

/* ---- replies ---- */

static bool is_refusal(struct slice frame)
{
    static const struct slice refusals[] = {{"-NOTMASTER", 10}, {"-READONLY", 9}, {"-LOADING", 8}, {"-MASTERDOWN", 11}};
    static const struct slice migrating = SLICE_LITERAL("-READONLY migrating"); /* the master's own word */
    if (LIKELY(frame.data[0] != '-'))
        return false;
    if (frame.length > migrating.length && memcmp(frame.data, migrating.data, migrating.length) == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++)
        if (frame.length > refusals[i].length && memcmp(frame.data, refusals[i].data, refusals[i].length) == 0)
            return true;
    return false;
}

static bool violation(struct px_link *link, const char *what)
{
    effect_log(link->proxy->effects, LOG_LEVEL_WARNING, "the master's link is closed: %s", what);
    hang_up(link);
    return false;
}

/* The first slot without an answer, of those that were written in full; NULL: all of them have one. */
static struct px_slot *first_unanswered(struct px_link *link)
{
    while (link->answered < link->slot_count && slot_at(link, link->answered)->answer != PX_ANSWER_NONE)
        link->answered++;
    if (link->answered == link->slot_count)
        return NULL;
    struct px_slot *slot = slot_at(link, link->answered);
    return link->answered_bytes + slot->length <= link->written ? slot : NULL;
}

/* A reply on a link that has refused. An answer that is no refusal counts as none: commands of a session must not
 * overtake the refused one that stands before them. */
static bool take_after_refusal(struct px_link *link, struct slice frame)
{
    if (frame.data[0] == '>')
        return true; /* a push is no answer */
    struct px_slot *slot = first_unanswered(link);
    if (slot != NULL) {
        slot->refused = is_refusal(frame) || (frame.length > 10 && memcmp(frame.data, "-EXECABORT", 10) == 0);
        link->answered++;
        link->answered_bytes += slot->length;
    }
    if (first_unanswered(link) != NULL)
        return true;
    hang_up(link);
    return false;
}

/* Sessions that the worker will not have any more: of a user that is gone, or that may not hear what it listens to. */
static void doom_refused(struct px_link *link, struct slice frame)
{
    static const struct slice gone = SLICE_LITERAL("-WRONGPASS "), forbidden = SLICE_LITERAL("-NOPERM ");
    if (link->owner != NULL && frame.length > forbidden.length &&
        memcmp(frame.data, forbidden.data, forbidden.length) == 0)
        px_session_doom(link->owner, "its user may not do this any more");
    if (link->pool->user == NULL || frame.length <= gone.length || memcmp(frame.data, gone.data, gone.length) != 0)
        return;
    LIST_FOR_EACH(node, &link->proxy->sessions)
    {
        struct px_session *session = LIST_ENTRY(node, struct px_session, node);
        if (session->user == link->pool->user)
            px_session_doom(session, "its user is gone");
    }
}

static bool take_greeting(struct px_link *link, struct slice frame)
{
    if (frame.data[0] == '>')
        return true;
    if (frame.data[0] == '-') {
        doom_refused(link, frame);
        effect_log(link->proxy->effects, LOG_LEVEL_INFO, "the worker does not let the proxy attach: %.*s",
                   (int)(frame.length > 80 ? 80 : frame.length - 2), frame.data + 1);
        hang_up(link);
        return false;
    }
    if (--link->greeting_replies == 0)
        become_ready(link);
    return true;
}

static void note_state(struct px_link *link, const struct px_slot *slot, struct slice frame)
{
    bool is_error = frame.data[0] == '-';
    switch ((enum px_slot_kind)slot->kind) {
    case PX_SLOT_MULTI: link->transaction = !is_error; break;
    case PX_SLOT_EXEC:
    case PX_SLOT_DISCARD: link->transaction = link->watching = false; break;
    case PX_SLOT_WATCH: link->watching = link->watching || !is_error; break;
    case PX_SLOT_UNWATCH: link->watching = false; break;
    default: break;
    }
}

static bool is_blocking(const struct px_slot *slot)
{
    return slot->kind == PX_SLOT_BLOCKING || slot->kind == PX_SLOT_BLOCKING_READ;
}

/* The worker has parked the command at the front. */
static void take_parked(struct px_link *link, struct slice frame)
{
    if (link->slot_count > 0 && is_blocking(slot_at(link, 0)) && slot_at(link, 0)->length <= link->written)
        px_parked_take(&link->parked, frame, &link->proxy->limits, link->proxy->now_ns);
    if (px_parked_is_any(&link->parked) && link->owner != NULL)
        px_session_parked(link->owner);
}

/* A frame of a subscription or a message: true when it was one. */
static bool take_push(struct px_link *link, struct slice frame)
{
    struct px_session *owner = link->owner;
    struct px_slot *head = link->slot_count > 0 ? slot_at(link, 0) : NULL;
    if (owner->state == PX_SESSION_MONITORING && frame.data[0] == '+' && head == NULL) {
        px_session_push(owner, frame);
        return true;
    }
    bool subscribing = head != NULL && head->kind == PX_SLOT_SUBSCRIPTION;
    if (frame.data[0] == '>' && px_parked_is_said(frame)) {
        take_parked(link, frame);
        return true;
    }
    struct px_push push;
    bool may_be_message = owner->protocol == 2 && (subscribing || owner->subscriptions != NULL);
    if (frame.data[0] != '>' && (frame.data[0] != '*' || !may_be_message))
        return false;
    if (!px_push_parse(frame, &push))
        return false;
    if (push.kind == PX_PUSH_MESSAGE) {
        px_session_push(owner, frame);
        return true;
    }
    if (push.kind == PX_PUSH_SUBSCRIBED && link->swallow > 0) {
        link->swallow--;
        return true;
    }
    px_session_confirm(owner, &push);
    if (!subscribing) {
        px_session_push(owner, frame);
        return true;
    }
    head->confirmed++;
    if (head->confirmed > head->seen) {
        head->seen = head->confirmed;
        px_session_push(owner, frame);
    }
    if (head->confirmed == head->confirmations) {
        struct px_slot slot = pop_slot(link);
        px_session_finish(&slot);
    }
    return true;
}

/* False when the connection was closed. */
static bool take_frame(struct px_link *link, struct slice frame)
{
    if (UNLIKELY(link->state == PX_LINK_ATTACHING))
        return take_greeting(link, frame);
    if (UNLIKELY(link->state == PX_LINK_REFUSED))
        return take_after_refusal(link, frame);
    if (UNLIKELY(frame.data[0] == '>') && px_lanes_are_held(frame)) {
        px_pool_note_held(link->proxy, link->pool);
        return true;
    }
    if (link->is_private && take_push(link, frame))
        return true;
    if (UNLIKELY(frame.data[0] == '>'))
        return true; /* nobody asked for it */
    if (UNLIKELY(link->slot_count == 0 || slot_at(link, 0)->length > link->written))
        return violation(link, "a reply that nobody has asked for");
    if (UNLIKELY(is_refusal(frame))) {
        if (slot_at(link, 0)->scripted) {
            slot_at(link, 0)->answer = PX_ANSWER_UNCERTAIN;
            settle(link);
            return true;
        }
        set_state(link, PX_LINK_REFUSED);
        list_remove(&link->dirty);
        link->attach_ns = link->proxy->now_ns + REFUSED_NS;
        return take_after_refusal(link, frame);
    }
    if (UNLIKELY(link->is_for_reads) && move_head(link, px_lanes_are_refused(frame))) {
        settle(link);
        return true;
    }
    struct px_slot slot = pop_slot(link);
    if (link->is_private)
        note_state(link, &slot, frame);
    px_session_deliver(&slot, frame);
    settle(link);
    return true;
}

/* Keeps the beginning of a reply, unless it is already more than its client may have. */
static void keep_partial(struct px_link *link, struct slice bytes)
{
    if (link->partial_dropped)
        return;
    if (buf_length(&link->partial) + bytes.length <= link->proxy->config.client_output_max) {
        buf_add_slice(&link->partial, bytes);
        return;
    }
    buf_free(&link->partial);
    link->partial_dropped = true;
    struct px_session *reader = link->slot_count > 0 ? slot_at(link, 0)->session : link->owner;
    if (reader != NULL)
        px_session_doom(reader, "its output limit");
}

void px_link_received(struct px_link *link, struct slice bytes)
{
    if (is_spare(link) || link->state == PX_LINK_CONNECTING) {
        hang_up(link);
        if (is_spare(link))
            px_link_destroy(link);
        return;
    }
    while (bytes.length > 0) {
        size_t used = 0;
        bool began_before = link->frame.inside;
        int ended = resp_frame_scan(&link->frame, bytes, &link->proxy->limits, &used);
        if (ended < 0) {
            violation(link, "what arrived is not RESP");
            return;
        }
        struct slice frame = slice_of(bytes.data, used);
        bytes = slice_skip(bytes, used);
        if (ended == 0 || began_before)
            keep_partial(link, frame);
        if (ended == 0)
            return;
        if (began_before)
            frame = link->partial_dropped ? SLICE_LITERAL("_\r\n") : buf_slice(&link->partial);
        bool open = take_frame(link, frame);
        if (!open)
            return;
        if (began_before) {
            buf_clear(&link->partial);
            buf_shrink(&link->partial, PX_BUFFER_KEEP);
            link->partial_dropped = false;
        }
    }
}

void px_link_closed(struct px_link *link)
{
    lose(link);
    if (is_spare(link))
        px_link_destroy(link);
}

struct slice px_link_output(const struct px_link *link)
{
    if (UNLIKELY(buf_length(&link->greeting) > 0))
        return buf_slice(&link->greeting);
    if (link->state != PX_LINK_READY || buf_length(&link->out) == link->written)
        return slice_of(NULL, 0);
    return slice_skip(buf_slice(&link->out), link->written);
}

void px_link_sent(struct px_link *link, size_t count)
{
    if (UNLIKELY(buf_length(&link->greeting) > 0))
        buf_consume(&link->greeting, count);
    else
        link->written += count;
}

/* ---- time and switches ---- */

void px_links_switch(struct px_proxy *proxy)
{
    if (proxy->config.mutants & PX_MUTANT_ACCEPT_OLD_MASTER)
        return;
    LIST_FOR_EACH(node, &proxy->links)
    {
        struct px_link *link = LIST_ENTRY(node, struct px_link, node);
        if (link->id != LINK_NONE)
            hang_up(link);
        link->backoff_ns = 0;
        link->retry_ns = proxy->now_ns;
        if (is_spare(link))
            px_link_destroy(link);
    }
}

/* Until when the oldest command is held. What a worker parked waits for as long as it has asked to. */
static int64_t end_of_hold(const struct px_link *link)
{
    if (px_parked_is_any(&link->parked))
        return link->parked.until_ns;
    int64_t arrived_ns = slot_at(link, 0)->arrived_ns;
    return (arrived_ns > link->lost_ns ? arrived_ns : link->lost_ns) + link->proxy->config.hold_timeout_ns;
}

/* The oldest command has waited too long. A transaction is given up as a whole: without its MULTI, its commands must
 * not run. */
static void expire_head(struct px_link *link)
{
    struct px_slot *head = slot_at(link, 0);
    if (link->is_for_reads && move_head(link, false))
        return;
    bool in_transaction = head->kind == PX_SLOT_MULTI;
    head->answer = px_parked_is_any(&link->parked) ? PX_ANSWER_NULL : PX_ANSWER_TRYAGAIN;
    for (uint32_t i = 1; in_transaction && i < link->slot_count; i++) {
        struct px_slot *slot = slot_at(link, i);
        in_transaction = slot->kind == PX_SLOT_QUEUED;
        slot->answer = slot->kind == PX_SLOT_EXEC      ? PX_ANSWER_EXECABORT
                       : slot->kind == PX_SLOT_DISCARD ? PX_ANSWER_OK
                                                       : PX_ANSWER_TRYAGAIN;
    }
    if (in_transaction)
        px_session_lost_state(link->owner, true, false);
    settle(link);
}

bool px_link_end_wait(struct px_link *link, bool with_error)
{
    if (px_link_is_ready(link) || link->state == PX_LINK_REFUSED)
        return false;
    slot_at(link, 0)->answer = with_error ? PX_ANSWER_UNBLOCKED : PX_ANSWER_NULL;
    settle(link);
    return true;
}

static void turn_unready(struct px_link *link)
{
    struct px_proxy *proxy = link->proxy;
    if (link->state != PX_LINK_CLOSED && proxy->now_ns >= link->attach_ns)
        hang_up(link);
    while (link->state != PX_LINK_REFUSED && link->slot_count > 0 && proxy->now_ns >= end_of_hold(link))
        expire_head(link);
    if (link->state == PX_LINK_CLOSED && proxy->has_master && !proxy->stopping && proxy->now_ns >= link->retry_ns)
        connect_now(link);
}

void px_links_turn(struct px_proxy *proxy)
{
    LIST_FOR_EACH(node, &proxy->unready)
    turn_unready(LIST_ENTRY(node, struct px_link, unready));
}

int64_t px_links_deadline(const struct px_proxy *proxy)
{
    int64_t deadline = NEVER_NS;
    LIST_FOR_EACH(node, &proxy->unready)
    {
        const struct px_link *link = LIST_ENTRY(node, struct px_link, unready);
        int64_t next = link->attach_ns;
        if (link->state == PX_LINK_CLOSED)
            next = proxy->has_master && !proxy->stopping ? link->retry_ns : NEVER_NS;
        if (link->state != PX_LINK_REFUSED && link->slot_count > 0) {
            int64_t expiry = end_of_hold(link);
            next = expiry < next ? expiry : next;
        }
        deadline = next < deadline ? next : deadline;
    }
    return deadline;
}
