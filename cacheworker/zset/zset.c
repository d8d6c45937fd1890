#include "cacheworker/zset/zset.h"

#include "cacheworker/keyspace/dictionary.h"
#include "cacheworker/keyspace/packed_entry.h"
#include "common/base/number.h"
#include "common/base/rand.h"

#include <math.h>

struct big {                      /* an object */
    struct cw_dictionary *scores; /* owned; NULL while being freed and gone: member, score in eight bytes */
    struct cw_order *order;       /* owned; NULL while being freed and gone; points to the dictionary's entries */
};

/* ---- As an object ---- */

static struct big *big_of(const struct cw_entry *entry)
{
    return cw_entry_object(entry);
}

static double score_of(const struct cw_entry *member)
{
    double score;
    memcpy(&score, cw_entry_value(member).data, sizeof(score));
    return score;
}

static struct slice score_bytes(const double *score)
{
    return slice_of((const char *)score, sizeof(*score));
}

static struct big *create_big(struct cw_arena *arena, const struct cw_hash_key *hash_key)
{
    struct big *big = cw_arena_alloc(arena, sizeof(*big));
    *big = (struct big){.scores = cw_dictionary_create(arena, hash_key), .order = cw_order_create(arena)};
    return big;
}

struct copying {
    struct cw_arena *arena;
    struct cw_order *order;
};

static void order_copied(void *context, const struct cw_entry *member)
{
    struct copying *copying = context;
    cw_order_insert(copying->order, copying->arena, score_of(member), member);
}

static void *copy_object(struct cw_arena *arena, const void *object)
{
    const struct big *from = object;
    struct big *big = cw_arena_alloc(arena, sizeof(*big));
    *big = (struct big){.scores = cw_dictionary_copy(from->scores), .order = cw_order_create(arena)};
    struct copying copying = {arena, big->order};
    cw_dictionary_for_each(big->scores, order_copied, &copying);
    return big;
}

static bool free_object(struct cw_arena *arena, void *object, unsigned *budget)
{
    struct big *big = object;
    if (big->order && cw_order_free_step(big->order, arena, budget))
        return true;
    big->order = NULL;
    if (cw_dictionary_free_step(big->scores, budget))
        return true;
    cw_arena_free(arena, big, sizeof(*big));
    return false;
}

static size_t object_bytes(const void *object)
{
    const struct big *big = object;
    return sizeof(*big) + cw_dictionary_used_bytes(big->scores) + cw_order_used_bytes(big->order);
}

static uint64_t object_count(const void *object)
{
    const struct big *big = object;
    return cw_dictionary_count(big->scores);
}

static void member_moved(void *context, const struct cw_entry *old, struct cw_entry *entry)
{
    struct big *big = context;
    cw_order_repoint(big->order, score_of(entry), old, entry);
}

static bool compact_object(struct cw_arena *arena, void **object, uint64_t *position, unsigned *budget)
{
    if (*position == 0)
        *object = cw_arena_move(arena, *object, sizeof(struct big), budget);
    struct big *big = *object;
    return cw_order_compact_with(&big->scores, &big->order, arena, position, budget, member_moved, big);
}

const struct cw_object_operations cw_zset_operations = {.copy = copy_object,
                                                        .free_step = free_object,
                                                        .used_bytes = object_bytes,
                                                        .count = object_count,
                                                        .compact_step = compact_object};

/* ---- Packed: places ---- */

static double packed_score(struct slice listpack, size_t place)
{
    struct cw_packed_value value = cw_listpack_value(listpack, cw_listpack_next(listpack, place));
    double score = (double)value.integer;
    if (value.text.data && number_parse_double(value.text, &score) < 0)
        score = 0; /* of a listpack that cw_zset_is_listpack has accepted there is none such */
    return score;
}

static size_t find_packed(struct slice listpack, struct slice member)
{
    struct cw_packed_needle needle = cw_packed_needle(member);
    return cw_listpack_find(listpack, cw_listpack_first(listpack), &needle, 2);
}

static size_t next_packed(struct slice listpack, size_t place)
{
    return cw_listpack_next(listpack, cw_listpack_next(listpack, place));
}

