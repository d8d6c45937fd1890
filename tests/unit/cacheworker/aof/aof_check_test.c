/* Files of an append-only file that are looked at without a server: what is good, what is wrong and where. */
#include "cacheworker/aof/aof_check.h"

#include "cacheworker/keyspace/entry.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "common/base/errors.h"
#include "tests/unit/cacheworker/packed/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SET   "*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n" /* 27 bytes */
#define MULTI "*1\r\n$5\r\nMULTI\r\n"                     /* 15 */
#define EXEC  "*1\r\n$4\r\nEXEC\r\n"                      /* 14 */
#define NOTE  "#TS:1700000000\r\n"                        /* 16 */

/* The result of the whole; `words`: what is wrong, or what it holds. */
static int check(struct slice bytes, size_t piece, struct buf *words)
{
    struct cw_aof_check check;
    struct cw_place place = {.aside = 0};
    int error = 0;
    cw_aof_check_init(&check, &place);
    for (size_t position = 0; error == 0 && position < bytes.length; position += piece) {
        size_t left = bytes.length - position;
        struct slice exact = exact_copy(slice_of(bytes.data + position, piece < left ? piece : left));
        error = cw_aof_check_read(&check, exact);
        free_copy(exact);
    }
    if (error == 0)
        error = cw_aof_check_end(&check);
    if (error < 0)
        cw_aof_check_tell(&check, error, words);
    else
        cw_aof_check_sum_up(&check, words);
    cw_aof_check_free(&check);
    return error;
}

static void expect(struct slice bytes, int result, const char *words)
{
    for (size_t piece = 1; piece < 2000; piece = piece * 3 + 1) {
        struct buf told = {0};
        int found = check(bytes, piece, &told);
        if (found != result || !slice_equal(buf_slice(&told), slice_text(words)))
            fail_msg("%.*s: %d, %.*s", (int)bytes.length, bytes.data, found, (int)buf_length(&told),
                     buf_slice(&told).data);
        buf_free(&told);
    }
}

#define RECORD        "\3\1k\1f\1\1\1\1\1\1\1\1" /* database, key, field, date: 13 bytes */
#define ASIDE(bytes)  "*2\r\n$4\r\nPING\r\n$" bytes "\r\nrespite-field-expiry"
#define ASIDE_OF_NEXT ASIDE("42") "-of-next " RECORD "\r\n"

static void commands_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        const char *words;
    } rows[] = {
        {SET, 0, "1 commands"},
        {SET NOTE MULTI SET SET EXEC, 0, "5 commands"},
        {SET "*0\r\n", 0, "1 commands"},
        {SET ASIDE_OF_NEXT SET, 0, "3 commands"},
        {SET ASIDE("34") " " RECORD "\r\n", 0, "2 commands"},
        {SET ASIDE("33") " \3\1k\1f\1\1\1\1\1\1\1\r\n", ERR_CORRUPT,
         "at byte 27: \"PING\" does not say which fields expire when"},
        {SET "*2\r\n$4\r\nPING\r\n$21\r\nrespite-migration yes\r\n", ERR_CORRUPT,
         "at byte 27: \"PING\" does not say from where the data of a group migrate"},
        {SET ASIDE("30") "-of-next x\r\n" SET, ERR_CORRUPT,
         "at byte 27: \"PING\" does not say which fields expire when"},
        {SET ASIDE("30") "-of-next x\r\n", ERR_TRUNCATED, "at byte 27: the file ends within a command"},
        {SET ASIDE_OF_NEXT, ERR_TRUNCATED, "at byte 27: the file ends within a command"},
        {SET "*3\r\n$3\r\nSET\r\n$1\r\n", ERR_TRUNCATED, "at byte 27: the file ends within a command"},
        {SET MULTI SET, ERR_TRUNCATED, "at byte 27: the file ends between MULTI and EXEC"},
        {SET MULTI MULTI, ERR_CORRUPT, "at byte 27: \"MULTI\" stands within another one"},
        {SET EXEC, ERR_CORRUPT, "at byte 27: \"EXEC\" stands without MULTI"},
        {SET "*1\r\n$3\r\nXYZ\r\n", ERR_CORRUPT, "at byte 27: \"XYZ\" is no command"},
        {"*1\r\n$3\r\nSET\r\n", ERR_CORRUPT, "at byte 0: \"SET\" has too few or too many arguments"},
        {SET "SET a 1\r\n", ERR_CORRUPT, "at byte 27: what stands there is no command"},
        {SET "*x\r\n", ERR_CORRUPT, "at byte 27: what stands there is no command"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect(slice_text(rows[i].text), rows[i].result, rows[i].words);
}

#define OFFSET_0 "#respite-offset:0\r\n" /* 19 bytes */
#define EPOCH_1  "#respite-epoch:1:0\r\n"
#define NO_PLACE "\" is no place in a group's stream, or none that can follow"

static void places_are_judged(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        const char *words;
    } rows[] = {
        {OFFSET_0 EPOCH_1 SET "#respite-epoch:2:27\r\n", 0, "1 commands"},
        {OFFSET_0 EPOCH_1 SET "#respite-epoch:2:26\r\n", ERR_CORRUPT, "at byte 66: \"#respite-epoch:2:26" NO_PLACE},
        {OFFSET_0 EPOCH_1 "#respite-aside:27\r\n" SET "#respite-epoch:2:0\r\n" SET, 0, "2 commands"},
        {OFFSET_0 EPOCH_1 SET "#respite-offset:x\r\n", ERR_CORRUPT, "at byte 66: \"#respite-offset:x" NO_PLACE},
        {OFFSET_0 "#respite-aside:-1\r\n" SET, ERR_CORRUPT, "at byte 19: \"#respite-aside:-1" NO_PLACE},
        {SET EPOCH_1 EPOCH_1, ERR_CORRUPT, "at byte 47: \"#respite-epoch:1:0" NO_PLACE},
        {SET "#respite-epoch\r\n", 0, "1 commands"}, /* of whatever else */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
        expect(slice_text(rows[i].text), rows[i].result, rows[i].words);
}

/* The base says where it stands; what follows stands in another file. */
static void places_go_on_from_file_to_file(void **state)
{
    (void)state;
    struct buf base = {0};
    struct cw_rdb_writer writer = {.out = &base};
    struct cw_rdb_origin origin = {.history = {.count = 1, .entries = {{5, 100}}, .last_offset = 1000}};
    cw_rdb_write_preamble(&writer, &origin, 1, 1);
    cw_rdb_write_end(&writer);
    buf_add_text(&base, SET);
    static const struct {
        const char *line;
        int result;
    } rows[] = {{"#respite-epoch:6:1027\r\n", 0},
                {"#respite-epoch:6:1026\r\n", ERR_CORRUPT},
                {"#respite-epoch:5:1027\r\n", ERR_CORRUPT}};
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct cw_place place = {.aside = 0};
        struct cw_aof_check check;
        cw_aof_check_init(&check, &place);
        assert_int_equal(cw_aof_check_read(&check, buf_slice(&base)), 0);
        cw_aof_check_free(&check);
        cw_aof_check_init(&check, &place);
        assert_int_equal(cw_aof_check_read(&check, slice_text(rows[i].line)), rows[i].result);
        cw_aof_check_free(&check);
    }
    buf_free(&base);
}

