/* session.h: one client.
 *
 * Requests are taken in order. What the worker answers is queued on a link; what the session answers itself, or what
 * moves it to another link, waits until the replies before it have come ("barrier"), so that every client sees its
 * replies in request order without a queue of its own.
 *
 * Most of the time a session shares a link. While it has a state that lives in a connection (a transaction, watched
 * keys, subscriptions, MONITOR, tracking, a blocking command) it owns a private one. */
#ifndef PROXY_CORE_SESSION_H
#define PROXY_CORE_SESSION_H

#include "common/resp/resp_reader.h"
#include "proxy/core/context.h"
#include "proxy/core/inquiry.h"
#include "proxy/core/lanes.h"
#include "proxy/core/link.h"
#include "proxy/core/subscriptions.h"
#include "proxy/core/tracking.h"

enum px_session_state {
    PX_SESSION_AUTHENTICATE, /* a password is set, and was not given yet */
    PX_SESSION_SHARED,
    PX_SESSION_PINNED,
    PX_SESSION_SUBSCRIBED,
    PX_SESSION_MONITORING,
    PX_SESSION_DRAINING, /* takes no more requests; closes when its last replies have left */
    PX_SESSION_STATES
};

/* Why the next request in `input` is not taken. */
enum px_wait {
    PX_WAIT_NONE,
    PX_WAIT_REPLIES, /* until nothing is outstanding */
    PX_WAIT_ROOM,    /* until fewer commands are outstanding */
    PX_WAIT_OUTPUT,  /* until the client has read */
};

/* A transaction that was lost with its connection goes on here until EXEC, which is answered so. */
enum px_phantom {
    PX_PHANTOM_NONE,
    PX_PHANTOM_ABORT,  /* -EXECABORT: the connection was lost */
    PX_PHANTOM_ERRORS, /* -EXECABORT: a command was refused here */
    PX_PHANTOM_NULL,   /* null: watched keys may have changed */
};

/* A command that the session does itself, but that its user may be forbidden: the worker is asked first. */
enum px_may { PX_MAY_UNASKED, PX_MAY_ASKED, PX_MAY_GRANTED, PX_MAY_REFUSED };

/* What is done when the master has agreed to a name and a password. */
struct px_login {
    char *user;       /* owned */
    bool is_old_form; /* AUTH with a password alone */
    bool is_hello;
    uint8_t protocol; /* of HELLO */
    char *name;       /* owned; SETNAME's, or NULL */
};

enum { PX_PEER_TEXT_MAX = 56 };

struct px_session {
    struct px_proxy *proxy; /* borrowed */
    link_id id;
    uint8_t state;    /* enum px_session_state */
    uint8_t wait;     /* enum px_wait */
    uint8_t phantom;  /* enum px_phantom */
    uint8_t protocol; /* 2 or 3 */
    bool closed;      /* the client is gone; only slots refer to this */
    bool refused;     /* over the limit of connections, not counted */
    bool paused;      /* not read from */
    bool ended;       /* the client says no more, and listens perhaps: what it has said is carried out */
    bool in_multi;
    bool wrote;        /* to the present master, */
    bool wrote_before; /* or to one before it */
    bool watch_lost;   /* watched keys were on a lost connection: the next EXEC is null */
    bool silent;       /* of the command being taken: CLIENT REPLY OFF or SKIP */
    bool reply_off;
    bool skip_next;
    uint32_t database;
    uint32_t multi_database; /* what EXEC will have selected */
    uint32_t outstanding;    /* slots on links */

    struct px_user *user;       /* counted; whom the master has agreed that it is; NULL: it has said no name */
    struct px_login *login;     /* owned; an AUTH or HELLO that the master is being asked about; NULL: none */
    struct px_inquiry *inquiry; /* owned; what the other threads are being asked; NULL: nothing */
    uint8_t may;                /* enum px_may, of the command at the front of the input */

    struct px_lanes lanes;                  /* shared, or the link beside it */
    struct px_link *shared;                 /* borrowed; chosen at the first command, and anew after SELECT and HELLO */
    struct px_link *private_link;           /* owned */
    struct px_subscriptions *subscriptions; /* owned; NULL without */
    struct px_tracking *tracking;           /* owned; NULL while CLIENT TRACKING was not asked for */

