#include "cacheworker/ha/insync.h"

#define LATE_NS (4 * CW_INSYNC_INTERVAL_NS)

static const struct cw_insync_watch *find(const struct cw_insync *insync, const struct life *life)
{
    for (uint32_t i = 0; i < insync->count; i++)
        if (life_equal(&insync->watches[i].life, life))
            return &insync->watches[i];
    return NULL;
}

static struct cw_insync_watch *find_own(struct cw_insync *insync, const struct life *life)
{
    const struct cw_insync_watch *found = find(insync, life);
    return found != NULL ? &insync->watches[found - insync->watches] : NULL;
}

static struct cw_insync_watch *watch(struct cw_insync *insync, const struct life *life, int64_t now_ns)
{
    struct cw_insync_watch *found = find_own(insync, life);
    if (found != NULL || insync->count == ARRAY_LENGTH(insync->watches))
        return found;
    found = &insync->watches[insync->count++];
    *found = (struct cw_insync_watch){.life = *life, .heard_ns = now_ns, .caught_up_since_ns = NEVER_NS};
    return found;
}

static void observe_anew(struct cw_insync *insync, const struct topology *topology, int64_t now_ns)
{
    insync->count = 0;
    for (uint32_t i = 0; i < topology->in_sync_count; i++)
        watch(insync, &topology->in_sync[i], now_ns);
}

void cw_insync_begin(struct cw_insync *insync, const struct topology *topology, int64_t max_lag_ns, bool blocks,
                     int64_t now_ns)
{
    *insync = (struct cw_insync){.max_lag_ns = max_lag_ns, .blocks = blocks, .looked_ns = now_ns};
    observe_anew(insync, topology, now_ns);
}

static void observe(struct cw_insync *insync, const struct cw_replica_view *view, int64_t now_ns)
{
    struct cw_insync_watch *seen = watch(insync, &view->life, now_ns);
    if (seen == NULL)
        return;
    seen->is_present = true;
    seen->lag_ns = view->lag_ns;
    if (view->acknowledged_ns > seen->heard_ns)
        seen->heard_ns = view->acknowledged_ns;
    bool in_step = view->lag_ns < insync->max_lag_ns / 2 && now_ns - seen->heard_ns < insync->max_lag_ns / 2;
    if (!in_step)
        seen->caught_up_since_ns = NEVER_NS;
    else if (seen->caught_up_since_ns == NEVER_NS)
        seen->caught_up_since_ns = now_ns;
}

/* Forgets lives that are neither connected nor in the set. */
static void forget_gone(struct cw_insync *insync, const struct topology *topology)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < insync->count; i++) {
        struct cw_insync_watch *seen = &insync->watches[i];
        if (!seen->is_present)
            seen->caught_up_since_ns = NEVER_NS;
        if (seen->is_present || topology_in_sync(topology, &seen->life))
            insync->watches[kept++] = *seen;
    }
    insync->count = kept;
}

static bool may_be_in_sync(const struct topology *topology, const struct life *life)
{
    const struct member *member = topology_member(topology, &life->node);
    return member != NULL && member->kind == MEMBER_REPLICA && !identity_equal(&topology->master.node, &life->node);
}

static bool stays(struct cw_insync *insync, const struct topology *topology, const struct life *life, int64_t now_ns)
{
    const struct cw_insync_watch *seen = find(insync, life);
    return seen != NULL && may_be_in_sync(topology, life) && now_ns - seen->heard_ns <= insync->max_lag_ns &&
           (!seen->is_present || seen->lag_ns <= insync->max_lag_ns);
}

static bool joins(const struct cw_insync_watch *seen, const struct topology *topology, int64_t now_ns)
{
    return seen->is_present && seen->caught_up_since_ns != NEVER_NS &&
           now_ns - seen->caught_up_since_ns >= CW_INSYNC_CAUGHT_UP_NS && may_be_in_sync(topology, &seen->life) &&
           !topology_in_sync(topology, &seen->life);
}

static bool lists_node(const struct insync *request, const struct identity *node)
{
    for (uint32_t i = 0; i < request->count; i++)
        if (identity_equal(&request->in_sync[i].node, node))
            return true;
    return false;
}

