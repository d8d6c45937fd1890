/* notify.h: keyspace notifications (redis.io/docs/manual/keyspace-notifications): what happens to keys, told in
 * channels to whoever subscribed. Events have the names, classes and order that Redis 7.2 gives them.
 *
 * A command tells of a change when it is made, one call for each event; while nobody asked for the class, such a call
 * costs one look at the settings. Nothing of this goes into the stream: replicas make their own events out of what the
 * stream says. */
#ifndef CACHEWORKER_PUBSUB_NOTIFY_H
#define CACHEWORKER_PUBSUB_NOTIFY_H

#include "cacheworker/engine/call.h"
#include "cacheworker/engine/settings.h"
#include "cacheworker/pubsub/notify_classes.h"

/* Publishes an event, if its class is wanted. */
void cw_notify(struct cw_engine *engine, enum cw_notify_class class, const char *event, unsigned database,
               struct slice key);

static inline void cw_call_notify(const struct cw_call *call, enum cw_notify_class class, const char *event,
                                  struct slice key)
{
    if (UNLIKELY(call->settings->notify_classes & class))
        cw_notify(call->engine, class, event, call->database, key);
}

/* Elements were taken out of a collection, which may be no more now. */
static inline void cw_call_notify_removal(const struct cw_call *call, enum cw_notify_class class, const char *event,
                                          struct slice key, bool is_gone)
{
    cw_call_notify(call, class, event, key);
    if (is_gone)
        cw_call_notify(call, CW_NOTIFY_GENERIC, "del", key);
}

#endif