    struct buf input; /* what is not taken yet */
    struct buf output;
    struct resp_request *partial; /* owned; of a request that has not arrived whole */

    struct list node;
    struct list dirty;
    struct list runnable;
    struct list doomed;
    struct list wheel;
    int64_t connected_ns;
    int64_t active_ns; /* last complete command, or reply */

    uint64_t client_id;
    const struct command *last_command; /* borrowed; NULL: none */
    char *name;                         /* owned; NULL: none */
    char *library_name;                 /* owned */
    char *library_version;              /* owned */
    char peer[PX_PEER_TEXT_MAX];
};

/* One request being taken. */
struct px_request {
    const struct command *row; /* borrowed; NULL: unknown */
    const struct slice *argv;  /* borrowed */
    size_t argc;
    struct slice bytes; /* borrowed; an array of bulk strings */
};

struct px_session *px_session_create(struct px_proxy *proxy, const struct address *peer, bool refused);
void px_session_destroy(struct px_session *session); /* the client is gone; kept as a ghost while slots refer to it */
void px_session_change(struct px_session *session, enum px_session_state state);

/* Closes it at the end of the turn, with what is unsent. `reason` goes to the log; NULL: nothing to tell. */
void px_session_doom(struct px_session *session, const char *reason);
void px_session_drain(struct px_session *session);        /* closes it when its output has left */
void px_session_forget_state(struct px_session *session); /* RESET: as if just connected; nothing is outstanding */

void px_session_received(struct px_session *session, struct slice bytes);
void px_session_sent(struct px_session *session, size_t count);
void px_session_resume(struct px_session *session); /* what it waited for has come: it runs in this turn */
void px_session_ended(struct px_session *session);
void px_session_run(struct px_session *session); /* takes what it can of its input */

/* Where the session's own reply to the present command goes; announces it. */
struct buf *px_session_reply(struct px_session *session);

/* Gives the session a link of its own, until it needs none; nothing is outstanding on a shared one. */
void px_session_pin(struct px_session *session);

/* Asks the master, on the session's link; the bytes are a complete request. False: answered -TRYAGAIN, and not asked.
 */
bool px_session_ask(struct px_session *session, enum px_slot_kind kind, struct slice bytes);
bool px_session_ask_slot(struct px_session *session, struct px_slot slot, struct slice bytes);

/* The master's answer to the login that is under way (session_commands.c): one frame, or what stands for it. */
void px_session_logged_in(struct px_session *session, struct slice frame);
void px_session_forget_login(struct px_session *session);

/* All threads have looked (session_commands.c); NULL: one does not answer. */
void px_session_found(struct px_session *session, const struct px_request *request, const struct px_finding *finding);

/* Its own commands (session_commands.c); nothing is outstanding. */
void px_session_own_command(struct px_session *session, const struct px_request *request);

bool px_session_is_exempt_from_idle(const struct px_session *session);

/* From the links. */
void px_session_deliver(const struct px_slot *slot, struct slice frame); /* the reply of a popped slot */
void px_session_answer(const struct px_slot *slot);                      /* a popped slot is answered here */
void px_session_finish(const struct px_slot *slot); /* a popped slot has had its replies as pushes */
void px_session_push(struct px_session *session, struct slice frame);
void px_session_confirm(struct px_session *session, const struct px_push *push);
void px_session_lost_state(struct px_session *session, bool transaction, bool watched);
void px_sessions_switch(struct px_proxy *proxy);           /* what was written until now, the next master may lack */
void px_session_lost_tracking(struct px_session *session); /* what the worker knew of its cache is lost */
void px_session_parked(struct px_session *session);        /* its command waits in the worker */
void px_session_forget_slot(struct px_session *session);   /* a slot of it was dropped */

static inline bool px_session_tracks(const struct px_session *session)
{
    return session->tracking != NULL && session->tracking->is_on;
}

static inline bool px_session_is_closed(const struct px_session *session)
{
    return session->closed;
}

#endif
