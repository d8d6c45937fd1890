#include "cacheworker/keyspace/access.h"

enum {
    FREQUENCY_NEW = 5,
    FREQUENCY_MAX = 255,
    MINUTES_MASK = 0xffff,
    MS_PER_MINUTE = 60000,
};

static uint32_t minute_of(int64_t now_ms)
{
    return (uint32_t)(now_ms / MS_PER_MINUTE) & MINUTES_MASK;
}

static uint32_t counted(uint32_t minute, uint32_t frequency)
{
    return minute << CW_ACCESS_FREQUENCY_BITS | frequency;
}

uint32_t cw_access_new(const struct cw_access_rules *rules, int64_t now_ms)
{
    return rules->counts_uses ? counted(minute_of(now_ms), FREQUENCY_NEW) : cw_access_clock(now_ms);
}

uint32_t cw_access_used(const struct cw_access_rules *rules, uint32_t access, int64_t now_ms, struct rand *rand)
{
    if (!rules->counts_uses)
        return cw_access_clock(now_ms);
    uint32_t frequency = cw_access_frequency(rules, access, now_ms);
    uint64_t above = frequency > FREQUENCY_NEW ? frequency - FREQUENCY_NEW : 0;
    if (frequency < FREQUENCY_MAX && rand_below(rand, above * (uint64_t)rules->log_factor + 1) == 0)
        frequency++;
    return counted(minute_of(now_ms), frequency);
}

/* A clock that goes round cannot tell long from short: half a round is the most that is taken. */
uint32_t cw_access_of_idle(int64_t idle_s, int64_t now_ms)
{
    int64_t most_s = CW_ACCESS_MAX / 2;
    return (cw_access_clock(now_ms) - (uint32_t)(idle_s < most_s ? idle_s : most_s)) & CW_ACCESS_MAX;
}

uint32_t cw_access_of_frequency(uint32_t frequency, int64_t now_ms)
{
    return counted(minute_of(now_ms), frequency < FREQUENCY_MAX ? frequency : FREQUENCY_MAX);
}

uint32_t cw_access_idle_s(uint32_t access, int64_t now_ms)
{
    return (cw_access_clock(now_ms) - access) & CW_ACCESS_MAX;
}

uint32_t cw_access_idle_minutes(uint32_t access, int64_t now_ms)
{
    return (minute_of(now_ms) - (access >> CW_ACCESS_FREQUENCY_BITS)) & MINUTES_MASK;
}

uint32_t cw_access_frequency(const struct cw_access_rules *rules, uint32_t access, int64_t now_ms)
{
    uint32_t frequency = cw_access_counted(access);
    if (rules->decay_minutes == 0)
        return frequency;
    int64_t decayed = cw_access_idle_minutes(access, now_ms) / rules->decay_minutes;
    return decayed < frequency ? frequency - (uint32_t)decayed : 0;
}