static bool stand_packed(struct slice listpack, size_t place, struct cw_zset_place *ret_place)
{
    if (place == CW_LISTPACK_END)
        return false;
    ret_place->packed = place;
    ret_place->member = cw_listpack_value(listpack, place);
    ret_place->score = packed_score(listpack, place);
    return true;
}

static struct cw_packed_value text_value(struct slice text)
{
    return (struct cw_packed_value){.text = slice_of(text.data ? text.data : "", text.length)};
}

static void stand_big(struct cw_zset_place *place)
{
    struct cw_order_item item = cw_order_item(&place->order);
    place->rank = place->order.rank;
    place->member = text_value(cw_entry_key(item.member));
    place->score = item.score;
}

/* ---- Reading ---- */

uint64_t cw_zset_count(const struct cw_entry *entry)
{
    return cw_entry_is_object(entry) ? cw_dictionary_count(big_of(entry)->scores)
                                     : cw_listpack_count(cw_entry_value(entry)) / 2;
}

bool cw_zset_score(const struct cw_entry *entry, struct slice member, double *ret_score)
{
    if (cw_entry_is_object(entry)) {
        const struct cw_entry *found = cw_dictionary_find(big_of(entry)->scores, member);
        if (found)
            *ret_score = score_of(found);
        return found != NULL;
    }
    struct slice listpack = cw_entry_value(entry);
    size_t place = find_packed(listpack, member);
    if (place == CW_LISTPACK_END)
        return false;
    *ret_score = packed_score(listpack, place);
    return true;
}

bool cw_zset_rank(const struct cw_entry *entry, struct slice member, uint64_t *ret_rank, double *ret_score)
{
    if (cw_entry_is_object(entry)) {
        if (!cw_zset_score(entry, member, ret_score))
            return false;
        *ret_rank = cw_order_rank_of(big_of(entry)->order, *ret_score, member);
        return true;
    }
    struct slice listpack = cw_entry_value(entry);
    struct cw_packed_needle needle = cw_packed_needle(member);
    uint64_t rank = 0;
    for (size_t place = cw_listpack_first(listpack); place != CW_LISTPACK_END; place = next_packed(listpack, place)) {
        struct cw_packed_value value = cw_listpack_value(listpack, place);
        if (cw_packed_value_equals(&value, &needle)) {
            *ret_rank = rank;
            *ret_score = packed_score(listpack, place);
            return true;
        }
        rank++;
    }
    return false;
}

bool cw_zset_at(const struct cw_entry *entry, uint64_t rank, struct cw_zset_place *ret_place)
{
    ret_place->rank = rank;
    if (cw_entry_is_object(entry)) {
        if (!cw_order_at(big_of(entry)->order, rank, &ret_place->order))
            return false;
        stand_big(ret_place);
        return true;
    }
    struct slice listpack = cw_entry_value(entry);
    if (rank >= cw_zset_count(entry))
        return false;
    return stand_packed(listpack, cw_listpack_at(listpack, (int64_t)(2 * rank)), ret_place);
}

bool cw_zset_next(const struct cw_entry *entry, struct cw_zset_place *place)
{
    if (cw_entry_is_object(entry)) {
        if (!cw_order_next(big_of(entry)->order, &place->order))
            return false;
        stand_big(place);
        return true;
    }
    struct slice listpack = cw_entry_value(entry);
    if (!stand_packed(listpack, next_packed(listpack, place->packed), place))
        return false;
    place->rank++;
    return true;
}

bool cw_zset_previous(const struct cw_entry *entry, struct cw_zset_place *place)
{
    if (cw_entry_is_object(entry)) {
        if (!cw_order_previous(big_of(entry)->order, &place->order))
            return false;
        stand_big(place);
        return true;
    }
    struct slice listpack = cw_entry_value(entry);
    size_t score = cw_listpack_previous(listpack, place->packed);
    if (score == CW_LISTPACK_END || !stand_packed(listpack, cw_listpack_previous(listpack, score), place))
        return false;
    place->rank--;
    return true;
}

/* ---- Ranges ---- */

/* Whether an item lies before the low end, or behind the high one. */
typedef bool (*outside)(const void *limit, const struct cw_zset_place *place);

