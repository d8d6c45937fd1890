/* The order of a sorted set against a sorted array: every query after random changes, its invariants, its memory. */
#include "cacheworker/zset/order.h"

#include "common/base/mem.h"
#include "common/base/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LONG_BYTES = 300, LARGE = 100000 };

/* ---- Members ---- */

static size_t entry_bytes(size_t key_length)
{
    return sizeof(struct cw_entry) + (key_length > UINT8_MAX ? sizeof(uint32_t) : 0) + key_length;
}

static struct cw_entry *make_entry(struct cw_arena *arena, struct slice key)
{
    struct cw_entry *entry = cw_arena_alloc(arena, entry_bytes(key.length));
    char *at = cw_entry_after_header(entry);
    *entry = (struct cw_entry){0};
    if (key.length > UINT8_MAX) {
        uint32_t length = (uint32_t)key.length;
        entry->flags = CW_ENTRY_LONG_KEY;
        memcpy(at, &length, sizeof(length));
        at += sizeof(length);
    } else {
        entry->key_length = (uint8_t)key.length;
    }
    memcpy(at, key.data, key.length);
    return entry;
}

static void free_entry(struct cw_arena *arena, struct cw_entry *entry)
{
    cw_arena_free(arena, entry, entry_bytes(cw_entry_key(entry).length));
}

/* Four families of members: numbers, prefixes of each other up to a long one, bytes of all sorts, long ones that differ
 * at the end. */
static struct cw_entry *make_member(struct cw_arena *arena, unsigned number)
{
    char key[2 * LONG_BYTES];
    int length = 0;
    switch (number % 4) {
    case 0: length = snprintf(key, sizeof(key), "%u", number); break;
    case 1:
        length = (int)(number / 4 % LONG_BYTES);
        memset(key, 'a', (size_t)length);
        if (number / 4 >= LONG_BYTES)
            length += snprintf(key + length, 32, "%u", number);
        break;
    case 2: {
        uint64_t mixed = rand_mix(number);
        memcpy(key, &mixed, sizeof(mixed));
        length = sizeof(mixed);
        break;
    }
    default:
        memset(key, 'b', LONG_BYTES);
        length = LONG_BYTES + snprintf(key + LONG_BYTES, 32, "%u", number);
        break;
    }
    return make_entry(arena, slice_of(key, (size_t)length));
}

/* ---- The model ---- */

struct item {
    double score;
    struct cw_entry *member; /* owned */
};

struct model {
    struct item *items; /* owned; in order */
    size_t count;
};

static int compare_bytes(struct slice a, struct slice b)
{
    for (size_t i = 0; i < a.length && i < b.length; i++)
        if (a.data[i] != b.data[i])
            return (unsigned char)a.data[i] < (unsigned char)b.data[i] ? -1 : 1;
    return a.length == b.length ? 0 : a.length < b.length ? -1 : 1;
}

static int compare_items(const void *left, const void *right)
{
    const struct item *a = left, *b = right;
    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    return compare_bytes(cw_entry_key(a->member), cw_entry_key(b->member));
}

static void model_insert(struct model *model, struct item item)
{
    size_t at = model->count++;
    for (; at > 0 && compare_items(&model->items[at - 1], &item) > 0; at--)
        model->items[at] = model->items[at - 1];
    model->items[at] = item;
}

static struct item model_remove(struct model *model, size_t at)
{
    struct item item = model->items[at];
    model->count--;
    memmove(model->items + at, model->items + at + 1, (model->count - at) * sizeof(item));
    return item;
}

/* ---- A set with its model ---- */

struct set {
    struct cw_arena *arena;
    struct cw_order *order;
    struct model model;
};

static struct set set_create(size_t capacity)
{
    struct cw_arena *arena = cw_arena_create();
    return (struct set){
        .arena = arena,
        .order = cw_order_create(arena),
        .model = {.items = mem_zero(sizeof(struct item) * (capacity + 1))},
    };
}

static void free_members(struct set *set)
{
    for (size_t i = 0; i < set->model.count; i++)
        free_entry(set->arena, set->model.items[i].member);
    set->model.count = 0;
}

static void set_destroy(struct set *set)
{
    free_members(set);
    cw_order_destroy(set->order, set->arena);
    assert_int_equal(cw_arena_used_bytes(set->arena), 0);
    cw_arena_destroy(set->arena);
    mem_free(set->model.items);
}

