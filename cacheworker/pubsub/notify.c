#include "cacheworker/pubsub/notify.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/pubsub/pubsub.h"

static void publish(struct cw_engine *engine, const char *kind, unsigned database, struct slice subject,
                    struct slice message)
{
    struct buf channel = {0};
    buf_add_format(&channel, "__%s@%u__:", kind, database);
    buf_add_slice(&channel, subject);
    cw_pubsub_publish(engine, CW_TOPIC_CHANNEL, buf_slice(&channel), message);
    buf_free(&channel);
}

void cw_notify(struct cw_engine *engine, enum cw_notify_class class, const char *event, unsigned database,
               struct slice key)
{
    uint32_t classes = engine->settings.notify_classes;
    if (!(classes & class))
        return;
    if (classes & CW_NOTIFY_KEYSPACE)
        publish(engine, "keyspace", database, key, slice_text(event));
    if (classes & CW_NOTIFY_KEYEVENT)
        publish(engine, "keyevent", database, slice_text(event), key);
}
