/* conn.h: one open byte stream of a host, and the table of what carries it.
 *
 * tcp and unix sockets share their calls; TLS comes as another table behind the same ones. */
#ifndef COMMON_SHELL_CONN_H
#define COMMON_SHELL_CONN_H

#include "common/base/door.h"
#include "common/base/list.h"
#include "common/shell/libevent.h"

#include <sys/types.h>

struct conn;
struct host;

/* As read(2), write(2) and close(2): a count, 0 at the end of the stream, -1 with errno (EAGAIN: not now). */
struct transport {
    ssize_t (*read)(struct conn *conn, void *data, size_t capacity);
    ssize_t (*write)(struct conn *conn, struct slice bytes);
    void (*close)(struct conn *conn);
};

extern const struct transport transport_socket; /* tcp and unix */

enum conn_state { CONN_CONNECTING, CONN_OPEN, CONN_DRAINING };

struct conn {
    struct host *host;                 /* borrowed */
    const struct transport *transport; /* constant */
    int fd;                            /* owned */
    link_id link;
    enum conn_state state;
    bool accepted;     /* it came by a listener */
    bool ended;        /* the peer says no more: nothing is read, and the core goes on */
    bool paused;       /* the core wants nothing read */
    bool write_armed;  /* waiting for the kernel to take more */
    bool write_broken; /* nothing can be sent any more; what the peer sent before is still read */
    uint32_t ready;    /* 1 + index of its undelivered entry in the host's ready list; 0: none */
    int64_t drain_until_ns;
    struct list flush_node; /* in the host's list of links with output */
    struct libevent_event read_event;
    struct libevent_event write_event;
};

/* New non-blocking outbound socket that is being connected: keepalive, TCP_NODELAY, and TCP_USER_TIMEOUT so that a
 * silent peer is noticed. ERR_INVALID for a name, ERR_CONNECTION. */
MUST_CHECK int conn_socket_connect(const struct address *address, uint32_t user_timeout_ms, int *ret_fd);

/* What the attempt came to, once the socket is writable: 0 or ERR_CONNECTION. */
MUST_CHECK int conn_socket_result(int fd);

/* Keepalive after idle_s, every interval_s, five times. Accepted sockets have their listener's. */
void conn_socket_keepalive(int fd, int idle_s, int interval_s);

#endif
