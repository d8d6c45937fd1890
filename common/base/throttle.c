#include "common/base/throttle.h"

#include "common/base/door.h"

enum { PLACES_PER_HASH = 8, IPV6_NETWORK_GROUPS = 4 };

#define COST_NS      (NS_PER_S / THROTTLE_BACK_PER_S)
#define ALLOWANCE_NS ((int64_t)THROTTLE_ALLOWANCE * COST_NS)

void throttle_init(struct throttle *throttle, struct siphash_key seed)
{
    memset(throttle, 0, sizeof(*throttle));
    throttle->seed = seed;
}

/* The part of the address that counts. A shortened IPv6 address may show fewer groups, which is then all of it. */
static struct slice source_of(const struct address *peer)
{
    struct slice host = slice_text(peer->host);
    unsigned groups = 0;
    for (size_t i = 0; i < host.length; i++)
        if (host.data[i] == ':' && ++groups == IPV6_NETWORK_GROUPS)
            return slice_of(host.data, i);
    return host;
}

static uint64_t hash_of(const struct throttle *throttle, const struct address *peer)
{
    uint64_t hash = siphash(&throttle->seed, source_of(peer));
    return hash != 0 ? hash : 1;
}

static size_t first_place(uint64_t hash)
{
    return (size_t)(hash % (THROTTLE_PLACES / PLACES_PER_HASH)) * PLACES_PER_HASH;
}

bool throttle_refuses(const struct throttle *throttle, const struct address *peer, int64_t now_ns)
{
    uint64_t hash = hash_of(throttle, peer);
    const struct throttle_place *places = &throttle->places[first_place(hash)];
    for (size_t i = 0; i < PLACES_PER_HASH; i++)
        if (places[i].hash == hash)
            return places[i].full_at_ns - now_ns > ALLOWANCE_NS - COST_NS;
    return false;
}

void throttle_failed(struct throttle *throttle, const struct address *peer, int64_t now_ns)
{
    uint64_t hash = hash_of(throttle, peer);
    struct throttle_place *places = &throttle->places[first_place(hash)];
    struct throttle_place *place = &places[0];
    for (size_t i = 0; i < PLACES_PER_HASH && place->hash != hash; i++)
        if (places[i].hash == hash || places[i].full_at_ns < place->full_at_ns)
            place = &places[i];
    if (place->hash != hash || place->full_at_ns < now_ns)
        *place = (struct throttle_place){hash, now_ns};
    place->full_at_ns += COST_NS;
}
