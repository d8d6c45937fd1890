#include "common/base/sm.h"

#include "common/base/check.h"

#include <stdio.h>

void sm_init(struct sm *sm, const char *noun, const struct sm_state *states, size_t count, unsigned state)
{
    CHECK(count <= 32 && state < count);
    *sm = (struct sm){.noun = noun, .states = states, .count = (unsigned)count, .state = state};
}

void sm_move(struct sm *sm, unsigned state)
{
    CHECK(state < sm->count);
    if (UNLIKELY((sm->states[sm->state].next & SM_TO(state)) == 0)) {
        char move[160];
        snprintf(move, sizeof(move), "%s goes from %s to %s", sm->noun, sm_name(sm), sm->states[state].name);
        check_failed(__FILE__, __LINE__, move);
    }
    sm->state = state;
}

const char *sm_name(const struct sm *sm)
{
    return sm->states[sm->state].name;
}
