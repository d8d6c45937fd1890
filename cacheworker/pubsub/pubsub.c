#include "cacheworker/pubsub/pubsub.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/hash.h"
#include "common/base/glob.h"
#include "common/base/list.h"
#include "common/base/mem.h"

enum { SLOTS_FIRST = 16 };

/* A channel or a pattern that somebody listens to. */
struct topic {
    struct topic *next;        /* in its slot */
    struct list subscriptions; /* of this topic, oldest first */
    struct list patterns;      /* in pubsub->patterns, for a pattern */
    size_t count;
    uint64_t hash;
    bool is_pattern;
    size_t length;
    char name[];
};

struct subscription {
    struct list of_topic;
    struct list of_session;
    struct topic *topic;
    struct cw_session *session;
};

struct cw_subscriber {
    struct list channels; /* of struct subscription, oldest first */
    struct list patterns;
    size_t channel_count;
    size_t pattern_count;
};

struct cw_pubsub {
    struct cw_hash_key key;
    struct topic **slots; /* owned; channels and patterns */
    size_t slot_count;    /* a power of two */
    size_t topic_count;
    struct list patterns;
    size_t pattern_count;
};

struct cw_pubsub *cw_pubsub_create(uint64_t seed)
{
    struct cw_pubsub *pubsub = mem_zero(sizeof(*pubsub));
    pubsub->key = (struct cw_hash_key){{rand_mix(seed), rand_mix(seed + 1)}};
    pubsub->slot_count = SLOTS_FIRST;
    pubsub->slots = mem_zero(pubsub->slot_count * sizeof(struct topic *));
    list_init(&pubsub->patterns);
    return pubsub;
}

void cw_pubsub_destroy(struct cw_pubsub *pubsub)
{
    if (pubsub == NULL)
        return;
    CHECK(pubsub->topic_count == 0);
    mem_free(pubsub->slots);
    mem_free(pubsub);
}

/* --- topics --- */

static uint64_t hash_of(const struct cw_pubsub *pubsub, struct slice name, bool is_pattern)
{
    return cw_hash(&pubsub->key, name) ^ (is_pattern ? 1 : 0);
}

static struct slice name_of(const struct topic *topic)
{
    return slice_of(topic->name, topic->length);
}

/* Where the pointer to the topic is, or would be. */
static struct topic **find(const struct cw_pubsub *pubsub, struct slice name, bool is_pattern, uint64_t hash)
{
    struct topic **place = &pubsub->slots[hash & (pubsub->slot_count - 1)];
    while (*place != NULL &&
           !((*place)->hash == hash && (*place)->is_pattern == is_pattern && slice_equal(name_of(*place), name)))
        place = &(*place)->next;
    return place;
}

static void grow(struct cw_pubsub *pubsub)
{
    size_t slot_count = 2 * pubsub->slot_count;
    struct topic **slots = mem_zero(slot_count * sizeof(struct topic *));
    for (size_t i = 0; i < pubsub->slot_count; i++) {
        for (struct topic *topic = pubsub->slots[i], *next; topic != NULL; topic = next) {
            next = topic->next;
            topic->next = slots[topic->hash & (slot_count - 1)];
            slots[topic->hash & (slot_count - 1)] = topic;
        }
    }
    mem_free(pubsub->slots);
    pubsub->slots = slots;
    pubsub->slot_count = slot_count;
}

static struct topic *take_topic(struct cw_pubsub *pubsub, struct slice name, bool is_pattern)
{
    uint64_t hash = hash_of(pubsub, name, is_pattern);
    struct topic *topic = *find(pubsub, name, is_pattern, hash);
    if (topic != NULL)
        return topic;
    if (pubsub->topic_count == pubsub->slot_count)
        grow(pubsub);
    topic = mem_zero(sizeof(*topic) + name.length);
    topic->hash = hash;
    topic->is_pattern = is_pattern;
    topic->length = name.length;
    memcpy(topic->name, name.data, name.length);
    list_init(&topic->subscriptions);
    list_init(&topic->patterns);
    topic->next = pubsub->slots[hash & (pubsub->slot_count - 1)];
    pubsub->slots[hash & (pubsub->slot_count - 1)] = topic;
    pubsub->topic_count++;
    if (is_pattern) {
        list_add_last(&pubsub->patterns, &topic->patterns);
        pubsub->pattern_count++;
    }
    return topic;
}

