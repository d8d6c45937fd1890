#include "common/base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* The vectors of RFC 3720 appendix B.4, and the usual check value. */
static void known_values(void **state)
{
    (void)state;
    char bytes[32];
    assert_int_equal(crc32c(SLICE_LITERAL("")), 0);
    assert_int_equal(crc32c(SLICE_LITERAL("123456789")), 0xe3069283);
    memset(bytes, 0, sizeof(bytes));
    assert_int_equal(crc32c(slice_of(bytes, sizeof(bytes))), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    assert_int_equal(crc32c(slice_of(bytes, sizeof(bytes))), 0x62a8ab43);
    for (int i = 0; i < 32; i++)
        bytes[i] = (char)i;
    assert_int_equal(crc32c(slice_of(bytes, sizeof(bytes))), 0x46dd794e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(known_values)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
