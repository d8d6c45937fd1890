/* pubsub.h: who listens to which channel (redis.io/docs/interact/pubsub).
 *
 * Topics of all kinds hang in one hash table by kind and name, patterns in a list as well: a message is matched with
 * each pattern, as in Redis. A subscription links a session and a topic, and stands in a list of each, so that both
 * ends forget it in time proportional to what there is to forget.
 *
 * A message is encoded once per topic and protocol, and its bytes are copied to whoever listens. What the session hears
 * whose command is being executed, its own PUBLISH for example, waits in engine->pushes and follows the reply. */
#ifndef CACHEWORKER_PUBSUB_PUBSUB_H
#define CACHEWORKER_PUBSUB_PUBSUB_H

#include "common/base/buf.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_engine;
struct cw_pubsub;
struct cw_session;

enum cw_topic_kind {
    CW_TOPIC_CHANNEL,
    CW_TOPIC_PATTERN,
    CW_TOPIC_SHARD_CHANNEL, /* a namespace of its own, which no pattern sees */
    CW_TOPIC_KINDS,
};

struct cw_pubsub *cw_pubsub_create(uint64_t seed);
void cw_pubsub_destroy(struct cw_pubsub *pubsub); /* all sessions were forgotten */

/* False when it was so already. */
bool cw_pubsub_subscribe(struct cw_pubsub *pubsub, struct cw_session *session, enum cw_topic_kind kind,
                         struct slice name);
bool cw_pubsub_unsubscribe(struct cw_pubsub *pubsub, struct cw_session *session, enum cw_topic_kind kind,
                           struct slice name);

/* Ends all subscriptions of a session. */
void cw_pubsub_forget(struct cw_pubsub *pubsub, struct cw_session *session);

/* Gives the message to every session that listens, to a channel or, where that fits, to a pattern, or to a shard
 * channel; says how many there are (one that matches twice counts twice). */
size_t cw_pubsub_publish(struct cw_engine *engine, enum cw_topic_kind kind, struct slice channel, struct slice message);

/* How many topics of that kind the session listens to. */
size_t cw_pubsub_count_of(const struct cw_session *session, enum cw_topic_kind kind);

/* Bytes that its subscriptions take; their names belong to all. */
size_t cw_pubsub_memory_of(const struct cw_session *session);

/* The oldest of those names that the session listens to; there must be one. */
struct slice cw_pubsub_first_of(const struct cw_session *session, enum cw_topic_kind kind);

/* Whether all that the session listens to fits. */
bool cw_pubsub_all(const struct cw_session *session,
                   bool (*fits)(void *context, struct slice name, enum cw_topic_kind kind), void *context);

/* How many topics of that kind somebody listens to. */
size_t cw_pubsub_topics(const struct cw_pubsub *pubsub, enum cw_topic_kind kind);
size_t cw_pubsub_listeners(const struct cw_pubsub *pubsub, enum cw_topic_kind kind, struct slice channel);

/* Writes an array of the topics of that kind that match the pattern, of all where `matches_all`. */
void cw_pubsub_write_topics(const struct cw_pubsub *pubsub, enum cw_topic_kind kind, struct slice pattern,
                            bool matches_all, struct buf *out);

#endif