static void drop_topic(struct cw_pubsub *pubsub, struct topic *topic)
{
    struct topic **place = find(pubsub, name_of(topic), topic->is_pattern, topic->hash);
    *place = topic->next;
    pubsub->topic_count--;
    if (topic->is_pattern) {
        list_remove(&topic->patterns);
        pubsub->pattern_count--;
    }
    mem_free(topic);
}

/* --- subscriptions --- */

/* Looks through the shorter of the two lists that a subscription stands in. */
static struct subscription *find_subscription(const struct topic *topic, const struct cw_session *session)
{
    const struct cw_subscriber *subscriber = session->subscriber;
    if (subscriber == NULL)
        return NULL;
    size_t mine = topic->is_pattern ? subscriber->pattern_count : subscriber->channel_count;
    if (topic->count < mine) {
        LIST_FOR_EACH(node, &topic->subscriptions)
        {
            struct subscription *subscription = LIST_ENTRY(node, struct subscription, of_topic);
            if (subscription->session == session)
                return subscription;
        }
        return NULL;
    }
    const struct list *list = topic->is_pattern ? &subscriber->patterns : &subscriber->channels;
    LIST_FOR_EACH(node, list)
    {
        struct subscription *subscription = LIST_ENTRY(node, struct subscription, of_session);
        if (subscription->topic == topic)
            return subscription;
    }
    return NULL;
}

static struct cw_subscriber *subscriber_of(struct cw_session *session)
{
    if (session->subscriber == NULL) {
        session->subscriber = mem_zero(sizeof(*session->subscriber));
        list_init(&session->subscriber->channels);
        list_init(&session->subscriber->patterns);
        session->flags |= CW_SESSION_IN_PUBSUB;
    }
    return session->subscriber;
}

bool cw_pubsub_subscribe(struct cw_pubsub *pubsub, struct cw_session *session, struct slice name, bool is_pattern)
{
    struct topic *topic = take_topic(pubsub, name, is_pattern);
    if (find_subscription(topic, session) != NULL)
        return false;
    struct cw_subscriber *subscriber = subscriber_of(session);
    struct subscription *subscription = mem_alloc(sizeof(*subscription));
    subscription->topic = topic;
    subscription->session = session;
    list_add_last(&topic->subscriptions, &subscription->of_topic);
    list_add_last(is_pattern ? &subscriber->patterns : &subscriber->channels, &subscription->of_session);
    topic->count++;
    if (is_pattern)
        subscriber->pattern_count++;
    else
        subscriber->channel_count++;
    return true;
}

/* The subscriber struct goes with its last subscription: a session without any costs nothing here. */
static void end_subscription(struct cw_pubsub *pubsub, struct subscription *subscription)
{
    struct topic *topic = subscription->topic;
    struct cw_session *session = subscription->session;
    struct cw_subscriber *subscriber = session->subscriber;
    list_remove(&subscription->of_topic);
    list_remove(&subscription->of_session);
    mem_free(subscription);
    if (topic->is_pattern)
        subscriber->pattern_count--;
    else
        subscriber->channel_count--;
    if (--topic->count == 0)
        drop_topic(pubsub, topic);
    if (subscriber->pattern_count + subscriber->channel_count == 0) {
        mem_free(subscriber);
        session->subscriber = NULL;
        session->flags &= ~(uint32_t)CW_SESSION_IN_PUBSUB;
    }
}

bool cw_pubsub_unsubscribe(struct cw_pubsub *pubsub, struct cw_session *session, struct slice name, bool is_pattern)
{
    struct topic *topic = *find(pubsub, name, is_pattern, hash_of(pubsub, name, is_pattern));
    struct subscription *subscription = topic != NULL ? find_subscription(topic, session) : NULL;
    if (subscription == NULL)
        return false;
    end_subscription(pubsub, subscription);
    return true;
}

void cw_pubsub_forget(struct cw_pubsub *pubsub, struct cw_session *session)
{
    while (session->subscriber != NULL) {
        struct cw_subscriber *subscriber = session->subscriber;
        struct list *first =
            list_is_empty(&subscriber->channels) ? subscriber->patterns.next : subscriber->channels.next;
        end_subscription(pubsub, LIST_ENTRY(first, struct subscription, of_session));
    }
}

