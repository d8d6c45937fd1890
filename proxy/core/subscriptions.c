#include "proxy/core/subscriptions.h"

#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/rand.h"
#include "common/resp/resp_writer.h"

enum { FIRST_CAPACITY = 8 };

struct px_subscription {
    char *name; /* owned; NULL: never used, or removed */
    size_t length;
    uint32_t hash;
    uint8_t topic;
    bool removed;
};

static const char *const topic_words[PX_TOPICS][2] = {
    [PX_TOPIC_CHANNEL] = {"subscribe", "unsubscribe"},
    [PX_TOPIC_PATTERN] = {"psubscribe", "punsubscribe"},
    [PX_TOPIC_SHARD] = {"ssubscribe", "sunsubscribe"},
};

const char *px_topic_word(enum px_topic topic, bool leave)
{
    return topic_words[topic][leave ? 1 : 0];
}

/* One bulk string at the front of `bytes`; false when there is none, or a null. */
static bool take_bulk(struct slice *bytes, struct slice *ret_text)
{
    const char *line_end = bytes->length > 0 ? memchr(bytes->data, '\r', bytes->length) : NULL;
    if (line_end == NULL || bytes->data[0] != '$')
        return false;
    uint64_t length = 0;
    size_t header = (size_t)(line_end - bytes->data);
    if (number_parse_u64(slice_of(bytes->data + 1, header - 1), &length) < 0 || bytes->length < header + 4 ||
        length > bytes->length - header - 4)
        return false;
    *ret_text = slice_of(line_end + 2, (size_t)length);
    *bytes = slice_skip(*bytes, header + 2 + (size_t)length + 2);
    return true;
}

bool px_push_parse(struct slice frame, struct px_push *ret_push)
{
    bool is_push = frame.data[0] == '>';
    const char *line_end = memchr(frame.data, '\r', frame.length);
    struct slice rest = line_end ? slice_skip(frame, (size_t)(line_end - frame.data) + 2) : slice_of(NULL, 0);
    struct slice word;
    if (!take_bulk(&rest, &word)) {
        *ret_push = (struct px_push){.kind = PX_PUSH_MESSAGE};
        return is_push;
    }
    for (int topic = 0; topic < PX_TOPICS; topic++) {
        for (int leave = 0; leave < 2; leave++) {
            if (!slice_equal_nocase(word, topic_words[topic][leave]))
                continue;
            struct slice name = {NULL, 0};
            bool named = take_bulk(&rest, &name);
            *ret_push = (struct px_push){.kind = leave ? PX_PUSH_UNSUBSCRIBED : PX_PUSH_SUBSCRIBED,
                                         .topic = (enum px_topic)topic,
                                         .name = named ? name : slice_of(NULL, 0)};
            return true;
        }
    }
    *ret_push = (struct px_push){.kind = PX_PUSH_MESSAGE};
    return is_push || slice_equal_nocase(word, "message") || slice_equal_nocase(word, "pmessage") ||
           slice_equal_nocase(word, "smessage");
}

static uint32_t hash_of(enum px_topic topic, struct slice name)
{
    uint64_t hash = (uint64_t)topic;
    for (size_t i = 0; i < name.length; i++)
        hash = (hash ^ (unsigned char)name.data[i]) * 0x100000001b3u;
    return (uint32_t)rand_mix(hash);
}

static struct px_subscription *find(const struct px_subscriptions *set, enum px_topic topic, struct slice name)
{
    if (set->capacity == 0)
        return NULL;
    uint32_t hash = hash_of(topic, name);
    for (uint32_t i = hash & (set->capacity - 1);; i = (i + 1) & (set->capacity - 1)) {
        struct px_subscription *entry = &set->table[i];
        if (entry->name == NULL && !entry->removed)
            return NULL;
        if (entry->name != NULL && entry->hash == hash && entry->topic == (uint8_t)topic &&
            slice_equal(slice_of(entry->name, entry->length), name))
            return entry;
    }
}

static void place(struct px_subscriptions *set, struct px_subscription entry)
{
    uint32_t i = entry.hash & (set->capacity - 1);
    while (set->table[i].name != NULL || set->table[i].removed)
        i = (i + 1) & (set->capacity - 1);
    set->table[i] = entry;
    set->used++;
}

static void grow(struct px_subscriptions *set)
{
    struct px_subscription *old = set->table;
    uint32_t old_capacity = set->capacity;
    uint32_t live = px_subscriptions_count(set);
    set->capacity = FIRST_CAPACITY;
    while (set->capacity < 2 * (live + 1))
        set->capacity *= 2;
    set->table = mem_zero(set->capacity * sizeof(struct px_subscription));
    set->used = 0;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i].name != NULL)
            place(set, old[i]);
    mem_free(old);
}

void px_subscriptions_add(struct px_subscriptions *set, enum px_topic topic, struct slice name)
{
    if (find(set, topic, name) != NULL)
        return;
    if ((set->used + 1) * 4 > set->capacity * 3)
        grow(set);
    place(set, (struct px_subscription){.name = mem_copy_text(name.data, name.length),
                                        .length = name.length,
                                        .hash = hash_of(topic, name),
                                        .topic = (uint8_t)topic});
    set->counts[topic]++;
}

void px_subscriptions_remove(struct px_subscriptions *set, enum px_topic topic, struct slice name)
{
    struct px_subscription *entry = find(set, topic, name);
    if (entry == NULL)
        return;
    mem_free(entry->name);
    *entry = (struct px_subscription){.removed = true};
    set->counts[topic]--;
}

void px_subscriptions_free(struct px_subscriptions *set)
{
    for (uint32_t i = 0; i < set->capacity; i++)
        mem_free(set->table[i].name);
    mem_free(set->table);
    *set = (struct px_subscriptions){0};
}

static void write_request(const struct px_subscriptions *set, enum px_topic topic, bool leave, struct buf *out)
{
    if (set->counts[topic] == 0)
        return;
    resp_write_array(out, set->counts[topic] + 1);
    resp_write_bulk_text(out, topic_words[topic][leave ? 1 : 0]);
    for (uint32_t i = 0; i < set->capacity; i++)
        if (set->table[i].name != NULL && set->table[i].topic == (uint8_t)topic)
            resp_write_bulk(out, slice_of(set->table[i].name, set->table[i].length));
}

uint32_t px_subscriptions_write(const struct px_subscriptions *set, struct buf *out)
{
    for (int topic = 0; topic < PX_TOPICS; topic++)
        write_request(set, (enum px_topic)topic, false, out);
    return px_subscriptions_count(set);
}

void px_subscriptions_write_leave(const struct px_subscriptions *set, enum px_topic topic, struct buf *out)
{
    write_request(set, topic, true, out);
}
