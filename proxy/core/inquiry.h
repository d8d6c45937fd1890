/* inquiry.h: what one thread of a proxy asks the others: CLIENT LIST, KILL and UNBLOCK concern the clients of all.
 *
 * A letter goes to each other thread, which looks among its own clients, writes what it finds into the letter and sends
 * it back. Threads share the inboxes and nothing else: a letter belongs to who sent it until it is in an inbox, and
 * from then on to who takes it out. The session that asks waits meanwhile, as for a reply, and is answered when all
 * letters are back, or after 5 s. */
#ifndef PROXY_CORE_INQUIRY_H
#define PROXY_CORE_INQUIRY_H

#include "common/base/list.h"
#include "proxy/core/clients.h"

struct px_request;
struct px_session;

struct px_inquiry {
    struct list node;           /* in proxy->inquiries, the oldest first */
    struct px_session *session; /* borrowed; it owns this */
    uint64_t number;
    unsigned awaited; /* letters that are not back */
    int64_t until_ns;
    struct buf request; /* owned; an array of bulk strings */
    struct px_finding finding;
};

/* Asks them; the finding, of this thread's clients, is taken over. Nothing is outstanding. */
void px_inquiry_begin(struct px_session *session, const struct px_request *request, const struct px_finding *finding);

/* The session ends: answers that still come are for nobody. */
void px_inquiry_cancel(struct px_session *session);

/* Reads the letters that have come. */
void px_inquiries_turn(struct px_proxy *proxy);
int64_t px_inquiries_deadline(const struct px_proxy *proxy);

#endif
