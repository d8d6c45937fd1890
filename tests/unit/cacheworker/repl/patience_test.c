/* A link, a writer and a data set, in bytes and ticks, against the master's patience. */
#include "cacheworker/repl/patience.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { USUAL = 1000, DATA = 100000, TICKS = 100000 };

struct course {
    bool is_over;
    bool caught_up; /* first */
    uint64_t most_behind;
};

/* The snapshot, then the stream that came meanwhile. The data shrink to nothing at `emptied_at`. */
static struct course run(uint64_t link, uint64_t written, unsigned emptied_at)
{
    struct cw_patience patience = {0};
    struct course course = {0};
    uint64_t left = DATA, behind = 0;
    for (unsigned tick = 0; tick < TICKS && !course.is_over && !course.caught_up; tick++) {
        uint64_t room = link;
        uint64_t taken = left < room ? left : room;
        left -= taken;
        room -= taken;
        behind += written;
        behind -= behind < room ? behind : room;
        course.caught_up = left == 0 && behind <= USUAL;
        course.most_behind = behind > course.most_behind ? behind : course.most_behind;
        course.is_over = cw_patience_is_over(&patience, behind, USUAL, tick < emptied_at ? DATA : 0, left > 0);
    }
    assert_false(cw_patience_is_over(&patience, USUAL, USUAL, DATA, false));
    assert_int_equal(cw_patience_is_over(&patience, USUAL + 1, USUAL, DATA, false), 1);
    return course;
}

static void a_link_that_takes_more_than_is_written_gets_there(void **state)
{
    (void)state;
    for (uint64_t written = 1; written < 100; written++) {
        for (unsigned emptied_at = 1; emptied_at <= TICKS; emptied_at *= 10) {
            struct course course = run(100, written, emptied_at);
            assert_false(course.is_over);
            assert_true(course.caught_up);
        }
    }
    assert_true(run(100, 99, TICKS).most_behind > DATA / 2); /* it was needed */
}

static void one_that_takes_less_is_given_up(void **state)
{
    (void)state;
    for (uint64_t written = 103; written < 1000; written += 10)
        assert_true(run(100, written, TICKS).is_over);
}

static void whoever_took_no_full_sync_has_no_more_than_usual(void **state)
{
    (void)state;
    struct cw_patience patience = {0};
    assert_false(cw_patience_is_over(&patience, USUAL, USUAL, DATA, false));
    assert_true(cw_patience_is_over(&patience, USUAL + 1, USUAL, DATA, false));
    assert_false(cw_patience_is_over(&patience, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_link_that_takes_more_than_is_written_gets_there),
        cmocka_unit_test(one_that_takes_less_is_given_up),
        cmocka_unit_test(whoever_took_no_full_sync_has_no_more_than_usual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
