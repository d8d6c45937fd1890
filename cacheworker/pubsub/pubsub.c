#include "cacheworker/pubsub/pubsub.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/hash.h"
#include "common/base/glob.h"
#include "common/base/list.h"
#include "common/base/mem.h"

enum {
    SLOTS_FIRST = 16,
    ENCODED_KEPT = 64 << 10, /* bytes of memory that stay for the next message */
};

/* Something that somebody listens to. */
struct topic {
    struct topic *next;        /* in its slot */
    struct list subscriptions; /* of this topic, oldest first */
    struct list patterns;      /* in pubsub->patterns, for a pattern */
    size_t count;
    uint64_t hash;
    enum cw_topic_kind kind;
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
    struct {
        struct list subscriptions; /* oldest first */
        size_t count;
    } of[CW_TOPIC_KINDS];
};

struct cw_pubsub {
    struct cw_hash_key key;
    struct topic **slots; /* owned */
    size_t slot_count;    /* a power of two */
    size_t topic_count;   /* of all kinds */
    size_t counts[CW_TOPIC_KINDS];
    struct list patterns;
    struct buf encoded[2]; /* the message that is being given, in RESP2 and RESP3; empty: not yet encoded */
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
    for (size_t i = 0; i < ARRAY_LENGTH(pubsub->encoded); i++)
        buf_free(&pubsub->encoded[i]);
    mem_free(pubsub);
}

/* --- topics --- */

static uint64_t hash_of(const struct cw_pubsub *pubsub, enum cw_topic_kind kind, struct slice name)
{
    return cw_hash(&pubsub->key, name) ^ (uint64_t)kind;
}

static struct slice name_of(const struct topic *topic)
{
    return slice_of(topic->name, topic->length);
}

/* Where the pointer to the topic is, or would be. */
static struct topic **find_place(const struct cw_pubsub *pubsub, enum cw_topic_kind kind, struct slice name,
                                 uint64_t hash)
{
    struct topic **place = &pubsub->slots[hash & (pubsub->slot_count - 1)];
    while (*place != NULL && !((*place)->hash == hash && (*place)->kind == kind && slice_equal(name_of(*place), name)))
        place = &(*place)->next;
    return place;
}

