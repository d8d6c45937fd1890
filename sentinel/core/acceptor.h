/* acceptor.h: one sentinel's share of the register (QUORUM section 1): pure functions over what is durable.
 *
 * Source: CASPaxos (Rystsov 2018), a single decree of Paxos per ballot. The caller makes a changed acceptor durable
 * before the answer leaves; the decision itself counts from now. */
#ifndef SENTINEL_CORE_ACCEPTOR_H
#define SENTINEL_CORE_ACCEPTOR_H

#include "sentinel/core/protection.h"

struct sn_acceptor {
    struct ballot promised; /* never goes down */
    struct ballot accepted;
    struct topology value; /* version 0: nothing was accepted */
};

enum sn_verdict { SN_ACCEPTED, SN_REFUSED_BALLOT, SN_REFUSED_LEASE };

/* True: promised, which only a strictly higher ballot is. */
MUST_CHECK bool sn_acceptor_promise(struct sn_acceptor *acceptor, const struct ballot *ballot);

enum sn_verdict sn_acceptor_accept(struct sn_acceptor *acceptor, const struct sn_protection *protection,
                                   const struct ballot *ballot, const struct topology *value, int64_t now_ns);

/* Takes what was committed at `ballot` as accepted, if it is newer. True: something changed. */
MUST_CHECK bool sn_acceptor_learn(struct sn_acceptor *acceptor, const struct ballot *ballot,
                                  const struct topology *value);

#endif
