/* broadcast.h: prefixes of keys that are announced whenever they change (CLIENT TRACKING BCAST).
 *
 * A member is whoever listens to a prefix; a change of a key is noted with each prefix that fits, and all changes of a
 * prefix are told in one message, with each key once. Members and those who change keys are numbers. Each changed key
 * is compared with each prefix, as in Redis. */
#ifndef CACHEWORKER_TRACKING_BROADCAST_H
#define CACHEWORKER_TRACKING_BROADCAST_H

#include "common/base/buf.h"
#include "common/base/list.h"

struct cw_broadcast {
    struct list prefixes; /* of struct prefix, owned, in the order of their bytes */
    size_t count;
    bool has_changes;
    uint64_t seed; /* of hashing */
};

void cw_broadcast_create(struct cw_broadcast *broadcast, uint64_t seed);
void cw_broadcast_destroy(struct cw_broadcast *broadcast);

/* Nothing happens where it is a member already. */
void cw_broadcast_join(struct cw_broadcast *broadcast, struct slice prefix, uint64_t member);

/* Leaves all prefixes. */
void cw_broadcast_leave(struct cw_broadcast *broadcast, uint64_t member);

/* Fills in the member's prefixes in the order of their bytes, all of them, and returns how many there are. */
size_t cw_broadcast_prefixes_of(const struct cw_broadcast *broadcast, uint64_t member, struct slice *prefixes);

/* A key was changed by `changer`. */
void cw_broadcast_note(struct cw_broadcast *broadcast, struct slice key, uint64_t changer);

/* Whether a member does not want to hear of what it changed itself; and the telling of it. `keys` is an array of bulk
 * strings in the order of their bytes, encoded; borrowed for the call. */
struct cw_broadcast_audience {
    bool (*ignores_own)(void *context, uint64_t member);
    void (*tell)(void *context, uint64_t member, struct slice keys);
    void *context; /* borrowed */
};

/* Tells all changes that were noted, prefix after prefix, and forgets them. */
void cw_broadcast_tell(struct cw_broadcast *broadcast, const struct cw_broadcast_audience *audience);

#endif
