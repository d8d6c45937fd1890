/* The 24 bits of an entry by both rules, and the counter against the table that the reference documents. */
#include "cacheworker/keyspace/access.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MINUTE_MS = 60000, DAY_S = 86400 };
#define NOW_MS INT64_C(1700000000000)

static void test_seconds(void **state)
{
    (void)state;
    const struct cw_access_rules lru = CW_ACCESS_RULES_DEFAULT;
    uint32_t access = cw_access_new(&lru, NOW_MS);
    assert_int_equal(cw_access_idle_s(access, NOW_MS), 0);
    assert_int_equal(cw_access_idle_s(access, NOW_MS + 194 * DAY_S * INT64_C(1000)), 194 * DAY_S);
    assert_int_equal(cw_access_idle_s(access, NOW_MS + (INT64_C(1000) << 24)), 0); /* it goes round */
    assert_int_equal(cw_access_used(&lru, access, NOW_MS + 5000, NULL), cw_access_new(&lru, NOW_MS + 5000));
}

static void test_told_by_another(void **state)
{
    (void)state;
    const struct cw_access_rules lfu = {.counts_uses = true, .log_factor = 10, .decay_minutes = 1};
    assert_int_equal(cw_access_idle_s(cw_access_of_idle(0, NOW_MS), NOW_MS), 0);
    assert_int_equal(cw_access_idle_s(cw_access_of_idle(90 * DAY_S, NOW_MS), NOW_MS + 10000), 90 * DAY_S + 10);
    assert_int_equal(cw_access_idle_s(cw_access_of_idle(INT64_MAX, NOW_MS), NOW_MS), 8388607); /* it would go round */
    assert_int_equal(cw_access_frequency(&lfu, cw_access_of_frequency(200, NOW_MS), NOW_MS), 200);
    assert_int_equal(cw_access_frequency(&lfu, cw_access_of_frequency(200, NOW_MS), NOW_MS + 3 * MINUTE_MS), 197);
    assert_int_equal(cw_access_frequency(&lfu, cw_access_of_frequency(1000, NOW_MS), NOW_MS), 255);
}

static void test_decay(void **state)
{
    (void)state;
    struct cw_access_rules lfu = {.counts_uses = true, .log_factor = 10, .decay_minutes = 1};
    uint32_t access = cw_access_new(&lfu, NOW_MS);
    assert_int_equal(cw_access_frequency(&lfu, access, NOW_MS), 5);
    assert_int_equal(cw_access_frequency(&lfu, access, NOW_MS + 2 * MINUTE_MS), 3);
    assert_int_equal(cw_access_frequency(&lfu, access, NOW_MS + 5 * MINUTE_MS), 0);
    assert_int_equal(cw_access_frequency(&lfu, access, NOW_MS + 65535 * (int64_t)MINUTE_MS), 0);
    assert_int_equal(cw_access_idle_minutes(access, NOW_MS + 65535 * (int64_t)MINUTE_MS), 65535);
    lfu.decay_minutes = 3;
    assert_int_equal(cw_access_frequency(&lfu, access, NOW_MS + 8 * MINUTE_MS), 3);
    lfu.decay_minutes = INT32_MAX;
    assert_int_equal(cw_access_frequency(&lfu, access, NOW_MS + 65535 * (int64_t)MINUTE_MS), 5);
    lfu.decay_minutes = 0;
    assert_int_equal(cw_access_frequency(&lfu, access, NOW_MS + 65535 * (int64_t)MINUTE_MS), 5);
}

/* A use counts from what is left of the counter, and its time is kept. */
static void test_use_after_decay(void **state)
{
    (void)state;
    const struct cw_access_rules lfu = {.counts_uses = true, .log_factor = 0, .decay_minutes = 1};
    struct rand rand;
    rand_seed(&rand, 1);
    uint32_t access = cw_access_used(&lfu, cw_access_new(&lfu, NOW_MS), NOW_MS + 4 * MINUTE_MS, &rand);
    assert_int_equal(cw_access_frequency(&lfu, access, NOW_MS + 4 * MINUTE_MS), 2);
    assert_int_equal(cw_access_idle_minutes(access, NOW_MS + 7 * MINUTE_MS), 3);
}

/* redis.conf of the reference: the counter after so many uses, by log factor. It is the mean of random runs there; here
 * it is one of 32. */
static void test_counter_follows_the_documented_table(void **state)
{
    (void)state;
    static const struct {
        int64_t log_factor;
        uint32_t expected[3]; /* after 100, 1000 and 100,000 uses */
    } table[] = {{0, {104, 255, 255}}, {1, {18, 49, 255}}, {10, {10, 18, 142}}, {100, {8, 11, 49}}};
    static const unsigned uses[] = {100, 1000, 100000};
    enum { RUNS = 32 };
    struct rand rand;
    rand_seed(&rand, 7);
    for (size_t row = 0; row < ARRAY_LENGTH(table); row++) {
        const struct cw_access_rules lfu = {.counts_uses = true, .log_factor = table[row].log_factor};
        uint32_t sums[ARRAY_LENGTH(uses)] = {0};
        for (unsigned run = 0; run < RUNS; run++) {
            uint32_t access = cw_access_new(&lfu, NOW_MS);
            unsigned used = 0;
            for (size_t i = 0; i < ARRAY_LENGTH(uses); i++) {
                for (; used < uses[i]; used++)
                    access = cw_access_used(&lfu, access, NOW_MS, &rand);
                sums[i] += cw_access_frequency(&lfu, access, NOW_MS);
            }
        }
        for (size_t i = 0; i < ARRAY_LENGTH(uses); i++) {
            uint32_t expected = table[row].expected[i];
            uint32_t tolerance = 2 + expected / 20;
            assert_in_range(sums[i] / RUNS, expected - tolerance, expected + tolerance);
        }
    }
}

/* Whatever the bits were, both rules read something of them that is in range, and what they write fits. */
static void test_any_bits_mean_something(void **state)
{
    (void)state;
    const struct cw_access_rules lfu = {.counts_uses = true, .log_factor = INT32_MAX, .decay_minutes = 1};
    struct rand rand;
    rand_seed(&rand, 3);
    for (unsigned i = 0; i < 100000; i++) {
        uint32_t access = (uint32_t)rand_below(&rand, CW_ACCESS_MAX + 1);
        int64_t now_ms = rand_between(&rand, 0, INT64_C(1) << 42);
        assert_true(cw_access_idle_s(access, now_ms) <= CW_ACCESS_MAX);
        assert_true(cw_access_idle_minutes(access, now_ms) <= UINT16_MAX);
        assert_true(cw_access_frequency(&lfu, access, now_ms) <= 255);
        uint32_t used = cw_access_used(&lfu, access, now_ms, &rand);
        assert_true(used <= CW_ACCESS_MAX);
        assert_int_equal(cw_access_idle_minutes(used, now_ms), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds),
        cmocka_unit_test(test_told_by_another),
        cmocka_unit_test(test_decay),
        cmocka_unit_test(test_use_after_decay),
        cmocka_unit_test(test_counter_follows_the_documented_table),
        cmocka_unit_test(test_any_bits_mean_something),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
