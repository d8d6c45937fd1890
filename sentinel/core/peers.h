/* peers.h: the connections to the other sentinels. There is one per address that any group's lists name.
 *
 * Who answers there is told by the HELLO that comes back, not by the list: a sentinel that lost its state answers at
 * its old address under a new id, and its votes count nowhere (QUORUM section 10, S11). */
#ifndef SENTINEL_CORE_PEERS_H
#define SENTINEL_CORE_PEERS_H

#include "sentinel/core/links.h"

enum { SN_PEERS_MAX = 128 };

struct sn_group;

struct sn_peer {
    struct address address;
    uint32_t groups;      /* bit i: group number i lists this address */
    struct sn_link *link; /* borrowed; NULL: not connected */
    bool has_said_hello;  /* `id` is known */
    struct identity id;   /* who answered there last */
    bool is_refused;      /* it did not take us for one of its own, or is none of ours; said once */
    int64_t retry_ns;     /* when to connect again */
    int64_t ping_ns;      /* when to ask again whether it lives */
};

struct sn_peers {
    uint32_t count;
    struct sn_peer *items[SN_PEERS_MAX]; /* owned */
};

/* Brings the table into agreement with the groups' lists. */
void sn_peers_refresh(struct sn_sentinel *sentinel);

void sn_peer_opened(struct sn_sentinel *sentinel, struct sn_peer *peer);
void sn_peer_lost(struct sn_sentinel *sentinel, struct sn_peer *peer);
void sn_peer_request(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);

/* To every connected sentinel that the group lists. */
void sn_peers_send(struct sn_sentinel *sentinel, const struct sn_group *group, const struct message *message);

/* Whether that sentinel is connected and known to be it. */
bool sn_peers_reach(const struct sn_sentinel *sentinel, const struct identity *id);

int64_t sn_peers_tick(struct sn_sentinel *sentinel); /* returns when it wants to be called again */
void sn_peers_free(struct sn_peers *peers);

#endif
