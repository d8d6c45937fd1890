/* Groups: who has what pending, against a naive model; and what is known of how far a group has read. */
#include "cacheworker/stream/stream_group.h"

#include "common/base/errors.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { GROUPS = 3, CONSUMERS = 5, IDS = 300, OPERATIONS = 60000, NOBODY = -1 };

struct model_group {
    bool exists;
    bool consumers[CONSUMERS];
    int owners[IDS]; /* of entry i-0; NOBODY: it is not pending */
};

struct fixture {
    struct cw_arena *arena;
    struct cw_stream *stream;
    struct model_group groups[GROUPS];
    struct rand rand;
};

static const char *const group_names[GROUPS] = {"g", "", "go"};
static const char *const consumer_names[CONSUMERS] = {"bob", "alice", "bo", "b", "zoe"};

static void open_fixture(struct fixture *fixture, uint64_t seed)
{
    *fixture = (struct fixture){.arena = cw_arena_create()};
    fixture->stream = cw_stream_create(fixture->arena);
    rand_seed(&fixture->rand, seed);
}

static void close_fixture(struct fixture *fixture)
{
    cw_stream_free(fixture->arena, fixture->stream);
    assert_int_equal(cw_arena_used_bytes(fixture->arena), 0);
    cw_arena_destroy(fixture->arena);
}

static struct cw_stream_group *group_of(const struct cw_stream *stream, unsigned g)
{
    return cw_stream_group_find(stream, slice_text(group_names[g]));
}

static struct cw_stream_consumer *consumer_of(const struct cw_stream_group *group, unsigned c)
{
    return cw_stream_consumer_find(group, slice_text(consumer_names[c]));
}

/* ---- The random script ---- */

static void toggle_group(struct fixture *fixture, unsigned g)
{
    struct model_group *model = &fixture->groups[g];
    struct cw_stream_group *group;
    if (model->exists) {
        assert_int_equal(cw_stream_group_create(fixture->arena, fixture->stream, slice_text(group_names[g]),
                                                CW_STREAM_ID_MIN, 0, &group),
                         ERR_EXISTS);
        cw_stream_free(fixture->arena,
                       cw_stream_group_destroy(fixture->arena, fixture->stream, group_of(fixture->stream, g)));
    } else {
        assert_int_equal(cw_stream_group_create(fixture->arena, fixture->stream, slice_text(group_names[g]),
                                                (struct cw_stream_id){g, 1}, g, &group),
                         0);
        memset(model->consumers, 0, sizeof(model->consumers));
        for (unsigned i = 0; i < IDS; i++)
            model->owners[i] = NOBODY;
    }
    model->exists = !model->exists;
}

static void toggle_consumer(struct fixture *fixture, unsigned g, unsigned c)
{
    struct model_group *model = &fixture->groups[g];
    struct cw_stream_group *group = group_of(fixture->stream, g);
    struct cw_stream_consumer *consumer;
    if (model->consumers[c]) {
        cw_stream_free(fixture->arena, cw_stream_consumer_delete(fixture->arena, group, consumer_of(group, c)));
        for (unsigned i = 0; i < IDS; i++)
            if (model->owners[i] == (int)c)
                model->owners[i] = NOBODY;
    } else {
        assert_int_equal(
            cw_stream_consumer_create(fixture->arena, group, slice_text(consumer_names[c]), 1000 + c, &consumer), 0);
        assert_int_equal(consumer->active_ms, CW_STREAM_NEVER_ACTIVE);
        consumer->active_ms = 2000 + c;
    }
    model->consumers[c] = !model->consumers[c];
}

