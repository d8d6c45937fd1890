#include "common/ha/lease.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct identity identity_of(unsigned number)
{
    struct identity identity = {{0}};
    identity.bytes[0] = (uint8_t)number;
    return identity;
}

static void list_sentinels(struct sentinel_list *list, unsigned first, unsigned count)
{
    list->count = count;
    for (unsigned i = 0; i < count; i++)
        list->entries[i].sentinel = identity_of(first + i);
}

static struct lease_grant grant_of(unsigned sentinel, int64_t status_ns)
{
    return (struct lease_grant){.sentinel = identity_of(sentinel), .status_ns = status_ns};
}

static void the_middle_of_three_counts(void **state)
{
    (void)state;
    static struct topology topology;
    list_sentinels(&topology.sentinels, 1, 3);
    const struct lease_grant grants[] = {grant_of(1, 100), grant_of(2, 300), grant_of(3, 200)};
    assert_true(lease_deadline(&topology, grants, 0) == INT64_MIN);
    assert_true(lease_deadline(&topology, grants, 1) == INT64_MIN);
    assert_true(lease_deadline(&topology, grants, 2) == 100 + LEASE_NS);
    assert_true(lease_deadline(&topology, grants, 3) == 200 + LEASE_NS);
}

static void two_grants_of_one_sentinel_count_once(void **state)
{
    (void)state;
    static struct topology topology;
    list_sentinels(&topology.sentinels, 1, 3);
    const struct lease_grant grants[] = {grant_of(1, 100), grant_of(1, 300), grant_of(1, 200), grant_of(2, 50)};
    assert_true(lease_deadline(&topology, grants, 3) == INT64_MIN);
    assert_true(lease_deadline(&topology, grants, 4) == 50 + LEASE_NS);
}

static void strangers_do_not_count(void **state)
{
    (void)state;
    static struct topology topology;
    list_sentinels(&topology.sentinels, 1, 3);
    const struct lease_grant grants[] = {grant_of(1, 100), grant_of(8, 300), grant_of(9, 200)};
    assert_true(lease_deadline(&topology, grants, 3) == INT64_MIN);
    static struct topology empty;
    assert_true(lease_deadline(&empty, grants, 3) == INT64_MIN);
}

static void under_two_lists_the_lower_counts(void **state)
{
    (void)state;
    static struct topology topology;
    list_sentinels(&topology.sentinels, 1, 3);          /* 1 2 3 */
    list_sentinels(&topology.previous_sentinels, 3, 3); /* 3 4 5 */
    const struct lease_grant grants[] = {grant_of(1, 900), grant_of(2, 800), grant_of(3, 100), grant_of(4, 200)};
    assert_true(lease_deadline(&topology, grants, 3) == INT64_MIN); /* the old list has one of three only */
    assert_true(lease_deadline(&topology, grants, 4) == 100 + LEASE_NS);
    topology.previous_sentinels.count = 0;
    assert_true(lease_deadline(&topology, grants, 4) == 800 + LEASE_NS);
}

static int descending(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return left < right ? 1 : left > right ? -1 : 0;
}

/* The definition: sort, take the m-th, m = floor(n/2) + 1. */
static void random_grants_come_to_the_definition(void **state)
{
    (void)state;
    static struct topology topology;
    struct rand rand;
    rand_seed(&rand, 1);
    for (unsigned round = 0; round < 5000; round++) {
        unsigned count = 1 + (unsigned)rand_below(&rand, TOPOLOGY_SENTINELS_MAX);
        list_sentinels(&topology.sentinels, 0, count);
        struct lease_grant grants[TOPOLOGY_SENTINELS_MAX];
        int64_t sorted[TOPOLOGY_SENTINELS_MAX];
        size_t given = 0;
        for (unsigned i = 0; i < count; i++)
            if (rand_below(&rand, 4) > 0) {
                int64_t status_ns = rand_between(&rand, 0, 20);
                sorted[given] = status_ns;
                grants[given++] = grant_of(i, status_ns);
            }
        qsort(sorted, given, sizeof(sorted[0]), descending);
        size_t majority = count / 2 + 1;
        int64_t expected = given >= majority ? sorted[majority - 1] + LEASE_NS : INT64_MIN;
        assert_true(lease_deadline(&topology, grants, given) == expected);
    }
}

/* 4.9 s on the master's clock, when that is 1 % slow, are over before 5.0 s on a sentinel's that is 1 % fast. */
static void the_lease_ends_before_the_promise_on_any_clock(void **state)
{
    (void)state;
    assert_true(LEASE_NS * 100 / 99 < PROMISE_NS * 100 / 101);
    assert_true(PROMISE_NS * 100 / 101 - LEASE_NS * 100 / 99 >= NS_PER_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_middle_of_three_counts),
        cmocka_unit_test(two_grants_of_one_sentinel_count_once),
        cmocka_unit_test(strangers_do_not_count),
        cmocka_unit_test(under_two_lists_the_lower_counts),
        cmocka_unit_test(random_grants_come_to_the_definition),
        cmocka_unit_test(the_lease_ends_before_the_promise_on_any_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
