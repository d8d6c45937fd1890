/* link.h: one pipelined connection to the master, and the commands that wait on it.
 *
 * A link outlives its connections. Its queue holds every command that has no reply yet, in order, with its bytes:
 *
 *     slots    [ oldest ... newest ]          bytes   [ handed to the world | not yet ]
 *
 * Because all commands of a session that are under way are on one link (lanes.h), replies reach each session in request
 * order.
 *
 * When a connection is lost, each slot gets its fate:
 *
 *     never written (its last byte was not handed over)       stays queued for the next connection
 *     answered -NOTMASTER, -READONLY, -LOADING, -MASTERDOWN   stays queued: it was not executed
 *     written, changes nothing                                stays queued: it is repeated
 *     written, a write, PUBLISH, a blocking command           -UNCERTAIN
 *     the same, but the worker has said that it waits         stays queued, for what is left of its time (parked.h)
 *     XREAD BLOCK                                             stays queued
 *     in a transaction whose EXEC was written                 EXEC: -UNCERTAIN
 *     in a transaction that began, EXEC not written           EXEC: -EXECABORT (null if keys were watched)
 *     in a transaction of which nothing was answered and      stays queued as a whole
 *       EXEC was not written
 *     its session has closed                                  dropped
 *
 * On the link of reads none of them is an answer to a client whose reads are moving to the other one (lanes.h).
 *
 * A fate that is an answer keeps the slot's place, so that the order of replies holds. A command that waits longer
 * than hold_timeout for a link is answered -TRYAGAIN; one that was parked waits as long as it has asked to, and is
 * answered as in a worker when its time is over. After the first refusal nothing more is written to that connection,
 * and only refusals are believed; it is closed when nothing is outstanding. */
#ifndef PROXY_CORE_LINK_H
#define PROXY_CORE_LINK_H

#include "common/base/list.h"
#include "proxy/core/context.h"
#include "proxy/core/parked.h"

struct px_session;

enum px_link_state {
    PX_LINK_CLOSED,
    PX_LINK_CONNECTING,
    PX_LINK_ATTACHING, /* connected; RESPITE ATTACH and what restores the state are unanswered */
    PX_LINK_READY,
    PX_LINK_REFUSED, /* the worker has refused a command: it is not this epoch's master any more */
};

enum px_slot_kind {
    PX_SLOT_READ,
    PX_SLOT_WRITE,
    PX_SLOT_BLOCKING,      /* may take something; waits in the worker, */
    PX_SLOT_BLOCKING_READ, /* or waits there, and takes nothing */
    PX_SLOT_SELECT,
    PX_SLOT_MULTI,
    PX_SLOT_QUEUED, /* a command inside MULTI */
    PX_SLOT_EXEC,
    PX_SLOT_DISCARD,
    PX_SLOT_WATCH,
    PX_SLOT_UNWATCH,
    PX_SLOT_SUBSCRIPTION, /* answered by `confirmations` frames */
    PX_SLOT_MONITOR,
    PX_SLOT_LOGIN,    /* whether a name and a password are right; the client hears the answer to its AUTH or HELLO */
    PX_SLOT_MAY,      /* whether the user may say what the session would do itself; only a refusal is heard */
    PX_SLOT_TRACKING, /* CLIENT TRACKING */
    PX_SLOT_CACHING,  /* CLIENT CACHING */
    PX_SLOT_CLIENT,   /* what asks about tracking */
    PX_SLOT_UNBLOCK,  /* CLIENT UNBLOCK: for the master of the epoch `database`, modulo 2^32, and no other */
};

/* What is answered here, without the worker. */
enum px_answer {
    PX_ANSWER_NONE, /* the worker answers */
    PX_ANSWER_OK,
    PX_ANSWER_QUEUED,
    PX_ANSWER_NULL, /* of EXEC, and of a wait that is over */
    PX_ANSWER_EXECABORT,
    PX_ANSWER_UNCERTAIN,
    PX_ANSWER_TRYAGAIN,
    PX_ANSWER_UNBLOCKED,
};

