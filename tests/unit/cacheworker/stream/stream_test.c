/* Streams: random scripts against a naive model of the reference's rules, and rules one by one. */
#include "cacheworker/stream/stream.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

/* ---- The model: nodes as arrays, entries that were deleted stay in them ---- */

enum { NODES_MAX = 4096, NODE_ENTRIES_MAX = 16, VALUES = 3, OPERATIONS = 20000 };

struct model_entry {
    struct cw_stream_id id;
    bool deleted;
    unsigned fields;
    unsigned names[VALUES]; /* number n is "name<n>" */
    unsigned values[VALUES];
};

struct model_node {
    struct model_entry entries[NODE_ENTRIES_MAX];
    unsigned count;
};

struct model {
    struct model_node *nodes; /* owned; [first, last) are there */
    unsigned first, last;
    uint64_t length, entries_added;
    struct cw_stream_id last_id, max_deleted_id;
};

struct fixture {
    struct cw_arena *arena;
    struct cw_stream *stream;
    struct cw_stream_limits limits;
    struct model model;
    struct rand rand;
};

static void open_fixture(struct fixture *fixture, uint64_t seed)
{
    *fixture = (struct fixture){.arena = cw_arena_create()};
    fixture->stream = cw_stream_create(fixture->arena);
    rand_seed(&fixture->rand, seed);
    fixture->limits.node_entries_max = 1 + rand_below(&fixture->rand, NODE_ENTRIES_MAX);
    fixture->model.nodes = mem_zero(NODES_MAX * sizeof(struct model_node));
}

static void close_fixture(struct fixture *fixture)
{
    unsigned budget = 3;
    uint64_t cost = cw_stream_blocks(fixture->stream) + cw_stream_used_bytes(fixture->stream) / 2048;
    uint64_t steps = 1;
    for (; cw_stream_free_step(fixture->arena, fixture->stream, &budget); steps++) {
        assert_int_equal(budget, 0);
        budget = 3;
    }
    assert_in_range(steps, 1, cost / 3 + 1);
    assert_int_equal(cw_arena_used_bytes(fixture->arena), 0);
    cw_arena_destroy(fixture->arena);
    mem_free(fixture->model.nodes);
}

static unsigned model_live(const struct model_node *node)
{
    unsigned live = 0;
    for (unsigned i = 0; i < node->count; i++)
        live += !node->entries[i].deleted;
    return live;
}

/* All entries of the model in order, those that are there only; returns how many. */
static size_t model_list(const struct model *model, const struct model_entry **list)
{
    size_t count = 0;
    for (unsigned n = model->first; n < model->last; n++)
        for (unsigned i = 0; i < model->nodes[n].count; i++)
            if (!model->nodes[n].entries[i].deleted)
                list[count++] = &model->nodes[n].entries[i];
    return count;
}

static void model_append(struct fixture *fixture, const struct model_entry *entry)
{
    struct model *model = &fixture->model;
    if (model->first == model->last || model->nodes[model->last - 1].count == fixture->limits.node_entries_max) {
        assert_in_range(model->last, 0, NODES_MAX - 1);
        model->nodes[model->last++].count = 0;
    }
    struct model_node *node = &model->nodes[model->last - 1];
    node->entries[node->count++] = *entry;
    model->length++;
    model->entries_added++;
    model->last_id = entry->id;
}

static void model_drop_node(struct model *model, unsigned index)
{
    model->last--;
    memmove(model->nodes + index, model->nodes + index + 1, (model->last - index) * sizeof(struct model_node));
}

static bool model_delete(struct model *model, struct cw_stream_id id)
{
    for (unsigned n = model->first; n < model->last; n++)
        for (unsigned i = 0; i < model->nodes[n].count; i++) {
            struct model_entry *entry = &model->nodes[n].entries[i];
            if (entry->deleted || cw_stream_id_compare(entry->id, id) != 0)
                continue;
            entry->deleted = true;
            model->length--;
            if (cw_stream_id_compare(id, model->max_deleted_id) > 0)
                model->max_deleted_id = id;
            if (model_live(&model->nodes[n]) == 0)
                model_drop_node(model, n);
            return true;
        }
    return false;
}