static void assert_sound(const struct set *set)
{
    const char *wrong = cw_order_check(set->order);
    if (wrong)
        fail_msg("%s", wrong);
    assert_int_equal(cw_order_count(set->order), set->model.count);
}

static void assert_place(const struct set *set, bool found, const struct cw_order_place *place, size_t rank)
{
    assert_int_equal(found, rank < set->model.count);
    if (!found)
        return;
    struct cw_order_item item = cw_order_item(place);
    assert_int_equal(place->rank, rank);
    assert_ptr_equal(item.member, set->model.items[rank].member);
    assert_memory_equal(&item.score, &set->model.items[rank].score, sizeof(item.score));
}

static void compare_walks(const struct set *set)
{
    struct cw_order_place place = {0};
    bool found = cw_order_first(set->order, &place);
    for (size_t i = 0; i < set->model.count; i++) {
        assert_place(set, found, &place, i);
        found = cw_order_next(set->order, &place);
    }
    assert_false(found);
    found = cw_order_last(set->order, &place);
    for (size_t i = set->model.count; i-- > 0;) {
        assert_place(set, found, &place, i);
        found = cw_order_previous(set->order, &place);
    }
    assert_false(found);
}

static void compare_rank(const struct set *set, size_t rank)
{
    struct cw_order_place place;
    assert_place(set, cw_order_at(set->order, rank, &place), &place, rank);
    struct item item = set->model.items[rank];
    assert_int_equal(cw_order_rank_of(set->order, item.score, cw_entry_key(item.member)), rank);
}

