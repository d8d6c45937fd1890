#include "common/base/sm.h"

#include "common/base/check.h"
#include "tests/lib/expect_abort.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { IDLE, OPENING, OPEN };

static const struct sm_state states[] = {
    [IDLE] = {"idle", SM_TO(OPENING)},
    [OPENING] = {"opening", SM_TO(OPEN) | SM_TO(IDLE)},
    [OPEN] = {"open", SM_TO(IDLE) | SM_TO(OPEN)},
};

static void start(struct sm *sm, unsigned state)
{
    sm_init(sm, "link", states, ARRAY_LENGTH(states), state);
}

static void declared_moves_are_made(void **state)
{
    (void)state;
    struct sm sm;
    start(&sm, IDLE);
    assert_string_equal("idle", sm_name(&sm));
    sm_move(&sm, OPENING);
    sm_move(&sm, OPEN);
    sm_move(&sm, OPEN);
    assert_int_equal(OPEN, sm.state);
    sm_move(&sm, IDLE);
    assert_string_equal("idle", sm_name(&sm));
}

struct move {
    unsigned from, to;
};

static void make(void *context)
{
    const struct move *move = context;
    struct sm sm;
    start(&sm, move->from);
    sm_move(&sm, move->to);
}

static void all_others_end_the_process(void **state)
{
    (void)state;
    for (unsigned from = IDLE; from <= OPEN; from++)
        for (unsigned to = IDLE; to <= OPEN + 1; to++) {
            bool declared = to <= OPEN && (states[from].next & SM_TO(to)) != 0;
            assert_int_equal(!declared, ends_by_check(make, &(struct move){from, to}));
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(declared_moves_are_made),
        cmocka_unit_test(all_others_end_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
