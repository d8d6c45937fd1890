/* Sorted sets against a naive model: through both forms, over copies, and over a snapshot. */
#include "cacheworker/engine/objects.h"
#include "cacheworker/keyspace/arena.h"
#include "cacheworker/rdb/rdb_load.h"
#include "cacheworker/zset/zset.h"
#include "common/base/errors.h"
#include "common/base/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { FIELDS = 60, TEXT_MAX = 100 };

struct model {
    bool exists[FIELDS];
    double scores[FIELDS];
};

static const struct cw_packing small = {.zset_max_listpack_entries = 20, .zset_max_listpack_value = 30};

static struct cw_keyspace *new_keyspace(void)
{
    const struct cw_keyspace_config config = {
        .databases = 2, .seed = 3, .expiry_mode = CW_EXPIRY_IGNORED, .objects = &cw_objects, .packing = &small};
    return cw_keyspace_create(&config);
}

static struct slice field_name(char *space, unsigned number)
{
    int length = snprintf(space, TEXT_MAX,
                          number % 3 == 0   ? "%u"
                          : number % 3 == 1 ? "field:%u"
                                            : "a rather long name %u",
                          number);
    return slice_of(space, (size_t)length);
}

static double draw_score(struct rand *rand)
{
    switch (rand_below(rand, 8)) {
    case 0: return (double)INFINITY;
    case 1: return -(double)INFINITY;
    case 2: return (double)rand_below(rand, 1000) / 7;
    case 3: return 1e18 * (double)rand_below(rand, 100);
    default: return (double)rand_below(rand, 10) - 5; /* many are equal */
    }
}

static struct cw_entry *open_key(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    struct slice key = SLICE_LITERAL("zset");
    return cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, ref);
}

struct item {
    struct slice member;
    double score;
    char text[TEXT_MAX];
};

static int compare_items(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return cw_member_compare(slice_text(x->text), slice_text(y->text));
}

static unsigned sort_model(const struct model *model, struct item *items)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FIELDS; i++)
        if (model->exists[i]) {
            field_name(items[count].text, i);
            items[count++].score = model->scores[i];
        }
    qsort(items, count, sizeof(*items), compare_items);
    return count;
}

/* Every range between two of these limits. */
static void check_score_ranges(const struct item *items, unsigned count, const struct cw_entry *entry)
{
    static const double limits[] = {-1e300, -3, -1, 0, 0.5, 2, 100, 1e300};
    for (unsigned i = 0; i < 8 * 8 * 4; i++) {
        struct cw_score_limit low = {limits[i % 8], i / 64 % 2}, high = {limits[i / 8 % 8], i / 128};
        uint64_t first, last, wanted_first = 0, wanted_count = 0;
        for (unsigned j = 0; j < count; j++)
            if (cw_score_limit_begins(&low, items[j].score) && cw_score_limit_ends(&high, items[j].score)) {
                wanted_first = wanted_count == 0 ? j : wanted_first;
                wanted_count++;
            }
        bool any = cw_zset_score_range(entry, &low, &high, &first, &last);
        assert_int_equal(any, wanted_count > 0);
        if (any) {
            assert_int_equal(first, wanted_first);
            assert_int_equal(last, wanted_first + wanted_count - 1);
        }
    }
}

static void check_against(const struct model *model, const struct cw_entry *entry)
{
    static struct item items[FIELDS];
    unsigned count = sort_model(model, items);
    assert_int_equal(entry ? cw_zset_count(entry) : 0, count);
    if (!entry)
        return;
    struct cw_zset_place place, back;
    assert_true(cw_zset_at(entry, 0, &place));
    assert_true(cw_zset_at(entry, count - 1, &back));
    for (unsigned i = 0; i < count; i++) {
        char space[NUMBER_TEXT_MAX];
        uint64_t rank;
        double score;
        assert_true(slice_equal(cw_packed_value_text(&place.member, space), slice_text(items[i].text)));
        assert_true(place.score == items[i].score && place.rank == i);
        assert_true(back.score == items[count - 1 - i].score && back.rank == count - 1 - i);
        assert_true(cw_zset_rank(entry, slice_text(items[i].text), &rank, &score));
        assert_true(rank == i && score == items[i].score);
        assert_int_equal(cw_zset_next(entry, &place), i + 1 < count);
        assert_int_equal(cw_zset_previous(entry, &back), i + 1 < count);
    }
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[TEXT_MAX];
        double score;
        assert_int_equal(cw_zset_score(entry, field_name(name, i), &score), model->exists[i]);
    }
    check_score_ranges(items, count, entry);
}