/* Fills the set that should be; true when it differs from the one that is. Newcomers first: a node's new life takes the
 * place of its old one. */
static bool compose(struct cw_insync *insync, const struct topology *topology, const struct life *self, int64_t now_ns)
{
    struct insync *request = &insync->request;
    *request = (struct insync){.epoch = topology->epoch,
                               .life = *self,
                               .expected_version = topology->version,
                               .durability = topology->durability,
                               .acknowledgements = topology->acknowledgements};
    for (uint32_t i = 0; i < insync->count && request->count < TOPOLOGY_MEMBERS_MAX; i++)
        if (joins(&insync->watches[i], topology, now_ns) && !lists_node(request, &insync->watches[i].life.node))
            request->in_sync[request->count++] = insync->watches[i].life;
    uint32_t joined = request->count;
    for (uint32_t i = 0; i < topology->in_sync_count && request->count < TOPOLOGY_MEMBERS_MAX; i++)
        if (stays(insync, topology, &topology->in_sync[i], now_ns) && !lists_node(request, &topology->in_sync[i].node))
            request->in_sync[request->count++] = topology->in_sync[i];
    return joined > 0 || request->count != topology->in_sync_count;
}

/* Whether there is a set to ask for, and it may be asked for now. */
static bool wishes(struct cw_insync *insync, const struct topology *topology, const struct life *self,
                   const struct cw_replica_view *views, size_t count, uint64_t acknowledged, int64_t now_ns)
{
    insync->is_sent = false;
    insync->is_asking = compose(insync, topology, self, now_ns);
    if (!insync->is_asking)
        return false;
    struct cw_rule rule = cw_insync_rule(insync);
    return topology->durability == DURABILITY_ASYNC || cw_rule_holds(&rule, views, count, acknowledged);
}

bool cw_insync_look(struct cw_insync *insync, const struct topology *topology, const struct life *self,
                    const struct cw_replica_view *views, size_t count, uint64_t acknowledged, int64_t now_ns)
{
    if (now_ns - insync->looked_ns < CW_INSYNC_INTERVAL_NS)
        return false;
    if (now_ns - insync->looked_ns > LATE_NS)
        observe_anew(insync, topology, now_ns);
    insync->looked_ns = now_ns;

    for (uint32_t i = 0; i < insync->count; i++)
        insync->watches[i].is_present = false;
    for (uint32_t i = 0; i < topology->in_sync_count; i++)
        watch(insync, &topology->in_sync[i], now_ns);
    for (size_t i = 0; i < count; i++)
        if (views[i].is_online && !life_is_nobody(&views[i].life))
            observe(insync, &views[i], now_ns);
    forget_gone(insync, topology);

    if (insync->is_asking && topology->version > insync->request.expected_version)
        insync->is_asking = false;
    if (insync->is_asking && insync->is_sent) {
        if (now_ns - insync->asked_ns < CW_INSYNC_RETRY_NS)
            return false;
    } else if (!wishes(insync, topology, self, views, count, acknowledged, now_ns)) {
        return false;
    }
    insync->is_sent = true;
    insync->asked_ns = now_ns;
    return true;
}

int64_t cw_insync_deadline(const struct cw_insync *insync)
{
    return insync->looked_ns + CW_INSYNC_INTERVAL_NS;
}

void cw_insync_note(struct cw_insync *insync, const struct cw_replica_view *views, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct cw_insync_watch *seen = views[i].is_online ? find_own(insync, &views[i].life) : NULL;
        if (seen != NULL)
            seen->acknowledged_offset = views[i].acknowledged_offset;
    }
}

uint64_t cw_insync_acknowledged(const struct cw_insync *insync, const struct life *life)
{
    const struct cw_insync_watch *seen = find(insync, life);
    return seen != NULL ? seen->acknowledged_offset : 0;
}

struct cw_rule cw_insync_rule(const struct cw_insync *insync)
{
    return (struct cw_rule){.acknowledgements = insync->request.acknowledgements,
                            .blocks = insync->blocks,
                            .count = insync->request.count,
                            .in_sync = insync->request.in_sync};
}