static struct topic *find(const struct cw_pubsub *pubsub, enum cw_topic_kind kind, struct slice name)
{
    return *find_place(pubsub, kind, name, hash_of(pubsub, kind, name));
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

static struct topic *take_topic(struct cw_pubsub *pubsub, enum cw_topic_kind kind, struct slice name)
{
    uint64_t hash = hash_of(pubsub, kind, name);
    struct topic *topic = *find_place(pubsub, kind, name, hash);
    if (topic != NULL)
        return topic;
    if (pubsub->topic_count == pubsub->slot_count)
        grow(pubsub);
    topic = mem_zero(sizeof(*topic) + name.length);
    topic->hash = hash;
    topic->kind = kind;
    topic->length = name.length;
    memcpy(topic->name, name.data, name.length);
    list_init(&topic->subscriptions);
    list_init(&topic->patterns);
    topic->next = pubsub->slots[hash & (pubsub->slot_count - 1)];
    pubsub->slots[hash & (pubsub->slot_count - 1)] = topic;
    pubsub->topic_count++;
    pubsub->counts[kind]++;
    if (kind == CW_TOPIC_PATTERN)
        list_add_last(&pubsub->patterns, &topic->patterns);
    return topic;
}

static void drop_topic(struct cw_pubsub *pubsub, struct topic *topic)
{
    *find_place(pubsub, topic->kind, name_of(topic), topic->hash) = topic->next;
    pubsub->topic_count--;
    pubsub->counts[topic->kind]--;
    list_remove(&topic->patterns);
    mem_free(topic);
}

/* --- subscriptions --- */

/* Looks through the shorter of the two lists that a subscription stands in. */
static struct subscription *find_subscription(const struct topic *topic, const struct cw_session *session)
{
    if (topic->count < cw_pubsub_count_of(session, topic->kind)) {
        LIST_FOR_EACH(node, &topic->subscriptions)
        {
            struct subscription *subscription = LIST_ENTRY(node, struct subscription, of_topic);
            if (subscription->session == session)
                return subscription;
        }
    } else if (session->subscriber != NULL) {
        LIST_FOR_EACH(node, &session->subscriber->of[topic->kind].subscriptions)
        {
            struct subscription *subscription = LIST_ENTRY(node, struct subscription, of_session);
            if (subscription->topic == topic)
                return subscription;
        }
    }
    return NULL;
}

static struct cw_subscriber *subscriber_of(struct cw_session *session)
{
    if (session->subscriber == NULL) {
        session->subscriber = mem_zero(sizeof(*session->subscriber));
        for (size_t kind = 0; kind < CW_TOPIC_KINDS; kind++)
            list_init(&session->subscriber->of[kind].subscriptions);
        session->flags |= CW_SESSION_IN_PUBSUB;
    }
    return session->subscriber;
}

bool cw_pubsub_subscribe(struct cw_pubsub *pubsub, struct cw_session *session, enum cw_topic_kind kind,
                         struct slice name)
{
    struct topic *topic = take_topic(pubsub, kind, name);
    if (find_subscription(topic, session) != NULL)
        return false;
    struct cw_subscriber *subscriber = subscriber_of(session);
    struct subscription *subscription = mem_alloc(sizeof(*subscription));
    subscription->topic = topic;
    subscription->session = session;
    list_add_last(&topic->subscriptions, &subscription->of_topic);
    list_add_last(&subscriber->of[kind].subscriptions, &subscription->of_session);
    topic->count++;
    subscriber->of[kind].count++;
    return true;
}

static bool has_subscriptions(const struct cw_session *session)
{
    for (size_t kind = 0; kind < CW_TOPIC_KINDS; kind++) {
        if (session->subscriber->of[kind].count > 0)
            return true;
    }
    return false;
}

/* The subscriber struct goes with its last subscription: a session without any costs nothing here. */
static void end_subscription(struct cw_pubsub *pubsub, struct subscription *subscription)
{
    struct topic *topic = subscription->topic;
    struct cw_session *session = subscription->session;
    list_remove(&subscription->of_topic);
    list_remove(&subscription->of_session);
    mem_free(subscription);
    session->subscriber->of[topic->kind].count--;
    if (--topic->count == 0)
        drop_topic(pubsub, topic);
    if (!has_subscriptions(session)) {
        mem_free(session->subscriber);
        session->subscriber = NULL;
        session->flags &= ~(uint32_t)CW_SESSION_IN_PUBSUB;
    }
}

bool cw_pubsub_unsubscribe(struct cw_pubsub *pubsub, struct cw_session *session, enum cw_topic_kind kind,
                           struct slice name)
{
    struct topic *topic = find(pubsub, kind, name);
    struct subscription *subscription = topic != NULL ? find_subscription(topic, session) : NULL;
    if (subscription == NULL)
        return false;
    end_subscription(pubsub, subscription);
    return true;
}

size_t cw_pubsub_memory_of(const struct cw_session *session)
{
    size_t bytes = 0;
    if (session->subscriber == NULL)
        return 0;
    for (enum cw_topic_kind kind = 0; kind < CW_TOPIC_KINDS; kind++)
        bytes += cw_pubsub_count_of(session, kind) * sizeof(struct subscription);
    return bytes + sizeof(*session->subscriber);
}

static struct subscription *first_subscription(const struct cw_session *session, enum cw_topic_kind kind)
{
    const struct list *list = &session->subscriber->of[kind].subscriptions;
    CHECK(!list_is_empty(list));
    return LIST_ENTRY(list->next, struct subscription, of_session);
}

void cw_pubsub_forget(struct cw_pubsub *pubsub, struct cw_session *session)
{
    for (enum cw_topic_kind kind = 0; kind < CW_TOPIC_KINDS; kind++) {
        while (cw_pubsub_count_of(session, kind) > 0)
            end_subscription(pubsub, first_subscription(session, kind));
    }
}

/* --- messages --- */

struct message {
    struct cw_engine *engine;
    struct slice channel;
    struct slice payload;
};

/* The bytes that a listener of that protocol gets; they hold until the next topic's. */
static struct slice encoded(const struct message *message, const struct topic *topic, int protocol)
{
    static const char *const words[CW_TOPIC_KINDS] = {"message", "pmessage", "smessage"};
    struct buf *out = &message->engine->pubsub->encoded[protocol == 3];
    if (buf_length(out) > 0)
        return buf_slice(out);
    bool is_pattern = topic->kind == CW_TOPIC_PATTERN;
    resp_write_push(out, protocol, is_pattern ? 4 : 3);
    resp_write_bulk_text(out, words[topic->kind]);
    if (is_pattern)
        resp_write_bulk(out, name_of(topic));
    resp_write_bulk(out, message->channel);
    resp_write_bulk(out, message->payload);
    return buf_slice(out);
}

static size_t give_message(const struct message *message, const struct topic *topic)
{
    LIST_FOR_EACH(node, &topic->subscriptions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct subscription, of_topic)->session;
        cw_session_push(message->engine, session, encoded(message, topic, session->protocol));
    }
    for (size_t i = 0; i < ARRAY_LENGTH(message->engine->pubsub->encoded); i++) {
        buf_clear(&message->engine->pubsub->encoded[i]);
        buf_shrink(&message->engine->pubsub->encoded[i], ENCODED_KEPT);
    }
    return topic->count;
}