static void give(struct fixture *fixture, unsigned g, unsigned c, unsigned i)
{
    struct cw_stream_group *group = group_of(fixture->stream, g);
    struct cw_stream_id id = {i, 0};
    struct cw_stream_pending *pending = cw_stream_pending_find(group, id);
    assert_true((pending != NULL) == (fixture->groups[g].owners[i] != NOBODY));
    if (pending) {
        assert_null(cw_stream_pending_add(fixture->arena, group, id));
    } else {
        pending = cw_stream_pending_add(fixture->arena, group, id);
        pending->delivery_ms = 3000 + i;
    }
    pending->deliveries = c;
    cw_stream_pending_assign(fixture->arena, group, pending, id, consumer_of(group, c));
    fixture->groups[g].owners[i] = (int)c;
}

static void random_operation(struct fixture *fixture)
{
    unsigned g = (unsigned)rand_below(&fixture->rand, GROUPS);
    unsigned c = (unsigned)rand_below(&fixture->rand, CONSUMERS);
    unsigned i = (unsigned)rand_below(&fixture->rand, IDS);
    uint64_t kind = rand_below(&fixture->rand, 1000);
    struct model_group *model = &fixture->groups[g];
    if (!model->exists || kind == 0) {
        toggle_group(fixture, g);
    } else if (!model->consumers[c] || kind < 10) {
        toggle_consumer(fixture, g, c);
    } else if (kind < 600) {
        give(fixture, g, c, i);
    } else {
        bool expected = model->owners[i] != NOBODY;
        assert_int_equal(
            cw_stream_pending_drop(fixture->arena, group_of(fixture->stream, g), (struct cw_stream_id){i, 0}),
            expected);
        model->owners[i] = NOBODY;
    }
}

/* ---- Comparing ---- */

static void assert_pending(const struct cw_stream_group *group, const struct model_group *model)
{
    struct cw_id_place place = cw_id_map_first(&group->pending);
    uint64_t counts[CONSUMERS] = {0};
    for (unsigned i = 0; i < IDS; i++) {
        int owner = model->owners[i];
        if (owner == NOBODY)
            continue;
        counts[owner]++;
        assert_non_null(place.leaf);
        assert_int_equal(cw_id_map_item(place)->id.ms, i);
        const struct cw_stream_pending *pending = cw_id_map_item(place)->value;
        const struct cw_stream_consumer *consumer = consumer_of(group, (unsigned)owner);
        assert_ptr_equal(pending->consumer, consumer);
        assert_int_equal(pending->delivery_ms, 3000 + i);
        assert_int_equal(pending->deliveries, owner);
        assert_ptr_equal(cw_id_map_find(&consumer->pending, (struct cw_stream_id){i, 0}), pending);
        place = cw_id_map_next(place);
    }
    assert_null(place.leaf);
    for (unsigned c = 0; c < CONSUMERS; c++)
        if (model->consumers[c])
            assert_int_equal(consumer_of(group, c)->pending.count, counts[c]);
}

static void assert_same(const struct fixture *fixture, const struct cw_stream *stream)
{
    unsigned groups = 0;
    for (unsigned g = 0; g < GROUPS; g++) {
        const struct model_group *model = &fixture->groups[g];
        const struct cw_stream_group *group = group_of(stream, g);
        assert_true((group != NULL) == model->exists);
        if (!group)
            continue;
        groups++;
        assert_int_equal(group->last_id.ms, g);
        assert_int_equal(group->entries_read, g);
        unsigned consumers = 0;
        for (unsigned c = 0; c < CONSUMERS; c++) {
            const struct cw_stream_consumer *consumer = consumer_of(group, c);
            assert_true((consumer != NULL) == model->consumers[c]);
            consumers += consumer != NULL;
            assert_true(!consumer || (consumer->seen_ms == 1000 + c && consumer->active_ms == 2000 + c));
        }
        assert_int_equal(group->consumers.count, consumers);
        assert_pending(group, model);
    }
    assert_int_equal(stream->groups.count, groups);
}

