/* memory.h: maxmemory. A master evicts keys before a command that may need memory, and at the end of each turn, as far
 * as the turn's budget goes; what is left is done in the next turn, which follows at once. So a turn stays short, and a
 * command is refused only when there is no key that may go.
 *
 * A replica evicts nothing: its master does, by DELs of the stream. Neither does a master while clients are paused. */
#ifndef CACHEWORKER_ENGINE_MEMORY_H
#define CACHEWORKER_ENGINE_MEMORY_H

#include "cacheworker/engine/state.h"

static inline bool cw_memory_is_limited_for(const struct cw_engine *engine, uint32_t flags)
{
    return engine->settings.eviction.limit_bytes > 0 && flags & COMMAND_DENYOOM;
}

/* The same before one has looked what the script of a command says that it needs. */
static inline bool cw_memory_may_be_limited_for(const struct cw_engine *engine, uint32_t flags)
{
    return engine->settings.eviction.limit_bytes > 0 && flags & (COMMAND_DENYOOM | COMMAND_RUNS_SCRIPTS);
}

/* Whether a command with these flags must be refused for want of memory, after keys were evicted for it. */
bool cw_memory_refuses(struct cw_engine *engine, uint32_t flags);

void cw_memory_begin_turn(struct cw_engine *engine);
void cw_memory_end_turn(struct cw_engine *engine);

/* How long memory has been above its limit all in all, and since it last was not; in ns. */
int64_t cw_memory_exceeded_ns(const struct cw_engine *engine);
int64_t cw_memory_exceeds_since_ns(const struct cw_engine *engine);

#endif
