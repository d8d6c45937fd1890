/* held.h: answers that wait until the state that they promise is durable. */
#ifndef SENTINEL_CORE_HELD_H
#define SENTINEL_CORE_HELD_H

#include "common/ha/messages.h"
#include "sentinel/core/links.h"

struct sn_held_answer {
    uint64_t sequence; /* of the change that must be durable first */
    link_id link;
    uint64_t serial;
    struct buf bytes; /* owned */
};

struct sn_held { /* in the order of the sequence */
    uint32_t count;
    uint32_t capacity;
    struct sn_held_answer *items; /* owned */
};

void sn_held_add(struct sn_sentinel *sentinel, uint64_t sequence, const struct sn_link *link,
                 const struct message *message);
void sn_held_release(struct sn_sentinel *sentinel); /* sends what has become durable */
void sn_held_free(struct sn_held *held);

#endif
