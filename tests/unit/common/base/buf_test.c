#include "common/base/buf.h"

#include "common/base/mem.h"
#include "common/base/rand.h"
#include "tests/lib/expect_abort.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void assert_holds(const struct buf *buf, const char *text)
{
    assert_int_equal(strlen(text), buf_length(buf));
    assert_true(slice_equal(buf_slice(buf), slice_text(text)));
}

static void a_zeroed_struct_is_empty(void **state)
{
    (void)state;
    struct buf buf = {0};
    assert_int_equal(0, buf_length(&buf));
    assert_int_equal(0, buf_slice(&buf).length);
    buf_consume(&buf, 0);
    buf_clear(&buf);
    buf_shrink(&buf, 0);
    buf_add(&buf, NULL, 0);
    assert_null(buf.memory);
    buf_free(&buf);
    buf_add_text(&buf, "again");
    assert_holds(&buf, "again");
    buf_free(&buf);
    assert_int_equal(0, buf_length(&buf));
}

static void text_and_numbers_are_appended(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_add_text(&buf, "a");
    buf_add_u64(&buf, UINT64_MAX);
    buf_add_text(&buf, " ");
    buf_add_i64(&buf, INT64_MIN);
    buf_add_slice(&buf, SLICE_LITERAL(" b"));
    buf_add_format(&buf, " %s %d", "c", 7);
    buf_add_format(&buf, "%s", "");
    assert_holds(&buf, "a18446744073709551615 -9223372036854775808 b c 7");
    buf_free(&buf);
}

static void bytes_are_put_in_front_of_others(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_insert(&buf, 0, slice_of(NULL, 0));
    buf_insert(&buf, 0, SLICE_LITERAL("d"));
    buf_add_text(&buf, "-gone");
    buf_insert(&buf, 0, SLICE_LITERAL("gone-"));
    buf_consume(&buf, 5);
    buf_insert(&buf, 1, SLICE_LITERAL("e"));
    buf_insert(&buf, 0, SLICE_LITERAL("abc"));
    assert_holds(&buf, "abcde-gone");
    for (unsigned i = 0; i < 1000; i++)
        buf_insert(&buf, 3, SLICE_LITERAL("xyz"));
    assert_int_equal(3010, buf_length(&buf));
    assert_true(slice_equal(slice_of(buf_slice(&buf).data, 9), SLICE_LITERAL("abcxyzxyz")));
    assert_true(slice_equal(slice_skip(buf_slice(&buf), 3000), SLICE_LITERAL("xyzde-gone")));
    buf_free(&buf);
}

static void long_formatted_text_is_whole(void **state)
{
    (void)state;
    char text[3000];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    struct buf buf = {0};
    buf_add_format(&buf, "<%s>", text);
    assert_int_equal(sizeof(text) + 1, buf_length(&buf));
    assert_int_equal('>', buf_slice(&buf).data[sizeof(text)]);
    buf_free(&buf);
}

static void it_agrees_with_an_array_of_all_bytes(void **state)
{
    (void)state;
    static char everything[1 << 20];
    size_t added = 0, consumed = 0;
    struct rand rand;
    rand_seed(&rand, 1);
    struct buf buf = {0};
    while (added + 4096 < sizeof(everything)) {
        size_t length = rand_below(&rand, rand_below(&rand, 8) == 0 ? 4096 : 64);
        char *place = buf_reserve(&buf, length);
        for (size_t i = 0; i < length; i++)
            place[i] = everything[added + i] = (char)rand_u64(&rand);
        buf_commit(&buf, length);
        added += length;
        size_t taken = rand_below(&rand, buf_length(&buf) + 1);
        if (rand_below(&rand, 2) == 0) {
            buf_consume(&buf, taken);
            consumed += taken;
        }
        assert_int_equal(added - consumed, buf_length(&buf));
        assert_memory_equal(everything + consumed, buf_slice(&buf).data ? buf_slice(&buf).data : everything,
                            buf_length(&buf));
        assert_true(buf.end <= buf.capacity);
    }
    buf_free(&buf);
}

/* A queue that stays nearly full must not be copied for every few bytes: the copies are counted where they show, in
 * changes of the place where the bytes stand. */
