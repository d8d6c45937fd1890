/* listener.h: a socket that others connect to.
 *
 * Bound early, so that a busy port ends the start before anything else happened; listening only when the core is ready
 * to be asked. Options set here (TCP_NODELAY, keepalive, TCP_USER_TIMEOUT) are inherited by what is accepted. */
#ifndef COMMON_SHELL_LISTENER_H
#define COMMON_SHELL_LISTENER_H

#include "common/base/door.h"
#include "common/shell/libevent.h"
#include "common/shell/net_address.h"

enum { LISTENER_BACKLOG = 511, LISTENER_PAUSE_MS = 100 };

enum listener_sharing {
    LISTENER_ALONE,
    LISTENER_FIRST, /* the first of several threads' sockets on one port (SO_REUSEPORT) */
    LISTENER_FURTHER,
};

struct listener {
    int fd;     /* owned; -1: closed */
    int number; /* the core's */
    struct address address;
    void (*on_ready)(struct listener *listener);
    void *context; /* borrowed; of on_ready */
    struct libevent_event read_event;
    struct libevent_event pause_event;
    bool started;
};

/* user_timeout_ms: of accepted links; 0 leaves the kernel's. On an error `why` got a sentence that names the address.
 */
MUST_CHECK int listener_bind(struct listener *listener, const struct address *address, int number,
                             enum listener_sharing sharing, uint32_t user_timeout_ms, struct buf *why);

/* Listens; on_ready is called from the loop whenever somebody waits. The listener must not be moved from here on. */
MUST_CHECK int listener_start(struct listener *listener, struct event_base *base,
                              void (*on_ready)(struct listener *listener), void *context, struct buf *why);

/* The next waiting connection, non-blocking. ERR_NOT_FOUND: nobody waits. ERR_TOO_BIG: out of descriptors or memory;
 * the listener then rests for LISTENER_PAUSE_MS, because the kernel would report it readable without end. */
MUST_CHECK int listener_accept(struct listener *listener, int *ret_fd, struct net_address *ret_peer);

void listener_close(struct listener *listener); /* removes a unix path; twice is harmless */

#endif
