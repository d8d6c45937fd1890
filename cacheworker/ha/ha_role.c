#include "cacheworker/ha/assignment.h"
#include "cacheworker/ha/ha_internal.h"

/* The engine holds replies while the lease is over; they are sent when it is renewed. The margin covers the moments
 * between this step's clock and the one that output() was asked with. */
#define GATE_MARGIN_NS NS_PER_S

int64_t cw_ha_lease_until_ns(const struct cw_ha *ha)
{
    const struct cw_lease *lease = cw_newest_read(&ha->desk->leases);
    return lease->term == ha->term ? lease->until_ns : INT64_MIN;
}

void cw_ha_look_at_lease(struct cw_ha *ha)
{
    int64_t until_ns = cw_ha_lease_until_ns(ha);
    if (until_ns > ha->lease_seen_ns && ha->lease_seen_ns < cw_engine_now_ns(ha->engine) + GATE_MARGIN_NS)
        cw_engine_gate_opened(ha->engine);
    ha->lease_seen_ns = until_ns;
}

void cw_ha_begin_term(struct cw_ha *ha)
{
    ha->term++;
    ha->lease_seen_ns = INT64_MIN;
}

static void end_term(struct cw_ha *ha)
{
    if (ha->role == ROLE_MASTER)
        cw_engine_end_term(ha->engine);
}

static void log_role(struct cw_ha *ha)
{
    effect_log(cw_engine_effects(ha->engine), LOG_LEVEL_NOTICE, "%s in epoch %llu (version %llu)",
               node_role_name(ha->role), (unsigned long long)ha->epoch, (unsigned long long)ha->topology.version);
}

static void become_master(struct cw_ha *ha)
{
    const struct topology *topology = &ha->topology;
    if (!cw_branch_fits(topology, cw_repl_history(cw_engine_repl(ha->engine)))) {
        /* It was chosen for a history that this life does not hold: then it must not serve what it has instead. */
        effect_log(cw_engine_effects(ha->engine), LOG_LEVEL_ERROR,
                   "epoch %llu begins with a history that is not this node's; taking no role in it",
                   (unsigned long long)topology->epoch);
        end_term(ha);
        ha->role = ROLE_UNADOPTED;
        ha->epoch = topology->epoch;
        cw_repl_rest(cw_engine_repl(ha->engine));
        return;
    }
    bool is_again = ha->role == ROLE_MASTER && ha->epoch + 1 == topology->epoch;
    if (!is_again) {
        end_term(ha);
        cw_gate_begin(&ha->gate, ha->mutants & CW_MUTANT_FORGET_BRANCH ? 0 : topology->branch.last_offset);
    }
    ha->role = ROLE_MASTER;
    ha->epoch = topology->epoch;
    cw_repl_lead(cw_engine_repl(ha->engine), &ha->durable.life, ha->epoch);
    const struct cw_config *config = cw_engine_config(ha->engine);
    cw_insync_begin(&ha->insync, topology, config->max_lag_ns, config->sync_blocks, cw_engine_now_ns(ha->engine));
    ha->lag_until_ns = cw_ha_is_async(ha) ? cw_engine_now_ns(ha->engine) + config->max_lag_ns : NEVER_NS;
}

static void become_other(struct cw_ha *ha, enum node_role role)
{
    const struct topology *topology = &ha->topology;
    end_term(ha);
    ha->role = role;
    ha->epoch = topology->epoch;
    const struct member *master = topology_member(topology, &topology->master.node);
    if (role == ROLE_REPLICA && master != NULL)
        cw_repl_follow(cw_engine_repl(ha->engine), &ha->durable.life, ha->epoch, &topology->master, &master->data);
    else
        cw_repl_rest(cw_engine_repl(ha->engine));
}

static void adopt(struct cw_ha *ha)
{
    enum node_role role = cw_assigned_role(&ha->topology, &ha->durable.life);
    cw_ha_begin_term(ha);
    if (role == ROLE_MASTER)
        become_master(ha);
    else
        become_other(ha, role);
    log_role(ha);
}

/* Only a fence is written while a node is master. One that cannot be kept would leave it fenced, so without replies,
 * and granted for ever; nobody can rely on such a node, and by giving up it is dead when the promises run out. */
