/* session.h: one connection of a worker: what it asked, what it is owed, and what it chose.
 *
 * Input. Bytes of this turn are borrowed from the world (`received`) and are parsed where they lie; only what is not
 * consumed when the turn ends is copied (`kept`). An incomplete request keeps its parser state (`partial`), so that no
 * byte is looked at twice.
 *
 * Output. Replies are appended to `out`, whose memory comes from a pool of the engine and goes back there when all is
 * sent: an idle session holds no buffer. In a sync mode what a step adds to a client's output is marked, at its end,
 * with the offset of the stream: it leaves when that is acknowledged (marks.h). A step's replies show no later write.
 */
#ifndef CACHEWORKER_ENGINE_SESSION_H
#define CACHEWORKER_ENGINE_SESSION_H

#include "cacheworker/engine/engine.h"
#include "common/base/list.h"
#include "common/command/command.h"
#include "common/resp/resp_reader.h"

struct cw_acl_user;
struct cw_blocked;
struct cw_marks;
struct cw_output_limit;
struct cw_subscriber;
struct cw_tracker;
struct cw_transaction;

enum {                                      /* struct cw_session.flags */
       CW_SESSION_AUTHENTICATED = 1 << 0,   /* has proved to be its user */
       CW_SESSION_CLOSING = 1 << 1,         /* no more commands of it are read or executed */
       CW_SESSION_FLUSHED = 1 << 2,         /* an EFFECT_FLUSH for it stands in this step's effects */
       CW_SESSION_PAUSED = 1 << 3,          /* the world was asked to read no more */
       CW_SESSION_ATTACHED = 1 << 4,        /* a proxy's backend link */
       CW_SESSION_SURPLUS = 1 << 5,         /* beyond maxclients: may only prove that it is the appliance's own */
       CW_SESSION_REPLY_OFF = 1 << 6,       /* CLIENT REPLY OFF */
       CW_SESSION_REPLY_SKIP_NEXT = 1 << 7, /* CLIENT REPLY SKIP was just given */
       CW_SESSION_REPLY_SKIP = 1 << 8,      /* the present command is the one to be skipped */
       CW_SESSION_NO_EVICT = 1 << 9,
       CW_SESSION_NO_TOUCH = 1 << 10,
       CW_SESSION_WAITING = 1 << 11,    /* in WAIT, or blocked: nothing of it is executed until that is answered */
       CW_SESSION_COUNTED = 1 << 12,    /* counts against maxclients */
       CW_SESSION_UNGATED = 1 << 13,    /* its output holds nothing but answers to the appliance's own commands */
       CW_SESSION_IN_PUBSUB = 1 << 14,  /* has subscriptions */
       CW_SESSION_OVERFLOWN = 1 << 15,  /* its output is beyond the limit */
       CW_SESSION_DRAIN_DUE = 1 << 16,  /* will be drained when all its replies may leave */
       CW_SESSION_PUSHED = 1 << 17,     /* the present reply is a push, which CLIENT REPLY does not silence */
       CW_SESSION_IN_MULTI = 1 << 18,   /* its commands are queued until EXEC */
       CW_SESSION_RESTRICTED = 1 << 19, /* its user may not do everything: the gates look at the rules */
       CW_SESSION_TRACKING = 1 << 20,   /* CLIENT TRACKING ON */
       CW_SESSION_NAMED = 1 << 21,      /* its user was named and admitted, by itself or by its proxy */
       CW_SESSION_READS = 1 << 22,      /* a proxy's link for reads: no reply is held there, but refused */
};

struct cw_session {
    enum cw_link_kind kind;
    link_id link;
    uint32_t flags;
    uint32_t database;
    int protocol;             /* 2 or 3 */
    struct cw_acl_user *user; /* borrowed; who it is, or "default" until it says */

    struct slice received;        /* borrowed until this turn ends */
    struct buf kept;              /* owned; input of earlier turns, before `received` */
    struct resp_request *partial; /* owned; parser state of the incomplete request, or NULL */
    size_t last_used;             /* bytes of the request that was read last, for cw_session_unread */
    bool last_from_kept;
    bool batched; /* the batch being gathered holds requests of it */

