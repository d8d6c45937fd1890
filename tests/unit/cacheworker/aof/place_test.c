/* Where an append-only file stands in a group's stream, wherever it ends. */
#include "cacheworker/aof/aof_reader.h"
#include "cacheworker/aof/place.h"
#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int count(void *context, struct slice bytes, size_t *ret_used)
{
    cw_place_advance(context, bytes.length);
    *ret_used = bytes.length;
    return 0;
}

static int take_note(void *context, struct slice line)
{
    return cw_place_take(context, line);
}

/* The history at the end of `text`, behind a base of `base`. */
static struct history read_text(const struct history *base, struct slice text)
{
    struct cw_place place = {.history = *base};
    struct cw_aof_reader reader = {.apply = count, .note = take_note, .context = &place};
    assert_int_equal(cw_aof_read(&reader, text), 0);
    cw_aof_reader_free(&reader);
    return cw_place_history(&place);
}

#define PING "*1\r\n$4\r\nPING\r\n" /* 14 bytes */

/* A replica at offset 100 of epoch 1 takes up a branch in which epoch 4 began at 114 and epoch 5 at 142. */
static void is_right_wherever_the_file_ends(void **state)
{
    (void)state;
    struct history own = {.count = 1, .entries = {{1, 0}}, .last_offset = 100};
    struct history branch = {.count = 3, .entries = {{1, 0}, {4, 114}, {5, 142}}, .last_offset = 500};
    struct buf text = {0};
    cw_place_write_aside(strlen(PING), &text);
    buf_add_text(&text, PING);
    cw_place_write(&own, &branch, &text);
    size_t begin = buf_length(&text);
    for (unsigned i = 0; i < 4; i++)
        buf_add_text(&text, PING);
    for (size_t length = 0; length <= buf_length(&text); length++) {
        struct history found = read_text(&own, slice_of(buf_slice(&text).data, length));
        size_t pings = length < begin ? 0 : (length - begin) / strlen(PING);
        struct history expected = branch;
        expected.last_offset = 100 + pings * strlen(PING);
        expected.count = pings == 0 ? 1 : pings < 3 ? 2 : 3;
        assert_int_equal(found.last_offset, expected.last_offset);
        assert_int_equal(found.count, expected.count);
        assert_true(history_is_prefix(&found, &branch));
    }
    buf_free(&text);
}

static void follows_a_master_from_epoch_to_epoch(void **state)
{
    (void)state;
    struct history history = {.count = 0};
    struct buf text = {0};
    history_begin_epoch(&history, 1);
    cw_place_write_epoch(&history, &text);
    buf_add_text(&text, PING);
    history.last_offset += strlen(PING);
    history_begin_epoch(&history, 3);
    cw_place_write_epoch(&history, &text);
    buf_add_text(&text, PING);
    struct history found = read_text(&(struct history){.count = 0}, buf_slice(&text));
    assert_int_equal(found.count, 2);
    assert_true(history_is_prefix(&history, &found));
    assert_int_equal(found.last_offset, 2 * strlen(PING));
    buf_free(&text);
}

/* What was ahead in the branch of a master that died is none of the next one's. */
static void forgets_what_lay_ahead(void **state)
{
    (void)state;
    struct history own = {.count = 1, .entries = {{1, 0}}, .last_offset = 100};
    struct history first = {.count = 2, .entries = {{1, 0}, {2, 200}}, .last_offset = 300};
    struct history second = {.count = 2, .entries = {{1, 0}, {3, 100}}, .last_offset = 300};
    struct buf text = {0};
    cw_place_write(&own, &first, &text);
    cw_place_write(&own, &second, &text);
    struct history found = read_text(&own, buf_slice(&text));
    assert_int_equal(found.count, 2);
    assert_true(history_is_prefix(&found, &second));
    buf_free(&text);
}

static void without_a_history_nothing_counts(void **state)
{
    (void)state;
    struct history found = read_text(&(struct history){.count = 0}, SLICE_LITERAL(PING "#respite-offset:7\r\n" PING));
    assert_int_equal(found.count, 0);
    assert_int_equal(found.last_offset, 0);
}

static void wrong_lines_are_refused(void **state)
{
    static const struct {
        const char *line;
        int result;
    } rows[] = {
        {"#TS:1700000000\r\n", 0},
        {"#respite-other:1\r\n", 0},
        {"#respite-offset:12\r\n", 0},
        {"#respite-offset:x\r\n", ERR_CORRUPT},
        {"#respite-offset:-1\r\n", ERR_CORRUPT},
        {"#respite-aside:\r\n", ERR_CORRUPT},
        {"#respite-epoch:6:100\r\n", 0},
        {"#respite-epoch:6:100", 0},
        {"#respite-epoch:6\r\n", ERR_CORRUPT},
        {"#respite-epoch:5:100\r\n", ERR_CORRUPT}, /* not a newer one */
        {"#respite-epoch:6:99\r\n", ERR_CORRUPT},  /* behind us */
        {"#respite-epoch:6:100:7\r\n", ERR_CORRUPT},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct cw_place place = {.history = {.count = 1, .entries = {{5, 10}}, .last_offset = 100}};
        if (cw_place_take(&place, slice_text(rows[i].line)) != rows[i].result)
            fail_msg("row %zu", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_right_wherever_the_file_ends), cmocka_unit_test(follows_a_master_from_epoch_to_epoch),
        cmocka_unit_test(forgets_what_lay_ahead),          cmocka_unit_test(without_a_history_nothing_counts),
        cmocka_unit_test(wrong_lines_are_refused),
    };
    return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
