/* why.h: the last decisions of a group, for RESPITE WHY. A ring of bounded texts; what repeats is counted, not kept. */
#ifndef SENTINEL_CORE_WHY_H
#define SENTINEL_CORE_WHY_H

#include <stdbool.h>
#include <stdint.h>

enum { SN_WHY_MAX = 128, SN_WHY_TEXT_MAX = 256, SN_WHY_REPEATS = 6 };

struct sn_reason {
    int64_t first_us; /* wall clock */
    int64_t last_us;
    uint64_t times;
    uint64_t version; /* learned when it was decided */
    uint64_t epoch;
    char text[SN_WHY_TEXT_MAX];
};

struct sn_why {
    uint64_t count; /* of all that were ever noted; the last SN_WHY_MAX are kept */
    struct sn_reason items[SN_WHY_MAX];
};

/* False: it is the same as one of the last SN_WHY_REPEATS, which counts it. */
bool sn_why_note(struct sn_why *why, int64_t wall_us, uint64_t version, uint64_t epoch, const char *text);

/* `index` counts from the oldest that is kept. */
uint32_t sn_why_kept(const struct sn_why *why);
const struct sn_reason *sn_why_at(const struct sn_why *why, uint32_t index);

#endif
