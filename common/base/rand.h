/* rand.h: a seeded generator (xoshiro256**, Blackman and Vigna 2018). Same seed, same numbers, everywhere.
 * Not for secrets: those come from the shell. */
#ifndef COMMON_BASE_RAND_H
#define COMMON_BASE_RAND_H

#include <stdbool.h>
#include <stdint.h>

struct rand {
    uint64_t state[4];
};

void rand_seed(struct rand *rand, uint64_t seed);
uint64_t rand_u64(struct rand *rand);

/* Uniform in [0, bound), bound > 0. */
uint64_t rand_below(struct rand *rand, uint64_t bound);

/* Uniform in [low, high]. */
int64_t rand_between(struct rand *rand, int64_t low, int64_t high);

/* True with the given chance in a million. */
bool rand_chance(struct rand *rand, uint32_t per_million);

/* A generator of its own for a subsystem, so that draws of one do not disturb another. */
struct rand rand_fork(struct rand *rand);

/* The mixing function that seeds are spread with (splitmix64); also a good hash of an integer. */
uint64_t rand_mix(uint64_t value);

#endif
