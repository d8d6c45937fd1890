/* Ids: their text in all forms, their order, the next and the previous one, their bytes. */
#include "cacheworker/stream/stream_id.h"

#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define assert_id(id, expected_ms, expected_seq)                                                                       \
    do {                                                                                                               \
        assert_int_equal((id).ms, (uint64_t)(expected_ms));                                                            \
        assert_int_equal((id).seq, (uint64_t)(expected_seq));                                                          \
    } while (0)

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ms;
        uint64_t seq;
    } good[] = {
        {"5-3", 5, 3},    {"5", 5, 77},
        {"0-0", 0, 0},    {"18446744073709551615-18446744073709551615", UINT64_MAX, UINT64_MAX},
        {"007-01", 7, 1}, {"+7-+1", 7, 1},
        {" 7- 1", 7, 1},  {"000", 0, 77},
    };
    static const char *const bad[] = {
        "",
        "-",
        "+",
        "*",
        "5-*",
        "x",
        "5-x",
        "-5",
        "5-",
        "5-3-1",
        "18446744073709551616",
        "5-18446744073709551616",
        "5 -3",
        "5--3",
        "(5-3",
        "+ 5",
        "++5",
        "5-3 ",
        "$",
        ">",
        "5.0",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(good); i++) {
        struct cw_stream_id id = {0};
        assert_int_equal(cw_stream_id_parse(slice_text(good[i].text), 77, &id), 0);
        assert_id(id, good[i].ms, good[i].seq);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        struct cw_stream_id id;
        assert_int_equal(cw_stream_id_parse(slice_text(bad[i]), 0, &id), ERR_INVALID);
    }
}

/* As in the reference, which looks at no more than 127 bytes, and not behind a NUL. */
static void test_parse_length(void **state)
{
    (void)state;
    char text[128];
    struct cw_stream_id id;
    memset(text, '0', sizeof(text));
    text[126] = '9';
    assert_int_equal(cw_stream_id_parse(slice_of(text, 127), 0, &id), 0);
    assert_id(id, 9, 0);
    assert_int_equal(cw_stream_id_parse(slice_of(text, 128), 0, &id), ERR_INVALID);
    assert_int_equal(cw_stream_id_parse(SLICE_LITERAL("5-3\0x"), 0, &id), 0);
    assert_id(id, 5, 3);
}

static void test_parse_end(void **state)
{
    (void)state;
    struct cw_stream_id id;
    assert_int_equal(cw_stream_id_parse_end(slice_text("-"), 5, &id), 0);
    assert_id(id, 0, 0);
    assert_int_equal(cw_stream_id_parse_end(slice_text("+"), 5, &id), 0);
    assert_id(id, UINT64_MAX, UINT64_MAX);
    assert_int_equal(cw_stream_id_parse_end(slice_text("9"), 5, &id), 0);
    assert_id(id, 9, 5);
    assert_int_equal(cw_stream_id_parse_end(slice_text("(9"), 5, &id), ERR_INVALID);
}

static void test_parse_range(void **state)
{
    (void)state;
    struct cw_stream_id id;
    assert_int_equal(cw_stream_id_parse_range_first(slice_text("5"), &id), 0);
    assert_id(id, 5, 0);
    assert_int_equal(cw_stream_id_parse_range_first(slice_text("-"), &id), 0);
    assert_id(id, 0, 0);
    assert_int_equal(cw_stream_id_parse_range_first(slice_text("(5"), &id), 0);
    assert_id(id, 5, 1);
    assert_int_equal(cw_stream_id_parse_range_first(slice_text("(5-18446744073709551615"), &id), 0);
    assert_id(id, 6, 0);
    assert_int_equal(cw_stream_id_parse_range_first(slice_text("(18446744073709551615-18446744073709551615"), &id),
                     ERR_RANGE);
    assert_int_equal(cw_stream_id_parse_range_first(slice_text("(-"), &id), ERR_INVALID);
    assert_int_equal(cw_stream_id_parse_range_first(slice_text("("), &id), ERR_INVALID);

    assert_int_equal(cw_stream_id_parse_range_last(slice_text("5"), &id), 0);
    assert_id(id, 5, UINT64_MAX);
    assert_int_equal(cw_stream_id_parse_range_last(slice_text("(5"), &id), 0);
    assert_id(id, 5, UINT64_MAX - 1);
    assert_int_equal(cw_stream_id_parse_range_last(slice_text("(5-0"), &id), 0);
    assert_id(id, 4, UINT64_MAX);
    assert_int_equal(cw_stream_id_parse_range_last(slice_text("(0-0"), &id), ERR_RANGE);
    assert_int_equal(cw_stream_id_parse_range_last(slice_text("(+"), &id), ERR_INVALID);
}