static uint64_t model_trim(struct model *model, const struct cw_stream_trim *trim)
{
    uint64_t removed = 0;
    bool by_id = trim->by == CW_STREAM_TRIM_ID;
    while (model->first < model->last && (by_id || model->length > trim->length)) {
        struct model_node *node = &model->nodes[model->first];
        unsigned live = model_live(node);
        if (trim->limit > 0 && removed + live > trim->limit)
            break;
        bool whole = by_id ? cw_stream_id_compare(node->entries[node->count - 1].id, trim->id) < 0
                           : model->length - live >= trim->length;
        if (whole) {
            model->length -= live;
            removed += live;
            model->first++;
            continue;
        }
        for (unsigned i = 0; i < node->count && !trim->approximate; i++) {
            struct model_entry *entry = &node->entries[i];
            if (by_id ? cw_stream_id_compare(entry->id, trim->id) >= 0 : model->length <= trim->length)
                break;
            if (!entry->deleted) {
                entry->deleted = true;
                model->length--;
                removed++;
            }
        }
        break;
    }
    return removed;
}

/* ---- Comparing ---- */

static void assert_id_equal(struct cw_stream_id a, struct cw_stream_id b)
{
    assert_int_equal(a.ms, b.ms);
    assert_int_equal(a.seq, b.seq);
}

static void assert_text(const struct cw_packed_value *value, const char *kind, unsigned number)
{
    char expected[32];
    char space[NUMBER_TEXT_MAX];
    int length = snprintf(expected, sizeof(expected), number % 2 ? "%s%u" : "%.0s%u", kind, number);
    assert_true(slice_equal(cw_packed_value_text(value, space), slice_of(expected, (size_t)length)));
}

static void assert_entry(struct cw_stream_cursor *cursor, const struct model_entry *entry, unsigned fields_to_read)
{
    assert_id_equal(cursor->id, entry->id);
    assert_int_equal(cursor->fields, entry->fields);
    for (unsigned i = 0; i < entry->fields && i < fields_to_read; i++) {
        struct cw_packed_value name;
        struct cw_packed_value value;
        cw_stream_cursor_field(cursor, &name, &value);
        assert_text(&name, "name", entry->names[i]);
        assert_text(&value, "value", entry->values[i]);
    }
}

static void assert_range(struct fixture *fixture, struct cw_stream_id first, struct cw_stream_id last, bool reverse)
{
    const struct model_entry **list = mem_alloc((fixture->model.length + 1) * sizeof(*list));
    size_t count = model_list(&fixture->model, list);
    struct cw_stream_cursor cursor;
    cw_stream_cursor_init(&cursor, fixture->stream, first, last, reverse);
    for (size_t i = 0; i < count; i++) {
        const struct model_entry *entry = list[reverse ? count - 1 - i : i];
        if (cw_stream_id_compare(entry->id, first) < 0 || cw_stream_id_compare(entry->id, last) > 0)
            continue;
        assert_true(cw_stream_cursor_next(&cursor));
        assert_entry(&cursor, entry, (unsigned)rand_below(&fixture->rand, VALUES + 1));
    }
    assert_false(cw_stream_cursor_next(&cursor));
    assert_false(cw_stream_cursor_next(&cursor));
    mem_free(list);
}

