/* Sets against a naive model: through all forms, over copies, drafts, and a snapshot. */
#include "cacheworker/set/set.h"

#include "cacheworker/engine/objects.h"
#include "cacheworker/keyspace/arena.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_load.h"
#include "cacheworker/rdb/rdb_value.h"
#include "common/base/errors.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { MEMBERS = 60, TEXT_MAX = 100 };

struct model {
    bool exists[MEMBERS];
};

static const struct cw_packing small = {
    .set_max_intset_entries = 12, .set_max_listpack_entries = 20, .set_max_listpack_value = 30};

static struct cw_keyspace *new_keyspace(void)
{
    const struct cw_keyspace_config config = {
        .databases = 2, .seed = 3, .expiry_mode = CW_EXPIRY_IGNORED, .objects = &cw_objects, .packing = &small};
    return cw_keyspace_create(&config);
}

/* Two thirds are integers, of every width; some of the others are long. */
static struct slice member_text(char *space, unsigned number)
{
    int64_t integer = ((int64_t)number - MEMBERS / 2) * (number % 5 == 0 ? 1 : number % 5 == 1 ? 5000000000 : 1000);
    int length = number % 3 != 0   ? snprintf(space, TEXT_MAX, "%lld", (long long)integer)
                 : number % 9 == 0 ? snprintf(space, TEXT_MAX, "m%u", number)
                 : number % 9 == 3 ? snprintf(space, TEXT_MAX, "%08u", number)
                                   : snprintf(space, TEXT_MAX, "%u with a rather long name behind it", number);
    return slice_of(space, (size_t)length);
}

static struct cw_packed_value member_number(char *space, unsigned number)
{
    return cw_set_member(member_text(space, number));
}

static struct cw_entry *open_key(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    struct slice key = SLICE_LITERAL("set");
    return cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, ref);
}

static void add_text(struct cw_keyspace *keyspace, const char *text)
{
    struct cw_ref ref;
    struct cw_packed_value member = cw_set_member(slice_text(text));
    open_key(keyspace, &ref);
    cw_set_expect(keyspace, &ref, &member, 1);
    cw_set_add(keyspace, &ref, &member);
}

static void add_numbers(struct cw_keyspace *keyspace, unsigned first, unsigned count)
{
    for (unsigned i = first; i < first + count; i++) {
        char text[TEXT_MAX];
        snprintf(text, sizeof(text), "%u", i);
        add_text(keyspace, text);
    }
}

static void assert_shown(struct cw_keyspace *keyspace, const char *encoding, bool is_object)
{
    struct cw_ref ref;
    assert_non_null(open_key(keyspace, &ref));
    assert_string_equal(cw_entry_encoding_name(ref.entry), encoding);
    assert_int_equal(cw_entry_is_object(ref.entry), is_object);
}

struct visit {
    unsigned count;
};

static void count_visit(void *context, const struct cw_packed_value *member)
{
    (void)member;
    ((struct visit *)context)->count++;
}

static void check_against(const struct model *model, const struct cw_entry *entry)
{
    unsigned count = 0;
    for (unsigned i = 0; i < MEMBERS; i++) {
        char space[TEXT_MAX];
        struct cw_packed_value member = member_number(space, i);
        assert_int_equal(entry && cw_set_contains(entry, &member), model->exists[i]);
        struct cw_packed_value integer = {.integer = 0};
        if (entry && number_parse_i64(member.text, &integer.integer) == 0)
            assert_int_equal(cw_set_contains(entry, &integer), model->exists[i]);
        count += model->exists[i];
    }
    assert_int_equal(entry ? cw_set_count(entry) : 0, count);
    struct cw_set_walk walk = {0};
    unsigned walked = 0;
    for (; entry && cw_set_next(entry, &walk); walked++)
        assert_true(cw_set_contains(entry, &walk.member));
    assert_int_equal(walked, count);
    struct visit visit = {0};
    uint64_t cursor = 0;
    do {
        cursor = entry ? cw_set_scan(entry, cursor, count_visit, &visit) : 0;
    } while (cursor != 0);
    assert_int_equal(visit.count, count);
}

/* Integers by themselves for a while, then everything. */
static void change(struct rand *rand, struct model *model, struct cw_keyspace *keyspace, unsigned removes, bool any)
{
    char space[TEXT_MAX];
    unsigned number = (unsigned)rand_below(rand, MEMBERS);
    if (!any && number % 3 == 0)
        number++;
    struct cw_ref ref;
    open_key(keyspace, &ref);
    struct cw_packed_value member = member_number(space, number);
    if (rand_below(rand, 100) < removes) {
        assert_int_equal(ref.entry && cw_set_remove(keyspace, &ref, &member), model->exists[number]);
        model->exists[number] = false;
        return;
    }
    if (!ref.entry || rand_below(rand, 50) == 0)
        cw_set_expect(keyspace, &ref, &member, 1 + rand_below(rand, 15));
    assert_int_equal(cw_set_add(keyspace, &ref, &member), !model->exists[number]);
    model->exists[number] = true;
}

