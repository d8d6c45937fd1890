#include "cacheworker/engine/digest.h"

#include "cacheworker/hash/hash.h"
#include "cacheworker/list/list.h"
#include "cacheworker/set/set.h"
#include "cacheworker/stream/stream_group.h"
#include "cacheworker/zset/zset.h"
#include "common/base/number.h"
#include "common/base/siphash.h"

#include <inttypes.h>
#include <stdio.h>

void cw_digest_add(struct cw_digest *digest, struct slice bytes)
{
    for (uint64_t i = 0; i < ARRAY_LENGTH(digest->words); i++) {
        const struct siphash_key key = {{digest->words[i], i}};
        digest->words[i] = siphash(&key, bytes);
    }
}

void cw_digest_join(struct cw_digest *digest, const struct cw_digest *member)
{
    for (size_t i = 0; i < ARRAY_LENGTH(digest->words); i++)
        digest->words[i] ^= member->words[i];
}

static void add_number(struct cw_digest *digest, uint64_t number)
{
    char text[NUMBER_TEXT_MAX];
    cw_digest_add(digest, slice_of(text, number_format_u64(text, number)));
}

static void digest_string(const struct cw_entry *entry, struct cw_digest *digest)
{
    cw_digest_add(digest, cw_entry_value(entry));
}

static void add_packed(struct cw_digest *digest, const struct cw_packed_value *value)
{
    char space[NUMBER_TEXT_MAX];
    cw_digest_add(digest, cw_packed_value_text(value, space));
}

static void digest_list(const struct cw_entry *entry, struct cw_digest *digest)
{
    struct cw_list_walk walk;
    bool stands = cw_list_at(entry, 0, &walk);
    for (; stands; stands = cw_list_next(&walk, CW_LIST_HEAD)) {
        struct cw_packed_value value = cw_list_value(&walk);
        add_packed(digest, &value);
    }
}

static void digest_hash(const struct cw_entry *entry, int64_t from_ms, struct cw_digest *digest)
{
    struct cw_hash_walk walk = {.from_ms = from_ms};
    while (cw_hash_next(entry, &walk)) {
        struct cw_digest pair = {{0}};
        add_packed(&pair, &walk.field);
        add_packed(&pair, &walk.value);
        if (walk.expire_ms != CW_NO_EXPIRY)
            cw_digest_add(&pair, SLICE_LITERAL("expires"));
        cw_digest_join(digest, &pair);
    }
}

static void digest_set(const struct cw_entry *entry, struct cw_digest *digest)
{
    struct cw_set_walk walk = {0};
    while (cw_set_next(entry, &walk)) {
        struct cw_digest member = {{0}};
        add_packed(&member, &walk.member);
        cw_digest_join(digest, &member);
    }
}

static void digest_zset(const struct cw_entry *entry, struct cw_digest *digest)
{
    struct cw_zset_place place;
    for (bool is_there = cw_zset_at(entry, 0, &place); is_there; is_there = cw_zset_next(entry, &place)) {
        struct cw_digest pair = {{0}};
        char text[CW_SCORE_TEXT_MAX];
        add_packed(&pair, &place.member);
        cw_digest_add(&pair, slice_of(text, number_format_double(text, place.score + 0.0))); /* -0.0 is 0.0 */
        cw_digest_join(digest, &pair);
    }
}

static void add_id(struct cw_digest *digest, struct cw_stream_id id)
{
    add_number(digest, id.ms);
    add_number(digest, id.seq);
}

static void add_entries(struct cw_digest *digest, const struct cw_stream *stream)
{
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, stream, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, false);
    while (cw_stream_cursor_next(&cursor)) {
        add_id(digest, cursor.id);
        while (cursor.fields > 0) {
            struct cw_packed_value name;
            struct cw_packed_value value;
            cw_stream_cursor_field(&cursor, &name, &value);
            add_packed(digest, &name);
            add_packed(digest, &value);
        }
    }
}

