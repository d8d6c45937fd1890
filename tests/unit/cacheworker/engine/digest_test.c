/* Signatures of data: the same for the same data however it came to be, another one for any difference. */
#include "cacheworker/engine/digest.h"
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static struct call_fixture *started(const char *const *lines, size_t count)
{
    struct call_fixture *fixture = calloc(1, sizeof(*fixture));
    call_fixture_open(fixture);
    for (size_t i = 0; i < count; i++)
        call_fixture_run(fixture, lines[i]);
    return fixture;
}

static void digest_of(const char *const *lines, size_t count, char text[CW_DIGEST_TEXT_LENGTH + 1])
{
    struct call_fixture *fixture = started(lines, count);
    struct cw_digest digest;
    assert_true(cw_digest_keyspace(fixture->keyspace, fixture->now_ms, &digest));
    cw_digest_write(&digest, text);
    assert_int_equal(strlen(text), CW_DIGEST_TEXT_LENGTH);
    call_fixture_close(fixture);
    free(fixture);
}

#define DIGEST_OF(text, ...)                                                                                           \
    do {                                                                                                               \
        static const char *const given[] = {__VA_ARGS__};                                                              \
        digest_of(given, ARRAY_LENGTH(given), text);                                                                   \
    } while (0)

static void test_nothing_is_zeros(void **state)
{
    (void)state;
    char text[CW_DIGEST_TEXT_LENGTH + 1];
    digest_of(NULL, 0, text);
    assert_string_equal(text, "0000000000000000000000000000000000000000");
}

static void test_same_data(void **state)
{
    (void)state;
    char one[CW_DIGEST_TEXT_LENGTH + 1], other[CW_DIGEST_TEXT_LENGTH + 1];
    DIGEST_OF(one, "set a 12", "set b two", "expire b 100", "select 3", "set c 3");
    DIGEST_OF(other, "select 3", "set c 7", "set c 3", "select 0", "set b tw", "append b o", "set d 4", "incrby a 12",
              "expire b 200", "del d");
    assert_string_equal(one, other);
}

static void test_each_difference_shows(void **state)
{
    (void)state;
    char texts[9][CW_DIGEST_TEXT_LENGTH + 1];
    DIGEST_OF(texts[0], "set a 1", "set b 2");
    DIGEST_OF(texts[1], "set a 1");
    DIGEST_OF(texts[2], "set a 2", "set b 1");
    DIGEST_OF(texts[3], "set a 1", "set b 2", "expire b 100");
    DIGEST_OF(texts[4], "set a 1", "set b 2", "expire a 100");
    DIGEST_OF(texts[5], "set a 1", "select 1", "set b 2");
    DIGEST_OF(texts[6], "set a 1", "set b 2", "set c ''");
    DIGEST_OF(texts[7], "set a 1", "set b ''");
    DIGEST_OF(texts[8], "set a1 ''", "set b 2");
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(texts[i], texts[j]);
}

static void test_due_keys_are_absent(void **state)
{
    (void)state;
    static const char *const lines[] = {"set a 1", "set b 2 px 10"};
    struct call_fixture *fixture = started(lines, ARRAY_LENGTH(lines));
    struct cw_digest before, after;
    char one[CW_DIGEST_TEXT_LENGTH + 1], other[CW_DIGEST_TEXT_LENGTH + 1];
    assert_true(cw_digest_keyspace(fixture->keyspace, fixture->now_ms, &before));
    assert_true(cw_digest_keyspace(fixture->keyspace, fixture->now_ms + 11, &after));
    assert_memory_not_equal(&before, &after, sizeof(before));
    cw_digest_write(&after, one);
    DIGEST_OF(other, "set a 1");
    assert_string_equal(one, other);
    call_fixture_close(fixture);
    free(fixture);
}

static void test_order(void **state)
{
    (void)state;
    struct cw_digest ab = {{0}}, ba = {{0}}, a = {{0}}, b = {{0}}, joined_ab = {{0}}, joined_ba = {{0}};
    cw_digest_add(&a, SLICE_LITERAL("a"));
    cw_digest_add(&b, SLICE_LITERAL("b"));
    cw_digest_add(&ab, SLICE_LITERAL("a"));
    cw_digest_add(&ab, SLICE_LITERAL("b"));
    cw_digest_add(&ba, SLICE_LITERAL("b"));
    cw_digest_add(&ba, SLICE_LITERAL("a"));
    assert_memory_not_equal(&ab, &ba, sizeof(ab));
    cw_digest_join(&joined_ab, &a);
    cw_digest_join(&joined_ab, &b);
    cw_digest_join(&joined_ba, &b);
    cw_digest_join(&joined_ba, &a);
    assert_memory_equal(&joined_ab, &joined_ba, sizeof(joined_ab));
    assert_memory_not_equal(&joined_ab, &a, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_zeros),
        cmocka_unit_test(test_same_data),
        cmocka_unit_test(test_each_difference_shows),
        cmocka_unit_test(test_due_keys_are_absent),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