static void forget(struct model *model, const char *text)
{
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[TEXT_MAX];
        if (slice_equal(field_name(name, i), slice_text(text)))
            model->exists[i] = false;
    }
}

/* A few neighbours at once. */
static void remove_some(struct rand *rand, struct model *model, struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    static struct item items[FIELDS];
    unsigned count = sort_model(model, items);
    if (count == 0)
        return;
    unsigned first = (unsigned)rand_below(rand, count);
    unsigned last = first + (unsigned)rand_below(rand, count - first < 4 ? count - first : 4);
    cw_zset_remove_ranks(keyspace, ref, first, last);
    for (unsigned i = first; i <= last; i++)
        forget(model, items[i].text);
}

static void change(struct rand *rand, struct model *model, struct cw_keyspace *keyspace, unsigned deletes)
{
    char name[TEXT_MAX];
    unsigned number = (unsigned)rand_below(rand, FIELDS);
    struct cw_ref ref;
    open_key(keyspace, &ref);
    struct slice member = field_name(name, number);
    if (rand_below(rand, 100) < deletes) {
        if (rand_below(rand, 4) == 0) {
            remove_some(rand, model, keyspace, &ref);
            return;
        }
        bool deleted = ref.entry && cw_zset_remove(keyspace, &ref, member);
        assert_int_equal(deleted, model->exists[number]);
        model->exists[number] = false;
        return;
    }
    double score = draw_score(rand);
    assert_int_equal(cw_zset_set(keyspace, &ref, member, score), !model->exists[number]);
    model->exists[number] = true;
    model->scores[number] = score;
}

static void random_changes_are_those_of_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct rand rand;
        struct model model = {.exists = {false}};
        struct cw_keyspace *keyspace = new_keyspace();
        rand_seed(&rand, seed);
        for (unsigned i = 0; i < 600; i++) {
            struct cw_ref ref;
            change(&rand, &model, keyspace, i / 100 % 2 == 0 ? 20 : 70);
            if (i % 7 == 0)
                check_against(&model, open_key(keyspace, &ref));
        }
        cw_keyspace_destroy(keyspace);
    }
}

static void the_last_member_takes_the_key_with_it(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;
    open_key(keyspace, &ref);
    cw_zset_set(keyspace, &ref, SLICE_LITERAL("a"), 1);
    cw_keyspace_expire(keyspace, &ref, 5000);
    assert_string_equal(cw_entry_encoding_name(ref.entry), "listpack");
    cw_zset_set(keyspace, &ref, slice_text("a text that is longer than thirty bytes are"), 2);
    assert_string_equal(cw_entry_encoding_name(ref.entry), "skiplist");
    assert_false(cw_entry_is_object(ref.entry));
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[TEXT_MAX];
        cw_zset_set(keyspace, &ref, field_name(name, i), i);
    }
    assert_true(cw_entry_is_object(ref.entry));
    assert_true(cw_entry_expire_ms(ref.entry) == 5000); /* kept over every change of form */
    cw_zset_remove_ranks(keyspace, &ref, 1, FIELDS + 1);
    assert_int_equal(cw_zset_count(ref.entry), 1);
    cw_zset_remove_ranks(keyspace, &ref, 0, 0);
    assert_null(ref.entry);
    assert_int_equal(cw_keyspace_count(keyspace, 0), 0);
    cw_keyspace_destroy(keyspace);
}

static void write_snapshot(struct cw_keyspace *keyspace, struct buf *out)
{
    struct cw_ref ref;
    struct cw_rdb_writer writer = {.out = out};
    struct cw_rdb_origin origin = {.stream_database = 0};
    cw_rdb_write_preamble(&writer, &origin, 0, 0);
    if (open_key(keyspace, &ref))
        cw_rdb_write_entry(&writer, 0, ref.entry);
    cw_rdb_write_end(&writer);
}

/* In pieces of `piece` bytes. */
static int read_snapshot(struct slice bytes, size_t piece, struct cw_keyspace *keyspace)
{
    struct cw_rdb_load load;
    cw_rdb_load_init(&load, keyspace);
    int result = 0;
    while (result == 0 && bytes.length > 0) {
        size_t used, length = bytes.length < piece ? bytes.length : piece;
        result = cw_rdb_read(&load.reader, slice_of(bytes.data, length), &used);
        bytes = slice_skip(bytes, length);
    }
    cw_rdb_load_free(&load);
    return result;
}

