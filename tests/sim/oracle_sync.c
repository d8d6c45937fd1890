#include "tests/sim/oracle_sync.h"

#include "cacheworker/engine/inspect.h"
#include "common/base/mem.h"
#include "tests/sim/oracle.h"

#include <inttypes.h>

#define SHOWN_SPACING_NS (5 * NS_PER_MS)
/* A look at the replicas every 100 ms, what is under way, clocks that differ by 1 %. */
#define LOST_AT_MOST_NS (NS_PER_S + 250 * NS_PER_MS)

static bool is_sync(const struct oracle *oracle)
{
    return oracle->appliance->durability != DURABILITY_ASYNC;
}

static void remember_shown(struct oracle *oracle, uint64_t offset)
{
    struct sync_words *words = &oracle->sync;
    int64_t now_ns = oracle->appliance->world.now_ns;
    struct shown *last = &words->shown[(words->shown_count + SHOWN_MAX - 1) % SHOWN_MAX];
    if (words->shown_count > 0 && now_ns - last->at_ns < SHOWN_SPACING_NS)
        last->offset = offset;
    else
        words->shown[words->shown_count++ % SHOWN_MAX] = (struct shown){.at_ns = now_ns, .offset = offset};
}

void sync_replied(struct oracle *oracle, const struct sim_process *master)
{
    uint64_t offset = cw_inspect_released_offset(master->core);
    if (offset <= oracle->sync.shown_offset)
        return;
    if (!is_sync(oracle))
        remember_shown(oracle, offset);
    oracle->sync.shown_offset = offset;
    oracle->sync.shown_epoch = cw_inspect_epoch(master->core);
}

/* The first that shows more than `offset`, of those from `index` on; shown_count: none. */
static uint64_t first_beyond(const struct sync_words *words, uint64_t index, uint64_t offset)
{
    uint64_t oldest = words->shown_count > SHOWN_MAX ? words->shown_count - SHOWN_MAX : 0;
    index = index > oldest ? index : oldest;
    while (index < words->shown_count && words->shown[index % SHOWN_MAX].offset <= offset)
        index++;
    return index;
}

static void forget_from(struct sync_words *words, uint64_t index)
{
    words->shown_count = index;
    words->shown_of_epoch = index;
}

/* For how long the old master acknowledged what the new branch has not. What an older one had acknowledged, and this
 * one's replica never got, is lost with it. */
static void check_lost(struct oracle *oracle, const struct topology *topology)
{
    struct sync_words *words = &oracle->sync;
    uint64_t offset = topology->branch.last_offset;
    uint64_t first = first_beyond(words, 0, offset);
    uint64_t of_epoch = first_beyond(words, words->shown_of_epoch, offset);
    if (first < words->shown_count)
        oracle->epoch_lost_from_ns[topology->epoch] = words->shown[first % SHOWN_MAX].at_ns;
    if (of_epoch < words->shown_count) {
        int64_t duration_ns =
            words->shown[(words->shown_count - 1) % SHOWN_MAX].at_ns - words->shown[of_epoch % SHOWN_MAX].at_ns;
        if (duration_ns > LOST_AT_MOST_NS && !oracle->epoch_is_cold[topology->epoch])
            oracle_violate(oracle,
                           "async: epoch %" PRIu64 " begins at offset %" PRIu64
                           "; what it lacks was acknowledged for %.3f s (%s)",
                           topology->epoch, offset, (double)duration_ns / 1e9, topology->reason);
    }
    forget_from(words, first);
    words->shown_offset = offset;
}

void sync_check_branch(struct oracle *oracle, const struct topology *topology)
{
    struct sync_words *words = &oracle->sync;
    if (!is_sync(oracle)) {
        check_lost(oracle, topology);
        return;
    }
    if (topology->branch.last_offset >= words->shown_offset)
        return;
    if (strstr(topology->reason, "cold start") == NULL)
        oracle_violate(oracle,
                       "S5: epoch %" PRIu64 " begins at offset %" PRIu64 ", but epoch %" PRIu64
                       " had acknowledged up to %" PRIu64 " (%s)",
                       topology->epoch, topology->branch.last_offset, words->shown_epoch, words->shown_offset,
                       topology->reason);
    words->shown_offset = topology->branch.last_offset;
    words->begun_ns = oracle->appliance->world.now_ns;
}

/* An answer that comes twice: the increment that it was given to first is lost. */
static void check_counter(struct oracle *oracle, unsigned key)
{
    const struct workload *workload = &oracle->appliance->workload;
    const struct operation **answers = mem_zero((workload->count + 1) * sizeof(struct operation *));
    for (size_t i = 0; i < workload->count; i++) {
        const struct operation *increment = &workload->operations[i];
        if (increment->kind != OPERATION_INCR || increment->key != key || increment->fate != FATE_ACKNOWLEDGED ||
            increment->sent_ns <= oracle->sync.begun_ns || increment->value > workload->count)
            continue;
        if (answers[increment->value] != NULL)
            oracle_violate(oracle, "S5: counter %u said %" PRIu64 " twice, at %.3f and %.3f s", key, increment->value,
                           (double)answers[increment->value]->answered_ns / 1e9, (double)increment->answered_ns / 1e9);
        answers[increment->value] = increment;
    }
    mem_free(answers);
}

void sync_finish(struct oracle *oracle)
{
    for (unsigned key = 0; is_sync(oracle) && key < WORKLOAD_KEYS; key++)
        check_counter(oracle, key);
}