static void assert_numbers(const struct cw_stream *stream, const struct model *model)
{
    const struct model_entry **list = mem_alloc((model->length + 1) * sizeof(*list));
    size_t count = model_list(model, list);
    assert_int_equal(count, model->length);
    assert_int_equal(stream->length, count);
    assert_int_equal(stream->entries_added, model->entries_added);
    assert_int_equal(stream->nodes.count, model->last - model->first);
    assert_id_equal(stream->last_id, model->last_id);
    assert_id_equal(stream->max_deleted_id, model->max_deleted_id);
    assert_id_equal(stream->first_id, count > 0 ? list[0]->id : CW_STREAM_ID_MIN);
    assert_id_equal(cw_stream_last_present_id(stream), count > 0 ? list[count - 1]->id : CW_STREAM_ID_MIN);
    assert_id_equal(cw_stream_edge_id(stream),
                    model->first < model->last ? model->nodes[model->first].entries[0].id : CW_STREAM_ID_MAX);
    mem_free(list);
}

static void assert_nodes_are_valid(const struct cw_stream *stream)
{
    for (struct cw_id_place place = cw_id_map_first(&stream->nodes); place.leaf; place = cw_id_map_next(place))
        assert_true(cw_stream_node_is_valid(cw_stream_node_listpack(cw_id_map_item(place)->value)));
}

/* ---- The random script ---- */

static struct cw_stream_id random_id(struct fixture *fixture)
{
    uint64_t kind = rand_below(&fixture->rand, 20);
    if (kind == 0)
        return CW_STREAM_ID_MIN;
    if (kind == 1)
        return CW_STREAM_ID_MAX;
    return (struct cw_stream_id){rand_below(&fixture->rand, fixture->model.last_id.ms + 2),
                                 rand_below(&fixture->rand, 4)};
}

static void random_append(struct fixture *fixture)
{
    static const char *const kinds[] = {"name", "value"};
    struct model_entry entry = {.fields = 1 + (unsigned)rand_below(&fixture->rand, VALUES)};
    char space[2 * VALUES][32];
    struct slice texts[2 * VALUES];
    entry.id = fixture->model.last_id;
    if (rand_chance(&fixture->rand, 500000))
        entry.id.ms += 1 + rand_below(&fixture->rand, 3);
    else
        entry.id.seq += 1 + rand_below(&fixture->rand, 2);
    for (unsigned i = 0; i < 2 * entry.fields; i++) {
        unsigned number = (unsigned)rand_below(&fixture->rand, i % 2 == 0 ? 2 : 1000000);
        (i % 2 ? entry.values : entry.names)[i / 2] = number;
        int length = snprintf(space[i], sizeof(space[i]), number % 2 ? "%s%u" : "%.0s%u", kinds[i % 2], number);
        texts[i] = slice_of(space[i], (size_t)length);
    }
    struct cw_stream_fields fields = {texts, entry.fields};
    assert_int_equal(cw_stream_append(fixture->arena, fixture->stream, &fixture->limits, entry.id, &fields), 0);
    assert_int_equal(cw_stream_append(fixture->arena, fixture->stream, &fixture->limits, entry.id, &fields), ERR_STALE);
    model_append(fixture, &entry);
}

static void random_trim(struct fixture *fixture)
{
    struct cw_stream_trim trim = {
        .by = rand_chance(&fixture->rand, 500000) ? CW_STREAM_TRIM_LENGTH : CW_STREAM_TRIM_ID,
        .approximate = rand_chance(&fixture->rand, 500000),
        .length = rand_below(&fixture->rand, fixture->model.length + 10),
        .id = random_id(fixture),
    };
    if (rand_chance(&fixture->rand, 900000)) { /* mostly a little */
        trim.length = fixture->model.length - rand_below(&fixture->rand, fixture->model.length < 9 ? 1 : 9);
        trim.id = fixture->stream->first_id;
        trim.id.ms += rand_below(&fixture->rand, 4);
    }
    if (trim.approximate)
        trim.limit = rand_below(&fixture->rand, 40);
    uint64_t expected = model_trim(&fixture->model, &trim);
    assert_int_equal(cw_stream_trim(fixture->arena, fixture->stream, &trim), expected);
}

