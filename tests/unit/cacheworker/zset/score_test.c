#include "cacheworker/zset/score.h"

#include "common/base/errors.h"
#include "common/base/number.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* All of these were asked of redis-server 7.0. */
static void scores_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double score;
    } good[] = {
        {"0", 0},
        {"-17", -17},
        {"+1", 1},
        {"1.", 1},
        {".5", 0.5},
        {"1e3", 1000},
        {"0x10", 16},
        {"0x1p4", 16},
        {"+inf", INFINITY},
        {"-inf", -INFINITY},
        {"INF", INFINITY},
        {"infinity", INFINITY},
        {"9007199254740993", 9007199254740992.0},
        {"9223372036854775807", 9223372036854775808.0},
        {"-9223372036854775808", -9223372036854775808.0},
        {"18446744073709551616", 18446744073709551616.0},
        {"0000000000000000000000000000000000000000000000000000000000000012", 12},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        double score;
        assert_int_equal(cw_score_parse(slice_text(good[i].text), &score), 0);
        assert_true(score == good[i].score);
    }
    double zero = 1;
    assert_int_equal(cw_score_parse(SLICE_LITERAL("-0"), &zero), 0);
    assert_true(zero == 0 && signbit(zero));

    static const struct slice bad[] = {
        {NULL, 0},
        SLICE_LITERAL("nan"),
        SLICE_LITERAL(" 1"),
        SLICE_LITERAL("1 "),
        SLICE_LITERAL("1.5\0"),
        SLICE_LITERAL("1e400"),
        SLICE_LITERAL("-1e400"),
        SLICE_LITERAL("1e-400"),
        SLICE_LITERAL("1e"),
        SLICE_LITERAL("."),
        SLICE_LITERAL("(1"),
        SLICE_LITERAL("\2401"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        double score = 42;
        assert_int_equal(cw_score_parse(bad[i], &score), ERR_INVALID);
        assert_true(score == 42);
    }
}

static void score_limits_are_read(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        double score;
        bool exclusive;
    } good[] = {
        {SLICE_LITERAL("1.5"), 1.5, false},
        {SLICE_LITERAL("(1.5"), 1.5, true},
        {SLICE_LITERAL("(-0x10"), -16, true},
        {SLICE_LITERAL("-inf"), -INFINITY, false},
        {SLICE_LITERAL("(+inf"), INFINITY, true},
        {{NULL, 0}, 0, false},
        {SLICE_LITERAL("("), 0, true},
        {SLICE_LITERAL(" 1"), 1, false},
        {SLICE_LITERAL("\v\f\r\n\t 1"), 1, false},
        {SLICE_LITERAL("( 1"), 1, true},
        {SLICE_LITERAL("1e400"), INFINITY, false},
        {SLICE_LITERAL("(-1e400"), -INFINITY, true},
        {SLICE_LITERAL("1e-400"), 0, false},
        {SLICE_LITERAL("\0what"), 0, false},
        {SLICE_LITERAL("(2\0what"), 2, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct cw_score_limit limit;
        assert_int_equal(cw_score_limit_parse(good[i].text, &limit), 0);
        assert_true(limit.score == good[i].score);
        assert_int_equal(limit.exclusive, good[i].exclusive);
    }
    static const char *const bad[] = {"nan", "(nan", "((1", "[1", "1 ", "1e", ".", "  ", "1(", "+", "\2401"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct cw_score_limit limit = {.score = 42};
        assert_int_equal(cw_score_limit_parse(slice_text(bad[i]), &limit), ERR_INVALID);
        assert_true(limit.score == 42);
    }
    char longest[NUMBER_DOUBLE_TEXT_MAX];
    memset(longest, '0', sizeof(longest));
    longest[0] = '(';
    struct cw_score_limit limit;
    assert_int_equal(cw_score_limit_parse(slice_of(longest, sizeof(longest)), &limit), 0);
    assert_true(limit.score == 0 && limit.exclusive);
    longest[0] = '0';
    assert_int_equal(cw_score_limit_parse(slice_of(longest, sizeof(longest)), &limit), ERR_INVALID);
}

