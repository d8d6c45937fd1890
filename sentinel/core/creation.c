/* The operator's create: version 1, proposed over an empty register (QUORUM section 1). */
#include "sentinel/core/proposer.h"

#include "common/base/mem.h"
#include "common/resp/resp_writer.h"
#include "sentinel/core/api.h"
#include "sentinel/core/core.h"
#include "sentinel/core/values.h"

#define CREATION_NS (5 * NS_PER_S)

static bool has_addresses(const struct topology *value)
{
    for (uint32_t i = 0; i < value->member_count; i++) {
        if (!value->members[i].data.host[0] || !value->members[i].control.host[0])
            return false;
    }
    for (uint32_t i = 0; i < value->sentinels.count; i++) {
        if (!value->sentinels.entries[i].address.host[0])
            return false;
    }
    return true;
}

/* NULL when it may be proposed, else what is wrong. */
static const char *find_fault(const struct sn_sentinel *sentinel, const struct topology *value)
{
    if (!value->group[0])
        return "a group needs a name";
    if (value->version != 1 || value->epoch != 0)
        return "a new group begins with version 1 and epoch 0";
    if (!life_is_nobody(&value->master) || value->in_sync_count > 0 || value->branch.count > 0 ||
        value->release.epoch > 0)
        return "a new group has no master, no in-sync set, no branch and no release";
    if (value->member_count == 0)
        return "a group needs members";
    if (value->sentinels.count == 0 || value->previous_sentinels.count > 0)
        return "a new group needs one list of sentinels";
    if (!has_addresses(value))
        return "every member and sentinel needs its addresses";
    if (!sn_values_lists(value, &sentinel->id))
        return "this sentinel is not in the list";
    return NULL;
}

static void answer(struct sn_sentinel *sentinel, struct sn_group *group, const char *error)
{
    struct sn_creation *creation = &group->creation;
    struct sn_link *link = sn_link_with(sentinel, creation->link, creation->serial);
    creation->is_wanted = false;
    creation->value = (struct topology){0};
    if (!link)
        return;
    if (error)
        resp_write_error(sn_link_output(sentinel, link), slice_text(error));
    else
        resp_write_ok(sn_link_output(sentinel, link));
    sn_client_resume(sentinel, link);
}

void sn_creation_ask(struct sn_sentinel *sentinel, struct sn_link *link, const struct topology *value)
{
    const char *fault = find_fault(sentinel, value);
    if (fault) {
        resp_write_error_format(sn_link_output(sentinel, link), "ERR %s", fault);
        return;
    }
    struct sn_group *group = sn_group_make(sentinel, value->group);
    if (!group || group->creation.is_wanted || group->acceptor.value.version > 0) {
        resp_write_error_format(sn_link_output(sentinel, link), "ERR %s",
                                !group                      ? "too many groups"
                                : group->creation.is_wanted ? "this group is being created"
                                                            : "this group exists already");
        return;
    }
    group->creation.is_wanted = true;
    group->creation.value = *value;
    group->creation.link = link->id;
    group->creation.serial = link->serial;
    group->creation.give_up_ns = sentinel->now_ns + CREATION_NS;
    sn_client_wait(link);
    sn_peers_refresh(sentinel);
}

void sn_creation_learned(struct sn_sentinel *sentinel, struct sn_group *group)
{
    if (!group->creation.is_wanted)
        return;
    bool is_ours = sn_values_equal(&group->learned, &group->creation.value);
    answer(sentinel, group, is_ours ? NULL : "ERR this group exists already");
}

int64_t sn_creation_tick(struct sn_sentinel *sentinel, struct sn_group *group)
{
    struct sn_creation *creation = &group->creation;
    if (!creation->is_wanted)
        return NEVER_NS;
    if (sentinel->now_ns >= creation->give_up_ns) {
        answer(sentinel, group, "NOQUORUM no majority of the listed sentinels answered; the group may exist by now");
        sn_peers_refresh(sentinel);
        return NEVER_NS;
    }
    if (sn_round_may_start(sentinel, group)) {
        sn_round_start(sentinel, group, SN_CHANGE_CREATE);
        return sentinel->now_ns;
    }
    return sn_earlier(sn_round_free_at(sentinel, group), creation->give_up_ns);
}