struct px_slot {
    struct px_session *session; /* borrowed; a session lives as long as it has slots */
    int64_t arrived_ns;
    uint32_t length;        /* bytes of the request */
    uint32_t database;      /* SELECT; of CACHING what was said, enum px_caching */
    uint32_t confirmations; /* SUBSCRIPTION: frames that answer it, */
    uint32_t confirmed;     /* that came on this connection, */
    uint32_t seen;          /* and that the client was given, on this connection or an earlier one */
    uint8_t kind;           /* enum px_slot_kind */
    uint8_t answer;         /* enum px_answer */
    bool silent;            /* CLIENT REPLY OFF */
    bool refused;           /* answered, but not executed */
    bool scripted;          /* its answer may be any text that a client chose, so no refusal is read out of it */
};

struct px_link {
    struct px_proxy *proxy;   /* borrowed */
    struct px_session *owner; /* borrowed; of a private link; NULL when shared or spare */
    struct px_pool *pool;     /* borrowed */
    struct px_link *beside;   /* borrowed; of a shared one: for reads while replies are held, NULL: never wanted; */
    bool is_for_reads;        /* of that one: the shared one */
    bool is_private;
    enum px_link_state state;
    link_id id;     /* LINK_NONE while closed */
    uint64_t epoch; /* of the ATTACH; 0 while closed */

    struct list node;    /* proxy->links */
    struct list unready; /* proxy->unready while not READY */
    struct list dirty;   /* proxy->dirty_links */
    struct list spare;   /* pool->spares */

    struct px_slot *slots; /* owned ring; capacity is a power of two */
    uint32_t slot_capacity;
    uint32_t slot_head;
    uint32_t slot_count;
    uint32_t answered;     /* REFUSED: slots at the front that have been answered, */
    size_t answered_bytes; /* and their bytes */

    struct buf out;      /* requests of the slots, in order */
    size_t written;      /* of `out`: handed to the world */
    struct buf greeting; /* sent before `out` on each connection */
    uint32_t greeting_replies;
    uint32_t swallow;        /* confirmations of subscriptions that the client has seen already */
    bool transaction;        /* private: MULTI was answered +OK, EXEC was not answered */
    bool watching;           /* private: WATCH was answered +OK */
    struct px_parked parked; /* private: of the command at the front */
    int64_t ready_ns;        /* when the present connection became ready, or the last one that did */
    int64_t lost_ns;         /* when one was lost that had been ready for long: nothing was held before */

    struct resp_frame frame;
    struct buf partial;   /* the incomplete reply */
    bool partial_dropped; /* it became larger than a client may have; it is scanned, not kept */

    int64_t retry_ns;
    int64_t backoff_ns;
    int64_t attach_ns; /* when the attempt under way is given up */
};

struct px_link *px_link_create(struct px_proxy *proxy, struct px_pool *pool, struct px_session *owner);
void px_link_destroy(struct px_link *link); /* also its queue: nobody is answered */

/* Queues one command, complete and as an array of bulk strings. */
void px_link_forward(struct px_link *link, const struct px_slot *slot, struct slice bytes);

/* Ends the waiting of a parked command that no worker has at the moment. False: it has gone to one again. */
bool px_link_end_wait(struct px_link *link, bool with_error);

static inline bool px_link_is_ready(const struct px_link *link)
{
    return link->state == PX_LINK_READY;
}

/* Events of the door. */
void px_link_opened(struct px_link *link);
void px_link_received(struct px_link *link, struct slice bytes);
void px_link_closed(struct px_link *link);
struct slice px_link_output(const struct px_link *link);
void px_link_sent(struct px_link *link, size_t count);

/* Another master, or a gap in the epochs: every connection is closed, and what still comes from it is dropped. */
void px_links_switch(struct px_proxy *proxy);

/* Connects what is due, and answers what has waited too long. */
void px_links_turn(struct px_proxy *proxy);
int64_t px_links_deadline(const struct px_proxy *proxy);

#endif
