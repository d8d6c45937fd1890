/* GEOSEARCH and GEORADIUS, and what they store. */
#include "cacheworker/geo/geo_arguments.h"
#include "cacheworker/geo/geo_commands.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/zset/zset_reply.h"
#include "cacheworker/zset/zset_store.h"
#include "common/base/mem.h"
#include "common/base/rand.h"

#include <stdlib.h>

enum order { FOUND_ORDER, NEAREST_FIRST, FARTHEST_FIRST };

struct search {
    bool is_search;               /* GEOSEARCH and GEOSEARCHSTORE: the shape is among the options */
    bool may_store;               /* GEORADIUS: the destination is among them */
    size_t source_index;          /* arguments */
    size_t store_index;           /* 0: nothing is stored */
    const struct cw_entry *entry; /* borrowed; NULL: no key */

    struct cw_geo_shape shape;
    double unit_m;
    bool has_member, has_point, has_circle, has_box;
    bool with_distance, with_hash, with_point;
    bool stores_distances;
    enum order order;
    bool is_any;
    uint64_t count; /* 0: all */
};

/* ---- Parsing ---- */

static bool refuse(struct cw_call *call, const char *error)
{
    cw_reply_error(call, error);
    return false;
}

/* Of a key that does not exist the member is not looked for: the reply is that there is nothing. */
static bool parse_member(struct cw_call *call, struct search *search, size_t index)
{
    double score;
    if (!search->entry)
        return true;
    if (!cw_zset_score(search->entry, call->argv[index], &score))
        return refuse(call, "ERR could not decode requested zset member");
    search->shape.centre = cw_geo_decode(score);
    return true;
}

static bool parse_count(struct cw_call *call, struct search *search, size_t index)
{
    int64_t count;
    if (!cw_call_integer(call, index, &count))
        return false;
    if (count <= 0)
        return refuse(call, "ERR COUNT must be > 0");
    search->count = (uint64_t)count;
    return true;
}

/* A word that stands alone. */
static bool parse_flag(struct search *search, struct slice word)
{
    if (slice_equal_nocase(word, "withdist"))
        search->with_distance = true;
    else if (slice_equal_nocase(word, "withhash"))
        search->with_hash = true;
    else if (slice_equal_nocase(word, "withcoord"))
        search->with_point = true;
    else if (slice_equal_nocase(word, "any"))
        search->is_any = true;
    else if (slice_equal_nocase(word, "asc"))
        search->order = NEAREST_FIRST;
    else if (slice_equal_nocase(word, "desc"))
        search->order = FARTHEST_FIRST;
    else if (search->is_search && search->store_index != 0 && slice_equal_nocase(word, "storedist"))
        search->stores_distances = true;
    else
        return false;
    return true;
}

/* An option of GEOSEARCH at argv[index], with arguments: sets how many there are. */
static bool parse_shape(struct cw_call *call, struct search *search, size_t index, size_t *ret_taken)
{
    struct slice word = call->argv[index];
    size_t left = call->argc - index - 1;
    if (left >= 1 && !search->has_point && slice_equal_nocase(word, "frommember")) {
        *ret_taken = 1;
        search->has_member = true;
        return parse_member(call, search, index + 1);
    }
    if (left >= 2 && !search->has_member && slice_equal_nocase(word, "fromlonlat")) {
        *ret_taken = 2;
        search->has_point = true;
        return cw_geo_parse_point(call, index + 1, &search->shape.centre);
    }
    if (left >= 2 && !search->has_box && slice_equal_nocase(word, "byradius")) {
        *ret_taken = 2;
        search->has_circle = true;
        return cw_geo_parse_circle(call, index + 1, &search->shape, &search->unit_m);
    }
    if (left >= 3 && !search->has_circle && slice_equal_nocase(word, "bybox")) {
        *ret_taken = 3;
        search->has_box = true;
        return cw_geo_parse_box(call, index + 1, &search->shape, &search->unit_m);
    }
    return refuse(call, CW_ERROR_SYNTAX);
}

static bool parse_options(struct cw_call *call, struct search *search, size_t first)
{
    for (size_t i = first; i < call->argc; i++) {
        struct slice word = call->argv[i];
        bool has_argument = i + 1 < call->argc;
        size_t taken = 0;
        if (parse_flag(search, word))
            continue;
        if (has_argument && slice_equal_nocase(word, "count")) {
            if (!parse_count(call, search, ++i))
                return false;
        } else if (has_argument && search->may_store &&
                   (slice_equal_nocase(word, "store") || slice_equal_nocase(word, "storedist"))) {
            search->stores_distances = slice_equal_nocase(word, "storedist");
            search->store_index = ++i;
        } else if (!search->is_search) {
            return refuse(call, CW_ERROR_SYNTAX);
        } else if (!parse_shape(call, search, i, &taken)) {
            return false;
        }
        i += taken;
    }
    return true;
}

