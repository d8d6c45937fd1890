/* Lists against a naive model: through both forms, over copies, and over snapshots. */
#include "cacheworker/list/list.h"

#include "cacheworker/engine/objects.h"
#include "cacheworker/keyspace/arena.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_load.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/rand.h"
#include "tests/unit/cacheworker/packed/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ELEMENTS_MAX = 800, TEXT_MAX = 70000, PUSHED_MAX = 5 };

/* ---- The model: strings in an array ---- */

struct model {
    struct buf texts[ELEMENTS_MAX];
    size_t count;
};

static void model_insert(struct model *model, size_t index, struct slice text)
{
    assert_true(model->count < ELEMENTS_MAX);
    memmove(model->texts + index + 1, model->texts + index, (model->count - index) * sizeof(model->texts[0]));
    model->texts[index] = (struct buf){0};
    buf_add_slice(&model->texts[index], text);
    model->count++;
}

static void model_delete(struct model *model, size_t index, size_t count)
{
    for (size_t i = index; i < index + count; i++)
        buf_free(&model->texts[i]);
    model->count -= count;
    memmove(model->texts + index, model->texts + index + count, (model->count - index) * sizeof(model->texts[0]));
}

static size_t model_find(const struct model *model, struct slice text)
{
    size_t index = 0;
    while (index < model->count && !slice_equal(buf_slice(&model->texts[index]), text))
        index++;
    return index;
}

static uint64_t model_delete_equal(struct model *model, struct slice text, enum cw_list_end from, uint64_t most)
{
    uint64_t deleted = 0;
    for (size_t i = 0; i < model->count && deleted < most;) {
        size_t index = from == CW_LIST_HEAD ? i : model->count - 1 - i;
        if (slice_equal(buf_slice(&model->texts[index]), text)) {
            model_delete(model, index, 1);
            deleted++;
        } else {
            i++;
        }
    }
    return deleted;
}

/* ---- A keyspace with one list ---- */

struct bench {
    struct cw_packing packing;
    struct cw_keyspace *keyspace;
    struct model model;
    struct rand rand;
    char space[TEXT_MAX];
};

static struct bench *new_bench(int64_t list_max_listpack_size, uint64_t seed)
{
    struct bench *bench = mem_zero(sizeof(*bench));
    bench->packing = (struct cw_packing)CW_PACKING_DEFAULT;
    bench->packing.list_max_listpack_size = list_max_listpack_size;
    const struct cw_keyspace_config config = {.databases = 2,
                                              .seed = 3,
                                              .expiry_mode = CW_EXPIRY_IGNORED,
                                              .objects = &cw_objects,
                                              .packing = &bench->packing};
    bench->keyspace = cw_keyspace_create(&config);
    rand_seed(&bench->rand, seed);
    return bench;
}

static void free_bench(struct bench *bench)
{
    model_delete(&bench->model, 0, bench->model.count);
    cw_keyspace_destroy(bench->keyspace);
    mem_free(bench);
}

static struct cw_entry *open_key(struct bench *bench, struct cw_ref *ref)
{
    struct slice key = SLICE_LITERAL("list");
    return cw_keyspace_open(bench->keyspace, 0, key, cw_keyspace_hash(bench->keyspace, key), 0, ref);
}

static void push(struct bench *bench, struct slice text, enum cw_list_end end)
{
    struct cw_ref ref;
    open_key(bench, &ref);
    cw_list_push(bench->keyspace, &ref, &text, 1, end);
}

static void push_words(struct bench *bench, size_t count, struct slice word)
{
    struct cw_ref ref;
    struct slice *texts = mem_alloc(count * sizeof(*texts));
    for (size_t i = 0; i < count; i++)
        texts[i] = word;
    open_key(bench, &ref);
    cw_list_push(bench->keyspace, &ref, texts, count, CW_LIST_TAIL);
    mem_free(texts);
}

static void drop(struct bench *bench, uint64_t index, uint64_t count)
{
    struct cw_ref ref;
    open_key(bench, &ref);
    cw_list_delete(bench->keyspace, &ref, index, count);
}

static struct slice long_text(struct bench *bench, size_t length)
{
    memset(bench->space, 'l', length);
    return slice_of(bench->space, length);
}

/* ---- Comparing ---- */

static void check_element(const struct model *model, size_t index, const struct cw_list_walk *walk)
{
    char space[NUMBER_TEXT_MAX];
    struct cw_packed_value value = cw_list_value(walk);
    assert_true(slice_equal(cw_packed_value_text(&value, space), buf_slice(&model->texts[index])));
}