static bool is_below_score(const void *limit, const struct cw_zset_place *place)
{
    return !cw_score_limit_begins(limit, place->score);
}

static bool is_above_score(const void *limit, const struct cw_zset_place *place)
{
    return !cw_score_limit_ends(limit, place->score);
}

static bool is_below_lex(const void *limit, const struct cw_zset_place *place)
{
    char space[NUMBER_TEXT_MAX];
    return !cw_lex_limit_begins(limit, cw_packed_value_text(&place->member, space));
}

static bool is_above_lex(const void *limit, const struct cw_zset_place *place)
{
    char space[NUMBER_TEXT_MAX];
    return !cw_lex_limit_ends(limit, cw_packed_value_text(&place->member, space));
}

static bool packed_range(const struct cw_entry *entry, const void *low, outside is_below, const void *high,
                         outside is_above, uint64_t *ret_first, uint64_t *ret_last)
{
    struct cw_zset_place place;
    bool is_there = cw_zset_at(entry, 0, &place);
    while (is_there && is_below(low, &place))
        is_there = cw_zset_next(entry, &place);
    if (!is_there || is_above(high, &place))
        return false;
    *ret_first = place.rank;
    do
        *ret_last = place.rank;
    while (cw_zset_next(entry, &place) && !is_above(high, &place));
    return true;
}

static bool big_range(bool has_first, const struct cw_order_place *first, bool has_last,
                      const struct cw_order_place *last, uint64_t *ret_first, uint64_t *ret_last)
{
    if (!has_first || !has_last || first->rank > last->rank)
        return false;
    *ret_first = first->rank;
    *ret_last = last->rank;
    return true;
}

bool cw_zset_score_range(const struct cw_entry *entry, const struct cw_score_limit *low,
                         const struct cw_score_limit *high, uint64_t *ret_first, uint64_t *ret_last)
{
    if (!cw_entry_is_object(entry))
        return packed_range(entry, low, is_below_score, high, is_above_score, ret_first, ret_last);
    const struct cw_order *order = big_of(entry)->order;
    struct cw_order_place first, last;
    bool has_first = cw_order_seek_score(order, low, CW_ORDER_LOW, &first);
    bool has_last = cw_order_seek_score(order, high, CW_ORDER_HIGH, &last);
    return big_range(has_first, &first, has_last, &last, ret_first, ret_last);
}

bool cw_zset_lex_range(const struct cw_entry *entry, const struct cw_lex_limit *low, const struct cw_lex_limit *high,
                       uint64_t *ret_first, uint64_t *ret_last)
{
    if (!cw_entry_is_object(entry))
        return packed_range(entry, low, is_below_lex, high, is_above_lex, ret_first, ret_last);
    const struct cw_order *order = big_of(entry)->order;
    struct cw_order_place first, last;
    bool has_first = cw_order_seek_lex(order, low, CW_ORDER_LOW, &first);
    bool has_last = cw_order_seek_lex(order, high, CW_ORDER_HIGH, &last);
    return big_range(has_first, &first, has_last, &last, ret_first, ret_last);
}

void cw_zset_random(const struct cw_entry *entry, struct rand *rand, struct cw_zset_place *ret_place)
{
    CHECK(cw_zset_at(entry, rand_below(rand, cw_zset_count(entry)), ret_place));
}

struct scan {
    cw_zset_visitor visitor;
    void *context;
};

static void visit(void *context, const struct cw_entry *member)
{
    struct scan *scan = context;
    struct cw_packed_value value = text_value(cw_entry_key(member));
    scan->visitor(scan->context, &value, score_of(member));
}

uint64_t cw_zset_scan(const struct cw_entry *entry, uint64_t cursor, cw_zset_visitor visitor, void *context)
{
    struct scan scan = {visitor, context};
    if (cw_entry_is_object(entry))
        return cw_dictionary_scan(big_of(entry)->scores, cursor, visit, &scan);
    struct cw_zset_place place;
    for (bool is_there = cw_zset_at(entry, 0, &place); is_there; is_there = cw_zset_next(entry, &place))
        visitor(context, &place.member, place.score);
    return 0;
}

