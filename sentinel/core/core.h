/* core.h: what the files of a sentinel's core share. Nobody outside of sentinel/core includes it.
 *
 * A step: the world's event is noted (now_ns, effects), work is done, condemned links are closed, and a changed state
 * is handed over to be made durable. Replies that promise something wait in `held` for that. */
#ifndef SENTINEL_CORE_CORE_H
#define SENTINEL_CORE_CORE_H

#include "common/base/rand.h"
#include "common/ha/refusals.h"
#include "sentinel/core/group.h"
#include "sentinel/core/held.h"
#include "sentinel/core/links.h"
#include "sentinel/core/peers.h"
#include "sentinel/core/sentinel.h"
#include "sentinel/core/state.h"

#define SN_LATE_NS (250 * NS_PER_MS) /* a loop later than this renews its promises first */

struct sn_sentinel {
    struct sn_config config; /* slices owned */
    struct identity id;
    uint64_t run;
    struct rand rand;

    bool is_serving; /* the bumped run is durable: from now on others are answered */
    bool has_ended;  /* EFFECT_EXIT was emitted; nothing happens any more */

    uint64_t sequence; /* counts changes of what must be durable */
    uint64_t written;  /* the last one handed to the world */
    uint64_t durable;  /* the last one that is on disk */
    struct sn_held held;

    int64_t now_ns; /* of the present step */
    int64_t wall_us;
    int64_t seen_ns;         /* now_ns of the step before */
    int64_t deadline_ns;     /* when the core wants to be called again */
    struct effects *effects; /* borrowed for one step */

    struct refusals refusals;

    struct message received; /* scratch: decoded while one request is handled */
    struct message outgoing; /* scratch: filled and sent at once */

    struct sn_links links;
    struct sn_peers peers;
    uint32_t group_count;
    struct sn_group *groups[SN_GROUPS_MAX]; /* owned */
};

/* Notes that something was changed which must be durable; returns the number of the change. */
uint64_t sn_touch(struct sn_sentinel *sentinel);

/* Something was not taken. `who` and `what` stand in the log, if it is said now: whoever tries again and again does not
 * fill the disk. */
void sn_refused(struct sn_sentinel *sentinel, enum refusal refusal, const char *who, const char *what);

/* A decision: logged, and kept for RESPITE WHY. */
void sn_decide(struct sn_sentinel *sentinel, struct sn_group *group, const char *format, ...) PRINTF(3, 4);

/* The link is gone, or about to be: whoever used it forgets it. */
void sn_link_lost(struct sn_sentinel *sentinel, struct sn_link *link);

/* First letters of an id, for logs. */
struct sn_short_id {
    char text[9];
};
struct sn_short_id sn_short_id(const struct identity *identity);

static inline bool sn_mutant(const struct sn_sentinel *sentinel, unsigned mutant)
{
    return UNLIKELY(sentinel->config.mutants & mutant);
}

static inline int64_t sn_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

#endif
