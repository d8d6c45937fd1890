#include "cacheworker/repl/resync.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct history parse(const char *text)
{
    struct history history;
    if (history_parse(slice_text(text), &history) < 0)
        fail_msg("%s", text);
    return history;
}

static void a_prefix_within_the_backlog_continues(void **state)
{
    (void)state;
    static const struct {
        const char *replica, *master;
        uint64_t backlog_first;
        bool may;
    } rows[] = {
        {"1:0@100", "1:0@100", 0, true},
        {"1:0@0", "1:0@100", 0, true},
        {"1:0@50", "1:0@100", 50, true},     /* the first byte that is held is the next one */
        {"1:0@49", "1:0@100", 50, false},    /* one byte is missing */
        {"1:0@101", "1:0@100", 0, false},    /* it has more than the master */
        {"1:0@60", "1:0,2:60@100", 0, true}, /* all of epoch 1 */
        {"1:0@59", "1:0,2:60@100", 0, true},
        {"1:0@61", "1:0,2:60@100", 0, false}, /* a tail of epoch 1 that the branch does not have */
        {"1:0,2:60@80", "1:0,2:60@100", 60, true},
        {"1:0,2:61@80", "1:0,2:60@100", 0, false},
        {"1:0,3:60@80", "1:0,2:60@100", 0, false},
        {"2:0@10", "1:0@100", 0, false},
        {"1:0,2:60@80", "1:0@100", 0, false}, /* the master is of an older epoch */
        {"@0", "1:0@100", 0, false},          /* no history: nobody knows what the data are */
        {"@0", "1:0@0", 0, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct history replica = parse(rows[i].replica);
        struct history master = parse(rows[i].master);
        if (cw_may_continue(&replica, &master, rows[i].backlog_first) != rows[i].may)
            fail_msg("row %zu", i);
    }
}

static void epochs_are_claimed_when_their_bytes_are_next(void **state)
{
    (void)state;
    static const struct {
        const char *own, *master, *result;
    } rows[] = {
        {"1:0@50", "1:0,2:60,3:90@100", "1:0@50"},          {"1:0@59", "1:0,2:60,3:90@100", "1:0@59"},
        {"1:0@60", "1:0,2:60,3:90@100", "1:0,2:60@60"},     {"1:0,2:60@95", "1:0,2:60,3:90@100", "1:0,2:60,3:90@95"},
        {"1:0@60", "1:0,2:60,3:60@60", "1:0,2:60,3:60@60"}, /* an epoch without a byte */
        {"1:0,2:60@70", "1:0,2:60@65", "1:0,2:60@70"},      /* the master's as it stood when the link was made */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct history own = parse(rows[i].own);
        struct history master = parse(rows[i].master);
        struct buf text = {0};
        cw_history_advance(&own, &master);
        history_format(&own, &text);
        assert_true(slice_equal(buf_slice(&text), slice_text(rows[i].result)));
        buf_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_prefix_within_the_backlog_continues),
        cmocka_unit_test(epochs_are_claimed_when_their_bytes_are_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