/* ---- Changing ---- */

/* Whether the reference would keep this as a listpack. */
static bool is_shown_packed(const struct cw_packing *packing, uint64_t count, size_t longest)
{
    return count <= (uint64_t)packing->zset_max_listpack_entries && longest <= (size_t)packing->zset_max_listpack_value;
}

/* Whether it is kept as one. */
static bool is_kept_packed(const struct cw_packing *packing, bool is_shown, uint64_t count, size_t bytes)
{
    if (is_shown)
        return bytes <= CW_LISTPACK_BYTES_MAX;
    return count <= (uint64_t)packing->zset_max_listpack_entries && bytes <= CW_PACKED_ANYWAY_MAX;
}

static void set_big(struct cw_arena *arena, struct big *big, struct slice member, double score)
{
    bool is_new;
    struct cw_entry *entry = cw_dictionary_put(big->scores, member, score_bytes(&score), CW_NO_EXPIRY, &is_new);
    cw_order_insert(big->order, arena, score, entry);
}

static void unpack(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    struct cw_arena *arena = cw_keyspace_arena(keyspace);
    struct big *big = create_big(arena, cw_keyspace_hash_key(keyspace));
    struct cw_zset_place place;
    for (bool is_there = cw_zset_at(ref->entry, 0, &place); is_there; is_there = cw_zset_next(ref->entry, &place)) {
        char space[NUMBER_TEXT_MAX];
        set_big(arena, big, cw_packed_value_text(&place.member, space), place.score);
    }
    cw_keyspace_put_object(keyspace, ref, CW_TYPE_ZSET, CW_ENCODING_SKIPLIST, big);
}

static void create(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    cw_keyspace_put(keyspace, ref, CW_TYPE_ZSET, CW_ENCODING_LISTPACK, slice_of(empty, sizeof(empty)));
}

/* Before a packed set gets a member: changes how it is shown and kept, where that asks for it. */
static void make_room(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice member)
{
    const struct cw_packing *packing = cw_keyspace_packing(keyspace);
    uint64_t count = cw_zset_count(ref->entry) + 1;
    size_t bytes = cw_entry_value(ref->entry).length + cw_listpack_element_bytes(member) + CW_SCORE_TEXT_MAX;
    if (cw_entry_encoding(ref->entry) == CW_ENCODING_LISTPACK && !is_shown_packed(packing, count, member.length))
        cw_keyspace_set_encoding(ref, CW_ENCODING_SKIPLIST);
    if (!is_kept_packed(packing, cw_entry_encoding(ref->entry) == CW_ENCODING_LISTPACK, count, bytes))
        unpack(keyspace, ref);
}

/* The place of the first item behind (score, member). */
static size_t place_behind(struct slice listpack, double score, struct slice member)
{
    size_t place = cw_listpack_first(listpack);
    for (; place != CW_LISTPACK_END; place = next_packed(listpack, place)) {
        double other = packed_score(listpack, place);
        if (other < score)
            continue;
        char space[NUMBER_TEXT_MAX];
        struct cw_packed_value value = cw_listpack_value(listpack, place);
        if (other > score || cw_member_compare(cw_packed_value_text(&value, space), member) > 0)
            break;
    }
    return place;
}

/* `keeps_sign`: of zero, which the reference's skiplist keeps, and its listpack does not. */
static void insert_score(struct cw_packed *packed, size_t place, double score, bool keeps_sign)
{
    bool is_minus_zero = score == 0 && signbit(score);
    if (score >= -0x1p52 && score <= 0x1p52 && score == trunc(score) && !(is_minus_zero && keeps_sign)) {
        cw_listpack_insert_integer(packed, place, (int64_t)score);
    } else {
        char text[CW_SCORE_TEXT_MAX];
        cw_listpack_insert(packed, place, slice_of(text, number_format_double(text, score)));
    }
}

static void insert_packed(struct cw_packed *packed, struct slice member, double score, bool keeps_sign)
{
    size_t place = place_behind(cw_packed_slice(packed), score, member);
    bool is_last = place == CW_LISTPACK_END;
    place = cw_listpack_insert(packed, place, member);
    size_t behind = is_last ? CW_LISTPACK_END : cw_listpack_next(cw_packed_slice(packed), place);
    insert_score(packed, behind, score, keeps_sign);
}

