/* host.h: the world of one core: drives it through common/base/door.h over libevent and the kernel.
 *
 * One host is one thread: an event loop, a core, its links and listeners. A turn:
 *
 *     wait      one epoll_wait; each ready link is read once, up to 64 KiB, into the turn's arena
 *     clock     read once, after the bytes were (QUORUM section 2)
 *     deliver   one step per link that said something, new connections, completions
 *     turn      EVENT_TURN, in which the core executes
 *     clock     read again, after the last command was executed
 *     flush     output, write, sent for each link with output
 *
 * A link is read once per turn even if more is waiting: nobody starves, and a short read needs no second call to see
 * EAGAIN. When the arena is full the rest of the ready links comes first in the next turn.
 *
 * Beyond door.h: several FLUSHes of a link in a turn are one; EFFECT_CLOSE forgets a FLUSH before it in the same turn
 * (EFFECT_DRAIN is for last words); bytes read before EFFECT_PAUSE was emitted are still delivered in that turn. */
#ifndef COMMON_SHELL_HOST_H
#define COMMON_SHELL_HOST_H

#include "common/base/door.h"
#include "common/shell/listener.h"
#include "common/shell/log_sink.h"

/* TCP_USER_TIMEOUT of links that carry little (control, acknowledgements): a peer that takes no byte that long is gone.
 */
enum { HOST_USER_TIMEOUT_MS = 3000 };

struct host;

struct host_config {
    const struct door *door;    /* constant */
    void *core;                 /* owned by the host from here on */
    struct log_sink *log;       /* borrowed */
    struct listener *listeners; /* borrowed, bound; the host closes them */
    size_t listener_count;
    int directory_fd;         /* borrowed; where EFFECT_PERSIST writes; -1: it fails */
    uint32_t user_timeout_ms; /* of outbound links */
    bool tells_cpu;           /* EVENT_TURN has cpu_ns */
};

MUST_CHECK int host_create(const struct host_config *config, struct host **ret_host); /* ERR_IO; the core is kept */
void host_destroy(struct host *host);                                                 /* NULL is fine */

/* Runs until the core emits EFFECT_EXIT; returns the status. */
int host_run(struct host *host);

/* EVENT_STOP, soon, by SIGINT or by something else. From any thread. */
void host_stop(struct host *host, bool is_interrupt);

/* From here on EFFECT_WAKE of one's core gives each of the others' an EVENT_TURN. Before any runs; each may end first,
 * but all have ended before one is destroyed. The array is borrowed until then. */
void host_group(struct host **hosts, size_t count);

/* For what shares the first host's loop (signals). */
struct event_base *host_event_base(struct host *host);

#endif
