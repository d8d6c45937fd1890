/* Rows of bits against a model that goes bit by bit. Strings are copied into blocks of exactly their size, so that a
 * sanitizer sees whoever reads behind them. */
#include "cacheworker/bitmap/bits.h"

#include "common/base/check.h"
#include "common/base/mem.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

enum { ROUNDS = 3000 };

/* ---- The model ---- */

static unsigned bit_of(struct slice bytes, uint64_t place)
{
    return place / 8 < bytes.length ? (unsigned char)bytes.data[place / 8] >> (7 - place % 8) & 1 : 0;
}

static uint64_t model_count(struct slice bytes, uint64_t first, uint64_t last)
{
    uint64_t count = 0;
    for (uint64_t place = first; place <= last; place++)
        count += bit_of(bytes, place);
    return count;
}

static int64_t model_find(struct slice bytes, bool value, uint64_t first, uint64_t last)
{
    for (uint64_t place = first; place <= last; place++)
        if (bit_of(bytes, place) == value)
            return (int64_t)place;
    return CW_BITS_NOT_FOUND;
}

static uint64_t model_read(struct slice bytes, uint64_t offset, unsigned width)
{
    uint64_t bits = 0;
    for (unsigned i = 0; i < width; i++)
        bits = bits << 1 | bit_of(bytes, offset + i);
    return bits;
}

static unsigned model_combine(enum cw_bits_operation operation, const struct slice *strings, size_t count,
                              uint64_t place)
{
    unsigned first = bit_of(strings[0], place);
    size_t others = 0;
    for (size_t i = 1; i < count; i++)
        others += bit_of(strings[i], place);
    switch (operation) {
    case CW_BITS_AND: return first && others == count - 1;
    case CW_BITS_OR: return first || others > 0;
    case CW_BITS_XOR: return (first + others) % 2;
    case CW_BITS_NOT: return !first;
    case CW_BITS_DIFF: return first && others == 0;
    case CW_BITS_DIFF1: return !first && others > 0;
    case CW_BITS_AND_OR: return first && others > 0;
    case CW_BITS_ONE: return first + others == 1;
    }
    return 0;
}

/* ---- Strings ---- */

/* Random bytes, or ones or zeros with something else now and then, so that there are long stretches. */
static char *draw(struct rand *rand, size_t length)
{
    char *bytes = mem_alloc(length);
    uint64_t kind = rand_below(rand, 3);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(kind == 0 || rand_chance(rand, 30000) ? rand_u64(rand) : kind == 1 ? 0xff : 0);
    return bytes;
}

static size_t draw_length(struct rand *rand)
{
    return rand_below(rand, rand_chance(rand, 100000) ? 20000 : 200);
}

static void test_count_and_find(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 1);
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t length = draw_length(&rand);
        struct slice bytes = slice_of(draw(&rand, length), length);
        if (length > 0) {
            assert_int_equal(cw_bits_count(bytes), model_count(bytes, 0, length * 8 - 1));
            uint64_t first = rand_below(&rand, length * 8);
            uint64_t last = first + rand_below(&rand, length * 8 - first);
            assert_int_equal(cw_bits_count_between(bytes, first, last), model_count(bytes, first, last));
            assert_int_equal(cw_bits_find(bytes, true, first, last), model_find(bytes, true, first, last));
            assert_int_equal(cw_bits_find(bytes, false, first, last), model_find(bytes, false, first, last));
        } else {
            assert_int_equal(cw_bits_count(bytes), 0);
        }
        mem_free((void *)(uintptr_t)bytes.data);
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 2);
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t length = 1 + rand_below(&rand, 30);
        char *bytes = draw(&rand, length);
        char *before = mem_copy_text(bytes, length);
        struct slice value = slice_of(bytes, length);
        unsigned width = 1 + (unsigned)rand_below(&rand, 64);
        uint64_t offset = rand_below(&rand, length * 8 + 100);
        assert_int_equal(cw_bits_read(value, offset, width), model_read(value, offset, width));
        if (offset + width <= length * 8) {
            uint64_t bits = rand_u64(&rand);
            cw_bits_write(bytes, offset, width, bits);
            assert_int_equal(cw_bits_read(value, offset, width), bits << (64 - width) >> (64 - width));
            for (uint64_t place = 0; place < length * 8; place++)
                if (place < offset || place >= offset + width)
                    assert_int_equal(bit_of(value, place), bit_of(slice_of(before, length), place));
        }
        mem_free(bytes);
        mem_free(before);
    }
}

/* ---- Numbers ---- */

struct number_case {
    struct cw_bits_type type;
    int64_t number;
    int64_t increment; /* or, where it is CONVERTED, the number is given to the field */
    int64_t wrapped;
    int64_t saturated;
    bool fits;
};

enum { CONVERTED = INT32_MIN };

static void check_number(const struct number_case *row, enum cw_bits_overflow overflow, bool expected_fits,
                         int64_t expected)
{
    int64_t found = 12345;
    bool fits = row->increment == CONVERTED ? cw_bits_convert(row->type, overflow, row->number, &found)
                                            : cw_bits_add(row->type, overflow, row->number, row->increment, &found);
    assert_int_equal(fits, expected_fits);
    assert_int_equal(found, expected_fits ? expected : 12345);
}