static bool set_in_big(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice member, double score)
{
    struct cw_arena *arena = cw_keyspace_arena(keyspace);
    struct big *big = big_of(ref->entry);
    struct cw_entry *found = cw_dictionary_find(big->scores, member);
    if (!found) {
        set_big(arena, big, member, score);
        return true;
    }
    double before = score_of(found);
    cw_order_change_score(big->order, arena, before, member, score);
    memcpy((char *)(uintptr_t)cw_entry_value(found).data, &score, sizeof(score));
    return false;
}

bool cw_zset_set(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice member, double score)
{
    if (!ref->entry)
        create(keyspace, ref);
    if (cw_entry_is_object(ref->entry))
        return set_in_big(keyspace, ref, member, score);
    size_t place = find_packed(cw_entry_value(ref->entry), member);
    if (place == CW_LISTPACK_END)
        make_room(keyspace, ref, member);
    if (cw_entry_is_object(ref->entry))
        return set_in_big(keyspace, ref, member, score);
    struct cw_packed_entry packed;
    cw_packed_entry_open(&packed, keyspace, ref);
    if (place != CW_LISTPACK_END)
        cw_listpack_delete(&packed.packed, place, 2);
    insert_packed(&packed.packed, member, score, cw_entry_encoding(ref->entry) == CW_ENCODING_SKIPLIST);
    return place == CW_LISTPACK_END;
}

static void delete_if_empty(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    if (cw_zset_count(ref->entry) == 0)
        cw_keyspace_delete(keyspace, ref);
}

bool cw_zset_remove(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice member)
{
    if (cw_entry_is_object(ref->entry)) {
        struct big *big = big_of(ref->entry);
        const struct cw_entry *found = cw_dictionary_find(big->scores, member);
        if (!found)
            return false;
        cw_order_remove(big->order, cw_keyspace_arena(keyspace), score_of(found), member);
        cw_dictionary_remove(big->scores, member);
    } else {
        size_t place = find_packed(cw_entry_value(ref->entry), member);
        if (place == CW_LISTPACK_END)
            return false;
        struct cw_packed_entry packed;
        cw_packed_entry_open(&packed, keyspace, ref);
        cw_listpack_delete(&packed.packed, place, 2);
    }
    delete_if_empty(keyspace, ref);
    return true;
}

/* The member's bytes go with its entry, which goes last. */
static void remove_rank(struct cw_keyspace *keyspace, struct big *big, uint64_t rank)
{
    struct cw_order_place place;
    CHECK(cw_order_at(big->order, rank, &place));
    struct cw_order_item item = cw_order_item(&place);
    cw_order_remove(big->order, cw_keyspace_arena(keyspace), item.score, cw_entry_key(item.member));
    cw_dictionary_remove(big->scores, cw_entry_key(item.member));
}

void cw_zset_remove_ranks(struct cw_keyspace *keyspace, struct cw_ref *ref, uint64_t first, uint64_t last)
{
    if (cw_entry_is_object(ref->entry)) {
        for (uint64_t count = last - first + 1; count > 0; count--)
            remove_rank(keyspace, big_of(ref->entry), first);
    } else {
        struct cw_packed_entry packed;
        cw_packed_entry_open(&packed, keyspace, ref);
        size_t place = cw_listpack_at(cw_packed_slice(&packed.packed), (int64_t)(2 * first));
        cw_listpack_delete(&packed.packed, place, 2 * (last - first + 1));
    }
    delete_if_empty(keyspace, ref);
}

/* ---- Results ---- */

void cw_zset_begin(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    struct big *big = create_big(cw_keyspace_arena(keyspace), cw_keyspace_hash_key(keyspace));
    cw_keyspace_put_object(keyspace, ref, CW_TYPE_ZSET, CW_ENCODING_SKIPLIST, big);
}

