#include "cacheworker/repl/diverged.h"
#include "common/base/errors.h"
#include "tests/unit/cacheworker/memory_storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define SELECT_0 "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"
#define SELECT_3 "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n"
#define SET_A    "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n"
#define PING     "*1\r\n$4\r\nPING\r\n"
#define GETACK   "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"
/* Words of a SELECT within a value, and cut off by the end. */
#define SET_WORDS "*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$20\r\n*2\r\n$6\r\nSELECT\r\n$9\r\n"

static struct history history_of(const char *text)
{
    struct history history;
    assert_int_equal(history_parse(slice_text(text), &history), 0);
    return history;
}

static void a_tail_is_what_the_branch_has_not(void **state)
{
    (void)state;
    static const struct {
        const char *ours, *theirs;
        bool is_found;
        uint64_t epoch, first, end;
    } rows[] = {
        {"@0", "1:0@10", false, 0, 0, 0},
        {"1:0@10", "1:0@10", false, 0, 0, 0},
        {"1:0@7", "1:0,2:10@10", false, 0, 0, 0},
        {"1:0@12", "1:0,2:10@30", true, 1, 10, 12},
        {"1:0,2:10@15", "1:0,3:10@30", true, 2, 10, 15},
        {"1:0,2:10@15", "1:0,3:12@30", true, 2, 10, 15},
        {"1:0,2:10@10", "1:0,3:10@30", false, 0, 0, 0}, /* nothing was written in epoch 2 */
        {"1:0@5", "2:0@30", true, 1, 0, 5},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct history ours = history_of(rows[i].ours), theirs = history_of(rows[i].theirs);
        struct cw_tail tail = {0};
        assert_int_equal(cw_tail_find(&ours, &theirs, &tail), rows[i].is_found);
        if (!rows[i].is_found)
            continue;
        assert_int_equal(tail.epoch, rows[i].epoch);
        assert_int_equal(tail.first, rows[i].first);
        assert_int_equal(tail.end, rows[i].end);
    }
}

static void its_file_begins_in_the_right_database(void **state)
{
    (void)state;
    static const struct {
        const char *before, *tail, *select;
        uint64_t writes;
    } rows[] = {
        {"", SET_A, SELECT_0, 1},
        {SELECT_3 SET_A, SET_A PING SET_A, SELECT_3, 2},
        {SELECT_0 SET_A SELECT_3, SELECT_0 SET_A GETACK, SELECT_3, 1},
        {SELECT_3 SELECT_0 SET_A, SELECT_3 SET_A, SELECT_0, 1},
        {SELECT_3 SET_A SET_WORDS, SET_A, SELECT_0, 1}, /* at worst the first */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct cw_backlog backlog = {0};
        struct memory_storage memory;
        struct buf expected = {0};
        memory_storage_init(&memory);
        cw_backlog_reset(&backlog, 1000);
        cw_backlog_append(&backlog, slice_text(rows[i].before));
        struct cw_tail tail = {.epoch = 9, .first = backlog.end};
        cw_backlog_append(&backlog, slice_text(rows[i].tail));
        tail.end = backlog.end;
        assert_true(cw_tail_is_held(&tail, &backlog));
        assert_int_equal(cw_tail_writes(&tail, &backlog), rows[i].writes);
        assert_int_equal(cw_tail_write(&tail, &backlog, &memory.storage), 0);
        assert_string_equal(memory.diverged_name, "diverged-9.aof");
        buf_add_text(&expected, rows[i].select);
        buf_add_text(&expected, rows[i].tail);
        assert_true(slice_equal(buf_slice(&memory.diverged), buf_slice(&expected)));
        assert_int_equal(memory.open_files, 0);
        buf_free(&expected);
        memory_storage_free(&memory);
        cw_backlog_free(&backlog);
    }
}

static void a_tail_that_was_trimmed_is_not_held(void **state)
{
    (void)state;
    struct cw_backlog backlog = {0};
    char bytes[CW_BACKLOG_BLOCK] = {0};
    for (int i = 0; i < 4; i++)
        cw_backlog_append(&backlog, slice_of(bytes, sizeof(bytes)));
    cw_backlog_trim(&backlog, 2 * CW_BACKLOG_BLOCK);
    assert_true(cw_tail_is_held(&(struct cw_tail){1, backlog.first, backlog.end}, &backlog));
    assert_false(cw_tail_is_held(&(struct cw_tail){1, backlog.first - 1, backlog.end}, &backlog));
    assert_false(cw_tail_is_held(&(struct cw_tail){1, backlog.first, backlog.end + 1}, &backlog));
    cw_backlog_free(&backlog);
}

static void a_full_disk_is_reported(void **state)
{
    (void)state;
    struct cw_backlog backlog = {0};
    struct memory_storage memory;
    memory_storage_init(&memory);
    cw_backlog_append(&backlog, slice_text(SET_A));
    struct cw_tail tail = {.epoch = 1, .first = 0, .end = backlog.end};
    memory.write_limit = 10;
    assert_int_equal(cw_tail_write(&tail, &backlog, &memory.storage), ERR_DISK_FULL);
    memory.write_limit = 0;
    memory.commit_result = ERR_IO;
    assert_int_equal(cw_tail_write(&tail, &backlog, &memory.storage), ERR_IO);
    assert_int_equal(memory.open_files, 0);
    memory_storage_free(&memory);
    cw_backlog_free(&backlog);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tail_is_what_the_branch_has_not),
        cmocka_unit_test(its_file_begins_in_the_right_database),
        cmocka_unit_test(a_tail_that_was_trimmed_is_not_held),
        cmocka_unit_test(a_full_disk_is_reported),
    };
    return cmocka_run_group_tests_name("diverged", tests, NULL, NULL);
}
