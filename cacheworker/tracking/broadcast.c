#include "cacheworker/tracking/broadcast.h"

#include "common/base/hashmap.h"
#include "common/base/mem.h"
#include "common/base/rand.h"
#include "common/resp/resp_writer.h"

#include <stdlib.h>

struct changed {
    struct hashmap_node node;
    uint64_t changer; /* the last one */
    size_t length;
    char name[];
};

struct prefix {
    struct list node;  /* in broadcast->prefixes */
    uint64_t *members; /* owned; in the order in which they joined */
    size_t member_count;
    size_t member_capacity;
    struct hashmap changes; /* of struct changed, owned */
    size_t length;
    char text[];
};

static int compare(struct slice a, struct slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    return order != 0 ? order : (a.length > b.length) - (a.length < b.length);
}

/* --- prefixes --- */

static struct slice text_of(const struct prefix *prefix)
{
    return slice_of(prefix->text, prefix->length);
}

void cw_broadcast_create(struct cw_broadcast *broadcast, uint64_t seed)
{
    *broadcast = (struct cw_broadcast){.seed = seed};
    list_init(&broadcast->prefixes);
}

static void forget_changes(struct prefix *prefix)
{
    HASHMAP_FOR_EACH(node, &prefix->changes)
    {
        struct changed *changed = CONTAINER_OF(node, struct changed, node);
        hashmap_remove(&prefix->changes, node);
        mem_free(changed);
    }
    hashmap_free(&prefix->changes);
}

static void free_prefix(struct cw_broadcast *broadcast, struct prefix *prefix)
{
    forget_changes(prefix);
    list_remove(&prefix->node);
    broadcast->count--;
    mem_free(prefix->members);
    mem_free(prefix);
}

void cw_broadcast_destroy(struct cw_broadcast *broadcast)
{
    LIST_FOR_EACH(node, &broadcast->prefixes)
    free_prefix(broadcast, LIST_ENTRY(node, struct prefix, node));
}

static struct prefix *take_prefix(struct cw_broadcast *broadcast, struct slice text)
{
    struct list *behind = &broadcast->prefixes; /* of the new one, where there is none yet */
    LIST_FOR_EACH(node, &broadcast->prefixes)
    {
        struct prefix *prefix = LIST_ENTRY(node, struct prefix, node);
        int order = compare(text_of(prefix), text);
        if (order == 0)
            return prefix;
        if (order > 0) {
            behind = node;
            break;
        }
    }
    struct prefix *prefix = mem_zero(sizeof(*prefix) + text.length);
    hashmap_init(&prefix->changes, (struct siphash_key){{rand_mix(broadcast->seed), rand_mix(broadcast->seed + 1)}});
    prefix->length = text.length;
    if (text.length > 0)
        memcpy(prefix->text, text.data, text.length);
    list_add_last(behind, &prefix->node);
    broadcast->count++;
    return prefix;
}

/* --- members --- */

static size_t place_of(const struct prefix *prefix, uint64_t member)
{
    size_t place = 0;
    while (place < prefix->member_count && prefix->members[place] != member)
        place++;
    return place;
}

void cw_broadcast_join(struct cw_broadcast *broadcast, struct slice text, uint64_t member)
{
    struct prefix *prefix = take_prefix(broadcast, text);
    if (place_of(prefix, member) < prefix->member_count)
        return;
    if (prefix->member_count == prefix->member_capacity) {
        prefix->member_capacity = prefix->member_capacity ? 2 * prefix->member_capacity : 1;
        prefix->members = mem_resize(prefix->members, prefix->member_capacity * sizeof(uint64_t));
    }
    prefix->members[prefix->member_count++] = member;
}

void cw_broadcast_leave(struct cw_broadcast *broadcast, uint64_t member)
{
    LIST_FOR_EACH(node, &broadcast->prefixes)
    {
        struct prefix *prefix = LIST_ENTRY(node, struct prefix, node);
        size_t place = place_of(prefix, member);
        if (place == prefix->member_count)
            continue;
        prefix->member_count--;
        memmove(prefix->members + place, prefix->members + place + 1,
                (prefix->member_count - place) * sizeof(uint64_t));
        if (prefix->member_count == 0)
            free_prefix(broadcast, prefix);
    }
}