void cw_ha_give_up_role(struct cw_ha *ha)
{
    if (ha->role != ROLE_MASTER)
        return;
    effect_log(cw_engine_effects(ha->engine), LOG_LEVEL_ERROR, "giving up the role of master in epoch %llu",
               (unsigned long long)ha->epoch);
    end_term(ha);
    cw_ha_begin_term(ha);
    ha->role = ROLE_UNADOPTED;
    cw_repl_rest(cw_engine_repl(ha->engine));
}

/* The group does not list this node any more: it may join another. */
static void leave_group(struct cw_ha *ha)
{
    effect_log(cw_engine_effects(ha->engine), LOG_LEVEL_NOTICE, "group %s does not list this node any more",
               ha->topology.group);
    end_term(ha);
    cw_ha_begin_term(ha);
    ha->role = ROLE_UNADOPTED;
    ha->epoch = 0;
    ha->topology = (struct topology){0};
    ha->pending = (struct topology){0};
    cw_repl_rest(cw_engine_repl(ha->engine));
    memset(ha->wanted.group, 0, sizeof(ha->wanted.group));
    cw_ha_persist(ha);
}

static void take(struct cw_ha *ha, const struct topology *topology)
{
    ha->topology = *topology;
    ha->standing++;
}

static void accept_topology(struct cw_ha *ha, const struct topology *topology)
{
    struct cw_standing standing = {.life = ha->durable.life,
                                   .group = ha->wanted.group,
                                   .version = ha->topology.version,
                                   .fence = ha->mutants & CW_MUTANT_FENCE_TAKEN_BACK ? 0 : ha->wanted.fence,
                                   .role = ha->role,
                                   .epoch = ha->epoch};
    switch (cw_learn(&standing, topology)) {
    case CW_LEARN_IGNORE:
        if (topology->version < ha->topology.version)
            cw_ha_refuse_letter(ha, REFUSAL_OLD);
        break;
    case CW_LEARN_DROP:
        take(ha, topology);
        leave_group(ha);
        break;
    case CW_LEARN_NOTE: take(ha, topology); break;
    case CW_LEARN_ADOPT:
        take(ha, topology);
        adopt(ha);
        break;
    }
}

/* A node that is bound to no group binds itself first, and acts when that is durable. */
void cw_ha_take_topology(struct cw_ha *ha, const struct topology *topology)
{
    if (strcmp(ha->durable.group, topology->group) == 0 && strcmp(ha->wanted.group, topology->group) == 0) {
        accept_topology(ha, topology);
        return;
    }
    bool is_free = ha->durable.group[0] == '\0' && ha->wanted.group[0] == '\0';
    bool is_same = strcmp(ha->wanted.group, topology->group) == 0;
    if (!is_free && !is_same)
        cw_ha_refuse_letter(ha, REFUSAL_GROUP);
    if ((!is_free && !is_same) || topology->version <= ha->pending.version ||
        topology_member(topology, &ha->durable.life.node) == NULL)
        return;
    ha->pending = *topology;
    memcpy(ha->wanted.group, topology->group, sizeof(ha->wanted.group));
    cw_ha_persist(ha);
}

void cw_ha_take_pending(struct cw_ha *ha)
{
    if (ha->pending.version == 0 || strcmp(ha->durable.group, ha->pending.group) != 0)
        return;
    effect_log(cw_engine_effects(ha->engine), LOG_LEVEL_NOTICE, "bound to group %s", ha->durable.group);
    accept_topology(ha, &ha->pending);
    ha->pending = (struct topology){0};
}

/* From here on nothing is added to the history under a lower epoch, whether or not the disk takes the fence. */
void cw_ha_take_fence(struct cw_ha *ha, uint64_t epoch)
{
    ha->wanted.fence = epoch;
    if (cw_ha_is_fenced(ha))
        cw_repl_freeze(cw_engine_repl(ha->engine));
    if (ha->mutants & CW_MUTANT_FENCE_NOT_DURABLE)
        ha->durable.fence = epoch;
    cw_ha_persist(ha);
}
