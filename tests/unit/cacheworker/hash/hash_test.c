/* Hashes against a naive model: through both forms, over copies, and over a snapshot. */
#include "cacheworker/engine/objects.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/keyspace/arena.h"
#include "cacheworker/rdb/rdb_load.h"
#include "common/base/errors.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { FIELDS = 60, TEXT_MAX = 100 };

struct model {
    bool exists[FIELDS];
    char values[FIELDS][TEXT_MAX];
};

static const struct cw_packing small = {.hash_max_listpack_entries = 20, .hash_max_listpack_value = 30};

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

static struct slice draw_value(struct rand *rand, char *space)
{
    if (rand_below(rand, 2) == 0)
        return slice_of(space, (size_t)snprintf(space, TEXT_MAX, "%lld", (long long)rand_below(rand, 1 << 20) - 1000));
    size_t length = rand_below(rand, rand_below(rand, 20) == 0 ? TEXT_MAX - 1 : 20);
    memset(space, 'v', length);
    space[length] = '\0';
    return slice_of(space, length);
}

static struct cw_entry *open_key(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    struct slice key = SLICE_LITERAL("hash");
    return cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, ref);
}

static void check_against(const struct model *model, const struct cw_entry *entry)
{
    unsigned count = 0;
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[TEXT_MAX], space[NUMBER_TEXT_MAX];
        struct cw_packed_value value;
        bool found = entry && cw_hash_get(entry, CW_HASH_ALL, field_name(name, i), &value);
        assert_int_equal(found, model->exists[i]);
        count += found;
        if (found)
            assert_true(slice_equal(cw_packed_value_text(&value, space), slice_text(model->values[i])));
    }
    assert_int_equal(entry ? cw_hash_count(entry, CW_HASH_ALL) : 0, count);
    struct cw_hash_walk walk = {0};
    unsigned walked = 0;
    while (entry && cw_hash_next(entry, &walk))
        walked++;
    assert_int_equal(walked, count);
}

static void change(struct rand *rand, struct model *model, struct cw_keyspace *keyspace, unsigned deletes)
{
    char name[TEXT_MAX], text[TEXT_MAX];
    unsigned number = (unsigned)rand_below(rand, FIELDS);
    struct cw_ref ref;
    open_key(keyspace, &ref);
    struct slice field = field_name(name, number);
    if (rand_below(rand, 100) < deletes) {
        bool deleted = ref.entry && cw_hash_delete(keyspace, &ref, field);
        assert_int_equal(deleted, model->exists[number]);
        model->exists[number] = false;
        return;
    }
    struct slice value = draw_value(rand, text);
    assert_int_equal(cw_hash_set(keyspace, &ref, field, value), !model->exists[number]);
    model->exists[number] = true;
    memcpy(model->values[number], text, value.length + 1);
}

static void change_several(struct rand *rand, struct model *model, struct cw_keyspace *keyspace)
{
    char names[6][TEXT_MAX], texts[6][TEXT_MAX];
    struct slice pairs[12];
    struct cw_ref ref;
    size_t count = 1 + rand_below(rand, 6);
    uint64_t created = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned number = (unsigned)rand_below(rand, FIELDS);
        pairs[2 * i] = field_name(names[i], number);
        pairs[2 * i + 1] = draw_value(rand, texts[i]);
        created += !model->exists[number];
        model->exists[number] = true;
        memcpy(model->values[number], texts[i], pairs[2 * i + 1].length + 1);
    }
    open_key(keyspace, &ref);
    assert_int_equal(cw_hash_set_pairs(keyspace, &ref, pairs, count), created);
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
            if (rand_below(&rand, 10) == 0)
                change_several(&rand, &model, keyspace);
            if (i % 7 == 0)
                check_against(&model, open_key(keyspace, &ref));
        }
        cw_keyspace_destroy(keyspace);
    }
}

static void the_last_field_takes_the_key_with_it(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;
    open_key(keyspace, &ref);
    cw_hash_set(keyspace, &ref, SLICE_LITERAL("a"), SLICE_LITERAL("1"));
    cw_keyspace_expire(keyspace, &ref, 5000);
    cw_hash_set(keyspace, &ref, SLICE_LITERAL("b"), slice_text("a text that is longer than thirty bytes are"));
    assert_string_equal(cw_entry_encoding_name(ref.entry), "hashtable");
    assert_false(cw_entry_is_object(ref.entry));
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[TEXT_MAX];
        cw_hash_set(keyspace, &ref, field_name(name, i), SLICE_LITERAL("x"));
    }
    assert_true(cw_entry_is_object(ref.entry));
    assert_true(cw_entry_expire_ms(ref.entry) == 5000); /* kept over every change of form */
    assert_true(cw_hash_delete(keyspace, &ref, SLICE_LITERAL("a")));
    assert_true(cw_hash_delete(keyspace, &ref, SLICE_LITERAL("b")));
    for (unsigned i = 0; i < FIELDS; i++) {
        char name[TEXT_MAX];
        assert_non_null(ref.entry);
        assert_true(cw_hash_delete(keyspace, &ref, field_name(name, i)));
    }
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

static void a_snapshot_brings_every_hash_back(void **state)
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

static void a_copy_is_a_hash_of_its_own(void **state)
{
    (void)state;
    struct rand rand;
    struct model model = {.exists = {false}};
    struct cw_keyspace *keyspace = new_keyspace();
    rand_seed(&rand, 1);
    for (unsigned i = 0; i < 300; i++)
        change(&rand, &model, keyspace, 10);
    struct cw_key from = {0, SLICE_LITERAL("hash"), cw_keyspace_hash(keyspace, SLICE_LITERAL("hash"))};
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

/* A million fields are not freed in one turn. */
static void a_big_hash_is_freed_in_steps(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;
    open_key(keyspace, &ref);
    for (unsigned i = 0; i < 20000; i++) {
        char name[TEXT_MAX];
        cw_hash_set(keyspace, &ref, field_name(name, i), SLICE_LITERAL("x"));
    }
    size_t full = cw_arena_used_bytes(cw_keyspace_arena(keyspace));
    cw_keyspace_delete(keyspace, &ref);
    assert_int_equal(cw_keyspace_to_free(keyspace), 1);
    unsigned steps = 0;
    while (cw_keyspace_free_step(keyspace, 1000))
        steps++;
    assert_in_range(steps, 10, 30);
    assert_int_equal(cw_keyspace_to_free(keyspace), 0);
    assert_int_equal(cw_keyspace_stats(keyspace)->freed_later, 1);
    assert_true(cw_arena_used_bytes(cw_keyspace_arena(keyspace)) < full / 10);
    cw_keyspace_destroy(keyspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_are_those_of_the_model), cmocka_unit_test(the_last_field_takes_the_key_with_it),
        cmocka_unit_test(a_snapshot_brings_every_hash_back),     cmocka_unit_test(a_damaged_snapshot_is_refused),
        cmocka_unit_test(a_copy_is_a_hash_of_its_own),           cmocka_unit_test(a_big_hash_is_freed_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
