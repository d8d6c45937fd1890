/* clients.h: CLIENT LIST, INFO, KILL and UNBLOCK, which concern clients at large.
 *
 * What is asked is judged once, by the session that asks; then each thread looks among its own clients, and what they
 * found is put together. So nothing here but the last step knows of the session that asks, except its id. */
#ifndef PROXY_CORE_CLIENTS_H
#define PROXY_CORE_CLIENTS_H

#include "common/base/buf.h"
#include "proxy/core/proxy.h"

struct px_session;

/* What was found so far. Zeroed: nothing. */
struct px_finding {
    struct buf lines;   /* owned; LIST */
    uint64_t count;     /* KILL: closed; UNBLOCK: 1 when it has been done */
    uint64_t worker_id; /* UNBLOCK: whom to name to the worker; 0: nobody, */
    uint64_t epoch;     /* and of which epoch that worker is master */
    bool is_self;       /* KILL: who asks is one of them */
};

/* Of LIST, KILL and UNBLOCK: true when it can be looked for. Otherwise the error is written. */
MUST_CHECK bool px_clients_judge(const struct slice *argv, size_t argc, struct buf *error);

/* Looks among this thread's clients, and does it. `asks` is the id of the client that asks. */
void px_clients_look(struct px_proxy *proxy, const struct slice *argv, size_t argc, uint64_t asks,
                     struct px_finding *finding);

/* What another thread found counts, too. */
void px_finding_add(struct px_finding *finding, const struct px_finding *other);

/* The line of CLIENT LIST. */
void px_clients_describe(const struct px_session *session, struct buf *out);

#endif
