#include "cacheworker/limiter/window.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { EVENTS = 4000 };

/* The naive model: all that ever came, counted anew each time. */
struct model {
    int64_t length_ms;
    unsigned count;
    int64_t at_ms[EVENTS];
    int64_t cost[EVENTS];
};

static struct model model;

static int64_t sum(int64_t index)
{
    int64_t total = 0;
    for (unsigned i = model.count > 300 ? model.count - 300 : 0; i < model.count; i++)
        if (model.at_ms[i] / model.length_ms == index)
            total += model.cost[i];
    return total;
}

/* Whether so much fits at that moment: of the window before counts the share that is covered. */
static bool fits(int64_t now_ms, int64_t limit, int64_t cost)
{
    int64_t index = now_ms / model.length_ms;
    int64_t covered = model.length_ms - now_ms % model.length_ms;
    return (sum(index) + cost) * model.length_ms + sum(index - 1) * covered <= limit * model.length_ms;
}

static void compare(int64_t now_ms, int64_t limit, int64_t cost, const struct cw_window_verdict *verdict)
{
    int64_t remaining = 0;
    while (remaining <= limit && fits(now_ms, limit, remaining + 1))
        remaining++;
    assert_int_equal(verdict->remaining, remaining);
    assert_int_equal(sum((now_ms + verdict->reset_after_ms) / model.length_ms) +
                         sum((now_ms + verdict->reset_after_ms) / model.length_ms - 1),
                     0);
    if (!verdict->is_limited || cost > limit) {
        assert_int_equal(verdict->retry_after_ms, -1);
        return;
    }
    assert_true(verdict->retry_after_ms > 0);
    assert_true(fits(now_ms + verdict->retry_after_ms, limit, cost));
    assert_false(fits(now_ms + verdict->retry_after_ms - 1, limit, cost));
}

static void run(struct rand *rand, int64_t length_ms, int64_t limit)
{
    struct cw_window window = {.length_ms = length_ms};
    int64_t now_ms = INT64_C(1700000000000);
    memset(&model, 0, sizeof(model));
    model.length_ms = length_ms;
    for (unsigned i = 0; i < EVENTS; i++) {
        int64_t cost = (int64_t)rand_below(rand, rand_below(rand, 5) == 0 ? (uint64_t)limit + 2 : 3);
        if (rand_below(rand, 3) == 0)
            now_ms += (int64_t)rand_below(rand, (uint64_t)(rand_below(rand, 20) == 0 ? 3 * length_ms : length_ms));
        bool expected = fits(now_ms, limit, cost);
        cw_window_move(&window, now_ms);
        struct cw_window_verdict verdict = cw_window_take(&window, limit, cost, now_ms);
        assert_int_equal(verdict.is_limited, !expected);
        if (expected) {
            model.at_ms[model.count] = now_ms;
            model.cost[model.count++] = cost;
        }
        compare(now_ms, limit, cost, &verdict);
    }
}

static void test_model(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 3);
    for (unsigned i = 0; i < 20; i++)
        run(&rand, 1 + (int64_t)rand_below(&rand, 3000), (int64_t)rand_below(&rand, 40));
    run(&rand, 1, 3);
}

static void test_large_numbers(void **state)
{
    (void)state;
    struct cw_window window = {
        .length_ms = CW_WINDOW_MAX, .index = 1700, .count = CW_WINDOW_MAX, .previous = CW_WINDOW_MAX};
    struct cw_window_verdict verdict =
        cw_window_take(&window, CW_WINDOW_MAX, CW_WINDOW_MAX, INT64_C(1700) * CW_WINDOW_MAX);
    assert_true(verdict.is_limited);
    assert_int_equal(verdict.retry_after_ms, INT64_C(2) * CW_WINDOW_MAX);
    assert_int_equal(verdict.remaining, 0);
}

static void test_a_clock_that_was_set_back(void **state)
{
    (void)state;
    struct cw_window window = {.length_ms = 1000, .index = 1700000000, .count = 2};
    cw_window_move(&window, INT64_C(1699999998500));
    assert_int_equal(window.index, 1700000000);
    struct cw_window_verdict verdict = cw_window_take(&window, 3, 1, INT64_C(1699999998500));
    assert_false(verdict.is_limited);
    assert_int_equal(verdict.remaining, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_a_clock_that_was_set_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