static void random_operation(struct fixture *fixture)
{
    uint64_t kind = rand_below(&fixture->rand, 100);
    if (kind < 50) {
        random_append(fixture);
    } else if (kind < 75) {
        struct cw_stream_id id = random_id(fixture);
        bool expected = model_delete(&fixture->model, id);
        assert_int_equal(cw_stream_has(fixture->stream, id), expected);
        assert_int_equal(cw_stream_delete(fixture->arena, fixture->stream, id), expected);
        assert_false(cw_stream_has(fixture->stream, id));
    } else if (kind < 85) {
        random_trim(fixture);
    } else if (kind < 88) {
        assert_range(fixture, random_id(fixture), random_id(fixture), kind % 2);
    }
}

static void assert_copies(struct fixture *fixture)
{
    struct cw_stream *copy = cw_stream_copy(fixture->arena, fixture->stream);
    struct cw_stream *kept = fixture->stream;
    assert_non_null(copy);
    assert_numbers(copy, &fixture->model);
    fixture->stream = copy;
    assert_range(fixture, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, false);
    fixture->stream = kept;
    cw_stream_free(fixture->arena, copy);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct fixture fixture;
        open_fixture(&fixture, seed);
        for (unsigned operation = 0; operation < OPERATIONS && fixture.model.last < NODES_MAX - 1; operation++) {
            random_operation(&fixture);
            if (operation % 16 == 0)
                assert_numbers(fixture.stream, &fixture.model);
            if (operation % 1000 == 0) {
                assert_range(&fixture, CW_STREAM_ID_MIN, CW_STREAM_ID_MAX, operation % 2000 == 0);
                assert_nodes_are_valid(fixture.stream);
            }
        }
        assert_copies(&fixture);
        close_fixture(&fixture);
    }
}

/* ---- Rules, one by one ---- */

#define NO_LIMITS ((struct cw_stream_limits){0})

static int append_text(struct fixture *fixture, struct cw_stream_id id, struct slice value)
{
    struct slice texts[] = {SLICE_LITERAL("a"), value};
    return cw_stream_append(fixture->arena, fixture->stream, &fixture->limits, id,
                            &(struct cw_stream_fields){texts, 1});
}

static void append_ids(struct fixture *fixture, uint64_t first_ms, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(append_text(fixture, (struct cw_stream_id){first_ms + i, 0}, SLICE_LITERAL("b")), 0);
}