static void check_walk(const struct model *model, const struct cw_entry *entry, enum cw_list_end from)
{
    struct cw_list_walk walk;
    size_t walked = 0;
    bool stands = cw_list_at(entry, from == CW_LIST_HEAD ? 0 : -1, &walk);
    for (; stands; stands = cw_list_next(&walk, from), walked++)
        check_element(model, from == CW_LIST_HEAD ? walked : model->count - 1 - walked, &walk);
    assert_int_equal(walked, model->count);
}

static void check_indices(const struct model *model, const struct cw_entry *entry)
{
    struct cw_list_walk walk;
    int64_t count = (int64_t)model->count;
    for (int64_t i = 0; i < count; i += 1 + count / 50) {
        assert_true(cw_list_at(entry, i, &walk));
        check_element(model, (size_t)i, &walk);
        assert_true(cw_list_at(entry, i - count, &walk));
        check_element(model, (size_t)i, &walk);
    }
    assert_false(cw_list_at(entry, count, &walk));
    assert_false(cw_list_at(entry, -1 - count, &walk));
    assert_false(cw_list_at(entry, INT64_MIN, &walk));
    assert_false(cw_list_at(entry, INT64_MAX, &walk));
}

/* Nodes are valid, not empty, and not beyond their limits but for what one element or replacing makes of them. */
static void check_nodes(const struct bench *bench, const struct cw_entry *entry)
{
    struct cw_list_limits limits = cw_list_limits(&bench->packing);
    const struct cw_long_list *list = cw_entry_object(entry);
    for (const struct cw_list_node *node = list->nodes.first; node; node = node->next) {
        uint64_t count = cw_list_node_count(node);
        assert_true(cw_listpack_is_valid(cw_list_node_listpack(node)));
        assert_true(count > 0 && count <= limits.count);
        assert_true(count == 1 || node->length <= (limits.bytes > 65536 ? limits.bytes : 65536));
    }
    size_t used = list->memory.used_bytes;
    size_t held = cw_arena_used_bytes(cw_keyspace_arena(bench->keyspace));
    assert_true(used <= held);
}

static void check(const struct bench *bench, const struct cw_entry *entry)
{
    const struct model *model = &bench->model;
    assert_int_equal(entry ? cw_list_count(entry) : 0, model->count);
    if (!entry)
        return;
    check_walk(model, entry, CW_LIST_HEAD);
    check_walk(model, entry, CW_LIST_TAIL);
    check_indices(model, entry);
    assert_int_equal(cw_entry_type(entry), CW_TYPE_LIST);
    if (cw_entry_is_object(entry))
        check_nodes(bench, entry);
    else
        assert_int_equal(cw_entry_encoding(entry), CW_ENCODING_LISTPACK);
}

/* ---- Random scripts ---- */

static struct slice draw_text(struct bench *bench)
{
    static const size_t lengths[] = {100, 500, 3000, 5000, 9000, 20000, TEXT_MAX - 1};
    struct rand *rand = &bench->rand;
    uint64_t kind = rand_below(rand, 100);
    if (kind < 30)
        return slice_of(bench->space, number_format_i64(bench->space, (int64_t)rand_below(rand, 40) * 1000 - 20000));
    if (kind < 90) {
        memset(bench->space, 'a' + (int)rand_below(rand, 3), 6);
        return slice_of(bench->space, rand_below(rand, 6));
    }
    size_t length = lengths[kind < 99 ? rand_below(rand, 4) : rand_below(rand, ARRAY_LENGTH(lengths))];
    return long_text(bench, length);
}

static void do_push(struct bench *bench, struct cw_ref *ref)
{
    struct slice texts[PUSHED_MAX];
    size_t count = 1 + rand_below(&bench->rand, PUSHED_MAX);
    enum cw_list_end end = rand_below(&bench->rand, 2) ? CW_LIST_HEAD : CW_LIST_TAIL;
    if (bench->model.count + count > ELEMENTS_MAX)
        return;
    for (size_t i = 0; i < count; i++) {
        texts[i] = exact_copy(draw_text(bench));
        model_insert(&bench->model, end == CW_LIST_HEAD ? 0 : bench->model.count, texts[i]);
    }
    cw_list_push(bench->keyspace, ref, texts, count, end);
    for (size_t i = 0; i < count; i++)
        free_copy(texts[i]);
}

static void do_insert(struct bench *bench, struct cw_ref *ref)
{
    struct model *model = &bench->model;
    struct slice text = exact_copy(draw_text(bench));
    bool before = rand_below(&bench->rand, 2);
    struct slice pivot = rand_below(&bench->rand, 10) == 0
                             ? SLICE_LITERAL("none such")
                             : buf_slice(&model->texts[rand_below(&bench->rand, model->count)]);
    pivot = exact_copy(pivot);
    size_t index = model_find(model, pivot);
    if (model->count < ELEMENTS_MAX) {
        assert_int_equal(cw_list_insert(bench->keyspace, ref, pivot, text, before), index < model->count);
        if (index < model->count)
            model_insert(model, index + !before, text);
    }
    free_copy(pivot);
    free_copy(text);
}

