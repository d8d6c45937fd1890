/* What a failover cost: the arithmetic of the estimate. What nodes have discarded: cluster_test.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sentinel/core/losses.h"

static struct history history_of(const char *text)
{
    struct history history;
    assert_int_equal(history_parse(slice_text(text), &history), 0);
    return history;
}

static const struct life master = {.node = {.bytes = {1}}, .incarnation = 1};
static const struct life other = {.node = {.bytes = {1}}, .incarnation = 2};

static void what_the_old_master_had_reported_and_the_branch_lacks(void **state)
{
    (void)state;
    static const struct {
        bool is_master;
        uint64_t epoch; /* of the STATUS */
        const char *reported, *branch;
        uint64_t bytes;
    } rows[] = {
        {true, 2, "1:0,2:50@90", "1:0,2:50,3:90@90", 0},
        {true, 2, "1:0,2:50@90", "1:0,2:50,3:70@70", 20},
        {true, 2, "1:0,2:50@90", "1:0,2:50,3:95@95", 0}, /* the replica had more than was reported */
        {true, 2, "1:0,2:50@90", "1:0,3:40@40", 50},     /* a node that was far behind: a cold start */
        {true, 1, "1:0@90", "1:0,3:40@40", 0},           /* a STATUS of an earlier epoch says nothing */
        {false, 2, "1:0,2:50@90", "1:0,2:50,3:70@70", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct topology before = {.epoch = 2, .master = master};
        struct topology after = {.epoch = 3, .branch = history_of(rows[i].branch)};
        struct status status = {.life = rows[i].is_master ? master : other,
                                .epoch = rows[i].epoch,
                                .history = history_of(rows[i].reported)};
        if (sn_losses_estimate(&status, &before, &after) != rows[i].bytes)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_old_master_had_reported_and_the_branch_lacks),
    };
    return cmocka_run_group_tests_name("losses", tests, NULL, NULL);
}