static size_t items_below(const struct set *set, double score, bool or_equal)
{
    size_t low = 0, high = set->model.count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        double other = set->model.items[middle].score;
        if (other < score || (or_equal && other == score))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void compare_seek_score(const struct set *set, double score)
{
    for (int exclusive = 0; exclusive < 2; exclusive++) {
        struct cw_score_limit limit = {score, exclusive};
        struct cw_order_place place;
        bool found = cw_order_seek_score(set->order, &limit, CW_ORDER_LOW, &place);
        assert_place(set, found, &place, items_below(set, score, exclusive));
        found = cw_order_seek_score(set->order, &limit, CW_ORDER_HIGH, &place);
        assert_place(set, found, &place, items_below(set, score, !exclusive) - 1); /* of none: SIZE_MAX */
    }
}

static void compare_seek_lex(const struct set *set, const struct cw_lex_limit *limit)
{
    size_t before = 0, up_to = 0; /* members before the limit; and with those that equal it */
    for (size_t i = 0; i < set->model.count; i++) {
        int difference = limit->kind == CW_LEX_BEFORE_ALL ? 1 : -1;
        if (limit->kind == CW_LEX_MEMBER)
            difference = compare_bytes(cw_entry_key(set->model.items[i].member), limit->member);
        before += difference < 0 ? 1 : 0;
        up_to += difference <= 0 ? 1 : 0;
    }
    struct cw_order_place place;
    bool found = cw_order_seek_lex(set->order, limit, CW_ORDER_LOW, &place);
    assert_place(set, found, &place, limit->exclusive ? up_to : before);
    found = cw_order_seek_lex(set->order, limit, CW_ORDER_HIGH, &place);
    assert_place(set, found, &place, (limit->exclusive ? before : up_to) - 1);
}

static void compare_all(const struct set *set)
{
    compare_walks(set);
    struct cw_order_place place;
    assert_false(cw_order_at(set->order, set->model.count, &place));
    assert_false(cw_order_at(set->order, SIZE_MAX, &place));
    for (size_t i = 0; i < set->model.count; i++) {
        compare_rank(set, i);
        if (i == 0 || set->model.items[i].score != set->model.items[i - 1].score) {
            double score = set->model.items[i].score;
            compare_seek_score(set, score);
            compare_seek_score(set, nextafter(score, -INFINITY));
            compare_seek_score(set, nextafter(score, INFINITY));
        }
    }
    compare_seek_score(set, -INFINITY);
    compare_seek_score(set, -0.0);
    compare_seek_score(set, 0.0);
    compare_seek_score(set, INFINITY);
}

/* ---- Random scripts ---- */

struct script {
    struct rand rand;
    struct set set;
    double (*score)(struct rand *rand);
    struct cw_entry **absent; /* owned, as its members */
    size_t absent_count;
};

static double few_scores(struct rand *rand)
{
    static const double special[] = {-INFINITY, -1.5, -0.0, 0.0, 0x1p-1074, 1e300, INFINITY};
    if (rand_below(rand, 3) == 0)
        return special[rand_below(rand, ARRAY_LENGTH(special))];
    return (double)rand_between(rand, -20, 20);
}

static double many_scores(struct rand *rand)
{
    return (double)rand_between(rand, -1000000, 1000000) / 1000;
}

static double one_score(struct rand *rand)
{
    return rand_below(rand, 2) == 0 ? 0.0 : -0.0;
}

static void script_insert(struct script *script)
{
    struct cw_entry **from = &script->absent[rand_below(&script->rand, script->absent_count)];
    struct item item = {script->score(&script->rand), *from};
    *from = script->absent[--script->absent_count];
    size_t rank = cw_order_rank_of(script->set.order, item.score, cw_entry_key(item.member));
    cw_order_insert(script->set.order, script->set.arena, item.score, item.member);
    model_insert(&script->set.model, item);
    assert_int_equal(compare_items(&script->set.model.items[rank], &item), 0);
}

static void script_remove(struct script *script, size_t at)
{
    struct item item = model_remove(&script->set.model, at);
    cw_order_remove(script->set.order, script->set.arena, item.score, cw_entry_key(item.member));
    script->absent[script->absent_count++] = item.member;
}

static void script_change_score(struct script *script, size_t at)
{
    struct item item = model_remove(&script->set.model, at);
    double new_score = script->score(&script->rand);
    switch (script->score == one_score ? 3 : rand_below(&script->rand, 4)) {
    case 0: new_score = item.score; break;
    case 1: new_score = nextafter(item.score, INFINITY); break;
    case 2: new_score = nextafter(item.score, -INFINITY); break;
    default: break;
    }
    cw_order_change_score(script->set.order, script->set.arena, item.score, cw_entry_key(item.member), new_score);
    item.score = new_score;
    model_insert(&script->set.model, item);
}

/* The old entry is freed before, and with a sanitizer must not be read. */
static void script_repoint(struct script *script, size_t at)
{
    struct item *item = &script->set.model.items[at];
    struct cw_entry *old = item->member;
    item->member = make_entry(script->set.arena, cw_entry_key(old));
    free_entry(script->set.arena, old);
    cw_order_repoint(script->set.order, item->score, old, item->member);
}

static void script_step(struct script *script, bool grow)
{
    struct model *model = &script->set.model;
    size_t at = model->count > 0 ? rand_below(&script->rand, model->count) : 0;
    uint64_t choice = rand_below(&script->rand, 10);
    if (script->absent_count > 0 && (model->count == 0 || choice < (grow ? 5 : 1)))
        script_insert(script);
    else if (choice < 6)
        script_remove(script, choice == 0 ? 0 : choice == 1 ? model->count - 1 : at);
    else if (choice < 8)
        script_change_score(script, at);
    else
        script_repoint(script, at);
}

static void compare_lex(const struct script *script)
{
    const struct set *set = &script->set;
    for (unsigned number = 0; number < 1000; number += 7) { /* members that are there, and others */
        struct cw_entry *member = make_member(set->arena, number);
        compare_seek_lex(set, &(struct cw_lex_limit){CW_LEX_MEMBER, cw_entry_key(member), number % 2});
        free_entry(set->arena, member);
    }
    compare_seek_lex(set, &(struct cw_lex_limit){CW_LEX_MEMBER, {NULL, 0}, false});
    compare_seek_lex(set, &(struct cw_lex_limit){.kind = CW_LEX_BEFORE_ALL});
    compare_seek_lex(set, &(struct cw_lex_limit){.kind = CW_LEX_AFTER_ALL});
}

static void run_script(uint64_t seed, size_t capacity, double (*score)(struct rand *))
{
    struct script script = {.set = set_create(capacity), .score = score};
    rand_seed(&script.rand, seed);
    script.absent = mem_alloc(sizeof(*script.absent) * capacity);
    for (; script.absent_count < capacity; script.absent_count++)
        script.absent[script.absent_count] = make_member(script.set.arena, (unsigned)script.absent_count);
    bool grow = true;
    for (unsigned step = 0; step < 6 * capacity; step++) {
        if (step % capacity == capacity - 1)
            grow = !grow;
        script_step(&script, grow);
        if (step % 5 == 0)
            assert_sound(&script.set);
        if (step % (capacity / 4) == 0)
            compare_all(&script.set);
        if (step % (capacity / 4) == 0 && score == one_score)
            compare_lex(&script);
    }
    while (script.absent_count > 0)
        free_entry(script.set.arena, script.absent[--script.absent_count]);
    mem_free(script.absent);
    set_destroy(&script.set);
}

static void test_random_scripts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5; seed++) {
        run_script(seed, 100, few_scores);
        run_script(seed, 100, one_score);
        run_script(seed, 900, few_scores);
        run_script(seed, 900, many_scores);
        run_script(seed, 900, one_score);
    }
    run_script(5, 4000, many_scores);
}

