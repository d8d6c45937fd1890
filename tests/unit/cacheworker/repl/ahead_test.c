#include "cacheworker/repl/ahead.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

enum { PIECE_MAX = 300 << 10 };

static char byte_of(uint64_t place)
{
    return (char)(place * 2654435761u >> 9);
}

static void add(struct cw_ahead *ahead, uint64_t *came, size_t length)
{
    static char bytes[PIECE_MAX];
    for (size_t i = 0; i < length; i++)
        bytes[i] = byte_of(*came + i);
    cw_ahead_add(ahead, slice_of(bytes, length));
    *came += length;
}

/* Takes all that a turn may, in pieces; returns how much. */
static uint64_t play_turn(struct cw_ahead *ahead, uint64_t *gone)
{
    uint64_t before = *gone;
    cw_ahead_begin_turn(ahead);
    for (;;) {
        struct slice bytes = cw_ahead_next(ahead);
        if (bytes.length == 0)
            return *gone - before;
        for (size_t i = 0; i < bytes.length; i++)
            if (bytes.data[i] != byte_of(*gone + i))
                fail_msg("byte %llu", (unsigned long long)(*gone + i));
        cw_ahead_take(ahead, bytes.length);
        *gone += bytes.length;
    }
}

static void what_came_goes_in_order_and_faster_than_it_comes(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 7);
    for (int round = 0; round < 20; round++) {
        struct cw_ahead ahead = {0};
        uint64_t came = 0, gone = 0;
        for (int i = 0; i < 10; i++) {
            add(&ahead, &came, rand_below(&rand, PIECE_MAX));
            cw_ahead_begin_turn(&ahead); /* nothing is applied yet */
        }
        assert_int_equal(ahead.peak, came);
        while (cw_ahead_length(&ahead) > 0) {
            size_t more = rand_below(&rand, PIECE_MAX);
            uint64_t length = cw_ahead_length(&ahead) + more;
            add(&ahead, &came, more);
            uint64_t taken = play_turn(&ahead, &gone);
            assert_true(taken >= 2 * more || taken == length);
            assert_true(taken <= CW_AHEAD_A_TURN || taken <= 2 * more);
            assert_true(taken >= CW_AHEAD_A_TURN || taken == length);
            assert_int_equal(cw_ahead_length(&ahead), length - taken);
            assert_true(cw_backlog_memory(&ahead.bytes) <= length - taken + 3 * CW_BACKLOG_BLOCK);
        }
        assert_int_equal(gone, came);
        assert_int_equal(cw_backlog_memory(&ahead.bytes), 0);
    }
}

static void what_is_cleared_is_gone(void **state)
{
    (void)state;
    struct cw_ahead ahead = {0};
    uint64_t came = 0, gone = 0;
    add(&ahead, &came, 1000);
    cw_ahead_clear(&ahead);
    assert_int_equal(cw_ahead_length(&ahead), 0);
    assert_int_equal(ahead.peak, 1000);
    came = 0;
    add(&ahead, &came, 10);
    assert_int_equal(play_turn(&ahead, &gone), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_came_goes_in_order_and_faster_than_it_comes),
        cmocka_unit_test(what_is_cleared_is_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
