#include "cacheworker/limiter/gcra.h"

#include "common/base/errors.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SECOND INT64_C(1000000000)

/* The naive model: a bucket with a level, in ns of leaking, which is looked at again and again. */
struct bucket {
    int64_t level_ns;
    int64_t at_ns;
};

static void leak(struct bucket *bucket, int64_t now_ns)
{
    int64_t leaked = now_ns - bucket->at_ns;
    bucket->level_ns = leaked < bucket->level_ns ? bucket->level_ns - leaked : 0;
    bucket->at_ns = now_ns;
}

static bool has_room(const struct bucket *bucket, const struct cw_gcra *gcra, int64_t units)
{
    return bucket->level_ns + units * gcra->interval_ns <= gcra->tolerance_ns;
}

static void compare(const struct bucket *bucket, const struct cw_gcra *gcra, int64_t quantity,
                    const struct cw_gcra_verdict *verdict)
{
    int64_t remaining = 0;
    while (has_room(bucket, gcra, remaining + 1))
        remaining++;
    assert_int_equal(verdict->remaining, remaining);
    assert_int_equal(verdict->reset_after_ns, bucket->level_ns);
    if (!verdict->is_limited) {
        assert_int_equal(verdict->retry_after_ns, -1);
    } else if (quantity * gcra->interval_ns > gcra->tolerance_ns) {
        assert_int_equal(verdict->retry_after_ns, -1);
    } else {
        struct bucket later = *bucket;
        leak(&later, bucket->at_ns + verdict->retry_after_ns - 1);
        assert_false(has_room(&later, gcra, quantity));
        leak(&later, bucket->at_ns + verdict->retry_after_ns);
        assert_true(has_room(&later, gcra, quantity));
    }
}

static void run(struct rand *rand, int64_t burst, int64_t count, int64_t period_s)
{
    struct cw_gcra gcra;
    struct cw_gcra_verdict verdict;
    assert_int_equal(cw_gcra_create(burst, count, period_s, &gcra), 0);
    int64_t now_ns = 1700000000 * SECOND;
    struct bucket bucket = {.at_ns = now_ns};
    int64_t arrival_ns = now_ns;
    for (unsigned i = 0; i < 3000; i++) {
        int64_t quantity = (int64_t)rand_below(rand, rand_below(rand, 4) == 0 ? (uint64_t)burst + 3 : 3);
        now_ns += (int64_t)rand_below(rand, 3) * (int64_t)rand_below(rand, (uint64_t)gcra.interval_ns * 2);
        leak(&bucket, now_ns);
        bool fits = has_room(&bucket, &gcra, quantity);
        assert_int_equal(cw_gcra_judge(&gcra, arrival_ns, now_ns, quantity, &verdict), 0);
        assert_int_equal(verdict.is_limited, !fits);
        if (fits)
            bucket.level_ns += quantity * gcra.interval_ns;
        compare(&bucket, &gcra, quantity, &verdict);
        arrival_ns = verdict.arrival_ns;
    }
}

static void test_model(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 1);
    for (unsigned i = 0; i < 60; i++)
        run(&rand, (int64_t)rand_below(&rand, 20), 1 + (int64_t)rand_below(&rand, 1000),
            1 + (int64_t)rand_below(&rand, 100));
    run(&rand, 0, 7, 1); /* an interval that is no whole number */
}

static void test_limits(void **state)
{
    (void)state;
    struct cw_gcra gcra = {0};
    struct cw_gcra_verdict verdict;
    assert_int_equal(cw_gcra_create(-1, 1, 1, &gcra), ERR_INVALID);
    assert_int_equal(cw_gcra_create(0, 0, 1, &gcra), ERR_INVALID);
    assert_int_equal(cw_gcra_create(0, 1, 0, &gcra), ERR_INVALID);
    assert_int_equal(cw_gcra_create(0, SECOND + 1, 1, &gcra), ERR_INVALID);
    assert_int_equal(cw_gcra_create(INT64_MAX, 1, 1, &gcra), ERR_TOO_BIG);
    assert_int_equal(cw_gcra_create(0, 1, INT64_MAX, &gcra), ERR_TOO_BIG);
    assert_int_equal(cw_gcra_create(SECOND * 10, 1, 1, &gcra), ERR_TOO_BIG);
    assert_int_equal(cw_gcra_create(1, 1, 1, &gcra), 0);
    assert_int_equal(cw_gcra_judge(&gcra, 0, 0, INT64_MAX, &verdict), ERR_TOO_BIG);
    assert_int_equal(cw_gcra_judge(&gcra, INT64_MAX, 0, 1, &verdict), ERR_TOO_BIG);
    /* What was kept may be of a clock that was ahead. */
    assert_int_equal(cw_gcra_judge(&gcra, 5 * SECOND, 0, 1, &verdict), 0);
    assert_true(verdict.is_limited);
    assert_int_equal(verdict.remaining, 0);
    assert_int_equal(verdict.retry_after_ns, 4 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
