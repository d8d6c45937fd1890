/* SHA-1 against the vectors of RFC 3174 and FIPS 180, and lengths around a block's end. */
#include "common/base/sha1.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void known_digests(void **state)
{
    (void)state;
    static const struct {
        char byte;
        size_t count;
        const char *text, *digest;
    } rows[] = {
        {0, 0, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"},
        {0, 0, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
        {0, 0, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "84983e441c3bd26ebaae4aa1f95129e5e54670f1"},
        {'a', 1000000, NULL, "34aa973cd4c4daa4f61eeb2bdbad27316534016f"},
        {'a', 55, NULL, "c1c8bbdc22796e28c0e15163d20899b65621d65a"},
        {'a', 56, NULL, "c2db330f6083854c99d4b5bfb6e8f29f201be699"},
        {'a', 63, NULL, "03f09f5b158a7a8cdad920bddc29b81c18a551f5"},
        {'a', 64, NULL, "0098ba824b5c16427bd7a1122a5a442a25ec644d"},
        {'a', 65, NULL, "11655326c708d70319be2610e8a57d9a5b959d3b"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        size_t length = rows[i].text != NULL ? strlen(rows[i].text) : rows[i].count;
        char *bytes = malloc(length + 1);
        assert_non_null(bytes);
        if (rows[i].text != NULL)
            memcpy(bytes, rows[i].text, length);
        else
            memset(bytes, rows[i].byte, length);
        char digits[SHA1_HEX];
        sha1_hex(slice_of(bytes, length), digits);
        free(bytes);
        assert_memory_equal(digits, rows[i].digest, SHA1_HEX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_digests)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