static void do_set(struct bench *bench, struct cw_ref *ref)
{
    struct model *model = &bench->model;
    struct slice text = draw_text(bench);
    int64_t count = (int64_t)model->count;
    int64_t index = (int64_t)rand_below(&bench->rand, 2 * model->count + 4) - count - 2;
    bool exists = index >= -count && index < count;
    assert_int_equal(cw_list_set(bench->keyspace, ref, index, text), exists);
    if (exists) {
        size_t at = (size_t)(index < 0 ? index + count : index);
        model_delete(model, at, 1);
        model_insert(model, at, text);
    }
}

static void do_delete(struct bench *bench, struct cw_ref *ref)
{
    struct model *model = &bench->model;
    size_t index = rand_below(&bench->rand, model->count);
    if (rand_below(&bench->rand, 2))
        index = rand_below(&bench->rand, 2) ? 0 : model->count - 1;
    size_t most = rand_below(&bench->rand, 20) == 0 ? ELEMENTS_MAX : 4;
    size_t count = 1 + rand_below(&bench->rand, most < model->count - index ? most : model->count - index);
    cw_list_delete(bench->keyspace, ref, index, count);
    model_delete(model, index, count);
}

static void do_delete_equal(struct bench *bench, struct cw_ref *ref)
{
    struct slice text = draw_text(bench);
    enum cw_list_end from = rand_below(&bench->rand, 2) ? CW_LIST_HEAD : CW_LIST_TAIL;
    uint64_t most = rand_below(&bench->rand, 10) == 0 ? UINT64_MAX : 1 + rand_below(&bench->rand, 3);
    uint64_t deleted = cw_list_delete_equal(bench->keyspace, ref, text, from, most);
    assert_int_equal(deleted, model_delete_equal(&bench->model, text, from, most));
}

static void change(struct bench *bench, unsigned pushes)
{
    struct cw_ref ref;
    open_key(bench, &ref);
    if (!ref.entry || rand_below(&bench->rand, 100) < pushes) {
        do_push(bench, &ref);
        return;
    }
    switch (rand_below(&bench->rand, 4)) {
    case 0: do_insert(bench, &ref); break;
    case 1: do_set(bench, &ref); break;
    case 2: do_delete(bench, &ref); break;
    default: do_delete_equal(bench, &ref); break;
    }
}

static const int64_t settings[] = {-2, -1, -5, 1, 3, 128};

static void random_changes_are_those_of_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 5 * ARRAY_LENGTH(settings); seed++) {
        struct bench *bench = new_bench(settings[seed % ARRAY_LENGTH(settings)], seed);
        for (unsigned i = 0; i < 700; i++) {
            struct cw_ref ref;
            change(bench, i / 100 % 2 == 0 ? 60 : 15);
            if (i % 7 == 0)
                check(bench, open_key(bench, &ref));
        }
        free_bench(bench);
    }
}

/* ---- Which form is shown ---- */

static void check_shown(struct bench *bench, const char *encoding)
{
    struct cw_ref ref;
    open_key(bench, &ref);
    assert_non_null(ref.entry);
    assert_string_equal(cw_entry_encoding_name(ref.entry), encoding);
    assert_int_equal(cw_entry_is_object(ref.entry), strcmp(encoding, "quicklist") == 0);
}

static void elements_are_counted(void **state)
{
    (void)state;
    struct bench *bench = new_bench(4, 0);
    struct cw_ref ref;
    push_words(bench, 4, SLICE_LITERAL("a"));
    check_shown(bench, "listpack");
    push(bench, SLICE_LITERAL("b"), CW_LIST_TAIL);
    check_shown(bench, "quicklist");
    drop(bench, 4, 1);
    check_shown(bench, "quicklist"); /* one node, but not half of it */
    drop(bench, 0, 1);
    check_shown(bench, "quicklist");
    drop(bench, 0, 1);
    check_shown(bench, "listpack");
    push(bench, long_text(bench, 8179), CW_LIST_TAIL); /* a number of elements is one of 8 KiB, too */
    check_shown(bench, "listpack");
    push(bench, SLICE_LITERAL("c"), CW_LIST_TAIL);
    check_shown(bench, "quicklist");
    open_key(bench, &ref);
    assert_true(cw_list_set(bench->keyspace, &ref, 2, SLICE_LITERAL("short")));
    check_shown(bench, "quicklist");
    drop(bench, 0, 4);
    assert_null(open_key(bench, &ref));

    bench->packing.list_max_listpack_size = 0; /* is 1 */
    push(bench, SLICE_LITERAL("a"), CW_LIST_TAIL);
    check_shown(bench, "listpack");
    push(bench, SLICE_LITERAL("b"), CW_LIST_TAIL);
    check_shown(bench, "quicklist");
    drop(bench, 0, 1);
    check_shown(bench, "quicklist"); /* there is no half of one */
    free_bench(bench);
}

