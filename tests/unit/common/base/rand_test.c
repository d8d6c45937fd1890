#include "common/base/rand.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Computed from the authors' published code of splitmix64 and xoshiro256**. */
static void the_published_generators_are_met(void **state)
{
    (void)state;
    assert_true(rand_mix(0) == 0xe220a8397b1dcdaf);
    struct rand rand = {{1, 2, 3, 4}};
    static const uint64_t expected[] = {11520, 0, 1509978240, 1215971899390074240};
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++)
        assert_true(rand_u64(&rand) == expected[i]);
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
    (void)state;
    struct rand a, b, c;
    rand_seed(&a, 1);
    rand_seed(&b, 1);
    rand_seed(&c, 2);
    unsigned differ = 0;
    for (unsigned i = 0; i < 100; i++) {
        uint64_t drawn = rand_u64(&a);
        assert_true(drawn == rand_u64(&b));
        differ += drawn != rand_u64(&c);
    }
    assert_int_equal(100, differ);
}

static void bounds_are_kept_and_reached(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 3);
    unsigned below[7] = {0}, between[5] = {0};
    for (unsigned i = 0; i < 7000; i++) {
        uint64_t drawn = rand_below(&rand, 7);
        assert_true(drawn < 7);
        below[drawn]++;
        int64_t number = rand_between(&rand, -2, 2);
        assert_true(number >= -2 && number <= 2);
        between[number + 2]++;
        assert_true(rand_below(&rand, 1) == 0);
        assert_true(rand_between(&rand, 5, 5) == 5);
        assert_true(rand_between(&rand, INT64_MIN, INT64_MIN + 1) < INT64_MIN + 2);
    }
    for (unsigned i = 0; i < 7; i++)
        assert_in_range(below[i], 850, 1150);
    for (unsigned i = 0; i < 5; i++)
        assert_in_range(between[i], 1250, 1550);
}

static void the_whole_range_can_be_asked(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 4);
    unsigned negative = 0;
    for (unsigned i = 0; i < 1000; i++)
        negative += rand_between(&rand, INT64_MIN, INT64_MAX) < 0;
    assert_in_range(negative, 400, 600);
}

static void chances_are_in_a_million(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 5);
    unsigned hits = 0;
    for (unsigned i = 0; i < 100000; i++) {
        hits += rand_chance(&rand, 100000);
        assert_false(rand_chance(&rand, 0));
        assert_true(rand_chance(&rand, 1000000));
    }
    assert_in_range(hits, 9500, 10500);
}

static void a_fork_goes_its_own_way(void **state)
{
    (void)state;
    struct rand a, b;
    rand_seed(&a, 6);
    rand_seed(&b, 6);
    struct rand fork_a = rand_fork(&a), fork_b = rand_fork(&b);
    for (unsigned i = 0; i < 10; i++)
        rand_u64(&fork_a);
    assert_true(rand_u64(&a) == rand_u64(&b)); /* draws of the fork do not disturb */
    for (unsigned i = 0; i < 10; i++)
        rand_u64(&fork_b);
    assert_true(rand_u64(&fork_a) == rand_u64(&fork_b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_generators_are_met), cmocka_unit_test(the_same_seed_gives_the_same_numbers),
        cmocka_unit_test(bounds_are_kept_and_reached),      cmocka_unit_test(the_whole_range_can_be_asked),
        cmocka_unit_test(chances_are_in_a_million),         cmocka_unit_test(a_fork_goes_its_own_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
