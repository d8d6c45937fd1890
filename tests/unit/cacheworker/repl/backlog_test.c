#include "cacheworker/repl/backlog.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static char byte_of(uint64_t offset)
{
    return (char)(offset * 2654435761u >> 7);
}

static void append(struct cw_backlog *backlog, size_t length)
{
    char bytes[3000];
    while (length > 0) {
        size_t piece = length < sizeof(bytes) ? length : sizeof(bytes);
        for (size_t i = 0; i < piece; i++)
            bytes[i] = byte_of(backlog->end + i);
        cw_backlog_append(backlog, slice_of(bytes, piece));
        length -= piece;
    }
}

static void expect_from(const struct cw_backlog *backlog, uint64_t offset)
{
    while (offset < backlog->end) {
        struct slice bytes = cw_backlog_read(backlog, offset);
        assert_true(bytes.length > 0);
        for (size_t i = 0; i < bytes.length; i++)
            if (bytes.data[i] != byte_of(offset + i))
                fail_msg("offset %llu", (unsigned long long)(offset + i));
        offset += bytes.length;
    }
    assert_int_equal(offset, backlog->end);
    assert_int_equal(cw_backlog_read(backlog, offset).length, 0);
}

static void every_offset_that_is_held_can_be_read(void **state)
{
    (void)state;
    struct cw_backlog backlog = {0};
    cw_backlog_reset(&backlog, 123456789);
    for (int i = 0; i < 400; i++)
        append(&backlog, 1 + (size_t)(i * 37) % 5000);
    assert_int_equal(backlog.first, 123456789);
    for (uint64_t offset = backlog.first; offset <= backlog.end; offset += 32749)
        expect_from(&backlog, offset);
    cw_backlog_free(&backlog);
}

static void trimming_gives_whole_blocks_back_and_no_more(void **state)
{
    (void)state;
    struct cw_backlog backlog = {0};
    for (int round = 0; round < 50; round++) {
        append(&backlog, 100000);
        uint64_t keep_from = backlog.end > 200000 ? backlog.end - 200000 : 0;
        cw_backlog_trim(&backlog, keep_from);
        assert_true(backlog.first <= keep_from);
        assert_true(keep_from - backlog.first < CW_BACKLOG_BLOCK);
        expect_from(&backlog, backlog.first);
    }
    assert_true(cw_backlog_memory(&backlog) < 400000);
    cw_backlog_trim(&backlog, UINT64_MAX);
    assert_int_equal(backlog.count, 0);
    assert_int_equal(backlog.first, backlog.base);
    cw_backlog_free(&backlog);
}

static void a_trimmed_and_reset_backlog_goes_on(void **state)
{
    (void)state;
    struct cw_backlog backlog = {0};
    append(&backlog, CW_BACKLOG_BLOCK); /* exactly one block: everything may go */
    cw_backlog_trim(&backlog, CW_BACKLOG_BLOCK);
    assert_int_equal(backlog.count, 0);
    assert_int_equal(backlog.first, CW_BACKLOG_BLOCK);
    append(&backlog, 10);
    expect_from(&backlog, CW_BACKLOG_BLOCK);
    cw_backlog_reset(&backlog, 5);
    assert_int_equal(backlog.end, 5);
    append(&backlog, 70000);
    expect_from(&backlog, 5);
    cw_backlog_free(&backlog);
}

static void what_is_forgotten_and_shifted_is_so_to_the_byte(void **state)
{
    (void)state;
    struct cw_backlog backlog = {0};
    append(&backlog, 3 * CW_BACKLOG_BLOCK);
    for (uint64_t offset = 0; offset <= backlog.end; offset += 4099) {
        cw_backlog_forget(&backlog, offset);
        assert_int_equal(backlog.first, offset);
        assert_true(backlog.base <= offset && offset - backlog.base <= CW_BACKLOG_BLOCK);
        expect_from(&backlog, offset);
    }
    cw_backlog_forget(&backlog, backlog.end);
    append(&backlog, 5000);
    uint64_t first = backlog.first, end = backlog.end;
    cw_backlog_shift(&backlog, 1000000007);
    assert_int_equal(backlog.first, first + 1000000007);
    assert_int_equal(backlog.end, end + 1000000007);
    assert_int_equal(cw_backlog_read(&backlog, backlog.first).data[0], byte_of(first));
    cw_backlog_append(&backlog, SLICE_LITERAL("end"));
    assert_int_equal(cw_backlog_read(&backlog, backlog.end - 1).data[0], 'd');
    cw_backlog_free(&backlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_offset_that_is_held_can_be_read),
        cmocka_unit_test(trimming_gives_whole_blocks_back_and_no_more),
        cmocka_unit_test(a_trimmed_and_reset_backlog_goes_on),
        cmocka_unit_test(what_is_forgotten_and_shifted_is_so_to_the_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
