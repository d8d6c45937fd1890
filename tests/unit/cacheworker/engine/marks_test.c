#include "cacheworker/engine/marks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void bytes_leave_with_their_offset(void **state)
{
    (void)state;
    struct cw_marks marks = {0};
    cw_marks_add(&marks, 10, 100);
    cw_marks_add(&marks, 25, 100); /* a read behind it: the same offset */
    cw_marks_add(&marks, 30, 140);
    assert_int_equal(marks.count, 2);
    assert_false(cw_marks_release(&marks, 99));
    assert_int_equal(marks.free_until, 0);
    assert_true(cw_marks_release(&marks, 139));
    assert_int_equal(marks.free_until, 25);
    assert_true(cw_marks_release(&marks, 140));
    assert_int_equal(marks.free_until, 30);
    assert_int_equal(marks.count, 0);
    assert_false(cw_marks_release(&marks, UINT64_MAX));
}

static void too_many_wait_longer_and_none_leaves_early(void **state)
{
    (void)state;
    struct cw_marks marks = {0};
    for (uint64_t i = 1; i <= 3 * CW_MARKS_MAX; i++)
        cw_marks_add(&marks, 10 * i, 100 * i);
    assert_int_equal(marks.count, CW_MARKS_MAX);
    for (uint64_t i = 1; i <= 3 * CW_MARKS_MAX; i++) {
        cw_marks_release(&marks, 100 * i);
        assert_true(marks.free_until <= 10 * i);
    }
    assert_int_equal(marks.free_until, 10 * 3 * CW_MARKS_MAX);
    assert_int_equal(marks.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_leave_with_their_offset),
        cmocka_unit_test(too_many_wait_longer_and_none_leaves_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