static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct fixture fixture;
        open_fixture(&fixture, seed);
        for (unsigned operation = 0; operation < OPERATIONS; operation++) {
            random_operation(&fixture);
            assert_int_equal(cw_stream_used_bytes(fixture.stream), cw_arena_used_bytes(fixture.arena));
            if (operation % 500 == 0)
                assert_same(&fixture, fixture.stream);
        }
        struct cw_stream *copy = cw_stream_copy(fixture.arena, fixture.stream);
        assert_same(&fixture, copy);
        cw_stream_free(fixture.arena, copy);
        assert_same(&fixture, fixture.stream);
        close_fixture(&fixture);
    }
}

/* What a group, or the only consumer with anything pending, had is not freed one by one: it leaves as it is. */
static void test_much_leaves_at_once(void **state)
{
    (void)state;
    enum { PENDING = 5000 };
    for (unsigned destroys = 0; destroys < 2; destroys++) {
        struct fixture fixture;
        open_fixture(&fixture, 1);
        toggle_group(&fixture, 0);
        toggle_consumer(&fixture, 0, 0);
        toggle_consumer(&fixture, 0, 1);
        size_t small = cw_arena_used_bytes(fixture.arena);
        struct cw_stream_group *group = group_of(fixture.stream, 0);
        for (uint64_t i = 1; i <= PENDING; i++) {
            struct cw_stream_id id = {i, 0};
            struct cw_stream_pending *pending = cw_stream_pending_add(fixture.arena, group, id);
            cw_stream_pending_assign(fixture.arena, group, pending, id, consumer_of(group, 1));
        }
        size_t full = cw_arena_used_bytes(fixture.arena);
        struct cw_stream *rest = destroys ? cw_stream_group_destroy(fixture.arena, fixture.stream, group)
                                          : cw_stream_consumer_delete(fixture.arena, group, consumer_of(group, 1));
        assert_non_null(rest);
        assert_true(cw_arena_used_bytes(fixture.arena) >= full);
        assert_true(cw_stream_used_bytes(fixture.stream) <= small);
        assert_int_equal(cw_stream_used_bytes(fixture.stream) + cw_stream_used_bytes(rest),
                         cw_arena_used_bytes(fixture.arena));
        assert_true(cw_stream_blocks(rest) > PENDING);
        cw_stream_free(fixture.arena, rest);
        assert_int_equal(cw_stream_used_bytes(fixture.stream), cw_arena_used_bytes(fixture.arena));
        assert_int_equal(fixture.stream->groups.count, !destroys);
        close_fixture(&fixture);
    }
}

/* Groups and consumers stand in the order of their names as bytes. */
static void test_order(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, 1);
    for (unsigned g = 0; g < GROUPS; g++)
        toggle_group(&fixture, g);
    for (unsigned c = 0; c < CONSUMERS; c++)
        toggle_consumer(&fixture, 0, c);
    static const char *const groups[] = {"", "g", "go"};
    static const char *const consumers[] = {"alice", "b", "bo", "bob", "zoe"};
    for (unsigned g = 0; g < GROUPS; g++)
        assert_true(slice_equal(cw_stream_group_at(fixture.stream, g)->named.name, slice_text(groups[g])));
    for (unsigned c = 0; c < CONSUMERS; c++)
        assert_true(
            slice_equal(cw_stream_consumer_at(group_of(fixture.stream, 0), c)->named.name, slice_text(consumers[c])));
    close_fixture(&fixture);
}

/* ---- How far a group has read ---- */

static void append_ids(struct fixture *fixture, uint64_t first_ms, uint64_t count)
{
    struct slice texts[] = {SLICE_LITERAL("a"), SLICE_LITERAL("b")};
    struct cw_stream_limits limits = {.node_entries_max = 4};
    for (uint64_t i = 0; i < count; i++)
        assert_int_equal(cw_stream_append(fixture->arena, fixture->stream, &limits,
                                          (struct cw_stream_id){first_ms + i, 0}, &(struct cw_stream_fields){texts, 1}),
                         0);
}