/* ---- Filling and emptying ---- */

enum direction { UPWARDS, DOWNWARDS, SHUFFLED };

static void shuffle(struct rand *rand, size_t *numbers, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = rand_below(rand, i), number = numbers[i - 1];
        numbers[i - 1] = numbers[other];
        numbers[other] = number;
    }
}

static size_t *ranks_in(enum direction direction, size_t count)
{
    size_t *ranks = mem_alloc(sizeof(*ranks) * (count + 1));
    for (size_t i = 0; i < count; i++)
        ranks[i] = direction == DOWNWARDS ? count - 1 - i : i;
    struct rand rand;
    rand_seed(&rand, count);
    if (direction == SHUFFLED)
        shuffle(&rand, ranks, count);
    return ranks;
}

/* Every tenth score has three items. */
static struct set fill(enum direction direction, size_t count)
{
    struct set set = set_create(count);
    for (size_t i = 0; i < count; i++) {
        unsigned number = (unsigned)i;
        struct cw_entry *member = make_entry(set.arena, slice_of(&number, sizeof(number)));
        set.model.items[i] = (struct item){(double)(i % 10 < 3 ? i - i % 10 : i) / 8, member};
    }
    set.model.count = count;
    qsort(set.model.items, count, sizeof(struct item), compare_items);
    size_t *ranks = ranks_in(direction, count);
    for (size_t i = 0; i < count; i++) {
        struct item item = set.model.items[ranks[i]];
        cw_order_insert(set.order, set.arena, item.score, item.member);
        if (i % (count / 10 + 1) == 0)
            assert_null(cw_order_check(set.order));
    }
    mem_free(ranks);
    assert_sound(&set);
    return set;
}

/* Takes all but `left` items out, and keeps the model in step at the end only. */
static void empty(struct set *set, enum direction direction, size_t left)
{
    size_t count = set->model.count;
    size_t *ranks = ranks_in(direction, count);
    for (size_t i = 0; i < count - left; i++) {
        struct item *item = &set->model.items[ranks[i]];
        cw_order_remove(set->order, set->arena, item->score, cw_entry_key(item->member));
        free_entry(set->arena, item->member);
        item->member = NULL;
        if (i % (count / 10 + 1) == 0)
            assert_null(cw_order_check(set->order));
    }
    mem_free(ranks);
    set->model.count = 0;
    for (size_t i = 0; i < count; i++)
        if (set->model.items[i].member)
            set->model.items[set->model.count++] = set->model.items[i];
    assert_sound(set);
}

static void compare_samples(const struct set *set)
{
    compare_walks(set);
    for (size_t i = 0; i < set->model.count; i += 1 + set->model.count / 1000) {
        compare_rank(set, i);
        compare_seek_score(set, set->model.items[i].score);
        compare_seek_score(set, set->model.items[i].score + 0.01);
    }
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 2, 31, 32, 33, 34, 64, 65, 100, 544, 545, 576, 577, 578, 993, 9000, LARGE};
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++)
        for (enum direction in = UPWARDS; in <= SHUFFLED; in++)
            for (enum direction out = UPWARDS; out <= SHUFFLED; out++) {
                if (sizes[i] == LARGE && out != (in + 1) % 3)
                    continue;
                struct set set = fill(in, sizes[i]);
                compare_samples(&set);
                empty(&set, out, sizes[i] / 3);
                compare_samples(&set);
                empty(&set, out, 0);
                struct cw_order_place place;
                assert_false(cw_order_first(set.order, &place));
                assert_false(cw_order_last(set.order, &place));
                assert_true(cw_order_used_bytes(set.order) < 600); /* one empty leaf */
                set_destroy(&set);
            }
}

