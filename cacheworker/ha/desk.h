/* desk.h: all that the command thread and the control thread of a node share (docs/adr/0004-control-thread.md).
 *
 * The control thread answers POLL and takes GRANT beside the command thread, so that a node which executes a long
 * command is alive and says so (QUORUM section 2). It reads the figures that the command thread publishes, and writes
 * the lease that the reply point reads. Everything else that sentinels say is handed on as letters, as it came, and
 * what the command thread answers comes back as letters. */
#ifndef CACHEWORKER_HA_DESK_H
#define CACHEWORKER_HA_DESK_H

#include "cacheworker/ha/mailbox.h"
#include "cacheworker/ha/newest.h"
#include "common/ha/messages.h"
#include "common/ha/refusals.h"
#include "common/ha/topology.h"

/* Address of a letter from the command thread: a conversation (control.h numbers them from 1), or this. */
enum { CW_TO_A_SENTINEL = 0 }; /* any that polled lately, in turn */

/* Of the command thread. Zeroed: it has published nothing yet. */
struct cw_figures {
    bool may_be_asked;     /* the life is durable: sentinels may hear of it */
    uint64_t letters_read; /* how many */
    uint64_t term;         /* a new number with each role and epoch; a lease is of one term */
    int64_t published_ns;
    int64_t waiting_since_ns; /* since when the oldest command without a reply waits; 0: none does */
    struct status status;     /* but for k, oldest_waiting_ms, and the flags that the turn's age decides */
    uint64_t standing;        /* a new number with each topology that was accepted */
    struct topology topology; /* the one of `standing`, which names who may grant */
};

/* Of the control thread: a lease, and the term for which it was counted. A GRANT that meets a change of epoch in the
 * command thread makes a lease of the term that is over, which no reply point takes for one of the new. */
struct cw_lease {
    uint64_t term;
    int64_t until_ns; /* INT64_MIN: none */
};

struct cw_desk {
    struct cw_newest figures;                /* of struct cw_figures; command thread to control thread */
    struct cw_newest leases;                 /* of struct cw_lease; control thread to command thread */
    struct cw_mailbox to_command;            /* whole requests, as they were read */
    struct cw_mailbox to_control;            /* bytes to be sent */
    _Atomic int64_t turned_ns;               /* when the command thread last turned; 0: it has not begun */
    _Atomic uint64_t refused[REFUSAL_KINDS]; /* by the control thread; the command thread tells */
};

struct cw_desk *cw_desk_create(void);
void cw_desk_destroy(struct cw_desk *desk); /* NULL is fine */

#endif
