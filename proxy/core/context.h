/* context.h: everything that one proxy core holds. All files of proxy/core see it; nobody else does. */
#ifndef PROXY_CORE_CONTEXT_H
#define PROXY_CORE_CONTEXT_H

#include "common/base/list.h"
#include "common/base/rand.h"
#include "common/base/throttle.h"
#include "common/command/command.h"
#include "common/ha/messages.h"
#include "common/resp/resp_reader.h"
#include "proxy/core/proxy.h"
#include "proxy/core/route.h"
#include "proxy/core/watch.h"

enum {
    PX_WHEEL_BUCKETS = 256,
    PX_REFUSED_MAX = 128,         /* connections over the limit that are being told so at the same time */
    PX_PIPELINE_MAX = 1024,       /* commands of one session without a reply */
    PX_LINK_BYTES_MAX = 16 << 20, /* of requests on one link; beyond it a session waits for its own replies first */
    PX_OUTPUT_HIGH = 256 << 10,   /* a client that has this much unread is not read from */
    PX_OUTPUT_LOW = 64 << 10,
    PX_INPUT_HIGH = 64 << 10,                /* nor one whose commands wait, and has sent this much more */
    PX_UNAUTHENTICATED_OUTPUT_MAX = 4 << 10, /* a client that reads none of its refusals is closed */
    PX_BUFFER_KEEP = 16 << 10,               /* an empty buffer above this gives its memory back at once */
};

/* Who owns a link number. */
enum px_port_kind { PX_PORT_FREE, PX_PORT_CLIENT, PX_PORT_BACKEND, PX_PORT_SENTINEL };

struct px_port {
    enum px_port_kind kind;
    link_id next_free;
    void *object; /* borrowed: px_session, px_link or px_watch_link */
};

struct px_statistics {
    uint64_t accepted;
    uint64_t refused;
    uint64_t idle_closed;
    uint64_t uncertain;  /* commands answered -UNCERTAIN */
    uint64_t repeated;   /* commands sent again after a connection was lost */
    uint64_t hold_limit; /* commands answered -TRYAGAIN */
};

struct px_pool; /* pool.h */

struct px_proxy {
    struct px_config config; /* slices owned */
    struct resp_limits limits;
    struct resp_limits limits_unauthenticated;
    struct resp_limits limits_control; /* messages of sentinels */

    struct effects *effects; /* borrowed while a step, accept or sent runs */
    int64_t now_ns;
    int64_t deadline_ns;
    struct rand rand; /* of the jitter */

    struct px_port *ports; /* owned */
    link_id port_count;
    link_id first_free_port;

    struct px_watch watch;
    struct topology topology;      /* version 0: none yet */
    struct address master_address; /* valid while has_master */
    bool has_master;

    struct px_pool *pools; /* owned: [database * 2 + protocol - 2]; of clients that have said no name */
    struct list users;     /* that some have said; pool.h */
    struct throttle throttle;
    struct list links;   /* all backend links */
    struct list unready; /* those that cannot carry commands now, or expect the end of their connection */
    struct list dirty_links;
    uint64_t held_commands; /* queued on links that are not ready */
    uint64_t held_bytes;

    struct list sessions;       /* live ones, in order of arrival */
    struct list dirty_sessions; /* have output that is not announced */
    struct list runnable;       /* may go on with their input, or give their link back */
    struct list doomed;         /* to be closed at the end of the turn */
    struct list ghosts;         /* closed, but commands of theirs are still on a link */
    struct list inquiries;      /* of sessions that other threads are asked for */
    uint64_t last_inquiry;
    uint32_t session_count;
    uint32_t refused_count;

    struct list wheel[PX_WHEEL_BUCKETS];
    int64_t wheel_tick_ns;
    int64_t wheel_now; /* the tick that was visited last */

    bool started;
    bool stopping;
    int64_t stop_ns;

    struct px_statistics statistics;
    struct resp_request request; /* of a request that arrives whole */
    struct buf scratch;
    struct buf discard;      /* replies that nobody wants */
    struct message *message; /* owned; big */
};

link_id px_port_take(struct px_proxy *proxy, enum px_port_kind kind, void *object);
void px_port_give(struct px_proxy *proxy, link_id link);

#endif