static double bytes_per_item(const struct set *set)
{
    return (double)cw_order_used_bytes(set->order) / (double)cw_order_count(set->order);
}

static void test_memory(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double fill_max;
        double thinned_max; /* after the removal of three quarters at random */
    } bounds[] = {
        [UPWARDS] = {"upwards", 17.5, 32}, [DOWNWARDS] = {"downwards", 17.5, 32}, [SHUFFLED] = {"shuffled", 22, 32}};
    for (enum direction in = UPWARDS; in <= SHUFFLED; in++) {
        struct set set = fill(in, LARGE);
        print_message("# filled %s: %.2f bytes per item\n", bounds[in].name, bytes_per_item(&set));
        assert_true(bytes_per_item(&set) < bounds[in].fill_max);
        size_t members = 0;
        for (size_t i = 0; i < LARGE; i++)
            members += cw_arena_rounded(entry_bytes(cw_entry_key(set.model.items[i].member).length));
        assert_int_equal(cw_order_used_bytes(set.order) + members, cw_arena_used_bytes(set.arena));
        empty(&set, SHUFFLED, LARGE / 4);
        print_message("# thinned out: %.2f bytes per item\n", bytes_per_item(&set));
        assert_true(bytes_per_item(&set) < bounds[in].thinned_max);
        set_destroy(&set);
    }
}

/* Scores that change for long, to anywhere and by little. */
static void test_changing_memory(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 3);
    struct set set = fill(SHUFFLED, LARGE / 5);
    for (size_t i = 0; i < 2 * LARGE; i++) {
        struct item *item = &set.model.items[rand_below(&rand, set.model.count)];
        double new_score = i % 2 == 0 ? many_scores(&rand) : item->score + (double)rand_between(&rand, -3, 3);
        cw_order_change_score(set.order, set.arena, item->score, cw_entry_key(item->member), new_score);
        item->score = new_score;
        if (i % (LARGE / 10) == 0)
            assert_sound(&set);
    }
    print_message("# changed for long: %.2f bytes per item\n", bytes_per_item(&set));
    assert_true(bytes_per_item(&set) < 24);
    qsort(set.model.items, set.model.count, sizeof(struct item), compare_items);
    compare_samples(&set);
    set_destroy(&set);
}

/* What is cut off at one end and grows at the other, as a queue does. */
static void test_queue(void **state)
{
    (void)state;
    struct set set = fill(UPWARDS, LARGE / 10);
    for (size_t i = 0; i < LARGE; i++) {
        struct item item = model_remove(&set.model, 0);
        cw_order_remove(set.order, set.arena, item.score, cw_entry_key(item.member));
        item.score += LARGE;
        cw_order_insert(set.order, set.arena, item.score, item.member);
        model_insert(&set.model, item);
        if (i % 1000 == 0)
            assert_sound(&set);
        assert_true(bytes_per_item(&set) < 18);
    }
    compare_samples(&set);
    set_destroy(&set);
}

static void test_free_in_steps(void **state)
{
    (void)state;
    struct set set = fill(SHUFFLED, LARGE);
    size_t nodes = cw_order_used_bytes(set.order) / 512;
    free_members(&set); /* the table of the set may be freed first */
    size_t steps = 0, used = cw_arena_used_bytes(set.arena);
    for (bool more = true; more; steps++) {
        unsigned budget = 100;
        more = cw_order_free_step(set.order, set.arena, &budget);
        assert_int_equal(budget, more ? 0 : 100 - nodes % 100);
        assert_in_range(used - cw_arena_used_bytes(set.arena), 1, 100 * 512 + 64);
        used = cw_arena_used_bytes(set.arena);
    }
    assert_int_equal(steps, nodes / 100 + 1);
    set.order = NULL;
    set_destroy(&set);

    struct set small = fill(UPWARDS, 3);
    unsigned budget = 0;
    assert_true(cw_order_free_step(small.order, small.arena, &budget));
    budget = 2;
    assert_false(cw_order_free_step(small.order, small.arena, &budget));
    assert_int_equal(budget, 1);
    small.order = NULL;
    set_destroy(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_scripts),  cmocka_unit_test(test_sizes), cmocka_unit_test(test_memory),
        cmocka_unit_test(test_changing_memory), cmocka_unit_test(test_queue), cmocka_unit_test(test_free_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
