#include "common/base/number.h"

#include "common/base/errors.h"
#include "common/base/rand.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void canonical_integers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t number;
    } rows[] = {
        {"0", 0},
        {"7", 7},
        {"-1", -1},
        {"10", 10},
        {"9223372036854775807", INT64_MAX},
        {"-9223372036854775808", INT64_MIN},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        int64_t number = 42;
        assert_int_equal(0, number_parse_i64(slice_text(rows[i].text), &number));
        assert_true(number == rows[i].number);
    }
    uint64_t number;
    assert_int_equal(0, number_parse_u64(SLICE_LITERAL("18446744073709551615"), &number));
    assert_true(number == UINT64_MAX);
}

static void other_spellings_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",    "-",    "+1",  "-0",  "00", "01", "-01", " 1",  "1 ",
                                      "1.0", "0x10", "1e3", "--1", "1-", "a",  "-a",  "1\n", "123456789012345678901"};
    int64_t number = 42;
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(ERR_INVALID, number_parse_i64(slice_text(bad[i]), &number));
    assert_int_equal(ERR_INVALID, number_parse_i64(SLICE_LITERAL("1\0"), &number));
    assert_int_equal(ERR_RANGE, number_parse_i64(SLICE_LITERAL("9223372036854775808"), &number));
    assert_int_equal(ERR_RANGE, number_parse_i64(SLICE_LITERAL("-9223372036854775809"), &number));
    assert_int_equal(42, number);
    uint64_t unsigned_number = 42;
    assert_int_equal(ERR_INVALID, number_parse_u64(SLICE_LITERAL("-1"), &unsigned_number));
    assert_int_equal(ERR_RANGE, number_parse_u64(SLICE_LITERAL("18446744073709551616"), &unsigned_number));
    assert_int_equal(ERR_RANGE, number_parse_u64(SLICE_LITERAL("99999999999999999999"), &unsigned_number));
    assert_int_equal(42, unsigned_number);
}

static void integers_survive_their_text(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 1);
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t number = rand_u64(&rand) >> rand_below(&rand, 64);
        char text[NUMBER_TEXT_MAX], expected[NUMBER_TEXT_MAX];
        size_t length = number_format_u64(text, number);
        assert_int_equal(snprintf(expected, sizeof(expected), "%llu", (unsigned long long)number), length);
        assert_memory_equal(expected, text, length);
        uint64_t again;
        assert_int_equal(0, number_parse_u64(slice_of(text, length), &again));
        assert_true(again == number);

        length = number_format_i64(text, (int64_t)number);
        assert_int_equal(snprintf(expected, sizeof(expected), "%lld", (long long)number), length);
        assert_memory_equal(expected, text, length);
        int64_t signed_again;
        assert_int_equal(0, number_parse_i64(slice_of(text, length), &signed_again));
        assert_true(signed_again == (int64_t)number);
    }
}