static void pack(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_encoding encoding)
{
    struct buf bytes = {0};
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    buf_add(&bytes, empty, sizeof(empty));
    struct cw_packed packed = cw_packed_of_buf(&bytes);
    struct cw_zset_place place;
    for (bool is_there = cw_zset_at(ref->entry, 0, &place); is_there; is_there = cw_zset_next(ref->entry, &place)) {
        cw_listpack_append(&packed, place.member.text);
        insert_score(&packed, CW_LISTPACK_END, place.score, encoding == CW_ENCODING_SKIPLIST);
    }
    cw_keyspace_put(keyspace, ref, CW_TYPE_ZSET, encoding, cw_packed_slice(&packed));
    buf_free(&bytes);
}

void cw_zset_finish(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    const struct cw_packing *packing = cw_keyspace_packing(keyspace);
    uint64_t count = cw_zset_count(ref->entry);
    if (count > (uint64_t)packing->zset_max_listpack_entries)
        return;
    size_t longest = 0;
    size_t bytes = CW_LISTPACK_EMPTY_BYTES;
    struct cw_zset_place place;
    for (bool is_there = cw_zset_at(ref->entry, 0, &place); is_there; is_there = cw_zset_next(ref->entry, &place)) {
        longest = place.member.text.length > longest ? place.member.text.length : longest;
        bytes += cw_listpack_element_bytes(place.member.text) + CW_SCORE_TEXT_MAX;
    }
    bool is_shown = is_shown_packed(packing, count, longest);
    if (is_kept_packed(packing, is_shown, count, bytes))
        pack(keyspace, ref, is_shown ? CW_ENCODING_LISTPACK : CW_ENCODING_SKIPLIST);
}

/* ---- What was read ---- */

/* The next pair of a listpack that may be none of ours. False: it is no member and score. */
static bool check_pair(struct slice listpack, size_t place, struct cw_zset_place *ret_place)
{
    size_t score = cw_listpack_next(listpack, place);
    if (score == CW_LISTPACK_END)
        return false;
    struct cw_packed_value value = cw_listpack_value(listpack, score);
    if (value.text.data && number_parse_double(value.text, &ret_place->score) < 0)
        return false;
    return stand_packed(listpack, place, ret_place);
}

static bool is_in_order(const struct cw_zset_place *a, const struct cw_zset_place *b)
{
    char spaces[2][NUMBER_TEXT_MAX];
    if (a->score != b->score)
        return a->score < b->score;
    return cw_member_compare(cw_packed_value_text(&a->member, spaces[0]), cw_packed_value_text(&b->member, spaces[1])) <
           0;
}

bool cw_zset_is_listpack(struct slice listpack)
{
    struct cw_zset_place before = {.rank = 0};
    bool has_before = false;
    for (size_t place = cw_listpack_first(listpack); place != CW_LISTPACK_END;) {
        struct cw_zset_place item = {.rank = 0};
        char space[NUMBER_TEXT_MAX];
        if (!check_pair(listpack, place, &item) || (has_before && !is_in_order(&before, &item)))
            return false;
        before = item;
        has_before = true;
        struct cw_packed_needle needle = cw_packed_needle(cw_packed_value_text(&item.member, space));
        place = next_packed(listpack, place);
        if (place != CW_LISTPACK_END && cw_listpack_find(listpack, place, &needle, 2) != CW_LISTPACK_END)
            return false;
    }
    return true;
}

void cw_zset_put_listpack(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice listpack)
{
    const struct cw_packing *packing = cw_keyspace_packing(keyspace);
    cw_keyspace_put(keyspace, ref, CW_TYPE_ZSET, CW_ENCODING_LISTPACK, listpack);
    size_t longest = 0;
    struct cw_zset_place place;
    for (bool is_there = cw_zset_at(ref->entry, 0, &place); is_there; is_there = cw_zset_next(ref->entry, &place))
        longest = place.member.text.length > longest ? place.member.text.length : longest;
    uint64_t count = cw_zset_count(ref->entry);
    bool is_shown = is_shown_packed(packing, count, longest);
    if (!is_shown)
        cw_keyspace_set_encoding(ref, CW_ENCODING_SKIPLIST);
    if (!is_kept_packed(packing, is_shown, count, listpack.length))
        unpack(keyspace, ref);
}
