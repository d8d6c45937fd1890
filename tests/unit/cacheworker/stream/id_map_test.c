/* The map by itself, against an array; and that what streams do a lot does not cost what the map's size is. */
#include "cacheworker/stream/id_map.h"

#include "common/base/mem.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { IDS = 3000, OPERATIONS = 200000, MANY = 1000000 };

struct fixture {
    struct cw_arena *arena;
    struct cw_stream_held held;
    struct cw_stream_memory memory;
    struct cw_id_map map;
    bool present[IDS]; /* the naive map: ids are {i / 7, i % 7} */
    struct rand rand;
};

static struct cw_stream_id id_of(uint64_t i)
{
    return (struct cw_stream_id){i / 7, i % 7};
}

static uint64_t index_of(struct cw_id_place place)
{
    struct cw_stream_id id = cw_id_map_item(place)->id;
    return id.ms * 7 + id.seq;
}

static void open_fixture(struct fixture *fixture, uint64_t seed)
{
    memset(fixture, 0, sizeof(*fixture));
    fixture->arena = cw_arena_create();
    fixture->memory = (struct cw_stream_memory){fixture->arena, &fixture->held};
    rand_seed(&fixture->rand, seed);
}

static void close_fixture(struct fixture *fixture)
{
    for (uint64_t i = 0; i < IDS; i++)
        assert_true((cw_id_map_remove(&fixture->memory, &fixture->map, id_of(i)) != NULL) == fixture->present[i]);
    assert_int_equal(fixture->map.count, 0);
    assert_null(fixture->map.root);
    assert_null(fixture->map.last);
    assert_int_equal(fixture->held.blocks, 0);
    assert_int_equal(fixture->held.bytes, 0);
    assert_int_equal(cw_arena_used_bytes(fixture->arena), 0);
    cw_arena_destroy(fixture->arena);
}

static void check_order(const struct fixture *fixture)
{
    struct cw_id_place forward = cw_id_map_first(&fixture->map);
    uint64_t count = 0;
    for (uint64_t i = 0; i < IDS; i++) {
        if (!fixture->present[i])
            continue;
        assert_non_null(forward.leaf);
        assert_int_equal(index_of(forward), i);
        assert_ptr_equal(cw_id_map_item(forward)->value, fixture->present + i);
        forward = cw_id_map_next(forward);
        count++;
    }
    assert_null(forward.leaf);
    assert_int_equal(fixture->map.count, count);
    struct cw_id_place backward = cw_id_map_last(&fixture->map);
    for (uint64_t i = IDS; i-- > 0;) {
        if (!fixture->present[i])
            continue;
        assert_int_equal(index_of(backward), i);
        backward = cw_id_map_previous(backward);
    }
    assert_null(backward.leaf);
}

static void check_search(const struct fixture *fixture, uint64_t i)
{
    uint64_t least = i;
    while (least < IDS && !fixture->present[least])
        least++;
    uint64_t most = i + 1;
    while (most > 0 && !fixture->present[most - 1])
        most--;
    struct cw_id_place place = cw_id_map_at_least(&fixture->map, id_of(i));
    assert_int_equal(place.leaf ? index_of(place) : IDS, least);
    place = cw_id_map_at_most(&fixture->map, id_of(i));
    assert_int_equal(place.leaf ? index_of(place) + 1 : 0, most);
    void *expected = fixture->present[i] ? (void *)(uintptr_t)(fixture->present + i) : NULL;
    assert_ptr_equal(cw_id_map_find(&fixture->map, id_of(i)), expected);
}

static void change(struct fixture *fixture, uint64_t i, bool inserts)
{
    if (inserts)
        assert_true(cw_id_map_insert(&fixture->memory, &fixture->map, id_of(i), fixture->present + i) !=
                    fixture->present[i]);
    else
        assert_ptr_equal(cw_id_map_remove(&fixture->memory, &fixture->map, id_of(i)),
                         fixture->present[i] ? fixture->present + i : NULL);
    fixture->present[i] = inserts;
}

/* Phases of growing, shrinking and holding, so that pages split, empty out and vanish at all levels. */
static void test_random(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        struct fixture fixture;
        open_fixture(&fixture, seed);
        uint32_t grows = 0;
        for (unsigned operation = 0; operation < OPERATIONS; operation++) {
            if (operation % 5000 == 0)
                grows = (uint32_t)rand_below(&fixture.rand, 3) * 400000 + 100000;
            uint64_t span = rand_chance(&fixture.rand, 500000) ? IDS : 100;
            uint64_t i = rand_below(&fixture.rand, span);
            change(&fixture, i, rand_chance(&fixture.rand, grows));
            check_search(&fixture, rand_below(&fixture.rand, IDS));
            if (operation % 2000 == 0)
                check_order(&fixture);
        }
        check_order(&fixture);
        close_fixture(&fixture);
    }
}

/* A queue: added behind, removed in front. Pages are full but for the two at the ends. */
static void test_queue(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, 1);
    char value;
    for (uint64_t i = 0; i < MANY; i++) {
        assert_true(cw_id_map_insert(&fixture.memory, &fixture.map, id_of(i), &value));
        if (i >= 100000)
            assert_ptr_equal(cw_id_map_remove(&fixture.memory, &fixture.map, id_of(i - 100000)), &value);
    }
    assert_int_equal(fixture.map.count, 100000);
    assert_in_range(fixture.held.bytes, 100000 * sizeof(struct cw_id_item), 120000 * sizeof(struct cw_id_item));
    assert_in_range(fixture.map.height, 2, 5);
    for (uint64_t i = MANY - 100000; i < MANY; i++)
        assert_ptr_equal(cw_id_map_remove(&fixture.memory, &fixture.map, id_of(i)), &value);
    close_fixture(&fixture);
}

/* Small maps are small: there may be very many of them. */
static void test_small(void **state)
{
    (void)state;
    struct fixture fixture;
    open_fixture(&fixture, 1);
    change(&fixture, 5, true);
    assert_in_range(fixture.held.bytes, 1, 64);
    change(&fixture, 3, true);
    change(&fixture, 4, true);
    assert_in_range(fixture.held.bytes, 1, 128);
    check_order(&fixture);
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