static void doubles_are_written_in_the_reference_form(void **state)
{
    (void)state;
    static const struct {
        double number;
        const char *text;
    } rows[] = {
        {0.0, "0"},
        {-0.0, "-0"},
        {1.0, "1"},
        {-17.0, "-17"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {3.0000000000000004, "3.0000000000000004"},
        {0.001, "0.001"},
        {0.000001, "0.000001"},
        {0.0000001, "1e-7"},
        {0.00012345678, "1.2345678e-4"},
        {0.0012345678, "0.0012345678"},
        {1234.5678, "1234.5678"},
        {12345.678901234, "1.2345678901234e+4"},
        {123456789.25, "123456789.25"},
        {4503599627370495.0, "4503599627370495"},
        {4503599627370496.0, "4503599627370496"},
        {9007199254740993.0, "9007199254740992"},
        {1e17, "100000000000000000"},
        {4611686018427387904.0, "4611686018427387904"},
        {-4611686018427387904.0, "-4611686018427387904"},
        {4611686018427388928.0, "4611686018427389000"},
        {1e19, "1e+19"},
        {-1.5e8 - 0.5, "-150000000.5"},
        {1.5e8, "150000000"},
        {1e100, "1e+100"},
        {-1.25e-300, "-1.25e-300"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {DBL_MIN - DBL_TRUE_MIN, "2.225073858507201e-308"},
        {DBL_TRUE_MIN, "5e-324"},
        {0x1p-1, "0.5"},
        {0x1p-40, "9.094947017729282e-13"},
        /* Not the shortest ones: what the reference's algorithm finds. */
        {0x1.deff5ea4bcfa9p+787, "1.5229999999999999e+237"},
        {0x1.8590451a97886p-825, "6.8013000000000005e-249"},
        {INFINITY, "inf"},
        {-INFINITY, "-inf"},
        {NAN, "nan"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char text[33];
        text[number_format_double(text, rows[i].number)] = '\0';
        assert_string_equal(rows[i].text, text);
    }
}

static int digits_of(const char *scientific)
{
    int digits = 0;
    for (const char *at = scientific; *at != 'e'; at++)
        digits += *at >= '0' && *at <= '9' ? 1 : 0;
    return digits;
}

static int fewest_digits(double number)
{
    char text[40];
    int digits = 0;
    do
        snprintf(text, sizeof(text), "%.*e", digits++, number);
    while (strtod(text, NULL) != number);
    return digits;
}

static void doubles_survive_their_text(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 2);
    unsigned longer = 0;
    for (unsigned i = 0; i < 100000; i++) {
        uint64_t bits = rand_u64(&rand);
        double number;
        memcpy(&number, &bits, sizeof(number));
        if (i % 4 == 1)
            number = (double)rand_between(&rand, -100000000, 100000000) / 1000;
        else if (i % 4 == 2)
            number = (double)(int64_t)bits;
        else if (i % 4 == 3)
            number = ldexp((double)(bits >> 40), (int)rand_between(&rand, -40, 40));
        if (isnan(number))
            continue;
        char text[33];
        size_t length = number_format_double(text, number);
        assert_true(length <= 32);
        double again;
        assert_int_equal(0, number_parse_double(slice_of(text, length), &again));
        assert_memory_equal(&number, &again, sizeof(number));
        text[length] = '\0';
        if (strchr(text, 'e')) /* Zeros of the other forms are no digits of the number. */
            longer += digits_of(text) > fewest_digits(number) ? 1 : 0;
    }
    assert_true(longer < 100);
}

static void doubles_are_read_as_the_reference_reads_them(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double number;
    } good[] = {{"1", 1},          {"-1.5", -1.5},      {"+2", 2},
                {".5", 0.5},       {"5.", 5},           {"1e3", 1e3},
                {"inf", INFINITY}, {"-inf", -INFINITY}, {"Infinity", INFINITY},
                {"0x10", 16},      {"1e-320", 1e-320}};
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        double number;
        assert_int_equal(0, number_parse_double(slice_text(good[i].text), &number));
        assert_true(number == good[i].number);
    }
    static const char *const bad[] = {"",   " 1",  "1 ",  "\t1",   "nan",    "-nan",  "abc",
                                      "1e", "1,5", "--1", "1e400", "-1e400", "1e-400"};
    char exact[NUMBER_DOUBLE_TEXT_MAX + 1];
    assert_in_range(snprintf(exact, sizeof(exact), "%.1074f", -DBL_TRUE_MIN), 1077, NUMBER_DOUBLE_TEXT_MAX - 1);
    double tiny;
    assert_int_equal(0, number_parse_double(slice_text(exact), &tiny));
    assert_true(tiny == -DBL_TRUE_MIN);

    double number = 42;
    memset(exact, '0', NUMBER_DOUBLE_TEXT_MAX);
    assert_int_equal(ERR_INVALID, number_parse_double(slice_of(exact, NUMBER_DOUBLE_TEXT_MAX), &number));
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        if (number_parse_double(slice_text(bad[i]), &number) != ERR_INVALID)
            fail_msg("accepted: '%s'", bad[i]);
    assert_int_equal(ERR_INVALID, number_parse_double(SLICE_LITERAL("1\0"
                                                                    "2"),
                                                      &number));
    assert_true(number == 42);
}

static void doubles_are_read_as_strtod_reads_them(void **state)
{
    (void)state;
    static const struct {
        struct slice text;
        int result;
        double number;
    } rows[] = {
        {SLICE_LITERAL("1.5"), 0, 1.5},
        {SLICE_LITERAL(" \t-7"), 0, -7},
        {SLICE_LITERAL(""), 0, 0},
        {SLICE_LITERAL("\0abc"), 0, 0},
        {SLICE_LITERAL("3\0abc"), 0, 3},
        {SLICE_LITERAL("0x10"), 0, 16},
        {SLICE_LITERAL("-inf"), 0, -INFINITY},
        {SLICE_LITERAL("1 "), ERR_INVALID, 0},
        {SLICE_LITERAL(" "), ERR_INVALID, 0},
        {SLICE_LITERAL("nan"), ERR_INVALID, 0},
        {SLICE_LITERAL("1e400"), ERR_INVALID, 0},
        {SLICE_LITERAL("1e-400"), ERR_INVALID, 0},
        {SLICE_LITERAL("abc"), ERR_INVALID, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        double number = 0;
        assert_int_equal(number_read_double(rows[i].text, &number), rows[i].result);
        assert_true(number == rows[i].number);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(canonical_integers_are_read),
        cmocka_unit_test(other_spellings_are_refused),
        cmocka_unit_test(integers_survive_their_text),
        cmocka_unit_test(doubles_are_written_in_the_reference_form),
        cmocka_unit_test(doubles_survive_their_text),
        cmocka_unit_test(doubles_are_read_as_the_reference_reads_them),
        cmocka_unit_test(doubles_are_read_as_strtod_reads_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
