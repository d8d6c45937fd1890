/* picks.h: the random members that HRANDFIELD, SRANDMEMBER and ZRANDMEMBER reply. A type says how its members are
 * walked and drawn, and what belongs to one; which of them are picked is decided here, each with the same chance. */
#ifndef CACHEWORKER_KEYSPACE_PICKS_H
#define CACHEWORKER_KEYSPACE_PICKS_H

#include "cacheworker/engine/call.h"
#include "cacheworker/keyspace/entry.h"
#include "cacheworker/packed/listpack.h"
#include "common/base/rand.h"

struct cw_picks {
    const struct cw_entry *entry; /* NULL: no such key */
    uint64_t count;               /* of its members */
    bool shows_more;              /* the field's value, the member's score */

    /* The member where the picks stand, borrowed from the entry. A walk begins before the first one and is false behind
     * the last; a member drawn has nothing to do with it. `place` is the type's own. */
    struct cw_packed_value member;
    void *place;
    bool (*walk)(struct cw_picks *picks);
    void (*draw)(struct cw_picks *picks, struct rand *rand);
    void (*reply_more)(struct cw_call *call, const struct cw_picks *picks); /* unused without shows_more */
};

/* The arguments `key [count [option]]`. False: the error is replied. */
bool cw_picks_parse(struct cw_call *call, const char *option, int64_t *ret_count, bool *ret_shows_more);

/* Without a count one member by itself; with one so many, none of them twice, all where there are fewer; of a negative
 * count so many, and the same one may come again. */
void cw_picks_reply(struct cw_call *call, struct cw_picks *picks, int64_t count);

#endif