static void bytes_are_counted(void **state)
{
    (void)state;
    struct bench *bench = new_bench(-2, 0);
    struct cw_ref ref;
    push(bench, long_text(bench, 4000), CW_LIST_TAIL);
    push(bench, long_text(bench, 4181), CW_LIST_TAIL); /* 4011 bytes and 4181 are 8192 */
    check_shown(bench, "listpack");
    drop(bench, 1, 1);
    push(bench, long_text(bench, 4182), CW_LIST_TAIL);
    check_shown(bench, "quicklist");
    drop(bench, 1, 1);
    check_shown(bench, "listpack"); /* what is left is below the half */

    /* Looking for a place is enough, as in the reference. */
    open_key(bench, &ref);
    assert_false(cw_list_insert(bench->keyspace, &ref, SLICE_LITERAL("none"), long_text(bench, 9000), true));
    check_shown(bench, "quicklist");
    drop(bench, 0, 1);

    push(bench, long_text(bench, 9000), CW_LIST_TAIL);
    check_shown(bench, "quicklist");
    open_key(bench, &ref);
    assert_true(cw_list_set(bench->keyspace, &ref, 0, SLICE_LITERAL("short")));
    check_shown(bench, "listpack");
    drop(bench, 0, 1);

    bench->packing.list_max_listpack_size = -7; /* is -5 */
    push(bench, long_text(bench, 60000), CW_LIST_TAIL);
    check_shown(bench, "listpack");
    push(bench, long_text(bench, 5536), CW_LIST_TAIL);
    check_shown(bench, "quicklist");
    free_bench(bench);
}

/* The reference adds up the lengths of what is pushed, not what it takes; and where it counts elements it does not look
 * at their lengths when they become fewer. */
static void what_is_shown_may_be_too_big_for_one_piece(void **state)
{
    (void)state;
    struct bench *bench = new_bench(-2, 0);
    struct cw_ref ref;
    push_words(bench, 2500, SLICE_LITERAL("abc"));
    check_shown(bench, "listpack");
    push(bench, SLICE_LITERAL("abc"), CW_LIST_TAIL);
    check_shown(bench, "quicklist");
    drop(bench, 0, 2501);

    push_words(bench, 100000, SLICE_LITERAL("")); /* shown as one piece, but not kept so */
    open_key(bench, &ref);
    assert_string_equal(cw_entry_encoding_name(ref.entry), "listpack");
    assert_true(cw_entry_is_object(ref.entry));
    assert_int_equal(cw_list_count(ref.entry), 100000);
    drop(bench, 1, 99999);
    check_shown(bench, "listpack");
    drop(bench, 0, 1);

    bench->packing.list_max_listpack_size = 4; /* one element is below the half, however long */
    push(bench, long_text(bench, TEXT_MAX - 1), CW_LIST_TAIL);
    check_shown(bench, "quicklist");
    push(bench, SLICE_LITERAL("a"), CW_LIST_TAIL);
    drop(bench, 1, 1);
    open_key(bench, &ref);
    assert_string_equal(cw_entry_encoding_name(ref.entry), "listpack");
    assert_true(cw_entry_is_object(ref.entry));
    free_bench(bench);
}

static void expiry_is_kept_over_every_form(void **state)
{
    (void)state;
    struct bench *bench = new_bench(3, 0);
    struct cw_ref ref;
    push(bench, SLICE_LITERAL("a"), CW_LIST_TAIL);
    open_key(bench, &ref);
    cw_keyspace_expire(bench->keyspace, &ref, 5000);
    push_words(bench, 10, SLICE_LITERAL("b"));
    check_shown(bench, "quicklist");
    assert_true(cw_entry_expire_ms(open_key(bench, &ref)) == 5000);
    drop(bench, 1, 10);
    check_shown(bench, "listpack");
    assert_true(cw_entry_expire_ms(open_key(bench, &ref)) == 5000);
    drop(bench, 0, 1);
    assert_int_equal(cw_keyspace_count(bench->keyspace, 0), 0);
    free_bench(bench);
}

/* ---- Nodes ---- */

static const struct cw_list_nodes *nodes_of(struct bench *bench)
{
    struct cw_ref ref;
    open_key(bench, &ref);
    assert_true(cw_entry_is_object(ref.entry));
    return &((const struct cw_long_list *)cw_entry_object(ref.entry))->nodes;
}