size_t cw_pubsub_publish(struct cw_engine *engine, enum cw_topic_kind kind, struct slice channel, struct slice message)
{
    const struct cw_pubsub *pubsub = engine->pubsub;
    const struct message it = {engine, channel, message};
    const struct topic *topic = find(pubsub, kind, channel);
    size_t receivers = topic != NULL ? give_message(&it, topic) : 0;
    if (kind != CW_TOPIC_CHANNEL)
        return receivers;
    LIST_FOR_EACH(node, &pubsub->patterns)
    {
        const struct topic *pattern = LIST_ENTRY(node, struct topic, patterns);
        if (glob_match(name_of(pattern), channel, false))
            receivers += give_message(&it, pattern);
    }
    return receivers;
}

/* --- looking --- */

bool cw_pubsub_all(const struct cw_session *session,
                   bool (*fits)(void *context, struct slice name, enum cw_topic_kind kind), void *context)
{
    for (enum cw_topic_kind kind = 0; kind < CW_TOPIC_KINDS && session->subscriber != NULL; kind++) {
        LIST_FOR_EACH(node, &session->subscriber->of[kind].subscriptions)
        {
            if (!fits(context, name_of(LIST_ENTRY(node, struct subscription, of_session)->topic), kind))
                return false;
        }
    }
    return true;
}

size_t cw_pubsub_count_of(const struct cw_session *session, enum cw_topic_kind kind)
{
    return session->subscriber != NULL ? session->subscriber->of[kind].count : 0;
}

struct slice cw_pubsub_first_of(const struct cw_session *session, enum cw_topic_kind kind)
{
    return name_of(first_subscription(session, kind)->topic);
}

size_t cw_pubsub_topics(const struct cw_pubsub *pubsub, enum cw_topic_kind kind)
{
    return pubsub->counts[kind];
}

size_t cw_pubsub_listeners(const struct cw_pubsub *pubsub, enum cw_topic_kind kind, struct slice channel)
{
    const struct topic *topic = find(pubsub, kind, channel);
    return topic != NULL ? topic->count : 0;
}

void cw_pubsub_write_topics(const struct cw_pubsub *pubsub, enum cw_topic_kind kind, struct slice pattern,
                            bool matches_all, struct buf *out)
{
    size_t before = buf_length(out);
    size_t count = 0;
    for (size_t i = 0; i < pubsub->slot_count; i++) {
        for (const struct topic *topic = pubsub->slots[i]; topic != NULL; topic = topic->next) {
            if (topic->kind != kind || (!matches_all && !glob_match(pattern, name_of(topic), false)))
                continue;
            resp_write_bulk(out, name_of(topic));
            count++;
        }
    }
    resp_insert_array(out, before, count);
}