/* When a consumer was there last is by the clock of each node, and does not count. */
static void add_group(struct cw_digest *digest, const struct cw_stream_group *group)
{
    cw_digest_add(digest, group->named.name);
    add_id(digest, group->last_id);
    add_number(digest, (uint64_t)group->entries_read);
    for (uint32_t i = 0; i < group->consumers.count; i++)
        cw_digest_add(digest, group->consumers.items[i]->name);
    for (struct cw_id_place place = cw_id_map_first(&group->pending); place.leaf; place = cw_id_map_next(place)) {
        const struct cw_stream_pending *pending = cw_id_map_item(place)->value;
        add_id(digest, cw_id_map_item(place)->id);
        cw_digest_add(digest, pending->consumer->named.name);
        add_number(digest, (uint64_t)pending->delivery_ms);
        add_number(digest, pending->deliveries);
    }
}

static void digest_stream(const struct cw_entry *entry, struct cw_digest *digest)
{
    const struct cw_stream *stream = cw_entry_object(entry);
    add_id(digest, stream->last_id);
    add_id(digest, stream->max_deleted_id);
    add_number(digest, stream->entries_added);
    add_entries(digest, stream);
    for (uint32_t i = 0; i < stream->groups.count; i++)
        add_group(digest, cw_stream_group_at(stream, i));
}

/* What a type adds for a value of it. */
typedef void (*digest_function)(const struct cw_entry *entry, struct cw_digest *digest);

static digest_function function_of(enum cw_type type)
{
    switch (type) {
    case CW_TYPE_STRING: return digest_string;
    case CW_TYPE_LIST: return digest_list;
    case CW_TYPE_SET: return digest_set;
    case CW_TYPE_ZSET: return digest_zset;
    case CW_TYPE_STREAM: return digest_stream;
    case CW_TYPE_HASH: return NULL; /* needs to know more */
    }
    return NULL;
}

bool cw_digest_value(const struct cw_entry *entry, int64_t from_ms, struct cw_digest *ret_digest)
{
    enum cw_type type = cw_entry_type(entry);
    digest_function function = function_of(type);
    if (function == NULL && type != CW_TYPE_HASH)
        return false;
    struct cw_digest digest = {{0}};
    cw_digest_add(&digest, slice_text(cw_type_name(type)));
    if (type == CW_TYPE_HASH)
        digest_hash(entry, from_ms, &digest);
    else
        function(entry, &digest);
    if (cw_entry_expire_ms(entry) != CW_NO_EXPIRY)
        cw_digest_add(&digest, SLICE_LITERAL("expires"));
    *ret_digest = digest;
    return true;
}

struct walk {
    const struct cw_keyspace *keyspace;
    int64_t now_ms;
    struct cw_digest digest;
    bool is_whole;
};

static void visit(void *context, unsigned database, const struct cw_entry *entry)
{
    struct walk *walk = context;
    struct cw_digest key = {{0}};
    struct cw_digest value;
    if (cw_keyspace_is_due(walk->keyspace, entry, walk->now_ms))
        return;
    bool shows_all = cw_keyspace_expiry_mode(walk->keyspace) == CW_EXPIRY_IGNORED;
    if (!cw_digest_value(entry, shows_all ? CW_HASH_ALL : walk->now_ms, &value)) {
        walk->is_whole = false;
        return;
    }
    add_number(&key, database);
    cw_digest_add(&key, cw_entry_key(entry));
    for (size_t i = 0; i < ARRAY_LENGTH(value.words); i++)
        add_number(&key, value.words[i]);
    cw_digest_join(&walk->digest, &key);
}

bool cw_digest_keyspace(const struct cw_keyspace *keyspace, int64_t now_ms, struct cw_digest *ret_digest)
{
    struct walk walk = {.keyspace = keyspace, .now_ms = now_ms, .is_whole = true};
    for (unsigned database = 0; database < cw_keyspace_databases(keyspace); database++)
        cw_keyspace_for_each(keyspace, database, visit, &walk);
    if (walk.is_whole)
        *ret_digest = walk.digest;
    return walk.is_whole;
}

void cw_digest_write(const struct cw_digest *digest, char text[CW_DIGEST_TEXT_LENGTH + 1])
{
    snprintf(text, CW_DIGEST_TEXT_LENGTH + 1, "%016" PRIx64 "%016" PRIx64 "%08" PRIx32, digest->words[0],
             digest->words[1], (uint32_t)digest->words[2]);
}