static void a_big_element_has_a_node_for_itself(void **state)
{
    (void)state;
    struct bench *bench = new_bench(-2, 0);
    struct cw_ref ref;
    push(bench, SLICE_LITERAL("a"), CW_LIST_TAIL);
    push(bench, long_text(bench, 9000), CW_LIST_TAIL);
    push(bench, SLICE_LITERAL("b"), CW_LIST_TAIL);
    assert_int_equal(nodes_of(bench)->nodes, 3);
    open_key(bench, &ref);
    assert_true(cw_list_insert(bench->keyspace, &ref, SLICE_LITERAL("a"), long_text(bench, 9001), true));
    assert_int_equal(nodes_of(bench)->nodes, 4);
    push_words(bench, 20, SLICE_LITERAL("c"));
    assert_int_equal(nodes_of(bench)->nodes, 4);
    open_key(bench, &ref);
    assert_true(cw_list_set(bench->keyspace, &ref, -7, long_text(bench, TEXT_MAX - 1))); /* in the middle of a node */
    assert_int_equal(nodes_of(bench)->nodes, 6);
    free_bench(bench);
}

/* Deleting here and there leaves no row of nodes that are nearly empty. */
static void small_neighbours_become_one(void **state)
{
    (void)state;
    for (unsigned from = CW_LIST_HEAD; from <= CW_LIST_TAIL; from++) {
        struct bench *bench = new_bench(-1, 0);
        struct cw_ref ref;
        for (unsigned i = 0; i < 200; i++) {
            char name[20];
            push(bench, slice_of(name, (size_t)snprintf(name, sizeof(name), "keep %u", i)), CW_LIST_TAIL);
            push_words(bench, 50, SLICE_LITERAL("twenty bytes of text"));
        }
        uint64_t full = nodes_of(bench)->nodes;
        assert_true(full > 50);
        open_key(bench, &ref);
        assert_int_equal(cw_list_delete_equal(bench->keyspace, &ref, SLICE_LITERAL("twenty bytes of text"),
                                              (enum cw_list_end)from, UINT64_MAX),
                         200 * 50);
        assert_true(nodes_of(bench)->nodes <= 3);
        assert_int_equal(cw_list_count(open_key(bench, &ref)), 200);
        free_bench(bench);
    }
}

/* Inserting in the middle splits nodes, which are joined again where they fit. */
static void inserting_does_not_leave_crumbs(void **state)
{
    (void)state;
    struct bench *bench = new_bench(-1, 0);
    struct cw_ref ref;
    push_words(bench, 2000, SLICE_LITERAL("some text"));
    push(bench, SLICE_LITERAL("pivot"), CW_LIST_TAIL);
    push_words(bench, 2000, SLICE_LITERAL("some text"));
    for (unsigned i = 0; i < 4000; i++) {
        open_key(bench, &ref);
        assert_true(cw_list_insert(bench->keyspace, &ref, SLICE_LITERAL("pivot"), SLICE_LITERAL("more text"), i % 2));
    }
    assert_in_range(nodes_of(bench)->nodes, 8000 * 11 / 4096, 8000 * 11 / 4096 * 2 + 2);
    free_bench(bench);
}

/* ---- Snapshots ---- */

static void write_snapshot(struct bench *bench, struct buf *out)
{
    struct cw_ref ref;
    struct cw_rdb_writer writer = {.out = out};
    struct cw_rdb_origin origin = {.stream_database = 0};
    cw_rdb_write_preamble(&writer, &origin, 0, 0);
    if (open_key(bench, &ref))
        cw_rdb_write_entry(&writer, 0, ref.entry);
    cw_rdb_write_end(&writer);
}

/* In pieces of `piece` bytes. */
static int read_snapshot(struct slice bytes, size_t piece, struct bench *bench)
{
    struct cw_rdb_load load;
    cw_rdb_load_init(&load, bench->keyspace);
    int result = 0;
    while (result == 0 && bytes.length > 0) {
        size_t used, length = bytes.length < piece ? bytes.length : piece;
        result = cw_rdb_read(&load.reader, slice_of(bytes.data, length), &used);
        bytes = slice_skip(bytes, length);
    }
    cw_rdb_load_free(&load);
    return result;
}