static void test_overflow(void **state)
{
    (void)state;
    const struct cw_bits_type i8 = {true, 8}, u8 = {false, 8}, i1 = {true, 1}, u1 = {false, 1}, i64 = {true, 64},
                              u63 = {false, 63};
    const struct number_case rows[] = {
        {i8, 100, 27, 127, 127, true},
        {i8, 100, 28, -128, 127, false},
        {i8, -100, -29, 127, -128, false},
        {i8, 0, 256, 0, 127, false},
        {i8, -1, INT64_MAX, -2, 127, false},
        {i8, 200, CONVERTED, -56, 127, false},
        {i8, -129, CONVERTED, 127, -128, false},
        {u8, 255, 1, 0, 255, false},
        {u8, 0, -1, 255, 0, false},
        {u8, 7, INT64_MIN, 7, 0, false},
        {u8, -1, CONVERTED, 255, 255, false}, /* as an unsigned number it is huge */
        {u8, 255, CONVERTED, 255, 255, true},
        {u8, 256, CONVERTED, 0, 255, false},
        {i1, 0, -1, -1, -1, true},
        {i1, 0, 1, -1, 0, false},
        {i1, -1, -1, 0, -1, false},
        {u1, 1, 1, 0, 1, false},
        {i64, INT64_MAX, 1, INT64_MIN, INT64_MAX, false},
        {i64, INT64_MIN, -1, INT64_MAX, INT64_MIN, false},
        {i64, -1, INT64_MIN, INT64_MAX, INT64_MIN, false},
        {i64, INT64_MIN, CONVERTED, INT64_MIN, INT64_MIN, true},
        {u63, INT64_MAX, 1, 0, INT64_MAX, false},
        {u63, 0, -1, INT64_MAX, 0, false},
        {u63, INT64_MAX, INT64_MAX, INT64_MAX - 1, INT64_MAX, false},
        {u63, -2, CONVERTED, INT64_MAX - 1, INT64_MAX, false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        check_number(&rows[i], CW_BITS_WRAP, true, rows[i].wrapped);
        check_number(&rows[i], CW_BITS_SATURATE, true, rows[i].saturated);
        check_number(&rows[i], CW_BITS_FAIL, rows[i].fits, rows[i].wrapped);
    }
}

/* Every number of every narrow type, with every increment there is room for. */
static void test_narrow_types(void **state)
{
    (void)state;
    for (unsigned width = 1; width <= 6; width++)
        for (unsigned is_signed = 0; is_signed < 2; is_signed++) {
            struct cw_bits_type type = {is_signed, width};
            int64_t size = INT64_C(1) << width;
            int64_t least = is_signed ? -size / 2 : 0;
            int64_t most = least + size - 1;
            for (int64_t number = least; number <= most; number++)
                for (int64_t increment = -2 * size; increment <= 2 * size; increment++) {
                    int64_t sum = number + increment;
                    int64_t wrapped = ((sum - least) % size + size) % size + least;
                    int64_t saturated = sum < least ? least : sum > most ? most : sum;
                    const struct number_case row = {type,    number,    increment,
                                                    wrapped, saturated, sum >= least && sum <= most};
                    check_number(&row, CW_BITS_WRAP, true, wrapped);
                    check_number(&row, CW_BITS_SATURATE, true, saturated);
                    check_number(&row, CW_BITS_FAIL, row.fits, sum);
                    assert_int_equal(cw_bits_number(type, (uint64_t)number), number);
                }
        }
}

/* ---- Combining ---- */

static void check_combination(struct rand *rand, enum cw_bits_operation operation)
{
    struct slice strings[6];
    bool needs_two = operation == CW_BITS_DIFF || operation == CW_BITS_DIFF1 || operation == CW_BITS_AND_OR;
    size_t count = operation == CW_BITS_NOT ? 1 : 1 + needs_two + rand_below(rand, ARRAY_LENGTH(strings) - 1);
    size_t longest = 0;
    for (size_t i = 0; i < count; i++) {
        size_t length = draw_length(rand);
        strings[i] = slice_of(draw(rand, length), length);
        longest = length > longest ? length : longest;
    }
    char *result = mem_alloc(longest);
    cw_bits_combine(operation, strings, count, result, longest);
    for (uint64_t place = 0; place < longest * 8; place++)
        if (bit_of(slice_of(result, longest), place) != model_combine(operation, strings, count, place))
            fail_msg("operation %d, bit %d of %zu bytes", operation, (int)place, longest);
    for (size_t i = 0; i < count; i++)
        mem_free((void *)(uintptr_t)strings[i].data);
    mem_free(result);
}

static void test_combine(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 3);
    for (unsigned round = 0; round < 100; round++)
        for (int operation = CW_BITS_AND; operation <= CW_BITS_ONE; operation++)
            check_combination(&rand, (enum cw_bits_operation)operation);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_count_and_find), cmocka_unit_test(test_fields),  cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_narrow_types),   cmocka_unit_test(test_combine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
