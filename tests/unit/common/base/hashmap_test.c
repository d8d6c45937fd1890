#include "common/base/hashmap.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct thing {
    struct hashmap_node node;
    uint64_t number;
    bool inside;
    bool seen;
};

enum { THINGS = 1000 };

static void siphash_meets_the_published_values(void **state)
{
    (void)state;
    /* Key and input 00 01 02 ...; the first values of SipHash-1-3's reference vectors. */
    const struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    static const uint64_t expected[] = {0xabac0158050fc4dc, 0xc9f49bf37d57ca93, 0x82cb9b024dc7d44d,
                                        0x8bf80ab8e7ddf7fb, 0xcf75576088d38328, 0xdef9d52f49533b67,
                                        0xc50d2b50c59f22a7, 0xd3927d989bb11140, 0x369095118d299a8e};
    char input[8];
    for (size_t length = 0; length < ARRAY_LENGTH(expected); length++) {
        assert_true(siphash(&key, slice_of(input, length)) == expected[length]);
        if (length < sizeof(input))
            input[length] = (char)length;
    }
}

static void names_are_found_until_removed(void **state)
{
    (void)state;
    struct hashmap map;
    hashmap_init(&map, (struct siphash_key){{1, 2}});
    assert_null(hashmap_find(&map, SLICE_LITERAL("news")));
    struct thing news = {0}, empty = {0};
    hashmap_add(&map, &news.node, SLICE_LITERAL("news"));
    hashmap_add(&map, &empty.node, SLICE_LITERAL(""));
    assert_ptr_equal(&news.node, hashmap_find(&map, SLICE_LITERAL("news")));
    assert_ptr_equal(&empty.node, hashmap_find(&map, SLICE_LITERAL("")));
    assert_null(hashmap_find(&map, SLICE_LITERAL("new")));
    hashmap_remove(&map, &news.node);
    assert_null(hashmap_find(&map, SLICE_LITERAL("news")));
    assert_int_equal(1, map.count);
    hashmap_free(&map);
    assert_null(hashmap_find(&map, SLICE_LITERAL("")));
}

static void assert_walk(const struct hashmap *map, struct thing *things)
{
    size_t walked = 0;
    HASHMAP_FOR_EACH(node, map)
    {
        struct thing *thing = CONTAINER_OF(node, struct thing, node);
        assert_true(thing->inside && !thing->seen);
        thing->seen = true;
        walked++;
    }
    assert_int_equal(map->count, walked);
    for (unsigned i = 0; i < THINGS; i++)
        things[i].seen = false;
}

static void it_agrees_with_a_list_of_flags(void **state)
{
    (void)state;
    static struct thing things[THINGS];
    struct rand rand;
    rand_seed(&rand, 1);
    struct hashmap map;
    hashmap_init(&map, (struct siphash_key){{3, 4}});
    size_t inside = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct thing *thing = &things[rand_below(&rand, THINGS)];
        thing->number = (uint64_t)(thing - things);
        struct slice key = hashmap_number(&thing->number);
        assert_ptr_equal(thing->inside ? &thing->node : NULL, hashmap_find(&map, key));
        if (thing->inside)
            hashmap_remove(&map, &thing->node);
        else
            hashmap_add(&map, &thing->node, key);
        thing->inside = !thing->inside;
        inside += thing->inside ? 1 : (size_t)-1;
        assert_int_equal(inside, map.count);
        if (round % 1000 == 0)
            assert_walk(&map, things);
    }
    HASHMAP_FOR_EACH(node, &map)
    {
        hashmap_remove(&map, node);
    }
    assert_int_equal(0, map.count);
    hashmap_free(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_meets_the_published_values),
        cmocka_unit_test(names_are_found_until_removed),
        cmocka_unit_test(it_agrees_with_a_list_of_flags),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
