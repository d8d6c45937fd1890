/* SipHash-1-3 against values that CPython prints (PYTHONHASHSEED=0 python3 -c "print(hash(b'abc'))"), whose key is
 * zero. */
#include "cacheworker/keyspace/hash.h"

#include "common/base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_known_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t hash;
    } known[] = {
        {"a", 0x407448d2b89b1813},        {"abc", 0xc03bc3a0042630f2},       {"1234567", 0xa33d651594fdae81},
        {"12345678", 0x3489982430560a87}, {"123456789", 0x0fbc0f0007965fcf}, {"key:000000000001", 0x789c96b712070d0a},
    };
    struct cw_hash_key key = {{0, 0}};
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++)
        assert_int_equal(cw_hash(&key, slice_text(known[i].text)), known[i].hash);
}

static void test_key_matters(void **state)
{
    (void)state;
    struct cw_hash_key keys[3] = {{{0, 0}}, {{1, 0}}, {{0, 1}}};
    struct slice text = SLICE_LITERAL("");
    assert_int_not_equal(cw_hash(&keys[0], text), cw_hash(&keys[1], text));
    assert_int_not_equal(cw_hash(&keys[0], text), cw_hash(&keys[2], text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_values),
        cmocka_unit_test(test_key_matters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
