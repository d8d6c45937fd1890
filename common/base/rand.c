#include "common/base/rand.h"

#include "common/base/check.h"

uint64_t rand_mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

void rand_seed(struct rand *rand, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++)
        rand->state[i] = rand_mix(seed + i * 0x9e3779b97f4a7c15u);
}

static uint64_t rotate_left(uint64_t value, int count)
{
    return (value << count) | (value >> (64 - count));
}

uint64_t rand_u64(struct rand *rand)
{
    uint64_t *state = rand->state;
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

uint64_t rand_below(struct rand *rand, uint64_t bound)
{
    CHECK(bound > 0);
    return (uint64_t)(((unsigned __int128)rand_u64(rand) * bound) >> 64);
}

int64_t rand_between(struct rand *rand, int64_t low, int64_t high)
{
    CHECK(low <= high);
    uint64_t count = (uint64_t)high - (uint64_t)low + 1;
    uint64_t drawn = count > 0 ? rand_below(rand, count) : rand_u64(rand); /* 0: all 2^64 of them */
    return (int64_t)((uint64_t)low + drawn);
}

bool rand_chance(struct rand *rand, uint32_t per_million)
{
    return rand_below(rand, 1000000) < per_million;
}

struct rand rand_fork(struct rand *rand)
{
    struct rand fork;
    rand_seed(&fork, rand_u64(rand));
    return fork;
}