/* What options forbid each other, or are missing. */
static bool check_options(struct cw_call *call, const struct search *search)
{
    if (search->store_index != 0 && (search->with_distance || search->with_hash || search->with_point)) {
        resp_write_error_format(call->reply, "ERR %s is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
                                search->is_search ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS");
        return false;
    }
    const char *missing = NULL;
    if (search->is_search && !search->has_member && !search->has_point)
        missing = "FROMMEMBER or FROMLONLAT";
    else if (search->is_search && !search->has_circle && !search->has_box)
        missing = "BYRADIUS and BYBOX";
    if (missing) {
        resp_write_error_format(call->reply, "ERR exactly one of %s can be specified for %.*s", missing,
                                (int)call->argv[0].length, call->argv[0].data);
        return false;
    }
    if (search->is_any && search->count == 0)
        return refuse(call, "ERR the ANY argument requires COUNT argument");
    return true;
}

/* ---- Points ---- */

struct found {
    struct cw_packed_value member; /* borrowed */
    struct cw_geo_point point;
    double score;
    double distance_m;
    size_t index; /* in the order in which they were found */
};

struct list {
    struct found *items; /* owned */
    size_t count;
    size_t capacity;
};

static void add_found(struct list *list, const struct found *found)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 16;
        list->items = mem_resize(list->items, list->capacity * sizeof(struct found));
    }
    list->items[list->count] = *found;
    list->items[list->count].index = list->count;
    list->count++;
}

static void look_in(const struct search *search, const struct cw_geo_cell *cell, struct list *list, uint64_t most)
{
    const struct cw_score_limit low = {.score = (double)cell->first};
    const struct cw_score_limit high = {.score = (double)cell->end, .exclusive = true};
    uint64_t first, last;
    if (!cw_zset_score_range(search->entry, &low, &high, &first, &last))
        return;
    struct cw_zset_place place;
    for (bool is_there = cw_zset_at(search->entry, first, &place); is_there && place.rank <= last && list->count < most;
         is_there = cw_zset_next(search->entry, &place)) {
        struct found found = {.member = place.member, .point = cw_geo_decode(place.score), .score = place.score};
        if (cw_geo_contains(&search->shape, found.point, &found.distance_m))
            add_found(list, &found);
    }
}

static void look_everywhere(const struct search *search, struct list *list)
{
    struct cw_geo_cover cover;
    struct cw_geo_cell cell;
    uint64_t most = search->is_any ? search->count : UINT64_MAX;
    cw_geo_cover_begin(&cover, &search->shape);
    while (list->count < most && cw_geo_cover_next(&cover, &cell))
        look_in(search, &cell, list, most);
}

/* ---- Their order ---- */

static int by_index(const struct found *a, const struct found *b)
{
    return a->index < b->index ? -1 : a->index > b->index;
}

static int nearest_first(const void *a, const void *b)
{
    const struct found *first = a;
    const struct found *second = b;
    if (first->distance_m != second->distance_m)
        return first->distance_m < second->distance_m ? -1 : 1;
    return by_index(first, second);
}

static int farthest_first(const void *a, const void *b)
{
    const struct found *first = a;
    const struct found *second = b;
    if (first->distance_m != second->distance_m)
        return first->distance_m > second->distance_m ? -1 : 1;
    return by_index(first, second);
}

typedef int (*comparison)(const void *a, const void *b);

static void swap(struct found *a, struct found *b)
{
    struct found kept = *a;
    *a = *b;
    *b = kept;
}

/* Brings the first `wanted` to the front, in no order (Hoare 1961), so that only these are sorted. */
static void select_first(struct list *list, size_t wanted, comparison compare, struct rand *rand)
{
    size_t low = 0;
    size_t high = list->count;
    while (high - low > 1) {
        struct found *items = list->items;
        size_t middle = low;
        swap(&items[low], &items[low + rand_below(rand, high - low)]);
        for (size_t i = low + 1; i < high; i++)
            if (compare(&items[i], &items[low]) < 0)
                swap(&items[++middle], &items[i]);
        swap(&items[low], &items[middle]);
        if (middle == wanted)
            return;
        if (middle < wanted)
            low = middle + 1;
        else
            high = middle;
    }
}

