#include "cacheworker/engine/memory.h"

#include "cacheworker/pubsub/notify.h"
#include "cacheworker/info/timing.h"
#include "cacheworker/repl/repl.h"

enum { /* units of cw_evict_step, of about 20 ns */
       TURN_BUDGET = 25000,
       LEAST_BUDGET = 200, /* that there is even when the turn has no more: four or five evictions */
       TENACITY_FULL = 10,
};

static bool may_evict(const struct cw_engine *engine)
{
    return engine->settings.eviction.limit_bytes > 0 && engine->serving == CW_SERVING_MASTER &&
           engine->pause_until_ns == 0;
}

static void evicted(void *context, unsigned database, struct slice key)
{
    struct cw_engine *engine = context;
    engine->statistics.evicted_keys++;
    cw_changes_tell(&engine->changes, database, key, false, CW_CHANGED_BY_EVICTION);
    cw_notify(engine, CW_NOTIFY_EVICTED, "evicted", database, key);
    if (!cw_repl_is_feeding(engine->repl))
        return;
    const struct slice argv[] = {cw_settings_deletion(engine->settings.unlinks_evicted), key};
    cw_repl_append(engine->repl, database, argv, ARRAY_LENGTH(argv));
}

static enum cw_evict_result make_room(struct cw_engine *engine)
{
    unsigned granted = engine->evict_budget > LEAST_BUDGET ? engine->evict_budget : LEAST_BUDGET;
    unsigned left = granted;
    bool is_watched = engine->settings.latency_threshold_ms > 0; /* else this happens too often to read a clock for */
    int64_t began_ns = is_watched ? cw_timing_begin(engine) : 0;
    enum cw_evict_result result = cw_evict_step(engine->evict, engine->keyspace, &engine->settings.eviction,
                                                engine->wall_us / 1000, &left, evicted, engine);
    if (is_watched)
        cw_timing_end(engine, CW_LATENCY_EVICTION_CYCLE, began_ns);
    unsigned cost = granted - left;
    engine->evict_budget -= cost < engine->evict_budget ? cost : engine->evict_budget;
    return result;
}

bool cw_memory_refuses(struct cw_engine *engine, uint32_t flags)
{
    if (!cw_memory_is_limited_for(engine, flags) || !may_evict(engine))
        return false;
    return make_room(engine) == CW_EVICT_STUCK;
}

void cw_memory_begin_turn(struct cw_engine *engine)
{
    int64_t tenacity = engine->settings.eviction_tenacity;
    if (tenacity > TENACITY_FULL)
        tenacity = TENACITY_FULL;
    engine->evict_budget = LEAST_BUDGET + (unsigned)(TURN_BUDGET / TENACITY_FULL * tenacity);
}

static void note_exceeding(struct cw_engine *engine, bool exceeds)
{
    if (exceeds && engine->memory_exceeds_ns == 0) {
        engine->memory_exceeds_ns = engine->now_ns;
    } else if (!exceeds && engine->memory_exceeds_ns != 0) {
        engine->statistics.memory_exceeded_ns += engine->now_ns - engine->memory_exceeds_ns;
        engine->memory_exceeds_ns = 0;
    }
}

void cw_memory_end_turn(struct cw_engine *engine)
{
    enum cw_evict_result result = may_evict(engine) ? make_room(engine) : CW_EVICT_DONE;
    engine->evict_again = result == CW_EVICT_MORE;
    note_exceeding(engine, result != CW_EVICT_DONE);
    size_t bytes = cw_keyspace_data_bytes(engine->keyspace);
    if (bytes > engine->peak_memory_bytes)
        engine->peak_memory_bytes = bytes;
}

int64_t cw_memory_exceeds_since_ns(const struct cw_engine *engine)
{
    return engine->memory_exceeds_ns != 0 ? engine->now_ns - engine->memory_exceeds_ns : 0;
}

int64_t cw_memory_exceeded_ns(const struct cw_engine *engine)
{
    return engine->statistics.memory_exceeded_ns + cw_memory_exceeds_since_ns(engine);
}