static void a_snapshot_brings_every_list_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        int64_t setting = settings[seed % ARRAY_LENGTH(settings)];
        struct bench *bench = new_bench(setting, seed);
        struct bench *other = new_bench(seed % 5 == 0 ? -1 : setting, 0);
        struct cw_ref ref;
        struct buf bytes = {0};
        for (unsigned i = 0; i < seed * 4; i++)
            change(bench, 50);
        if (open_key(bench, &ref))
            cw_keyspace_expire(bench->keyspace, &ref, 777);
        write_snapshot(bench, &bytes);
        assert_int_equal(read_snapshot(buf_slice(&bytes), seed < 20 ? 1 + seed : 4096, other), 1);
        struct model mine = other->model;
        other->model = bench->model;
        check(other, open_key(other, &ref));
        other->model = mine;
        if (ref.entry)
            assert_true(cw_entry_expire_ms(ref.entry) == 777);
        buf_free(&bytes);
        free_bench(bench);
        free_bench(other);
    }
}

/* An element of its node goes as it is, and comes back. */
static void long_elements_are_plain_in_a_snapshot(void **state)
{
    (void)state;
    struct bench *bench = new_bench(-2, 0);
    struct bench *other = new_bench(-2, 0);
    struct buf bytes = {0};
    struct cw_ref ref;
    push(bench, long_text(bench, TEXT_MAX - 1), CW_LIST_TAIL);
    write_snapshot(bench, &bytes);
    assert_in_range(buf_length(&bytes), TEXT_MAX, TEXT_MAX + 200);
    const char plain[] = {RDB_TYPE_LIST_QUICKLIST_2, 4, 'l', 'i', 's', 't', 1, 1};
    assert_non_null(memmem(buf_slice(&bytes).data, buf_length(&bytes), plain, sizeof(plain)));
    assert_int_equal(read_snapshot(buf_slice(&bytes), 4096, other), 1);
    model_insert(&other->model, 0, long_text(bench, TEXT_MAX - 1));
    check(other, open_key(other, &ref));
    buf_free(&bytes);
    free_bench(bench);
    free_bench(other);
}

/* A list that is shown as a quicklist with one node left is shown as a listpack when it was loaded. */
static void loading_shows_one_node_as_a_listpack(void **state)
{
    (void)state;
    struct bench *bench = new_bench(3, 0);
    struct bench *other = new_bench(3, 0);
    struct buf bytes = {0};
    push_words(bench, 4, SLICE_LITERAL("a"));
    drop(bench, 3, 1);
    check_shown(bench, "quicklist");
    write_snapshot(bench, &bytes);
    assert_int_equal(read_snapshot(buf_slice(&bytes), 4096, other), 1);
    check_shown(other, "listpack");
    push(bench, SLICE_LITERAL("b"), CW_LIST_TAIL);
    buf_free(&bytes);
    write_snapshot(bench, &bytes);
    free_bench(other);
    other = new_bench(3, 0);
    assert_int_equal(read_snapshot(buf_slice(&bytes), 4096, other), 1);
    check_shown(other, "quicklist");
    buf_free(&bytes);
    free_bench(bench);
    free_bench(other);
}

static void a_damaged_snapshot_is_refused(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 2; seed++) {
        struct bench *bench = new_bench(seed == 0 ? -2 : 3, 1);
        struct buf bytes = {0};
        for (unsigned i = 0; i < 40; i++)
            push(bench, slice_of(bench->space, number_format_u64(bench->space, i * i * i)), CW_LIST_TAIL);
        write_snapshot(bench, &bytes);
        for (size_t at = 0; at < buf_length(&bytes); at++) {
            struct bench *other = new_bench(-2, 0);
            assert_int_equal(read_snapshot(slice_of(buf_slice(&bytes).data, at), 4096, other), 0);
            free_bench(other);
            other = new_bench(-2, 0);
            bytes.memory[bytes.start + at] ^= (char)(1 << rand_below(&bench->rand, 8));
            assert_int_not_equal(read_snapshot(buf_slice(&bytes), 4096, other), 1);
            free_bench(other);
            buf_free(&bytes);
            write_snapshot(bench, &bytes);
        }
        buf_free(&bytes);
        free_bench(bench);
    }
}

/* ---- Values of other versions, and bad ones ---- */

/* Reads a value of this type, told in hexadecimal digits, as soon as there are some bytes more. */
static int read_value(struct bench *bench, unsigned type, const char *hex)
{
    struct cw_ref ref;
    struct buf bytes = {0};
    open_key(bench, &ref);
    hex_add(&bytes, hex);
    struct cw_rdb_value value = {.keyspace = bench->keyspace, .ref = &ref, .type = type};
    struct cw_rdb_cursor cursor = {0};
    int result = 0;
    for (size_t length = 0; length <= buf_length(&bytes) && result == 0; length++) {
        cursor.bytes = slice_of(buf_slice(&bytes).data, length);
        result = cw_rdb_value_read(&value, &cursor);
        if (result == 0)
            assert_true(cursor.needed > length);
        if (result > 0)
            assert_int_equal(length, buf_length(&bytes));
    }
    cw_rdb_value_free(&value);
    buf_free(&bytes);
    return result;
}

