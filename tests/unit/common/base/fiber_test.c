/* Functions on stacks of their own: they leave, go on, end, run again, and may be forgotten in the middle. */
#include "common/base/fiber.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { STACK = 1 << 20 };

struct walk {
    struct fiber *fiber;
    unsigned steps;
    unsigned depth;
    size_t least_left;
};

static void count_to_three(void *context)
{
    struct walk *walk = context;
    for (unsigned i = 0; i < 3; i++) {
        walk->steps++;
        assert_true(fiber_is_inside(walk->fiber));
        fiber_leave(walk->fiber);
    }
}

static void once(void *context)
{
    struct walk *walk = context;
    walk->steps += 100;
}

static void test_leaving_and_going_on(void **state)
{
    (void)state;
    struct walk walk = {.fiber = fiber_create(STACK)};
    assert_non_null(walk.fiber);
    for (unsigned round = 0; round < 1000; round++) {
        walk.steps = 0;
        assert_false(fiber_enter(walk.fiber, count_to_three, &walk));
        assert_int_equal(walk.steps, 1);
        assert_false(fiber_is_inside(walk.fiber));
        assert_false(fiber_resume(walk.fiber));
        assert_false(fiber_resume(walk.fiber));
        assert_int_equal(walk.steps, 3);
        assert_true(fiber_resume(walk.fiber));
        assert_true(fiber_enter(walk.fiber, once, &walk));
        assert_int_equal(walk.steps, 103);
    }
    fiber_free(walk.fiber);
}

static void test_one_is_forgotten(void **state)
{
    (void)state;
    struct walk walk = {.fiber = fiber_create(STACK)};
    assert_false(fiber_enter(walk.fiber, count_to_three, &walk));
    fiber_free(walk.fiber);
    fiber_free(NULL);
    assert_int_equal(walk.steps, 1);
}

static __attribute__((noinline)) unsigned descend(struct walk *walk, unsigned depth)
{
    volatile char place[1024];
    memset((char *)(uintptr_t)place, (int)depth, sizeof(place));
    size_t left = fiber_stack_left(walk->fiber);
    walk->least_left = left < walk->least_left ? left : walk->least_left;
    return depth == 0 ? (unsigned)place[0] : descend(walk, depth - 1) + (unsigned)place[1];
}

static void dive(void *context)
{
    struct walk *walk = context;
    (void)descend(walk, walk->depth);
}

/* What is left is told, and a stack that was deep is given back. */
static void test_depth(void **state)
{
    (void)state;
    struct walk walk = {.fiber = fiber_create(STACK), .least_left = STACK};
    walk.depth = 3;
    assert_true(fiber_enter(walk.fiber, dive, &walk));
    assert_true(walk.least_left > STACK - (64 << 10));
    fiber_trim(walk.fiber, 64 << 10);
    walk.depth = 300;
    assert_true(fiber_enter(walk.fiber, dive, &walk));
    assert_true(walk.least_left < STACK - (300 << 10));
    fiber_trim(walk.fiber, 64 << 10);
    walk.steps = 0;
    assert_true(fiber_enter(walk.fiber, once, &walk));
    assert_int_equal(walk.steps, 100);
    fiber_free(walk.fiber);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leaving_and_going_on),
        cmocka_unit_test(test_one_is_forgotten),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
