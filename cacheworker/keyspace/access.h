/* access.h: when a key was last used, or how often: the 24 bits `access` of an entry.
 *
 * By the LRU rule they are seconds, modulo 2^24 (194 days). By the LFU rule they are the minute of the last use, modulo
 * 2^16 (45 days), and in the low eight bits a counter of about the logarithm of the uses: a new key begins with 5, a
 * use adds one with the chance 1 / ((counter - 5) * log_factor + 1), and each decay_minutes since the last use take one
 * away (redis.io/docs/latest/develop/reference/eviction, "LFU eviction"). Nothing is converted when the rule changes:
 * every 24 bits mean something by either, and what they mean is right again after the next use. */
#ifndef CACHEWORKER_KEYSPACE_ACCESS_H
#define CACHEWORKER_KEYSPACE_ACCESS_H

#include "common/base/rand.h"

#include <stdbool.h>
#include <stdint.h>

#define CW_ACCESS_MAX 0xffffffu

enum { CW_ACCESS_FREQUENCY_BITS = 8 };

struct cw_access_rules {
    bool counts_uses;      /* LFU */
    int64_t log_factor;    /* 0: every use adds one */
    int64_t decay_minutes; /* 0: nothing is taken away */
};

#define CW_ACCESS_RULES_DEFAULT                                                                                        \
    {                                                                                                                  \
        .log_factor = 10, .decay_minutes = 1                                                                           \
    }

static inline uint32_t cw_access_clock(int64_t now_ms)
{
    return (uint32_t)(now_ms / 1000) & CW_ACCESS_MAX;
}

/* Of a key that is new. */
uint32_t cw_access_new(const struct cw_access_rules *rules, int64_t now_ms);

/* Of a key whose access was `access`, and which is used now. */
uint32_t cw_access_used(const struct cw_access_rules *rules, uint32_t access, int64_t now_ms, struct rand *rand);

/* Of a key that was used so long ago, by the LRU rule, or so often, by the LFU rule: as another server says. */
uint32_t cw_access_of_idle(int64_t idle_s, int64_t now_ms);
uint32_t cw_access_of_frequency(uint32_t frequency, int64_t now_ms);

uint32_t cw_access_idle_s(uint32_t access, int64_t now_ms);       /* by the LRU rule */
uint32_t cw_access_idle_minutes(uint32_t access, int64_t now_ms); /* by the LFU rule */

/* The counter at the last use, 0 to 255; by the LFU rule. */
static inline uint32_t cw_access_counted(uint32_t access)
{
    return access & ((1u << CW_ACCESS_FREQUENCY_BITS) - 1);
}

/* The same as it has decayed until now. */
uint32_t cw_access_frequency(const struct cw_access_rules *rules, uint32_t access, int64_t now_ms);

#endif