static void test_parse_new(void **state)
{
    (void)state;
    struct cw_stream_id id;
    enum cw_stream_id_form form;
    assert_int_equal(cw_stream_id_parse_new(slice_text("*"), &id, &form), 0);
    assert_int_equal(form, CW_STREAM_ID_AUTO);
    assert_int_equal(cw_stream_id_parse_new(slice_text("5-*"), &id, &form), 0);
    assert_int_equal(form, CW_STREAM_ID_AUTO_SEQ);
    assert_id(id, 5, 0);
    assert_int_equal(cw_stream_id_parse_new(slice_text("5"), &id, &form), 0);
    assert_int_equal(form, CW_STREAM_ID_GIVEN);
    assert_id(id, 5, 0);
    assert_int_equal(cw_stream_id_parse_new(slice_text("5-2"), &id, &form), 0);
    assert_int_equal(form, CW_STREAM_ID_GIVEN);
    assert_id(id, 5, 2);
    static const char *const bad[] = {"", "-", "+", "-*", "*-*", "*-1", "5-**", "5-* "};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++)
        assert_int_equal(cw_stream_id_parse_new(slice_text(bad[i]), &id, &form), ERR_INVALID);
}

static void test_neighbours(void **state)
{
    (void)state;
    struct cw_stream_id id = {5, UINT64_MAX};
    assert_true(cw_stream_id_increment(&id));
    assert_id(id, 6, 0);
    assert_true(cw_stream_id_decrement(&id));
    assert_id(id, 5, UINT64_MAX);
    id = CW_STREAM_ID_MAX;
    assert_false(cw_stream_id_increment(&id));
    assert_id(id, 0, 0);
    assert_false(cw_stream_id_decrement(&id));
    assert_id(id, UINT64_MAX, UINT64_MAX);
    assert_true(cw_stream_id_decrement(&id));
    assert_id(id, UINT64_MAX, UINT64_MAX - 1);
}

static void test_order(void **state)
{
    (void)state;
    static const struct cw_stream_id ascending[] = {{0, 0}, {0, 1}, {0, UINT64_MAX}, {1, 0}, {UINT64_MAX, UINT64_MAX}};
    for (size_t i = 0; i < ARRAY_LENGTH(ascending); i++)
        for (size_t j = 0; j < ARRAY_LENGTH(ascending); j++) {
            int order = cw_stream_id_compare(ascending[i], ascending[j]);
            assert_int_equal(order < 0 ? -1 : order > 0, i < j ? -1 : i > j);
        }
}

static void test_text_and_bytes(void **state)
{
    (void)state;
    char text[CW_STREAM_ID_TEXT_MAX];
    size_t length = cw_stream_id_format(CW_STREAM_ID_MAX, text);
    assert_true(slice_equal(slice_of(text, length), slice_text("18446744073709551615-18446744073709551615")));
    length = cw_stream_id_format((struct cw_stream_id){12, 0}, text);
    assert_true(slice_equal(slice_of(text, length), slice_text("12-0")));

    char bytes[CW_STREAM_ID_BYTES];
    cw_stream_id_encode((struct cw_stream_id){0x0102030405060708, 0xff}, bytes);
    assert_memory_equal(bytes, "\1\2\3\4\5\6\7\10\0\0\0\0\0\0\0\377", sizeof(bytes));
    assert_id(cw_stream_id_decode(bytes), 0x0102030405060708, 0xff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),       cmocka_unit_test(test_parse_length),   cmocka_unit_test(test_parse_end),
        cmocka_unit_test(test_parse_range), cmocka_unit_test(test_parse_new),      cmocka_unit_test(test_neighbours),
        cmocka_unit_test(test_order),       cmocka_unit_test(test_text_and_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