size_t cw_broadcast_prefixes_of(const struct cw_broadcast *broadcast, uint64_t member, struct slice *prefixes)
{
    size_t count = 0;
    LIST_FOR_EACH(node, &broadcast->prefixes)
    {
        const struct prefix *prefix = LIST_ENTRY(node, struct prefix, node);
        if (place_of(prefix, member) < prefix->member_count)
            prefixes[count++] = text_of(prefix);
    }
    return count;
}

/* --- changes --- */

static void note(struct prefix *prefix, struct slice key, uint64_t changer)
{
    struct hashmap_node *node = hashmap_find(&prefix->changes, key);
    if (node != NULL) {
        CONTAINER_OF(node, struct changed, node)->changer = changer;
        return;
    }
    struct changed *changed = mem_zero(sizeof(*changed) + key.length);
    changed->changer = changer;
    changed->length = key.length;
    if (key.length > 0)
        memcpy(changed->name, key.data, key.length);
    hashmap_add(&prefix->changes, &changed->node, slice_of(changed->name, key.length));
}

void cw_broadcast_note(struct cw_broadcast *broadcast, struct slice key, uint64_t changer)
{
    LIST_FOR_EACH(node, &broadcast->prefixes)
    {
        struct prefix *prefix = LIST_ENTRY(node, struct prefix, node);
        if (key.length < prefix->length || memcmp(key.data, prefix->text, prefix->length) != 0)
            continue;
        note(prefix, key, changer);
        broadcast->has_changes = true;
    }
}

static int compare_changed(const void *a, const void *b)
{
    const struct changed *const *left = a;
    const struct changed *const *right = b;
    return compare((*left)->node.key, (*right)->node.key);
}

static const struct changed **in_order(const struct prefix *prefix)
{
    const struct changed **all = mem_alloc(prefix->changes.count * sizeof(*all));
    size_t count = 0;
    HASHMAP_FOR_EACH(node, &prefix->changes)
    all[count++] = CONTAINER_OF(node, struct changed, node);
    qsort(all, count, sizeof(*all), compare_changed);
    return all;
}

/* How many keys there are but those that `changer` changed; 0 is nobody's number. */
static size_t encode(const struct changed **all, size_t count, uint64_t changer, struct buf *out)
{
    size_t others = 0;
    buf_clear(out);
    for (size_t i = 0; i < count; i++) {
        if (changer != 0 && all[i]->changer == changer)
            continue;
        resp_write_bulk(out, all[i]->node.key);
        others++;
    }
    resp_insert_array(out, 0, others);
    return others;
}

static void tell_prefix(struct prefix *prefix, const struct cw_broadcast_audience *audience)
{
    size_t count = prefix->changes.count;
    const struct changed **all = in_order(prefix);
    struct buf shared = {0};
    struct buf own = {0};
    encode(all, count, 0, &shared);
    for (size_t i = 0; i < prefix->member_count; i++) {
        uint64_t member = prefix->members[i];
        if (!audience->ignores_own(audience->context, member))
            audience->tell(audience->context, member, buf_slice(&shared));
        else if (encode(all, count, member, &own) > 0)
            audience->tell(audience->context, member, buf_slice(&own));
    }
    mem_free(all);
    buf_free(&shared);
    buf_free(&own);
    forget_changes(prefix);
}

void cw_broadcast_tell(struct cw_broadcast *broadcast, const struct cw_broadcast_audience *audience)
{
    broadcast->has_changes = false;
    LIST_FOR_EACH(node, &broadcast->prefixes)
    {
        struct prefix *prefix = LIST_ENTRY(node, struct prefix, node);
        if (prefix->changes.count > 0)
            tell_prefix(prefix, audience);
    }
}
