#include "cacheworker/ha/gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { LIVES = 3 };

static const struct life lives[LIVES] = {
    {.node = {.bytes = {1}}, .incarnation = 1},
    {.node = {.bytes = {2}}, .incarnation = 4},
    {.node = {.bytes = {3}}, .incarnation = 2},
};

struct row {
    uint32_t acknowledgements;
    bool blocks;
    uint32_t size;         /* the first so many lives are the set */
    uint64_t heard[LIVES]; /* what they have acknowledged */
    uint64_t covers;
    uint64_t holds; /* the highest offset that cw_rule_holds says yes to; CW_GATE_OPEN: any */
};

static const struct row rows[] = {
    /* Nobody to ask: alone, or not at all. */
    {1, false, 0, {50, 50, 50}, CW_GATE_OPEN, CW_GATE_OPEN},
    {2, false, 0, {0}, CW_GATE_OPEN, CW_GATE_OPEN},
    {1, true, 0, {50, 50, 50}, 0, CW_GATE_OPEN},
    /* One of the set; who stands outside does not count. */
    {1, false, 1, {50, 90, 90}, 50, 50},
    {1, true, 1, {50, 0, 0}, 50, 50},
    {1, false, 1, {0, 90, 90}, 0, 0},
    {1, false, 2, {50, 70, 90}, 70, 70},
    {1, false, 3, {50, 70, 90}, 90, 90},
    {1, false, 3, {90, 0, 0}, 90, 90},
    /* Two of it, or all of a smaller one. */
    {2, false, 1, {50, 90, 90}, 50, 50},
    {2, true, 1, {50, 90, 90}, 50, 50},
    {2, false, 2, {50, 70, 90}, 50, 50},
    {2, false, 3, {50, 70, 90}, 70, 70},
    {2, false, 3, {70, 70, 0}, 70, 70},
    {2, false, 3, {90, 0, 0}, 0, 0},
    {3, false, 3, {50, 70, 90}, 50, 50},
    {9, false, 3, {50, 70, 90}, 50, 50},
};

static void a_rule_covers_what_enough_of_its_set_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        const struct row *row = &rows[i];
        struct cw_rule rule = {row->acknowledgements, row->blocks, row->size, lives};
        struct cw_replica_view views[LIVES] = {{.is_online = false}};
        for (size_t k = 0; k < LIVES; k++) /* in another order than the set */
            views[LIVES - 1 - k] =
                (struct cw_replica_view){.life = lives[k], .is_online = true, .acknowledged_offset = row->heard[k]};
        if (cw_rule_covers(&rule, views, LIVES) != row->covers)
            fail_msg("row %zu covers %llu", i, (unsigned long long)cw_rule_covers(&rule, views, LIVES));
        assert_true(cw_rule_holds(&rule, views, LIVES, row->holds));
        if (row->holds != CW_GATE_OPEN)
            assert_false(cw_rule_holds(&rule, views, LIVES, row->holds + 1));
    }
}

static void another_life_and_who_loads_a_snapshot_do_not_count(void **state)
{
    (void)state;
    struct cw_rule rule = {1, false, 1, lives};
    struct cw_replica_view view = {.life = lives[0], .is_online = true, .acknowledged_offset = 50};
    assert_int_equal(cw_rule_covers(&rule, &view, 1), 50);
    view.is_online = false;
    assert_int_equal(cw_rule_covers(&rule, &view, 1), 0);
    view.is_online = true;
    view.life.incarnation++;
    assert_int_equal(cw_rule_covers(&rule, &view, 1), 0);
    assert_int_equal(cw_rule_covers(&rule, NULL, 0), 0);
}

static void what_was_released_and_acknowledged_never_falls(void **state)
{
    (void)state;
    struct cw_gate gate;
    cw_gate_begin(&gate, 100);
    assert_int_equal(cw_gate_released(&gate), 0); /* the branch counts as acknowledged, and is not shown before it is */
    assert_int_equal(cw_gate_acknowledged(&gate, 130), 100);
    assert_true(cw_gate_update(&gate, 90, 130));
    assert_int_equal(cw_gate_released(&gate), 90);
    assert_int_equal(cw_gate_acknowledged(&gate, 130), 100);
    assert_true(cw_gate_update(&gate, 120, 130));
    assert_int_equal(cw_gate_acknowledged(&gate, 130), 120);
    assert_false(cw_gate_update(&gate, 0, 140)); /* the replica is gone */
    assert_int_equal(cw_gate_released(&gate), 120);
    assert_int_equal(cw_gate_acknowledged(&gate, 140), 120);
}

static void an_open_gate_acknowledges_all_that_is_executed(void **state)
{
    (void)state;
    struct cw_gate gate;
    cw_gate_begin(&gate, 100);
    assert_true(cw_gate_update(&gate, CW_GATE_OPEN, 130));
    assert_true(cw_gate_released(&gate) == CW_GATE_OPEN);
    assert_int_equal(cw_gate_acknowledged(&gate, 170), 170);
    assert_false(cw_gate_update(&gate, CW_GATE_OPEN, 180));
    /* A replica is asked from now on: what was executed so far may have left already. */
    assert_false(cw_gate_update(&gate, 150, 200));
    assert_int_equal(cw_gate_released(&gate), 200);
    assert_int_equal(cw_gate_acknowledged(&gate, 250), 200);
    assert_true(cw_gate_update(&gate, 210, 250));
    assert_int_equal(cw_gate_released(&gate), 210);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rule_covers_what_enough_of_its_set_hold),
        cmocka_unit_test(another_life_and_who_loads_a_snapshot_do_not_count),
        cmocka_unit_test(what_was_released_and_acknowledged_never_falls),
        cmocka_unit_test(an_open_gate_acknowledges_all_that_is_executed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