static void test_choosing_ids(void **state)
{
    (void)state;
    static const struct {
        struct cw_stream_id last;
        enum cw_stream_id_form form;
        struct cw_stream_id given;
        int64_t now_ms;
        struct cw_stream_id chosen; /* 0-0: none */
    } cases[] = {
        {{0, 0}, CW_STREAM_ID_AUTO, {0, 0}, 100, {100, 0}},
        {{100, 7}, CW_STREAM_ID_AUTO, {0, 0}, 100, {100, 8}},
        {{200, 7}, CW_STREAM_ID_AUTO, {0, 0}, 100, {200, 8}},
        {{200, UINT64_MAX}, CW_STREAM_ID_AUTO, {0, 0}, 100, {201, 0}},
        {{0, 0}, CW_STREAM_ID_AUTO, {0, 0}, 0, {0, 1}},
        {{UINT64_MAX, UINT64_MAX}, CW_STREAM_ID_AUTO, {0, 0}, 100, {0, 0}},
        {{0, 0}, CW_STREAM_ID_AUTO_SEQ, {0, 0}, 100, {0, 1}},
        {{5, 3}, CW_STREAM_ID_AUTO_SEQ, {5, 0}, 100, {5, 4}},
        {{5, 3}, CW_STREAM_ID_AUTO_SEQ, {6, 0}, 100, {6, 0}},
        {{5, 3}, CW_STREAM_ID_AUTO_SEQ, {4, 0}, 100, {0, 0}},
        {{5, UINT64_MAX}, CW_STREAM_ID_AUTO_SEQ, {5, 0}, 100, {0, 0}},
        {{5, 3}, CW_STREAM_ID_GIVEN, {5, 4}, 100, {5, 4}},
        {{5, 3}, CW_STREAM_ID_GIVEN, {5, 3}, 100, {0, 0}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct cw_stream stream = {.last_id = cases[i].last};
        struct cw_stream_id id = cases[i].given;
        int expected = cw_stream_id_is_zero(cases[i].chosen) ? ERR_STALE : 0;
        assert_int_equal(cw_stream_choose_id(&stream, cases[i].form, cases[i].now_ms, &id), expected);
        if (expected == 0)
            assert_id_equal(id, cases[i].chosen);
    }
}

/* A node is followed by another when it has as many bytes, or entries, as the settings say. */
static void test_node_limits(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, 1);
    fixture.limits = (struct cw_stream_limits){.node_bytes_max = 4096, .node_entries_max = 100};
    append_ids(&fixture, 1, 100);
    assert_int_equal(fixture.stream->nodes.count, 1);
    append_ids(&fixture, 101, 1);
    assert_int_equal(fixture.stream->nodes.count, 2);

    static char text[4096];
    memset(text, 'x', sizeof(text));
    struct cw_stream_node *node = cw_id_map_item(cw_id_map_last(&fixture.stream->nodes))->value;
    uint64_t room = 4096 - node->length - 1; /* for the text of the field's name and value */
    assert_int_equal(append_text(&fixture, (struct cw_stream_id){200, 0}, slice_of(text, room)), 0);
    assert_int_equal(fixture.stream->nodes.count, 3);
    assert_int_equal(append_text(&fixture, (struct cw_stream_id){201, 0}, slice_of(text, sizeof(text))), 0);
    assert_int_equal(fixture.stream->nodes.count, 4);
    append_ids(&fixture, 202, 1);
    node = cw_id_map_item(cw_id_map_last(&fixture.stream->nodes))->value;
    room = 4096 - node->length - 2;
    assert_int_equal(append_text(&fixture, (struct cw_stream_id){203, 0}, slice_of(text, room)), 0);
    assert_int_equal(fixture.stream->nodes.count, 5);

    fixture.limits = NO_LIMITS;
    append_ids(&fixture, 300, 1000);
    assert_int_equal(fixture.stream->nodes.count, 5);
    assert_nodes_are_valid(fixture.stream);
    close_fixture(&fixture);
}

/* Deleting counts for the greatest id that was deleted, trimming does not. */
static void test_max_deleted_id(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, 1);
    append_ids(&fixture, 1, 50);
    assert_int_equal(cw_stream_trim(fixture.arena, fixture.stream,
                                    &(struct cw_stream_trim){.by = CW_STREAM_TRIM_LENGTH, .length = 30}),
                     20);
    assert_id_equal(fixture.stream->max_deleted_id, CW_STREAM_ID_MIN);
    assert_true(cw_stream_delete(fixture.arena, fixture.stream, (struct cw_stream_id){40, 0}));
    assert_true(cw_stream_delete(fixture.arena, fixture.stream, (struct cw_stream_id){30, 0}));
    assert_id_equal(fixture.stream->max_deleted_id, (struct cw_stream_id){40, 0});
    assert_id_equal(fixture.stream->first_id, (struct cw_stream_id){21, 0});
    close_fixture(&fixture);
}