static void assert_lag(const struct fixture *fixture, const struct cw_stream_group *group, int64_t expected)
{
    int64_t lag;
    if (!cw_stream_group_lag(fixture->stream, group, &lag))
        lag = -1;
    assert_int_equal(lag, expected);
}

static void delete_id(struct fixture *fixture, uint64_t ms)
{
    assert_true(cw_stream_delete(fixture->arena, fixture->stream, (struct cw_stream_id){ms, 0}));
}

/* What redis-server 7.0 answered to the same calls. */
static void test_reading(void **state)
{
    (void)state;
    struct fixture fixture;
    struct cw_stream_group *group;
    open_fixture(&fixture, 1);
    assert_int_equal(cw_stream_group_create(fixture.arena, fixture.stream, slice_text("g"), CW_STREAM_ID_MIN,
                                            CW_STREAM_READ_UNKNOWN, &group),
                     0);
    assert_lag(&fixture, group, 0);
    append_ids(&fixture, 1, 10);
    assert_lag(&fixture, group, 10);
    cw_stream_group_delivered(fixture.stream, group, (struct cw_stream_id){1, 0});
    assert_int_equal(group->entries_read, 1);
    assert_lag(&fixture, group, 9);
    cw_stream_group_delivered(fixture.stream, group, (struct cw_stream_id){2, 0});
    assert_int_equal(group->entries_read, 2);
    cw_stream_group_delivered(fixture.stream, group, (struct cw_stream_id){1, 0}); /* not behind the last one */
    assert_int_equal(group->entries_read, 2);
    assert_int_equal(group->last_id.ms, 2);

    delete_id(&fixture, 5);
    assert_lag(&fixture, group, -1);
    cw_stream_group_delivered(fixture.stream, group, (struct cw_stream_id){3, 0});
    assert_int_equal(group->entries_read, CW_STREAM_READ_UNKNOWN);
    cw_stream_group_delivered(fixture.stream, group, (struct cw_stream_id){10, 0});
    assert_int_equal(group->entries_read, 10);
    assert_lag(&fixture, group, 0);
    append_ids(&fixture, 11, 2);
    assert_lag(&fixture, group, 2);
    close_fixture(&fixture);
}

static void test_entries_up_to(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, 1);
    assert_int_equal(cw_stream_entries_up_to(fixture.stream, (struct cw_stream_id){5, 0}), 0);
    append_ids(&fixture, 1, 10);
    struct cw_stream_trim trim = {.by = CW_STREAM_TRIM_LENGTH, .length = 7};
    assert_int_equal(cw_stream_trim(fixture.arena, fixture.stream, &trim), 3);
    static const struct {
        uint64_t ms;
        int64_t expected;
    } cases[] = {{0, 3}, {3, 3}, {4, 4}, {5, CW_STREAM_READ_UNKNOWN}, {10, 10}, {11, CW_STREAM_READ_UNKNOWN}};
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(cw_stream_entries_up_to(fixture.stream, (struct cw_stream_id){cases[i].ms, 0}),
                         cases[i].expected);
    delete_id(&fixture, 4); /* the first: still nothing is missing behind the new first one */
    assert_int_equal(cw_stream_entries_up_to(fixture.stream, (struct cw_stream_id){5, 0}), 5);
    delete_id(&fixture, 8);
    assert_int_equal(cw_stream_entries_up_to(fixture.stream, (struct cw_stream_id){5, 0}), CW_STREAM_READ_UNKNOWN);
    trim.length = 0;
    cw_stream_trim(fixture.arena, fixture.stream, &trim);
    assert_int_equal(cw_stream_entries_up_to(fixture.stream, (struct cw_stream_id){9, 0}), 10);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),  cmocka_unit_test(test_much_leaves_at_once), cmocka_unit_test(test_order),
        cmocka_unit_test(test_reading), cmocka_unit_test(test_entries_up_to),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
