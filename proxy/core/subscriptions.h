/* subscriptions.h: what a session is subscribed to, so that a new master can be asked for the same, and the frames that
 * say so (redis.io/docs/manual/pubsub). */
#ifndef PROXY_CORE_SUBSCRIPTIONS_H
#define PROXY_CORE_SUBSCRIPTIONS_H

#include "common/base/buf.h"

enum px_topic { PX_TOPIC_CHANNEL, PX_TOPIC_PATTERN, PX_TOPIC_SHARD, PX_TOPICS };

enum px_push_kind { PX_PUSH_MESSAGE, PX_PUSH_SUBSCRIBED, PX_PUSH_UNSUBSCRIBED };

struct px_push {
    enum px_push_kind kind;
    enum px_topic topic; /* unless MESSAGE */
    struct slice name;   /* unless MESSAGE; borrowed from the frame; data NULL when it names none */
};

/* Reads a complete frame that begins with '>' or '*'. False when it is an ordinary reply. */
bool px_push_parse(struct slice frame, struct px_push *ret_push);

/* A set of (topic, name): open addressing, grown at three quarters. */
struct px_subscriptions {
    struct px_subscription *table; /* owned */
    uint32_t capacity;             /* a power of two, or 0 */
    uint32_t used;                 /* with the removed ones */
    uint32_t counts[PX_TOPICS];
};

void px_subscriptions_free(struct px_subscriptions *subscriptions);
void px_subscriptions_add(struct px_subscriptions *subscriptions, enum px_topic topic, struct slice name);
void px_subscriptions_remove(struct px_subscriptions *subscriptions, enum px_topic topic, struct slice name);

static inline uint32_t px_subscriptions_count(const struct px_subscriptions *subscriptions)
{
    return subscriptions->counts[PX_TOPIC_CHANNEL] + subscriptions->counts[PX_TOPIC_PATTERN] +
           subscriptions->counts[PX_TOPIC_SHARD];
}

/* The requests that subscribe to all of it; returns how many confirmations they bring. */
uint32_t px_subscriptions_write(const struct px_subscriptions *subscriptions, struct buf *out);

/* "UNSUBSCRIBE a b c" of everything of that topic. */
void px_subscriptions_write_leave(const struct px_subscriptions *subscriptions, enum px_topic topic, struct buf *out);

/* "subscribe", "psubscribe", "ssubscribe"; behind "un": "unsubscribe", "punsubscribe", "sunsubscribe". */
const char *px_topic_word(enum px_topic topic, bool leave);

#endif
