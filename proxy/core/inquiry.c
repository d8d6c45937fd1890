#include "proxy/core/inquiry.h"

#include "common/base/mem.h"
#include "proxy/core/session.h"

#include <stdatomic.h>

#define PATIENCE_NS (5 * NS_PER_S) /* a thread's turn is short */

struct px_letter {
    struct px_letter *next; /* in an inbox: the one that came before */
    unsigned sender;        /* the thread that asks */
    bool is_answer;
    uint64_t number;
    uint64_t asks;      /* the client's id */
    struct buf request; /* owned */
    struct px_finding finding;
};

/* ---- letters ---- */

static void free_letter(struct px_letter *letter)
{
    buf_free(&letter->request);
    buf_free(&letter->finding.lines);
    mem_free(letter);
}

static void put(struct px_shared *shared, unsigned thread, struct px_letter *letter)
{
    _Atomic(struct px_letter *) *inbox = &shared->inboxes[thread];
    letter->next = atomic_load_explicit(inbox, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(inbox, &letter->next, letter, memory_order_release,
                                                  memory_order_relaxed))
        ; /* another thread was quicker */
}

/* All that have come; the newest is the first. */
static struct px_letter *take_all(struct px_shared *shared, unsigned thread)
{
    if (atomic_load_explicit(&shared->inboxes[thread], memory_order_relaxed) == NULL)
        return NULL;
    return atomic_exchange_explicit(&shared->inboxes[thread], NULL, memory_order_acquire);
}

void px_shared_free(struct px_shared *shared)
{
    for (unsigned thread = 0; thread < PX_THREADS_MAX; thread++) {
        for (struct px_letter *letter = take_all(shared, thread), *next; letter != NULL; letter = next) {
            next = letter->next;
            free_letter(letter);
        }
    }
}

/* ---- asking ---- */

void px_inquiry_begin(struct px_session *session, const struct px_request *request, const struct px_finding *finding)
{
    struct px_proxy *proxy = session->proxy;
    struct px_shared *shared = proxy->config.shared;
    struct px_inquiry *inquiry = mem_zero(sizeof(*inquiry));
    inquiry->session = session;
    inquiry->number = ++proxy->last_inquiry;
    inquiry->until_ns = proxy->now_ns + PATIENCE_NS;
    inquiry->finding = *finding;
    buf_add_slice(&inquiry->request, request->bytes);
    list_add_last(&proxy->inquiries, &inquiry->node);
    session->inquiry = inquiry;
    session->outstanding++;
    for (unsigned thread = 0; thread < shared->thread_count; thread++) {
        if (thread == proxy->config.thread)
            continue;
        struct px_letter *letter = mem_zero(sizeof(*letter));
        letter->sender = proxy->config.thread;
        letter->number = inquiry->number;
        letter->asks = session->client_id;
        buf_add_slice(&letter->request, request->bytes);
        inquiry->awaited++;
        put(shared, thread, letter);
    }
    effect_wake(proxy->effects);
}

void px_inquiry_cancel(struct px_session *session)
{
    struct px_inquiry *inquiry = session->inquiry;
    if (inquiry == NULL)
        return;
    session->inquiry = NULL;
    session->outstanding--;
    list_remove(&inquiry->node);
    buf_free(&inquiry->request);
    buf_free(&inquiry->finding.lines);
    mem_free(inquiry);
}

/* The session hears what was found, or that somebody does not answer. */
static void finish(struct px_inquiry *inquiry, bool is_complete)
{
    struct px_session *session = inquiry->session;
    struct px_proxy *proxy = session->proxy;
    struct px_finding finding = inquiry->finding;
    struct buf request = inquiry->request;
    inquiry->finding = (struct px_finding){0};
    inquiry->request = (struct buf){0};
    px_inquiry_cancel(session);
    struct resp_request parsed = {0};
    int64_t length = resp_request_read(&parsed, buf_slice(&request), &proxy->limits);
    CHECK(length == (int64_t)buf_length(&request));
    px_session_found(session,
                     &(struct px_request){.argv = parsed.argv, .argc = parsed.argc, .bytes = buf_slice(&request)},
                     is_complete ? &finding : NULL);
    resp_request_free(&parsed);
    buf_free(&request);
    buf_free(&finding.lines);
}

/* ---- answering ---- */

static void answer(struct px_proxy *proxy, struct px_letter *letter)
{
    struct resp_request parsed = {0};
    int64_t length = resp_request_read(&parsed, buf_slice(&letter->request), &proxy->limits);
    CHECK(length == (int64_t)buf_length(&letter->request));
    px_clients_look(proxy, parsed.argv, parsed.argc, letter->asks, &letter->finding);
    resp_request_free(&parsed);
    letter->is_answer = true;
    put(proxy->config.shared, letter->sender, letter);
    effect_wake(proxy->effects);
}

static void take_answer(struct px_proxy *proxy, struct px_letter *letter)
{
    LIST_FOR_EACH(node, &proxy->inquiries)
    {
        struct px_inquiry *inquiry = LIST_ENTRY(node, struct px_inquiry, node);
        if (inquiry->number != letter->number)
            continue;
        px_finding_add(&inquiry->finding, &letter->finding);
        if (--inquiry->awaited == 0)
            finish(inquiry, true);
        break;
    }
    free_letter(letter);
}

/* In the order in which they came. */
static struct px_letter *turn_round(struct px_letter *letter)
{
    struct px_letter *first = NULL;
    while (letter != NULL) {
        struct px_letter *next = letter->next;
        letter->next = first;
        first = letter;
        letter = next;
    }
    return first;
}

void px_inquiries_turn(struct px_proxy *proxy)
{
    if (LIKELY(proxy->config.shared->thread_count < 2))
        return;
    struct px_letter *letter = turn_round(take_all(proxy->config.shared, proxy->config.thread));
    while (letter != NULL) {
        struct px_letter *next = letter->next;
        if (letter->is_answer)
            take_answer(proxy, letter);
        else
            answer(proxy, letter);
        letter = next;
    }
    while (px_inquiries_deadline(proxy) <= proxy->now_ns)
        finish(LIST_ENTRY(proxy->inquiries.next, struct px_inquiry, node), false);
}

int64_t px_inquiries_deadline(const struct px_proxy *proxy)
{
    if (list_is_empty(&proxy->inquiries))
        return NEVER_NS;
    return LIST_ENTRY(proxy->inquiries.next, const struct px_inquiry, node)->until_ns;
}
