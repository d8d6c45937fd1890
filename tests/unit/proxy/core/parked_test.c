/* What another worker is asked for in place of a command that was parked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "common/base/door.h"
#include "proxy/core/parked.h"
#include "tests/unit/proxy/stage.h"

#define SAID ">3\r\n$14\r\nrespite-parked\r\n$2\r\n77\r\n"

static const struct resp_limits limits = RESP_LIMITS_DEFAULT;

static void take(struct px_parked *parked, const char *words, int64_t now_ns)
{
    struct buf frame = {0};
    buf_add_text(&frame, SAID);
    buf_add_text(&frame, words);
    assert_true(px_parked_is_said(buf_slice(&frame)));
    px_parked_take(parked, buf_slice(&frame), &limits, now_ns);
    buf_free(&frame);
}

static void expect(const struct px_parked *parked, int64_t now_ns, const char *words)
{
    struct buf out = {0};
    px_parked_write(parked, &limits, now_ns, &out);
    buf_add(&out, "", 1);
    assert_string_equal(buf_slice(&out).data, stage_array(words));
    buf_free(&out);
}

static void each_command_has_its_time_somewhere(void **state)
{
    (void)state;
    static const struct {
        const char *parked, *after_four_seconds;
    } rows[] = {
        {"BLPOP a b 10", "BLPOP a b 6.000"},
        {"BRPOP a 10.5", "BRPOP a 6.500"},
        {"BRPOPLPUSH a b 1e1", "BRPOPLPUSH a b 6.000"},
        {"BLMOVE a b LEFT RIGHT 10", "BLMOVE a b LEFT RIGHT 6.000"},
        {"BZPOPMIN a 10", "BZPOPMIN a 6.000"},
        {"BZPOPMAX a b c 10", "BZPOPMAX a b c 6.000"},
        {"BLMPOP 10 2 a b LEFT COUNT 3", "BLMPOP 6.000 2 a b LEFT COUNT 3"},
        {"BZMPOP 10 1 a MIN", "BZMPOP 6.000 1 a MIN"},
        {"XREAD COUNT 2 BLOCK 10000 STREAMS block 0-1", "XREAD COUNT 2 BLOCK 6000 STREAMS block 0-1"},
        {"XREADGROUP GROUP block block BLOCK 10000 STREAMS s >", "XREADGROUP GROUP block block BLOCK 6000 STREAMS s >"},
        {"BLPOP a 3", "BLPOP a 0.001"}, /* over: it looks once more, and says so */
        {"BLPOP a 4.0005", "BLPOP a 0.001"},
        {"XREAD BLOCK 1 STREAMS s 0-1", "XREAD BLOCK 1 STREAMS s 0-1"},
        {"BLPOP a 0", "BLPOP a 0"},
        {"BLPOP a 1e17", "BLPOP a 1e17"},
        {"XREAD BLOCK 0 STREAMS s 0-1", "XREAD BLOCK 0 STREAMS s 0-1"},
        {"BLPOP a soon", "BLPOP a soon"}, /* no worker would say so */
        {"XREAD BLOCK", "XREAD BLOCK"},
        {"GET a", "GET a"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct px_parked parked = {0};
        take(&parked, stage_array(rows[i].parked), 7 * NS_PER_S);
        assert_true(px_parked_is_any(&parked) && parked.is_here);
        expect(&parked, 11 * NS_PER_S, rows[i].after_four_seconds);
        px_parked_free(&parked);
    }
}

static void the_clock_runs_from_the_first_time(void **state)
{
    (void)state;
    struct px_parked parked = {0};
    take(&parked, stage_array("BLPOP a 10"), 0);
    parked.is_here = false;
    take(&parked, stage_array("BLPOP a 10"), 4 * NS_PER_S);
    assert_true(parked.is_here);
    expect(&parked, 5 * NS_PER_S, "BLPOP a 5.000");
    px_parked_forget(&parked);
    assert_false(px_parked_is_any(&parked) || parked.is_here);
    take(&parked, stage_array("BLPOP b 10"), 6 * NS_PER_S);
    expect(&parked, 7 * NS_PER_S, "BLPOP b 9.000");
    px_parked_free(&parked);
}

static void what_is_no_command_is_ignored(void **state)
{
    (void)state;
    static const char *const words[] = {"", ":1\r\n", "*0\r\n", "*1\r\n:1\r\n", "$1\r\na\r\n", "*-1\r\n", "PING\r\n"};
    struct px_parked parked = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
        take(&parked, words[i], 0);
    assert_false(px_parked_is_any(&parked) || parked.is_here);
    assert_false(px_parked_is_said(SLICE_LITERAL(">3\r\n$14\r\nrespite-parkes\r\n")));
    assert_false(px_parked_is_said(SLICE_LITERAL(">2\r\n")));
    px_parked_free(&parked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_command_has_its_time_somewhere),
        cmocka_unit_test(the_clock_runs_from_the_first_time),
        cmocka_unit_test(what_is_no_command_is_ignored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
