/* The digest against the published vectors, and on both sides of every length where the computation changes. */
#include "cacheworker/string/xxh3.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

/* The bytes of xxHash's own test (tests/sanity_test_vectors_generator.c); what it has of them, and what its library
 * 0.8.1 answers for more lengths. */
static const struct {
    size_t length;
    uint64_t digest;
} vectors[] = {
    {0, 0x2d06800538d394c2},    {1, 0xc44bdff4074eecdb},    {3, 0x54247382a8d6b94d},    {4, 0xe5dc74bc51848a51},
    {6, 0x27b56a84cd2d7325},    {8, 0x24ccc9acaa9f65e4},    {9, 0x14d5001c15dd3f2b},    {12, 0xa713daf0dfbb77e7},
    {16, 0x981b17d36c7498c9},   {17, 0x796f5acd3a60f862},   {24, 0xa3fe70bf9d3510eb},   {48, 0x397da259ecba1f11},
    {64, 0x9cb48487720ec49d},   {65, 0xfd81aac4bebc3883},   {80, 0xbcdefbbb2c47c90a},   {128, 0xfcff24126754d861},
    {129, 0x98f1b0a679a2ca29},  {195, 0xcd94217ee362ec3a},  {240, 0x81c3c2b67f568ccf},  {241, 0xc5a639ecd2030e5e},
    {403, 0xcdeb804d65c6dea4},  {512, 0x617e49599013cb6b},  {1024, 0xdd85c9b5c1109c5c}, {1025, 0xd870c0fa13211c6a},
    {2048, 0xdd59e2c3a5f038e0}, {2240, 0x6e73a90539cf2948}, {2367, 0xcb37aeb9e5d361ed},
};

static void test_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(vectors); i++) {
        size_t length = vectors[i].length;
        uint8_t *bytes = malloc(length > 0 ? length : 1); /* so long that a sanitizer sees a step beyond */
        uint64_t generator = 2654435761;
        for (size_t k = 0; k < length; k++, generator *= UINT64_C(11400714785074694797))
            bytes[k] = (uint8_t)(generator >> 56);
        assert_int_equal(cw_xxh3(slice_of(bytes, length)), vectors[i].digest);
        free(bytes);
    }
}

/* What the reference's and others' documentation shows (redis.io/commands/digest). */
static void test_examples(void **state)
{
    (void)state;
    assert_int_equal(cw_xxh3(SLICE_LITERAL("Hello world")), 0xb6acb9d84a38ff74);
    assert_int_equal(cw_xxh3(SLICE_LITERAL("Hello, Dragonfly!")), 0x063b4909128e92b7);
    assert_int_equal(cw_xxh3(SLICE_LITERAL("test")), 0x9ec9f7918d7dfc40);
    assert_int_equal(cw_xxh3(slice_of(NULL, 0)), 0x2d06800538d394c2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_examples),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