    struct buf out;         /* owned */
    uint64_t sent_bytes;    /* position of the first byte of out */
    uint64_t marked_bytes;  /* position up to which marks say what may leave */
    uint64_t shown_bytes;   /* position up to which what this step added shows known keys only (pending_writes.h) */
    uint64_t shown_offset;  /* of the stream: for which that waits */
    struct cw_marks *marks; /* owned; NULL: nothing waits for an acknowledgement */
    struct list held;       /* in engine->held while it has marks */
    struct list ready;   /* in engine->ready, engine->control_ready or engine->parked while it has input to be parsed */
    struct list touched; /* in engine->touched from its first bytes of a turn to the end of that turn */
    struct list all;     /* in engine->sessions, in the order of their ids */
    struct list waiting; /* in engine->waiting while CW_SESSION_WAITING */
    struct list monitor; /* in engine->monitors after MONITOR */
    struct list soft;    /* in engine->soft while soft_since_ns > 0 */

    uint64_t id;
    int64_t connected_ns;
    int64_t active_ns;        /* last bytes received */
    int64_t told_held_ns;     /* when a proxy was last told that replies on this link are held; 0: never */
    int64_t soft_since_ns;    /* since when its output has been above the soft limit; 0: it is not */
    size_t counted_bytes;     /* of engine->client_memory_bytes */
    int64_t waiting_since_ns; /* when the oldest thing that it waits for arrived; 0: nothing */
    uint64_t stream_offset;   /* of its last write, for WAIT */
    bool waits_for_disks;     /* WAITAOF */
    bool waits_for_shutdown;  /* SHUTDOWN: for the end, or for its failure */
    uint64_t wait_offset;
    int64_t wait_local;
    int64_t wait_replicas;
    int64_t wait_deadline_ns;
    uint64_t commands;
    const struct command *last_command; /* borrowed from the table; NULL before the first */
    char *name;                         /* owned or NULL */
    char *library_name;                 /* owned or NULL */
    char *library_version;              /* owned or NULL */
    struct cw_subscriber *subscriber;   /* owned by the pub/sub room; NULL without subscriptions */
    struct cw_blocked *blocked;         /* owned by the room block/; NULL while it waits for no key */
    struct cw_transaction *transaction; /* owned by the room txn/; NULL outside of MULTI while no key is watched */
    struct cw_tracker *tracker;         /* owned by the tracking room; NULL while it needs none */
    void *context;                      /* borrowed; of the room that owns the link */
    struct address peer;
};

/* A new session in the link table; its number is session->link. */
struct cw_session *cw_session_open(struct cw_engine *engine, enum cw_link_kind kind, const struct address *peer);

/* The one with that number, or NULL. */
struct cw_session *cw_session_find(const struct cw_engine *engine, link_id link);

/* The one that has this id, or NULL. Looks at all of them. */
struct cw_session *cw_session_with_id(const struct cw_engine *engine, uint64_t id);

/* Takes bytes that arrived; they are borrowed until cw_sessions_keep. */
void cw_session_receive(struct cw_engine *engine, struct cw_session *session, struct slice bytes);

/* Parses the next request into `request`. 1: it is there; 0: there is none for now; ERR_PROTOCOL (request->error).
 * Stops before `kept` would have to move while requests of the gathered batch point into it. */
MUST_CHECK int cw_session_next_request(struct cw_session *session, const struct resp_limits *limits,
                                       struct resp_request *request);

/* What stands in its output behind `before` bytes is a reply that waits for that offset of the stream at most.
 * `is_first`: in this step nothing else was added to it before. */
void cw_session_shows(struct cw_session *session, size_t before, bool is_first, uint64_t offset);

/* Puts the request that was just read back: it will be read again. */
void cw_session_unread(struct cw_session *session);

/* Where the request began that was just read, and back to it: it and what was read behind it will be read again. In the
 * turn in which it was read, and while it is batched. */