static void a_full_queue_is_copied_seldom(void **state)
{
    (void)state;
    static const char piece[100];
    struct buf buf = {0};
    for (size_t length = 0; length < 60000; length += sizeof(piece))
        buf_add(&buf, piece, sizeof(piece));
    size_t copied = 0, moved = 0;
    for (unsigned i = 0; i < 10000; i++) {
        const char *front = buf_slice(&buf).data;
        size_t held = buf_length(&buf);
        buf_add(&buf, piece, sizeof(piece));
        if (buf_slice(&buf).data != front)
            copied += held;
        buf_consume(&buf, sizeof(piece));
        moved += sizeof(piece);
    }
    assert_true(copied <= 2 * moved);
    assert_true(buf.capacity <= 256 << 10);
    buf_free(&buf);
}

static void memory_is_given_back_only_when_empty_and_large(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_reserve(&buf, 5000);
    buf_add_text(&buf, "x");
    buf_shrink(&buf, 100);
    assert_holds(&buf, "x");
    buf_consume(&buf, 1);
    buf_shrink(&buf, 1 << 20);
    assert_non_null(buf.memory);
    buf_shrink(&buf, 100);
    assert_null(buf.memory);
}

static void consume_too_much(void *context)
{
    buf_consume(context, 2);
}

static void more_than_there_is_cannot_be_consumed(void **state)
{
    (void)state;
    struct buf buf = {0};
    buf_add_text(&buf, "x");
    assert_true(ends_by_check(consume_too_much, &buf));
    buf_free(&buf);
}

static void memory_keeps_its_promises(void **state)
{
    (void)state;
    assert_int_equal(0, mem_usable(NULL));
    mem_free(NULL);
    char *zero = mem_zero(100);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(0, zero[i]);
    assert_true(mem_usable(zero) >= 100);
    zero[99] = 'z';
    zero = mem_resize(zero, 1000);
    assert_int_equal('z', zero[99]);
    mem_free(zero);
    char *tried = mem_try_alloc(100);
    assert_true(mem_usable(tried) >= 100);
    mem_free(tried);
    char *copy = mem_copy_text("abc\0def", 5);
    assert_memory_equal("abc\0d\0", copy, 6);
    mem_free(copy);
    copy = mem_copy_text(NULL, 0);
    assert_string_equal("", copy);
    mem_free(copy);
}

static void slices_are_compared_by_their_bytes(void **state)
{
    (void)state;
    assert_true(slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0b")));
    assert_false(slice_equal(SLICE_LITERAL("a\0b"), SLICE_LITERAL("a\0c")));
    assert_false(slice_equal(SLICE_LITERAL("a"), SLICE_LITERAL("ab")));
    assert_true(slice_equal(slice_of(NULL, 0), SLICE_LITERAL("")));
    assert_true(slice_equal_nocase(SLICE_LITERAL("GeT"), "get"));
    assert_false(slice_equal_nocase(SLICE_LITERAL("ge"), "get"));
    assert_false(slice_equal_nocase(SLICE_LITERAL("gets"), "get"));
    assert_true(slice_equal_secret(SLICE_LITERAL("secret"), SLICE_LITERAL("secret")));
    assert_false(slice_equal_secret(SLICE_LITERAL("secret"), SLICE_LITERAL("secreT")));
    assert_false(slice_equal_secret(SLICE_LITERAL("secretsecret"), SLICE_LITERAL("secret")));
    assert_false(slice_equal_secret(SLICE_LITERAL(""), SLICE_LITERAL("secret")));
    assert_false(slice_equal_secret(SLICE_LITERAL("secret"), SLICE_LITERAL("")));
    assert_true(slice_equal_secret(SLICE_LITERAL(""), SLICE_LITERAL("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_zeroed_struct_is_empty),
        cmocka_unit_test(text_and_numbers_are_appended),
        cmocka_unit_test(bytes_are_put_in_front_of_others),
        cmocka_unit_test(long_formatted_text_is_whole),
        cmocka_unit_test(it_agrees_with_an_array_of_all_bytes),
        cmocka_unit_test(a_full_queue_is_copied_seldom),
        cmocka_unit_test(memory_is_given_back_only_when_empty_and_large),
        cmocka_unit_test(more_than_there_is_cannot_be_consumed),
        cmocka_unit_test(memory_keeps_its_promises),
        cmocka_unit_test(slices_are_compared_by_their_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
