#include "common/base/crc64.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void published_values_are_met(void **state)
{
    (void)state;
    assert_true(crc64(0, SLICE_LITERAL("")) == 0);
    assert_true(crc64(0, SLICE_LITERAL("123456789")) == 0xe9c6d914c4b8d9ca);
}

/* The definition, bit by bit. */
static uint64_t divide(uint64_t remainder, struct slice bytes)
{
    for (size_t i = 0; i < bytes.length; i++) {
        remainder ^= (unsigned char)bytes.data[i];
        for (unsigned bit = 0; bit < 8; bit++)
            remainder = remainder >> 1 ^ (remainder & 1 ? 0x95ac9329ac4bc9b5 : 0);
    }
    return remainder;
}

static void any_bytes_in_any_pieces_come_to_the_definition(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 1);
    char bytes[300];
    for (unsigned round = 0; round < 500; round++) {
        size_t length = rand_below(&rand, sizeof(bytes) + 1);
        for (size_t i = 0; i < length; i++)
            bytes[i] = (char)rand_u64(&rand);
        struct slice all = slice_of(bytes, length);
        uint64_t expected = divide(0, all);
        size_t split = rand_below(&rand, length + 1);
        assert_true(crc64(0, all) == expected);
        assert_true(crc64(crc64(0, slice_of(bytes, split)), slice_skip(all, split)) == expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_values_are_met),
        cmocka_unit_test(any_bytes_in_any_pieces_come_to_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
