#include "cacheworker/ha/gate.h"

static uint64_t acknowledged_by(const struct life *life, const struct cw_replica_view *views, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (views[i].is_online && life_equal(&views[i].life, life))
            return views[i].acknowledged_offset;
    return 0;
}

/* How many of the set hold everything up to `offset`. */
static uint32_t holders(const struct cw_rule *rule, const struct cw_replica_view *views, size_t count, uint64_t offset)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < rule->count; i++)
        held += acknowledged_by(&rule->in_sync[i], views, count) >= offset;
    return held;
}

static uint32_t wanted(const struct cw_rule *rule)
{
    return rule->acknowledgements < rule->count ? rule->acknowledgements : rule->count;
}

uint64_t cw_rule_covers(const struct cw_rule *rule, const struct cw_replica_view *views, size_t count)
{
    if (rule->count == 0 && rule->blocks)
        return 0;
    if (wanted(rule) == 0)
        return CW_GATE_OPEN;
    uint64_t best = 0;
    for (uint32_t i = 0; i < rule->count; i++) {
        uint64_t offset = acknowledged_by(&rule->in_sync[i], views, count);
        if (offset > best && holders(rule, views, count, offset) >= wanted(rule))
            best = offset;
    }
    return best;
}

bool cw_rule_holds(const struct cw_rule *rule, const struct cw_replica_view *views, size_t count, uint64_t offset)
{
    return holders(rule, views, count, offset) >= wanted(rule);
}

void cw_gate_begin(struct cw_gate *gate, uint64_t branch_end)
{
    *gate = (struct cw_gate){.acknowledged = branch_end};
}

static void lift(uint64_t *offset, uint64_t to)
{
    if (*offset < to)
        *offset = to;
}

bool cw_gate_update(struct cw_gate *gate, uint64_t covered, uint64_t end)
{
    uint64_t before = cw_gate_released(gate);
    if (gate->is_open) /* so far nothing was held back */
        lift(&gate->released, end);
    gate->is_open = covered == CW_GATE_OPEN;
    if (!gate->is_open)
        lift(&gate->released, covered);
    lift(&gate->acknowledged, gate->released);
    return before != CW_GATE_OPEN && cw_gate_released(gate) > before;
}

uint64_t cw_gate_released(const struct cw_gate *gate)
{
    return gate->is_open ? CW_GATE_OPEN : gate->released;
}

uint64_t cw_gate_acknowledged(const struct cw_gate *gate, uint64_t end)
{
    return gate->is_open ? end : gate->acknowledged;
}