static void a_snapshot_brings_every_sorted_set_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct rand rand;
        struct model model = {.exists = {false}};
        struct cw_keyspace *keyspace = new_keyspace();
        struct cw_keyspace *other = new_keyspace();
        struct cw_ref ref;
        struct buf bytes = {0};
        rand_seed(&rand, seed);
        for (unsigned i = 0; i < seed * 4; i++)
            change(&rand, &model, keyspace, 20);
        if (open_key(keyspace, &ref))
            cw_keyspace_expire(keyspace, &ref, 777);
        write_snapshot(keyspace, &bytes);
        assert_int_equal(read_snapshot(buf_slice(&bytes), 1 + seed, other), 1);
        check_against(&model, open_key(other, &ref));
        if (ref.entry)
            assert_true(cw_entry_expire_ms(ref.entry) == 777);
        buf_free(&bytes);
        cw_keyspace_destroy(keyspace);
        cw_keyspace_destroy(other);
    }
}

static void a_damaged_snapshot_is_refused(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct rand rand;
        struct model model = {.exists = {false}};
        struct cw_keyspace *keyspace = new_keyspace();
        struct buf bytes = {0};
        rand_seed(&rand, seed);
        for (unsigned i = 0; i < 10 + 60 * seed; i++)
            change(&rand, &model, keyspace, 0);
        write_snapshot(keyspace, &bytes);
        for (size_t at = 0; at < buf_length(&bytes); at++) {
            struct cw_keyspace *other = new_keyspace();
            assert_int_equal(read_snapshot(slice_of(buf_slice(&bytes).data, at), 4096, other), 0);
            cw_keyspace_destroy(other);
            other = new_keyspace();
            bytes.memory[bytes.start + at] ^= (char)(1 << rand_below(&rand, 8));
            assert_int_not_equal(read_snapshot(buf_slice(&bytes), 4096, other), 1);
            cw_keyspace_destroy(other);
            buf_free(&bytes);
            write_snapshot(keyspace, &bytes);
        }
        buf_free(&bytes);
        cw_keyspace_destroy(keyspace);
    }
}

static void a_copy_is_a_set_of_its_own(void **state)
{
    (void)state;
    struct rand rand;
    struct model model = {.exists = {false}};
    struct cw_keyspace *keyspace = new_keyspace();
    rand_seed(&rand, 1);
    for (unsigned i = 0; i < 300; i++)
        change(&rand, &model, keyspace, 10);
    struct cw_key from = {0, SLICE_LITERAL("zset"), cw_keyspace_hash(keyspace, SLICE_LITERAL("zset"))};
    struct cw_key to = {1, SLICE_LITERAL("copy"), cw_keyspace_hash(keyspace, SLICE_LITERAL("copy"))};
    assert_true(cw_keyspace_copy(keyspace, &from, &to));
    struct model copied = model;
    for (unsigned i = 0; i < 300; i++)
        change(&rand, &model, keyspace, 50);
    check_against(&copied, cw_keyspace_peek(keyspace, 1, to.name, to.hash, 0));
    cw_keyspace_flush(keyspace, 1);
    while (cw_keyspace_free_step(keyspace, 10))
        ;
    struct cw_ref ref;
    check_against(&model, open_key(keyspace, &ref));
    cw_keyspace_destroy(keyspace);
}

/* A million members are not freed in one turn. */
static void a_big_set_is_freed_in_steps(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;
    open_key(keyspace, &ref);
    for (unsigned i = 0; i < 20000; i++) {
        char name[TEXT_MAX];
        cw_zset_set(keyspace, &ref, field_name(name, i), i);
    }
    size_t full = cw_arena_used_bytes(cw_keyspace_arena(keyspace));
    cw_keyspace_delete(keyspace, &ref);
    assert_int_equal(cw_keyspace_to_free(keyspace), 1);
    unsigned steps = 0;
    while (cw_keyspace_free_step(keyspace, 1000))
        steps++;
    assert_in_range(steps, 10, 60);
    assert_int_equal(cw_keyspace_to_free(keyspace), 0);
    assert_true(cw_arena_used_bytes(cw_keyspace_arena(keyspace)) < full / 10);
    cw_keyspace_destroy(keyspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_are_those_of_the_model),
        cmocka_unit_test(the_last_member_takes_the_key_with_it),
        cmocka_unit_test(a_snapshot_brings_every_sorted_set_back),
        cmocka_unit_test(a_damaged_snapshot_is_refused),
        cmocka_unit_test(a_copy_is_a_set_of_its_own),
        cmocka_unit_test(a_big_set_is_freed_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