static void random_changes_are_those_of_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct rand rand;
        struct model model = {.exists = {false}};
        struct cw_keyspace *keyspace = new_keyspace();
        rand_seed(&rand, seed);
        for (unsigned i = 0; i < 600; i++) {
            struct cw_ref ref;
            change(&rand, &model, keyspace, i / 50 % 2 == 0 ? 30 : 75, i > seed * 10);
            if (i % 7 == 0)
                check_against(&model, open_key(keyspace, &ref));
        }
        cw_keyspace_destroy(keyspace);
    }
}

static void the_form_follows_the_members(void **state)
{
    (void)state;
    static const char long_text[] = "a text that is longer than thirty bytes are";
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;

    add_numbers(keyspace, 0, 12);
    assert_shown(keyspace, "intset", false);
    add_numbers(keyspace, 12, 1); /* one too many */
    assert_shown(keyspace, "hashtable", false);
    add_numbers(keyspace, 13, 7);
    assert_shown(keyspace, "hashtable", false);
    add_numbers(keyspace, 20, 1);
    assert_shown(keyspace, "hashtable", true);
    cw_keyspace_flush(keyspace, 0);

    add_numbers(keyspace, 0, 12);
    add_text(keyspace, "x");
    assert_shown(keyspace, "listpack", false);
    add_numbers(keyspace, 20, 7);
    assert_shown(keyspace, "listpack", false);
    add_numbers(keyspace, 27, 1);
    assert_shown(keyspace, "hashtable", true);
    cw_keyspace_flush(keyspace, 0);

    add_numbers(keyspace, 0, 3);
    add_text(keyspace, long_text);
    assert_shown(keyspace, "hashtable", false);
    struct cw_packed_value member = cw_set_member(slice_text(long_text));
    open_key(keyspace, &ref);
    assert_true(cw_set_remove(keyspace, &ref, &member));
    assert_shown(keyspace, "hashtable", false); /* there is no way back */
    cw_set_pack_integers(keyspace, &ref);
    assert_shown(keyspace, "intset", false); /* but for a result that is stored */
    assert_int_equal(cw_set_count(ref.entry), 3);
    cw_set_expect(keyspace, &ref, &member, 13);
    assert_shown(keyspace, "hashtable", false);
    assert_int_equal(cw_set_count(ref.entry), 3);
    cw_keyspace_destroy(keyspace);
}

