#include "cacheworker/info/histogram.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DURATIONS = 5000 };

/* Each duration falls into one bucket, the buckets follow one another, and none is wider than a percent. */
static void test_buckets(void **state)
{
    (void)state;
    int64_t lower_ns = 0;
    for (size_t bucket = 0; bucket < CW_HISTOGRAM_BUCKETS; bucket++) {
        int64_t upper_ns = cw_histogram_upper_ns(bucket);
        assert_true(upper_ns >= lower_ns);
        assert_true((double)(upper_ns - lower_ns) <= 0.01 * (double)lower_ns);
        assert_int_equal(cw_histogram_bucket(lower_ns), bucket);
        assert_int_equal(cw_histogram_bucket(upper_ns), bucket);
        lower_ns = upper_ns + 1;
    }
    assert_true(lower_ns > CW_HISTOGRAM_MOST_NS);
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

static void test_percentiles_beside_a_sorted_list(void **state)
{
    (void)state;
    static struct cw_histogram histogram;
    static int64_t durations[DURATIONS];
    static const double percents[] = {0, 1, 50, 90, 99, 99.9, 100};
    struct rand rand;
    rand_seed(&rand, 5);
    assert_int_equal(cw_histogram_percentile_ns(&histogram, 50), 0);
    for (size_t i = 0; i < DURATIONS; i++) {
        durations[i] = 1 + (int64_t)(rand_u64(&rand) >> (34 + rand_u64(&rand) % 30)) % CW_HISTOGRAM_MOST_NS;
        cw_histogram_add(&histogram, durations[i]);
    }
    qsort(durations, DURATIONS, sizeof(durations[0]), compare);
    assert_int_equal(histogram.total, DURATIONS);
    for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
        size_t rank = (size_t)(percents[i] / 100 * DURATIONS + 0.5);
        int64_t exact_ns = durations[rank > 0 ? rank - 1 : 0];
        int64_t told_ns = cw_histogram_percentile_ns(&histogram, percents[i]);
        assert_true(told_ns >= exact_ns && (double)told_ns <= 1.01 * (double)exact_ns + 1);
    }
    uint64_t before = 0;
    for (unsigned rank = 0; before < DURATIONS; rank++) {
        int64_t upper_ns;
        uint64_t seen = cw_histogram_cumulative(&histogram, rank, &upper_ns), counted = 0;
        while (counted < DURATIONS && durations[counted] <= upper_ns)
            counted++;
        assert_int_equal(seen, counted);
        before = seen;
    }
}

static void test_ends(void **state)
{
    (void)state;
    static struct cw_histogram histogram;
    cw_histogram_add(&histogram, INT64_MAX);
    cw_histogram_add(&histogram, -1);
    assert_int_equal(cw_histogram_percentile_ns(&histogram, 0), 1);
    assert_true(cw_histogram_percentile_ns(&histogram, 100) >= CW_HISTOGRAM_MOST_NS);
    int64_t upper_ns;
    assert_int_equal(cw_histogram_cumulative(&histogram, 0, &upper_ns), 1);
    assert_int_equal(upper_ns, 1031); /* 1 us, as the reference tells it; then 2, 4, 8, 16, 33, ... */
    assert_int_equal(cw_histogram_cumulative(&histogram, 5, &upper_ns), 1);
    assert_int_equal(upper_ns / 1000, 33);
    assert_int_equal(cw_histogram_cumulative(&histogram, 20, &upper_ns), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buckets),
        cmocka_unit_test(test_percentiles_beside_a_sorted_list),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
