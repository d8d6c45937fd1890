#include "sentinel/core/settled.h"

static const struct ballot no_ballot;

static bool is_open(const struct ballot *ballot)
{
    return ballot_compare(ballot, &no_ballot) != 0;
}

static void raise_to(struct ballot *mark, const struct ballot *ballot)
{
    if (ballot_compare(ballot, mark) > 0)
        *mark = *ballot;
}

void sn_settled_await(struct sn_settled *settled, const struct ballot *ballot, bool blocks_grants, int64_t due_ns)
{
    raise_to(&settled->awaited, ballot);
    if (blocks_grants)
        raise_to(&settled->blocking, ballot);
    settled->due_ns = due_ns;
}

void sn_settled_learn(struct sn_settled *settled, const struct ballot *ballot)
{
    if (ballot_compare(ballot, &settled->awaited) >= 0)
        settled->awaited = no_ballot;
    if (ballot_compare(ballot, &settled->blocking) >= 0)
        settled->blocking = no_ballot;
}

bool sn_settled_is(const struct sn_settled *settled)
{
    return !is_open(&settled->awaited);
}

bool sn_settled_may_grant(const struct sn_settled *settled)
{
    return !is_open(&settled->blocking);
}