/* Leaves no more than COUNT. */
static void put_in_order(struct cw_call *call, const struct search *search, struct list *list)
{
    enum order order = search->order;
    if (order == FOUND_ORDER && search->count != 0 && !search->is_any)
        order = NEAREST_FIRST;
    size_t wanted = search->count != 0 && search->count < list->count ? (size_t)search->count : list->count;
    comparison compare = order == FARTHEST_FIRST ? farthest_first : nearest_first;
    if (order != FOUND_ORDER && list->count > 0) {
        if (wanted < list->count)
            select_first(list, wanted, compare, cw_keyspace_rand(call->keyspace));
        qsort(list->items, wanted, sizeof(struct found), compare);
    }
    list->count = wanted;
}

/* ---- What becomes of them ---- */

static void show(struct cw_call *call, const struct search *search, const struct list *list)
{
    unsigned extras = search->with_distance + search->with_hash + search->with_point;
    resp_write_array(call->reply, list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct found *found = &list->items[i];
        if (extras > 0)
            resp_write_array(call->reply, 1 + extras);
        cw_zset_reply_member(call, &found->member);
        if (search->with_distance)
            cw_geo_reply_distance(call, found->distance_m / search->unit_m);
        if (search->with_hash)
            resp_write_integer(call->reply, (int64_t)found->score);
        if (search->with_point)
            cw_geo_reply_point(call, found->point);
    }
}

static void store(struct cw_call *call, const struct search *search, const struct list *list)
{
    struct cw_ref draft;
    cw_keyspace_open_draft(call->keyspace, call->now_ms, &draft);
    if (list->count > 0)
        cw_zset_begin(call->keyspace, &draft);
    for (size_t i = 0; i < list->count; i++) {
        const struct found *found = &list->items[i];
        char space[NUMBER_TEXT_MAX];
        double score = search->stores_distances ? found->distance_m / search->unit_m : found->score;
        cw_zset_set(call->keyspace, &draft, cw_packed_value_text(&found->member, space), score);
    }
    cw_zset_store(call, &draft, search->store_index, search->is_search ? "geosearchstore" : "georadiusstore");
    if (list->count > 1)
        call->dirty += list->count - 1;
}

/* ---- Commands ---- */

static void search_options(struct cw_call *call, struct search *search, size_t first)
{
    struct list list = {.items = NULL};
    if (!parse_options(call, search, first) || !check_options(call, search))
        return;
    if (search->entry)
        look_everywhere(search, &list);
    put_in_order(call, search, &list);
    if (search->store_index != 0)
        store(call, search, &list);
    else
        show(call, search, &list);
    mem_free(list.items);
}

static bool read_source(struct cw_call *call, struct search *search)
{
    search->entry = cw_call_read(call, search->source_index);
    return cw_call_is_type(call, search->entry, CW_TYPE_ZSET);
}

void cw_geosearch_command(struct cw_call *call)
{
    struct search search = {.is_search = true, .source_index = 1, .unit_m = 1};
    if (read_source(call, &search))
        search_options(call, &search, 2);
}

void cw_geosearchstore_command(struct cw_call *call)
{
    struct search search = {.is_search = true, .source_index = 2, .store_index = 1, .unit_m = 1};
    if (read_source(call, &search))
        search_options(call, &search, 3);
}

static void search_around_point(struct cw_call *call, bool may_store)
{
    struct search search = {.source_index = 1, .may_store = may_store};
    if (read_source(call, &search) && cw_geo_parse_point(call, 2, &search.shape.centre) &&
        cw_geo_parse_circle(call, 4, &search.shape, &search.unit_m))
        search_options(call, &search, 6);
}

/* Of a key that does not exist not even the distance is read. */
static void search_around_member(struct cw_call *call, bool may_store)
{
    struct search search = {.source_index = 1, .may_store = may_store, .unit_m = 1};
    if (!read_source(call, &search))
        return;
    if (search.entry &&
        (!parse_member(call, &search, 2) || !cw_geo_parse_circle(call, 3, &search.shape, &search.unit_m)))
        return;
    search_options(call, &search, 5);
}

void cw_georadius_command(struct cw_call *call)
{
    search_around_point(call, true);
}

void cw_georadius_ro_command(struct cw_call *call)
{
    search_around_point(call, false);
}

void cw_georadiusbymember_command(struct cw_call *call)
{
    search_around_member(call, true);
}

void cw_georadiusbymember_ro_command(struct cw_call *call)
{
    search_around_member(call, false);
}