static void check_value(unsigned type, const char *hex, const char *const *texts, size_t count)
{
    struct bench *bench = new_bench(-2, 0);
    struct cw_ref ref;
    assert_int_equal(read_value(bench, type, hex), 1);
    for (size_t i = 0; i < count; i++)
        model_insert(&bench->model, i, slice_text(texts[i]));
    check(bench, open_key(bench, &ref));
    free_bench(bench);
}

static void check_corrupt(unsigned type, const char *hex)
{
    struct bench *bench = new_bench(-2, 0);
    assert_int_equal(read_value(bench, type, hex), ERR_CORRUPT);
    free_bench(bench);
}

#define ZIPLIST_A12  "11000000 0d000000 0200 00 01 61 03 fe 0c ff"
#define ZIPLIST_NONE "0b000000 0a000000 0000 ff"
#define LISTPACK_AB  "0d000000 0200 816102 816202 ff"
#define LISTPACK_C   "0a000000 0100 816302 ff"
#define LISTPACK_NO  "07000000 0000 ff"

static void values_of_every_version_are_read(void **state)
{
    (void)state;
    static const char *const a_12[] = {"a", "12"};
    static const char *const twice[] = {"a", "12", "a", "12"};
    static const char *const abc[] = {"a", "b", "c"};
    static const char *const plain[] = {"a", "b", "plain", "-1", "c"};
    check_value(RDB_TYPE_LIST, "02 0161 c00c", a_12, 2);
    check_value(RDB_TYPE_LIST_ZIPLIST, "11" ZIPLIST_A12, a_12, 2);
    check_value(RDB_TYPE_LIST_QUICKLIST, "01 11" ZIPLIST_A12, a_12, 2);
    check_value(RDB_TYPE_LIST_QUICKLIST, "03 11" ZIPLIST_A12 "0b" ZIPLIST_NONE "11" ZIPLIST_A12, twice, 4);
    check_value(RDB_TYPE_LIST_QUICKLIST_2, "02 02 0d" LISTPACK_AB "02 0a" LISTPACK_C, abc, 3);
    check_value(RDB_TYPE_LIST_QUICKLIST_2,
                "05 02 0d" LISTPACK_AB "01 05 706c61696e 02 07" LISTPACK_NO "01 c0ff 02 0a" LISTPACK_C, plain, 5);

    /* Nothing in it: no key. */
    check_value(RDB_TYPE_LIST, "00", NULL, 0);
    check_value(RDB_TYPE_LIST_ZIPLIST, "0b" ZIPLIST_NONE, NULL, 0);
    check_value(RDB_TYPE_LIST_QUICKLIST, "01 0b" ZIPLIST_NONE, NULL, 0);
    check_value(RDB_TYPE_LIST_QUICKLIST_2, "01 02 07" LISTPACK_NO, NULL, 0);
}

static void bad_values_are_refused(void **state)
{
    (void)state;
    check_corrupt(RDB_TYPE_LIST, "c0 02");
    check_corrupt(RDB_TYPE_LIST_ZIPLIST, "11 11000000 0d000000 0300 00 01 61 03 fe 0c ff");
    check_corrupt(RDB_TYPE_LIST_QUICKLIST, "01 11 11000000 0c000000 0200 00 01 61 03 fe 0c ff");
    check_corrupt(RDB_TYPE_LIST_QUICKLIST, "01 00");
    check_corrupt(RDB_TYPE_LIST_QUICKLIST_2, "01 03 0a" LISTPACK_C);
    check_corrupt(RDB_TYPE_LIST_QUICKLIST_2, "01 00 0a" LISTPACK_C);
    check_corrupt(RDB_TYPE_LIST_QUICKLIST_2, "01 01 00");
    check_corrupt(RDB_TYPE_LIST_QUICKLIST_2, "01 02 00");
    check_corrupt(RDB_TYPE_LIST_QUICKLIST_2, "01 02 0a 0a000000 0200 816302 ff");
    check_corrupt(RDB_TYPE_LIST_QUICKLIST_2, "01 02 0a 0a000000 0100 826302 ff");
}