static void many_are_announced_before_they_come(void **state)
{
    (void)state;
    static const struct {
        const char *first;
        uint64_t count;
        const char *encoding;
    } cases[] = {
        {"7", 12, "intset"},   {"7", 13, "listpack"},  {"7", 20, "listpack"},  {"7", 21, "hashtable"},
        {"x", 20, "listpack"}, {"x", 21, "hashtable"}, {"007", 1, "listpack"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct cw_keyspace *keyspace = new_keyspace();
        struct cw_packed_value first = cw_set_member(slice_text(cases[i].first));
        struct cw_ref ref;
        open_key(keyspace, &ref);
        cw_set_expect(keyspace, &ref, &first, cases[i].count);
        assert_true(cw_set_add(keyspace, &ref, &first));
        assert_shown(keyspace, cases[i].encoding, false);
        cw_keyspace_destroy(keyspace);
    }
}

static void the_last_member_takes_the_key_with_it(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;
    add_text(keyspace, "1");
    open_key(keyspace, &ref);
    cw_keyspace_expire(keyspace, &ref, 5000);
    add_text(keyspace, "two");
    add_numbers(keyspace, 0, MEMBERS);
    assert_shown(keyspace, "hashtable", true);
    open_key(keyspace, &ref);
    assert_true(cw_entry_expire_ms(ref.entry) == 5000); /* kept over every change of form */
    while (ref.entry) {
        struct cw_packed_value member = cw_set_random(ref.entry, cw_keyspace_rand(keyspace));
        assert_true(cw_set_remove(keyspace, &ref, &member));
    }
    assert_int_equal(cw_keyspace_count(keyspace, 0), 0);
    cw_keyspace_destroy(keyspace);
}

/* In every form each member is drawn as often as any other, within five times the deviation. */
static void picks_are_fair(void **state)
{
    (void)state;
    static const unsigned counts[] = {7, 20, 500}; /* intset, listpack, dictionary of several segments */
    for (size_t form = 0; form < ARRAY_LENGTH(counts); form++) {
        enum { DRAWS_EACH = 2500 };
        unsigned drawn[500] = {0};
        struct cw_keyspace *keyspace = new_keyspace();
        struct cw_ref ref;
        if (form == 1)
            add_text(keyspace, "x");
        add_numbers(keyspace, 0, counts[form] - (form == 1));
        assert_non_null(open_key(keyspace, &ref));
        for (unsigned i = 0; i < counts[form] * DRAWS_EACH; i++) {
            int64_t number = 0;
            struct cw_packed_value member = cw_set_random(ref.entry, cw_keyspace_rand(keyspace));
            if (!member.text.data)
                number = member.integer;
            else if (number_parse_i64(member.text, &number) < 0)
                number = counts[form] - 1; /* "x" */
            drawn[number]++;
        }
        for (unsigned i = 0; i < counts[form]; i++)
            assert_in_range(drawn[i], DRAWS_EACH - 250, DRAWS_EACH + 250);
        cw_keyspace_destroy(keyspace);
    }
}

/* ---- Snapshots ---- */

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

static void a_snapshot_brings_every_set_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct rand rand;
        struct model model = {.exists = {false}};
        struct cw_keyspace *keyspace = new_keyspace();
        struct cw_keyspace *other = new_keyspace();
        struct cw_ref ref;
        struct buf bytes = {0};
        rand_seed(&rand, seed);
        for (unsigned i = 0; i < seed / 2 * 4; i++)
            change(&rand, &model, keyspace, 20, seed % 2 == 0);
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
    static const unsigned counts[] = {10, 10, 80};
    for (uint64_t form = 0; form < ARRAY_LENGTH(counts); form++) {
        struct rand rand;
        struct model model = {.exists = {false}};
        struct cw_keyspace *keyspace = new_keyspace();
        struct buf bytes = {0};
        rand_seed(&rand, form);
        for (unsigned i = 0; i < counts[form]; i++)
            change(&rand, &model, keyspace, 0, form > 0);
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

/* The bytes of a value alone, which no checksum guards. */
static int read_value(struct cw_keyspace *keyspace, unsigned type, struct slice bytes)
{
    struct cw_ref ref;
    cw_keyspace_flush(keyspace, 0);
    open_key(keyspace, &ref);
    struct cw_rdb_value value = {.keyspace = keyspace, .ref = &ref, .type = type};
    struct cw_rdb_cursor cursor = {.bytes = bytes};
    int result = cw_rdb_value_read(&value, &cursor);
    cw_rdb_value_free(&value);
    return result;
}

#define READ(keyspace, type, literal) read_value(keyspace, type, SLICE_LITERAL(literal))

static void values_are_looked_into(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;

    assert_int_equal(READ(keyspace, 2,
                          "\x02\x01"
                          "a\x01"
                          "b"),
                     1);
    assert_shown(keyspace, "listpack", false);
    assert_int_equal(READ(keyspace, 2, "\x02\xc0\x05\xc0\x06"), 1);
    assert_shown(keyspace, "intset", false);
    assert_int_equal(READ(keyspace, 2,
                          "\x02\x01"
                          "a\x01"
                          "a"),
                     ERR_CORRUPT);
    assert_int_equal(READ(keyspace, 2,
                          "\x02\xc0\x05\x01"
                          "5"),
                     ERR_CORRUPT);
    assert_int_equal(READ(keyspace, 2,
                          "\x02\x01"
                          "a"),
                     0);
    assert_int_equal(READ(keyspace, 2, "\x00"), 1);
    assert_null(open_key(keyspace, &ref));

    assert_int_equal(READ(keyspace, 11, "\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0"), 1);
    assert_shown(keyspace, "intset", false);
    assert_int_equal(READ(keyspace, 11, "\x0c\x02\0\0\0\x02\0\0\0\x02\0\x02\0"), ERR_CORRUPT); /* twice */
    assert_int_equal(READ(keyspace, 11, "\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0"), ERR_CORRUPT); /* descending */
    assert_int_equal(READ(keyspace, 11, "\x0c\x02\0\0\0\x03\0\0\0\x01\0\x02\0"), ERR_CORRUPT);
    assert_int_equal(READ(keyspace, 11, "\x08\x02\0\0\0\0\0\0\0"), 1);
    assert_null(open_key(keyspace, &ref));

    assert_int_equal(READ(keyspace, 20,
                          "\x0c\x0c\0\0\0\x02\0\x81"
                          "a\x02\x05\x01\xff"),
                     1);
    assert_shown(keyspace, "listpack", false);
    assert_int_equal(cw_set_count(open_key(keyspace, &ref)), 2);
    assert_int_equal(READ(keyspace, 20, "\x0b\x0b\0\0\0\x02\0\x05\x01\x06\x01\xff"), 1);
    assert_shown(keyspace, "listpack", false); /* as it was written, though an intset would do */
    assert_int_equal(READ(keyspace, 20, "\x0b\x0b\0\0\0\x02\0\x05\x01\x05\x01\xff"), ERR_CORRUPT);
    assert_int_equal(READ(keyspace, 20,
                          "\x0c\x0c\0\0\0\x02\0\x81"
                          "5\x02\x05\x01\xff"),
                     ERR_CORRUPT);
    assert_int_equal(READ(keyspace, 20, "\x0b\x0b\0\0\0\x03\0\x05\x01\x06\x01\xff"), ERR_CORRUPT);
    assert_int_equal(READ(keyspace, 20, "\x07\x07\0\0\0\0\0\xff"), 1);
    assert_null(open_key(keyspace, &ref));
    cw_keyspace_destroy(keyspace);
}

/* ---- Wholes ---- */

static void a_copy_is_a_set_of_its_own(void **state)
{
    (void)state;
    struct rand rand;
    struct model model = {.exists = {false}};
    struct cw_keyspace *keyspace = new_keyspace();
    rand_seed(&rand, 1);
    for (unsigned i = 0; i < 300; i++)
        change(&rand, &model, keyspace, 10, true);
    struct cw_key from = {0, SLICE_LITERAL("set"), cw_keyspace_hash(keyspace, SLICE_LITERAL("set"))};
    struct cw_key to = {1, SLICE_LITERAL("copy"), cw_keyspace_hash(keyspace, SLICE_LITERAL("copy"))};
    assert_true(cw_keyspace_copy(keyspace, &from, &to));
    struct model copied = model;
    for (unsigned i = 0; i < 300; i++)
        change(&rand, &model, keyspace, 50, true);
    check_against(&copied, cw_keyspace_peek(keyspace, 1, to.name, to.hash, 0));
    cw_keyspace_flush(keyspace, 1);
    while (cw_keyspace_free_step(keyspace, 10))
        ;
    struct cw_ref ref;
    check_against(&model, open_key(keyspace, &ref));
    cw_keyspace_destroy(keyspace);
}

static void a_draft_becomes_a_set(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref draft, ref;
    add_numbers(keyspace, 0, 100);
    cw_keyspace_open_draft(keyspace, 0, &draft);
    cw_set_create(keyspace, &draft, CW_ENCODING_LISTPACK);
    struct cw_set_walk walk = {0};
    open_key(keyspace, &ref);
    while (cw_set_next(ref.entry, &walk))
        cw_set_add_new(keyspace, &draft, &walk.member);
    assert_int_equal(cw_set_count(draft.entry), 100);
    struct cw_key key = {0, ref.key, ref.hash};
    cw_keyspace_store_draft(keyspace, &draft, &key);
    assert_int_equal(cw_set_count(open_key(keyspace, &ref)), 100);
    cw_keyspace_destroy(keyspace);
}

/* A million members are not freed in one turn. */
static void a_big_set_is_freed_in_steps(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;
    add_numbers(keyspace, 0, 20000);
    size_t full = cw_arena_used_bytes(cw_keyspace_arena(keyspace));
    open_key(keyspace, &ref);
    cw_keyspace_delete(keyspace, &ref);
    assert_int_equal(cw_keyspace_to_free(keyspace), 1);
    unsigned steps = 0;
    while (cw_keyspace_free_step(keyspace, 1000))
        steps++;
    assert_in_range(steps, 10, 30);
    assert_int_equal(cw_keyspace_to_free(keyspace), 0);
    assert_true(cw_arena_used_bytes(cw_keyspace_arena(keyspace)) < full / 10);
    cw_keyspace_destroy(keyspace);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_are_those_of_the_model),
        cmocka_unit_test(the_form_follows_the_members),
        cmocka_unit_test(many_are_announced_before_they_come),
        cmocka_unit_test(the_last_member_takes_the_key_with_it),
        cmocka_unit_test(picks_are_fair),
        cmocka_unit_test(a_snapshot_brings_every_set_back),
        cmocka_unit_test(a_damaged_snapshot_is_refused),
        cmocka_unit_test(values_are_looked_into),
        cmocka_unit_test(a_copy_is_a_set_of_its_own),
        cmocka_unit_test(a_draft_becomes_a_set),
        cmocka_unit_test(a_big_set_is_freed_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