/* A last id that was set back, behind a node of deleted entries: nothing breaks, and the id in its way is refused. */
static void test_last_id_set_back(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, 1);
    fixture.limits.node_entries_max = 2;
    append_ids(&fixture, 20, 2);
    assert_true(cw_stream_delete(fixture.arena, fixture.stream, (struct cw_stream_id){21, 0}));
    struct cw_stream_trim trim = {.by = CW_STREAM_TRIM_ID, .id = {21, 0}};
    assert_int_equal(cw_stream_trim(fixture.arena, fixture.stream, &trim), 1);
    assert_int_equal(fixture.stream->length, 0);
    assert_int_equal(fixture.stream->nodes.count, 1);
    fixture.stream->last_id = (struct cw_stream_id){5, 0};
    assert_int_equal(append_text(&fixture, (struct cw_stream_id){20, 0}, SLICE_LITERAL("b")), ERR_STALE);
    append_ids(&fixture, 6, 2);
    assert_int_equal(fixture.stream->length, 2);
    assert_true(cw_stream_has(fixture.stream, (struct cw_stream_id){6, 0}));
    assert_true(cw_stream_has(fixture.stream, (struct cw_stream_id){7, 0}));
    assert_nodes_are_valid(fixture.stream);
    close_fixture(&fixture);
}

/* ---- The shape of the reference's radix tree ---- */

/* Nodes for the keys first to last, which begin with the same `depth` bytes. */
static uint64_t naive_radix(char (*keys)[CW_STREAM_ID_BYTES], size_t first, size_t last, size_t depth)
{
    if (last - first == 1)
        return depth < CW_STREAM_ID_BYTES ? 2 : 1;
    size_t common = depth;
    while (keys[first][common] == keys[last - 1][common])
        common++;
    uint64_t nodes = common > depth ? 2 : 1;
    for (size_t i = first; i < last;) {
        size_t j = i;
        while (j < last && keys[j][common] == keys[i][common])
            j++;
        nodes += naive_radix(keys, i, j, common + 1);
        i = j;
    }
    return nodes;
}

static void test_radix_nodes(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, 5);
    assert_int_equal(cw_stream_radix_nodes(fixture.stream), 1);
    fixture.limits.node_entries_max = 1;
    enum { KEYS = 2000 };
    static char keys[KEYS][CW_STREAM_ID_BYTES];
    struct cw_stream_id id = {0, 1};
    for (size_t i = 0; i < KEYS; i++) {
        cw_stream_id_encode(id, keys[i]);
        assert_int_equal(append_text(&fixture, id, SLICE_LITERAL("b")), 0);
        if (i < 10 || i % 100 == 0)
            assert_int_equal(cw_stream_radix_nodes(fixture.stream), naive_radix(keys, 0, i + 1, 0));
        uint64_t seq = id.seq;
        id.seq += 1 + (rand_u64(&fixture.rand) >> (1 + rand_below(&fixture.rand, 63)));
        if (id.seq < seq)
            id.ms += 1 + (rand_u64(&fixture.rand) >> (20 + rand_below(&fixture.rand, 44)));
    }
    close_fixture(&fixture);
}

/* ---- Size ---- */

/* Many nodes: appending, trimming and looking stay cheap, and memory goes with what was trimmed. */
static void test_many_nodes(void **state)
{
    (void)state;
    enum { MANY = 300000 };
    struct fixture fixture;
    open_fixture(&fixture, 1);
    fixture.limits.node_entries_max = 1;
    append_ids(&fixture, 1, MANY);
    assert_int_equal(fixture.stream->nodes.count, MANY);
    size_t bytes = cw_stream_used_bytes(fixture.stream);
    assert_in_range(bytes, MANY * 40, MANY * 100);
    for (uint64_t i = 1; i < MANY; i++) {
        struct cw_stream_trim trim = {.by = CW_STREAM_TRIM_LENGTH, .length = MANY - i};
        assert_int_equal(cw_stream_trim(fixture.arena, fixture.stream, &trim), 1);
        assert_true(cw_stream_has(fixture.stream, (struct cw_stream_id){i + 1 + (MANY - i) / 2, 0}) || i + 1 == MANY);
    }
    assert_in_range(cw_stream_used_bytes(fixture.stream), 1, 2000);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),           cmocka_unit_test(test_choosing_ids),
        cmocka_unit_test(test_node_limits),      cmocka_unit_test(test_max_deleted_id),
        cmocka_unit_test(test_last_id_set_back), cmocka_unit_test(test_radix_nodes),
        cmocka_unit_test(test_many_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