static void score_limits_divide(void **state)
{
    (void)state;
    static const double scores[] = {-INFINITY, -1, -0.0, 0, 1, INFINITY};
    for (size_t i = 0; i < ARRAY_LENGTH(scores); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(scores); j++) {
            struct cw_score_limit with = {scores[i], false}, without = {scores[i], true};
            assert_int_equal(cw_score_limit_begins(&with, scores[j]), scores[j] >= scores[i]);
            assert_int_equal(cw_score_limit_ends(&with, scores[j]), scores[j] <= scores[i]);
            assert_int_equal(cw_score_limit_begins(&without, scores[j]), scores[j] > scores[i]);
            assert_int_equal(cw_score_limit_ends(&without, scores[j]), scores[j] < scores[i]);
        }
}

static void lex_limits_are_read(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        struct cw_lex_limit limit;
    } good[] = {
        {SLICE_LITERAL("-"), {.kind = CW_LEX_BEFORE_ALL}},
        {SLICE_LITERAL("+"), {.kind = CW_LEX_AFTER_ALL}},
        {SLICE_LITERAL("-\0what"), {.kind = CW_LEX_BEFORE_ALL}},
        {SLICE_LITERAL("+\0what"), {.kind = CW_LEX_AFTER_ALL}},
        {SLICE_LITERAL("["), {CW_LEX_MEMBER, {NULL, 0}, false}},
        {SLICE_LITERAL("("), {CW_LEX_MEMBER, {NULL, 0}, true}},
        {SLICE_LITERAL("[a\0b"), {CW_LEX_MEMBER, SLICE_LITERAL("a\0b"), false}},
        {SLICE_LITERAL("((a"), {CW_LEX_MEMBER, SLICE_LITERAL("(a"), true}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct cw_lex_limit limit;
        assert_int_equal(cw_lex_limit_parse(good[i].text, &limit), 0);
        assert_int_equal(limit.kind, good[i].limit.kind);
        assert_true(slice_equal(limit.member, good[i].limit.member));
        assert_int_equal(limit.exclusive, good[i].limit.exclusive);
    }
    static const char *const bad[] = {"", "a", "5", "-5", "+x", "--", "]a"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct cw_lex_limit limit;
        assert_int_equal(cw_lex_limit_parse(slice_text(bad[i]), &limit), ERR_INVALID);
    }
}

static void members_are_ordered(void **state)
{
    (void)state;
    static const struct slice ascending[] = {
        {NULL, 0},           SLICE_LITERAL("\0"), SLICE_LITERAL("\0\0"), SLICE_LITERAL("a"),    SLICE_LITERAL("a\0"),
        SLICE_LITERAL("ab"), SLICE_LITERAL("b"),  SLICE_LITERAL("\x80"), SLICE_LITERAL("\xff"),
    };
    struct cw_lex_limit before_all = {.kind = CW_LEX_BEFORE_ALL}, after_all = {.kind = CW_LEX_AFTER_ALL};
    for (size_t i = 0; i < ARRAY_LENGTH(ascending); i++) {
        assert_true(cw_lex_limit_begins(&before_all, ascending[i]));
        assert_false(cw_lex_limit_ends(&before_all, ascending[i]));
        assert_false(cw_lex_limit_begins(&after_all, ascending[i]));
        assert_true(cw_lex_limit_ends(&after_all, ascending[i]));
        for (size_t j = 0; j < ARRAY_LENGTH(ascending); j++) {
            int difference = cw_member_compare(ascending[j], ascending[i]);
            assert_int_equal((difference > 0) - (difference < 0), (j > i) - (j < i));
            struct cw_lex_limit with = {CW_LEX_MEMBER, ascending[i], false};
            struct cw_lex_limit without = {CW_LEX_MEMBER, ascending[i], true};
            assert_int_equal(cw_lex_limit_begins(&with, ascending[j]), j >= i);
            assert_int_equal(cw_lex_limit_ends(&with, ascending[j]), j <= i);
            assert_int_equal(cw_lex_limit_begins(&without, ascending[j]), j > i);
            assert_int_equal(cw_lex_limit_ends(&without, ascending[j]), j < i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_read),     cmocka_unit_test(score_limits_are_read),
        cmocka_unit_test(score_limits_divide), cmocka_unit_test(lex_limits_are_read),
        cmocka_unit_test(members_are_ordered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
