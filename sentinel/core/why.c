#include "sentinel/core/why.h"

#include "common/base/check.h"

#include <string.h>

uint32_t sn_why_kept(const struct sn_why *why)
{
    return why->count < SN_WHY_MAX ? (uint32_t)why->count : SN_WHY_MAX;
}

static struct sn_reason *find_repeat(struct sn_why *why, uint64_t version, const char *text)
{
    uint32_t looked_at = sn_why_kept(why) < SN_WHY_REPEATS ? sn_why_kept(why) : SN_WHY_REPEATS;
    for (uint32_t i = 1; i <= looked_at; i++) {
        struct sn_reason *reason = &why->items[(why->count - i) % SN_WHY_MAX];
        if (reason->version == version && strncmp(reason->text, text, SN_WHY_TEXT_MAX - 1) == 0)
            return reason;
    }
    return NULL;
}

bool sn_why_note(struct sn_why *why, int64_t wall_us, uint64_t version, uint64_t epoch, const char *text)
{
    struct sn_reason *reason = find_repeat(why, version, text);
    if (reason) {
        reason->last_us = wall_us;
        reason->times++;
        return false;
    }
    reason = &why->items[why->count++ % SN_WHY_MAX];
    *reason =
        (struct sn_reason){.first_us = wall_us, .last_us = wall_us, .times = 1, .version = version, .epoch = epoch};
    memcpy(reason->text, text, strnlen(text, SN_WHY_TEXT_MAX - 1));
    return true;
}

const struct sn_reason *sn_why_at(const struct sn_why *why, uint32_t index)
{
    CHECK(index < sn_why_kept(why));
    return &why->items[(why->count - sn_why_kept(why) + index) % SN_WHY_MAX];
}
