/* sm.h: declared state machines. What may follow what stands in one constant table, beside the states' names; every
 * move is checked against it, so that a transition that nobody thought of ends the process instead of its promises.
 *
 *     enum { LINK_IDLE, LINK_OPENING, LINK_OPEN };
 *     static const struct sm_state link_states[] = {
 *         [LINK_IDLE] = {"idle", SM_TO(LINK_OPENING)},
 *         [LINK_OPENING] = {"opening", SM_TO(LINK_OPEN) | SM_TO(LINK_IDLE)},
 *         [LINK_OPEN] = {"open", SM_TO(LINK_IDLE)},
 *     };
 *     sm_init(&link->sm, "link", link_states, ARRAY_LENGTH(link_states), LINK_IDLE);
 *     sm_move(&link->sm, LINK_OPENING); */
#ifndef COMMON_BASE_SM_H
#define COMMON_BASE_SM_H

#include <stddef.h>
#include <stdint.h>

#define SM_TO(state) (UINT32_C(1) << (state)) /* at most 32 states */

struct sm_state {
    const char *name;
    uint32_t next; /* SM_TO of each state that may follow */
};

struct sm {
    const char *noun;              /* borrowed; whose states these are */
    const struct sm_state *states; /* borrowed */
    unsigned count;
    unsigned state;
};

void sm_init(struct sm *sm, const char *noun, const struct sm_state *states, size_t count, unsigned state);

/* A state is not followed by itself unless its row says so. */
void sm_move(struct sm *sm, unsigned state);

const char *sm_name(const struct sm *sm); /* of the present state */

#endif