/* A node that our limits would not allow is not kept as it is. */
static void nodes_of_others_are_cut_to_our_limits(void **state)
{
    (void)state;
    struct bench *bench = new_bench(-1, 0);
    struct buf listpack = {0};
    struct cw_ref ref;
    cw_listpack_init(buf_reserve(&listpack, CW_LISTPACK_EMPTY_BYTES));
    buf_commit(&listpack, CW_LISTPACK_EMPTY_BYTES);
    struct cw_packed packed = cw_packed_of_buf(&listpack);
    for (unsigned i = 0; i < ELEMENTS_MAX / 2; i++) {
        cw_listpack_append(&packed, SLICE_LITERAL("twenty bytes of text"));
        model_insert(&bench->model, i, SLICE_LITERAL("twenty bytes of text"));
        model_insert(&bench->model, i, SLICE_LITERAL("twenty bytes of text"));
    }
    open_key(bench, &ref);
    cw_list_append_listpack(bench->keyspace, &ref, buf_slice(&listpack));
    cw_list_append_listpack(bench->keyspace, &ref, buf_slice(&listpack));
    check(bench, open_key(bench, &ref));
    for (const struct cw_list_node *node = nodes_of(bench)->first; node; node = node->next)
        assert_true(node->length <= 4096);
    buf_free(&listpack);
    free_bench(bench);
}

/* ---- Objects ---- */

static void a_copy_is_a_list_of_its_own(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 4; seed++) {
        struct bench *bench = new_bench(seed % 2 ? 2 : -2, seed);
        for (unsigned i = 0; i < 300; i++)
            change(bench, 40);
        struct cw_key from = {0, SLICE_LITERAL("list"), cw_keyspace_hash(bench->keyspace, SLICE_LITERAL("list"))};
        struct cw_key to = {1, SLICE_LITERAL("copy"), cw_keyspace_hash(bench->keyspace, SLICE_LITERAL("copy"))};
        struct cw_ref ref;
        if (!open_key(bench, &ref))
            push(bench, SLICE_LITERAL("a"), CW_LIST_TAIL);
        assert_true(cw_keyspace_copy(bench->keyspace, &from, &to));
        check(bench, cw_keyspace_peek(bench->keyspace, 1, to.name, to.hash, 0));
        size_t used = cw_keyspace_entry_bytes(bench->keyspace, open_key(bench, &ref));
        cw_keyspace_delete(bench->keyspace, &ref);
        while (cw_keyspace_free_step(bench->keyspace, 10))
            ;
        check(bench, cw_keyspace_peek(bench->keyspace, 1, to.name, to.hash, 0));
        assert_true(used > 0);
        cw_keyspace_move(bench->keyspace, &to, &from);
        for (unsigned i = 0; i < 300; i++)
            change(bench, 30);
        check(bench, open_key(bench, &ref));
        free_bench(bench);
    }
}

static void a_big_list_is_freed_in_steps(void **state)
{
    (void)state;
    struct bench *bench = new_bench(2, 0);
    struct cw_ref ref;
    size_t nothing = cw_arena_used_bytes(cw_keyspace_arena(bench->keyspace));
    push_words(bench, 40000, SLICE_LITERAL("x"));
    size_t full = cw_arena_used_bytes(cw_keyspace_arena(bench->keyspace)) - nothing;
    open_key(bench, &ref);
    size_t told = cw_keyspace_entry_bytes(bench->keyspace, ref.entry);
    assert_in_range(told, full * 9 / 10, full * 11 / 10);
    cw_list_delete(bench->keyspace, &ref, 0, 40000);
    assert_null(ref.entry);
    assert_int_equal(cw_keyspace_to_free(bench->keyspace), 1);
    unsigned steps = 0;
    while (cw_keyspace_free_step(bench->keyspace, 1000))
        steps++;
    assert_in_range(steps, 15, 25);
    assert_int_equal(cw_keyspace_to_free(bench->keyspace), 0);
    assert_true(cw_arena_used_bytes(cw_keyspace_arena(bench->keyspace)) < nothing + full / 10);
    free_bench(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_are_those_of_the_model),
        cmocka_unit_test(elements_are_counted),
        cmocka_unit_test(bytes_are_counted),
        cmocka_unit_test(what_is_shown_may_be_too_big_for_one_piece),
        cmocka_unit_test(expiry_is_kept_over_every_form),
        cmocka_unit_test(a_big_element_has_a_node_for_itself),
        cmocka_unit_test(small_neighbours_become_one),
        cmocka_unit_test(inserting_does_not_leave_crumbs),
        cmocka_unit_test(a_snapshot_brings_every_list_back),
        cmocka_unit_test(long_elements_are_plain_in_a_snapshot),
        cmocka_unit_test(loading_shows_one_node_as_a_listpack),
        cmocka_unit_test(a_damaged_snapshot_is_refused),
        cmocka_unit_test(values_of_every_version_are_read),
        cmocka_unit_test(bad_values_are_refused),
        cmocka_unit_test(nodes_of_others_are_cut_to_our_limits),
        cmocka_unit_test(a_copy_is_a_list_of_its_own),
        cmocka_unit_test(a_big_list_is_freed_in_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
