#include "sentinel/core/inspect.h"

#include "common/base/crc32c.h"
#include "sentinel/core/core.h"

struct identity sn_inspect_id(const struct sn_sentinel *sentinel)
{
    return sentinel->id;
}

uint64_t sn_inspect_run(const struct sn_sentinel *sentinel)
{
    return sentinel->run;
}

bool sn_inspect_is_serving(const struct sn_sentinel *sentinel)
{
    return sentinel->is_serving;
}

bool sn_inspect_group(const struct sn_sentinel *sentinel, const char *name, struct sn_inspection *ret_inspection)
{
    const struct sn_group *group = sn_group_find(sentinel, slice_text(name));
    if (!group)
        return false;
    *ret_inspection = (struct sn_inspection){
        .learned = &group->learned,
        .learned_ballot = group->learned_ballot,
        .accepted = &group->acceptor.value,
        .accepted_ballot = group->acceptor.accepted,
        .promised = group->acceptor.promised,
        .protected_epoch = group->protection.epoch,
        .protected_life = group->protection.life,
        .promise_until_ns = group->protection.until_ns,
        .is_gone = group->protection.is_gone,
        .is_unsettled = !sn_settled_is(&group->settled),
        .may_grant = sn_settled_may_grant(&group->settled),
        .round_runs = group->round.phase != SN_ROUND_IDLE,
        .failover_state = sm_name(&group->failover.state),
        .known_lost_bytes = group->losses.known_bytes,
    };
    return true;
}

static uint64_t mix(uint64_t hash, uint64_t value)
{
    return rand_mix(hash ^ value);
}

uint64_t sn_inspect_hash(const struct sn_sentinel *sentinel)
{
    uint64_t hash = mix(sentinel->run, sentinel->sequence);
    hash = mix(hash, (uint64_t)sentinel->deadline_ns);
    hash = mix(hash, sentinel->rand.state[0]);
    for (uint32_t i = 0; i < sentinel->group_count; i++) {
        const struct sn_group *group = sentinel->groups[i];
        struct buf text = {0};
        topology_encode(&group->learned, &text);
        topology_encode(&group->acceptor.value, &text);
        hash = mix(hash, crc32c(buf_slice(&text)));
        buf_free(&text);
        hash = mix(hash, group->acceptor.promised.counter);
        hash = mix(hash, (uint64_t)group->protection.until_ns);
        hash = mix(hash, (uint64_t)group->quiet_until_ns);
        hash = mix(hash, group->failover.state.state);
        hash = mix(hash, group->round.phase);
    }
    return hash;
}