/* --- messages --- */

struct publication {
    struct cw_engine *engine;
    const struct cw_session *publisher; /* NULL: the stream */
    struct slice channel;
    struct slice message;
    struct buf *own;
};

static void write_message(const struct publication *publication, const struct topic *topic, int protocol,
                          struct buf *out)
{
    resp_write_push(out, protocol, topic->is_pattern ? 4 : 3);
    resp_write_bulk_text(out, topic->is_pattern ? "pmessage" : "message");
    if (topic->is_pattern)
        resp_write_bulk(out, name_of(topic));
    resp_write_bulk(out, publication->channel);
    resp_write_bulk(out, publication->message);
}

static void give_message(const struct publication *publication, const struct topic *topic)
{
    struct cw_engine *engine = publication->engine;
    LIST_FOR_EACH(node, &topic->subscriptions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct subscription, of_topic)->session;
        if (session->flags & CW_SESSION_CLOSING)
            continue;
        if (session == publication->publisher) {
            write_message(publication, topic, session->protocol, publication->own);
            continue;
        }
        write_message(publication, topic, session->protocol, cw_session_out(engine, session));
        session->flags &= ~(uint32_t)CW_SESSION_UNGATED;
        cw_session_flush(engine, session);
        cw_session_check_output(engine, session);
    }
}

size_t cw_pubsub_publish(struct cw_engine *engine, const struct cw_session *publisher, struct slice channel,
                         struct slice message, struct buf *own)
{
    const struct cw_pubsub *pubsub = engine->pubsub;
    const struct publication publication = {engine, publisher, channel, message, own};
    size_t receivers = 0;
    const struct topic *topic = *find(pubsub, channel, false, hash_of(pubsub, channel, false));
    if (topic != NULL) {
        receivers += topic->count;
        give_message(&publication, topic);
    }
    LIST_FOR_EACH(node, &pubsub->patterns)
    {
        const struct topic *pattern = LIST_ENTRY(node, struct topic, patterns);
        if (!glob_match(name_of(pattern), channel, false))
            continue;
        receivers += pattern->count;
        give_message(&publication, pattern);
    }
    return receivers;
}

/* --- looking --- */

size_t cw_pubsub_channels_of(const struct cw_session *session)
{
    return session->subscriber != NULL ? session->subscriber->channel_count : 0;
}

size_t cw_pubsub_patterns_of(const struct cw_session *session)
{
    return session->subscriber != NULL ? session->subscriber->pattern_count : 0;
}

struct slice cw_pubsub_first_of(const struct cw_session *session, bool is_pattern)
{
    const struct list *list = is_pattern ? &session->subscriber->patterns : &session->subscriber->channels;
    CHECK(!list_is_empty(list));
    return name_of(LIST_ENTRY(list->next, struct subscription, of_session)->topic);
}

size_t cw_pubsub_channel_count(const struct cw_pubsub *pubsub)
{
    return pubsub->topic_count - pubsub->pattern_count;
}

size_t cw_pubsub_pattern_count(const struct cw_pubsub *pubsub)
{
    return pubsub->pattern_count;
}

size_t cw_pubsub_listeners(const struct cw_pubsub *pubsub, struct slice channel)
{
    const struct topic *topic = *find(pubsub, channel, false, hash_of(pubsub, channel, false));
    return topic != NULL ? topic->count : 0;
}

static bool is_shown(const struct topic *topic, struct slice pattern, bool matches_all)
{
    return !topic->is_pattern && (matches_all || glob_match(pattern, name_of(topic), false));
}

void cw_pubsub_write_channels(const struct cw_pubsub *pubsub, struct slice pattern, bool matches_all, struct buf *out)
{
    size_t count = 0;
    for (size_t i = 0; i < pubsub->slot_count; i++) {
        for (const struct topic *topic = pubsub->slots[i]; topic != NULL; topic = topic->next)
            count += is_shown(topic, pattern, matches_all);
    }
    resp_write_array(out, count);
    for (size_t i = 0; i < pubsub->slot_count; i++) {
        for (const struct topic *topic = pubsub->slots[i]; topic != NULL; topic = topic->next) {
            if (is_shown(topic, pattern, matches_all))
                resp_write_bulk(out, name_of(topic));
        }
    }
}
