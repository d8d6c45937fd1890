/* pubsub.h: who listens to which channel (redis.io/docs/interact/pubsub).
 *
 * Exact channels hang in a hash table by name, patterns in a list: a message is matched with each pattern, as in Redis.
 * A subscription links a session and a name, and stands in a list of each, so that both ends forget it in time
 * proportional to what there is to forget. */
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

struct cw_pubsub *cw_pubsub_create(uint64_t seed);
void cw_pubsub_destroy(struct cw_pubsub *pubsub); /* all sessions were forgotten */

/* False when it was so already. */
bool cw_pubsub_subscribe(struct cw_pubsub *pubsub, struct cw_session *session, struct slice name, bool is_pattern);
bool cw_pubsub_unsubscribe(struct cw_pubsub *pubsub, struct cw_session *session, struct slice name, bool is_pattern);

/* Ends all subscriptions of a session. */
void cw_pubsub_forget(struct cw_pubsub *pubsub, struct cw_session *session);

/* Gives the message to every session that listens, and says how many got it (one that matches twice counts twice).
 * What the publisher itself is to hear goes to `own`: it follows the reply. */
size_t cw_pubsub_publish(struct cw_engine *engine, const struct cw_session *publisher, struct slice channel,
                         struct slice message, struct buf *own);

size_t cw_pubsub_channels_of(const struct cw_session *session);
size_t cw_pubsub_patterns_of(const struct cw_session *session);

/* The oldest of those names that the session listens to; there must be one. */
struct slice cw_pubsub_first_of(const struct cw_session *session, bool is_pattern);

size_t cw_pubsub_channel_count(const struct cw_pubsub *pubsub);
size_t cw_pubsub_pattern_count(const struct cw_pubsub *pubsub);
size_t cw_pubsub_listeners(const struct cw_pubsub *pubsub, struct slice channel);

/* Writes an array of the channels that match the pattern, of all where `matches_all`. */
void cw_pubsub_write_channels(const struct cw_pubsub *pubsub, struct slice pattern, bool matches_all, struct buf *out);

#endif
