/* Save points: what is taken, and how it is shown. */
#include "cacheworker/rdb/background_save.h"
#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void are_read_and_shown(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        const char *shown;
    } rows[] = {
        {"", 0, ""},
        {"900 1", 0, "900 1"},
        {"  3600 1   300 100 60 10000 ", 0, "3600 1 300 100 60 10000"},
        {"60 0", 0, "60 0"},
        {"900", ERR_INVALID, NULL},
        {"900 1 300", ERR_INVALID, NULL},
        {"0 1", ERR_INVALID, NULL},
        {"-1 1", ERR_INVALID, NULL},
        {"1 -1", ERR_INVALID, NULL},
        {"1 x", ERR_INVALID, NULL},
        {"9223372036854775808 1", ERR_INVALID, NULL},
        {"1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 2 2", ERR_TOO_BIG, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct cw_save_points points;
        if (cw_save_points_parse(slice_text(rows[i].text), &points) != rows[i].result)
            fail_msg("'%s'", rows[i].text);
        if (rows[i].result < 0)
            continue;
        struct buf shown = {0};
        cw_save_points_format(&points, &shown);
        assert_true(slice_equal(buf_slice(&shown), slice_text(rows[i].shown)));
        buf_free(&shown);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(are_read_and_shown)};
    return cmocka_run_group_tests_name("background_save", tests, NULL, NULL);
}
