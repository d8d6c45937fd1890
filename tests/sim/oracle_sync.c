#include "tests/sim/oracle_sync.h"

#include "cacheworker/engine/inspect.h"
#include "common/base/mem.h"
#include "tests/sim/oracle.h"

#include <inttypes.h>

static bool is_sync(const struct oracle *oracle)
{
    return oracle->appliance->durability != DURABILITY_ASYNC;
}

void sync_replied(struct oracle *oracle, const struct sim_process *master)
{
    uint64_t offset = cw_inspect_released_offset(master->core);
    if (!is_sync(oracle) || offset <= oracle->sync.shown_offset)
        return;
    oracle->sync.shown_offset = offset;
    oracle->sync.shown_epoch = cw_inspect_epoch(master->core);
}

void sync_check_branch(struct oracle *oracle, const struct topology *topology)
{
    struct sync_words *words = &oracle->sync;
    if (!is_sync(oracle) || topology->branch.last_offset >= words->shown_offset)
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
