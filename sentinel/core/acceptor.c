#include "sentinel/core/acceptor.h"

bool sn_acceptor_promise(struct sn_acceptor *acceptor, const struct ballot *ballot)
{
    if (ballot_compare(ballot, &acceptor->promised) <= 0)
        return false;
    acceptor->promised = *ballot;
    return true;
}

static void take(struct sn_acceptor *acceptor, const struct ballot *ballot, const struct topology *value)
{
    if (ballot_compare(ballot, &acceptor->promised) > 0)
        acceptor->promised = *ballot;
    acceptor->accepted = *ballot;
    acceptor->value = *value;
}

enum sn_verdict sn_acceptor_accept(struct sn_acceptor *acceptor, const struct sn_protection *protection,
                                   const struct ballot *ballot, const struct topology *value, int64_t now_ns)
{
    if (ballot_compare(ballot, &acceptor->promised) < 0)
        return SN_REFUSED_BALLOT;
    if (!sn_protection_allows(protection, value, now_ns))
        return SN_REFUSED_LEASE;
    take(acceptor, ballot, value);
    return SN_ACCEPTED;
}

bool sn_acceptor_learn(struct sn_acceptor *acceptor, const struct ballot *ballot, const struct topology *value)
{
    if (ballot_compare(ballot, &acceptor->accepted) <= 0)
        return false;
    take(acceptor, ballot, value);
    return true;
}
