/* control.h: a node's control listener, a core of its own behind common/base/door.h: what sentinels are told without
 * waiting for the command that is being executed (QUORUM section 2; docs/adr/0004-control-thread.md).
 *
 * It owns the links of the control port. HELLO, POLL and GRANT it handles itself, over the figures and the lease of the
 * desk; FENCE and LEARN, PING and INFO it hands to the command thread as letters. A conversation is one link's time, by
 * a number that is never used again; a letter to one that is over is thrown away.
 *
 * Order. A POLL behind a letter of the same link waits until the letter was read, 100 ms at most: so the STATUS that
 * follows a LEARN shows what was learned.
 *
 * Alone (in the daemon) it is driven by a host and a thread of its own, listens when the figures say that the node may
 * be asked, and emits EFFECT_WAKE when the command core has something to look at. Otherwise the worker's door drives
 * it between the command core's turns, and asks cw_control_take_wake. */
#ifndef CACHEWORKER_HA_CONTROL_H
#define CACHEWORKER_HA_CONTROL_H

#include "cacheworker/ha/desk.h"
#include "common/base/door.h"

/* Its links are numbered below this; under a common door the command core's begin here. */
enum { CW_CONTROL_LINKS = 128 };

#define CW_STUCK_LIMIT_NS (30 * NS_PER_S)

struct cw_control_config {
    struct cw_desk *desk;   /* borrowed */
    struct slice secret;    /* borrowed */
    int64_t stuck_limit_ns; /* the command thread is stuck when it has not turned for so long; 0: never */
    unsigned mutants;       /* CW_MUTANT_ bits of ha.h */
};

struct cw_control;

struct cw_control *cw_control_create(const struct cw_control_config *config);

void cw_control_stand_alone(struct cw_control *control);

/* Whether there is something for the command core since this was last asked. */
bool cw_control_take_wake(struct cw_control *control);

extern const struct door cw_control_door;

#endif