struct cw_session_place {
    const char *begin; /* borrowed */
    bool is_in_kept;
};

static inline struct cw_session_place cw_session_last_place(const struct cw_session *session)
{
    const char *end = session->last_from_kept ? session->kept.memory + session->kept.start : session->received.data;
    return (struct cw_session_place){.begin = end - session->last_used, .is_in_kept = session->last_from_kept};
}

void cw_session_rewind(struct cw_session *session, struct cw_session_place place);

/* Has cw_sessions_keep look at it at the end of this turn. */
void cw_session_touch(struct cw_engine *engine, struct cw_session *session);

static inline bool cw_session_has_input(const struct cw_session *session)
{
    return session->received.length > 0 || buf_length(&session->kept) > 0;
}

/* Ends the turn: what was not consumed of the borrowed bytes is copied. Sessions above the query buffer limit are
 * closed, those that wait with much input are paused. */
void cw_sessions_keep(struct cw_engine *engine);

/* Where replies go; takes memory from the pool when there is none. */
struct buf *cw_session_out(struct cw_engine *engine, struct cw_session *session);

/* Empty output holds no memory of its own. */
void cw_session_give_back_output(struct cw_engine *engine, struct cw_session *session);

void cw_session_flush(struct cw_engine *engine, struct cw_session *session);

/* Gives it bytes that are no reply: at once, or behind the reply of the command of it that is being executed. */
void cw_session_push(struct cw_engine *engine, struct cw_session *session, struct slice bytes);

/* Has a session whose output has grown beyond the limit closed at the end of the turn. */
void cw_session_check_output(struct cw_engine *engine, struct cw_session *session);

/* The same for all that have been above a soft limit for long. */
void cw_sessions_check_soft_limits(struct cw_engine *engine);

/* With so many bytes of output it is closed at once; SIZE_MAX: with any number it is not. */
size_t cw_session_output_most(const struct cw_engine *engine, const struct cw_session *session);

/* The world took `count` bytes of out. */
void cw_session_sent(struct cw_engine *engine, struct cw_session *session, size_t count);

/* What it waited for is over, and answered: it is read again. */
void cw_session_resume(struct cw_engine *engine, struct cw_session *session);

/* WAIT is answered. */
void cw_session_end_wait_with_error(struct cw_engine *engine, struct cw_session *session);

/* What of out may leave: all of it, unless it waits for an acknowledgement. */
struct slice cw_session_releasable(const struct cw_engine *engine, struct cw_session *session);

/* Flushes what an acknowledgement released. */
void cw_session_release(struct cw_engine *engine, struct cw_session *session, uint64_t released);

/* Has the proxy behind a link hear, once a second at most, that what was asked there waits: for an acknowledgement, or
 * for a snapshot or a pause. Others' reads are better asked on another link (docs/adr/0013-reads-of-their-own.md):
 *
 *     >1 respite-held */
void cw_session_tell_held(struct cw_engine *engine, struct cw_session *session);

/* Closes at once, or after what it is owed has left. The struct lives on until the step ends, closing. */
void cw_session_close(struct cw_engine *engine, struct cw_session *session);
void cw_session_drain(struct cw_engine *engine, struct cw_session *session);

/* Closes at once and tells the room that owns the link. */
void cw_session_abort(struct cw_engine *engine, struct cw_session *session);

/* The link is gone already. */
void cw_session_closed(struct cw_engine *engine, struct cw_session *session);

/* Frees what ended in this step; also clears the marks that hold for one step. */
void cw_sessions_end_step(struct cw_engine *engine);

void cw_sessions_free_all(struct cw_engine *engine);

/* "host:port", as CLIENT LIST shows it and CLIENT KILL takes it. */
void cw_session_describe_address(const struct address *address, struct buf *out);

/* One line as CLIENT LIST shows it, with the newline. Of who asks, the request itself is input that is not done with.
 */
void cw_session_describe(const struct cw_engine *engine, const struct cw_session *session, bool asks, struct buf *out);

#endif