static void write_rdb(struct buf *out, const char *library)
{
    struct cw_rdb_writer writer = {.out = out};
    struct buf programs = {0};
    cw_rdb_add_function(&programs, slice_text(library));
    struct cw_rdb_origin origin = {.programs = buf_slice(&programs)};
    cw_rdb_write_preamble(&writer, &origin, 1, 1);
    cw_rdb_write_string(&writer, 70, SLICE_LITERAL("a"), SLICE_LITERAL("1"), 5);
    cw_rdb_write_string(&writer, 70, SLICE_LITERAL("b"), SLICE_LITERAL("1"), CW_NO_EXPIRY);
    cw_rdb_write_end(&writer);
    buf_free(&programs);
}

#define LIBRARY "#!lua name=l\nredis.register_function('f', function() return 1 end)"

static void commands_may_follow_data(void **state)
{
    (void)state;
    struct buf file = {0};
    write_rdb(&file, LIBRARY);
    expect(buf_slice(&file), 0, "RDB version 10, 2 keys (1 expire): 2 string; 1 libraries of functions");
    buf_add_text(&file, SET);
    expect(buf_slice(&file), 0, "RDB version 10, 2 keys (1 expire): 2 string; 1 libraries of functions; 1 commands");
    buf_free(&file);
}

static void a_library_that_cannot_be_loaded_is_told(void **state)
{
    (void)state;
    struct buf file = {0};
    struct buf told = {0};
    write_rdb(&file, "#!lua name=l\nnothing");
    assert_int_equal(check(buf_slice(&file), 1000, &told), ERR_CORRUPT);
    buf_add(&told, "", 1);
    assert_non_null(strstr(buf_slice(&told).data, ": a library of functions: Error compiling function: "));
    buf_free(&file);
    buf_free(&told);
}

static void no_part_is_good_but_what_ends_behind_a_unit(void **state)
{
    (void)state;
    struct buf file = {0};
    write_rdb(&file, LIBRARY);
    size_t data = buf_length(&file);
    buf_add_text(&file, SET MULTI SET EXEC SET);
    for (size_t length = 1; length < buf_length(&file); length++) {
        struct buf told = {0};
        bool is_whole = length == data || length == data + 27 || length == data + 27 + 15 + 27 + 14;
        assert_int_equal(check(slice_of(buf_slice(&file).data, length), 1000, &told), is_whole ? 0 : ERR_TRUNCATED);
        buf_free(&told);
    }
    buf_free(&file);
}

static void a_wrong_bit_of_the_data_is_found(void **state)
{
    (void)state;
    struct buf file = {0};
    write_rdb(&file, LIBRARY);
    for (size_t bit = 0; bit < 8 * buf_length(&file); bit++) {
        struct buf told = {0};
        flip_bit(file.memory, bit);
        assert_true(check(buf_slice(&file), 1000, &told) < 0);
        flip_bit(file.memory, bit);
        buf_free(&told);
    }
    buf_free(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_are_judged),
        cmocka_unit_test(places_are_judged),
        cmocka_unit_test(places_go_on_from_file_to_file),
        cmocka_unit_test(commands_may_follow_data),
        cmocka_unit_test(a_library_that_cannot_be_loaded_is_told),
        cmocka_unit_test(no_part_is_good_but_what_ends_behind_a_unit),
        cmocka_unit_test(a_wrong_bit_of_the_data_is_found),
    };
    return cmocka_run_group_tests_name("aof_check", tests, NULL, NULL);
}
