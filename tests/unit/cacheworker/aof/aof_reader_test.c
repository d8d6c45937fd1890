/* Commands of an append-only file: in pieces of every length, torn at every byte, damaged. */
#include "cacheworker/aof/aof_reader.h"
#include "common/base/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define PING  "*1\r\n$4\r\nPING\r\n"
#define GET   "*2\r\n$3\r\nGET\r\n$5\r\n*1\r\n#\r\n"
#define MULTI "*1\r\n$5\r\nMULTI\r\n"
#define EXEC  "*1\r\n$4\r\nEXEC\r\n"
#define NOTE  "#TS:1700000000\r\n"

/* Takes a unit when it is complete, as the engine does; what is taken is added up. */
struct taker {
    struct buf taken;
    unsigned units;
};

static bool begins_with(struct slice bytes, const char *text)
{
    return bytes.length >= strlen(text) && memcmp(bytes.data, text, strlen(text)) == 0;
}

static bool ends_with(struct slice bytes, const char *text)
{
    size_t length = strlen(text);
    return bytes.length >= length && memcmp(bytes.data + bytes.length - length, text, length) == 0;
}

static int take(void *context, struct slice bytes, size_t *ret_used)
{
    struct taker *taker = context;
    if (begins_with(bytes, MULTI) && !ends_with(bytes, EXEC))
        return 0;
    if (begins_with(bytes, "*3"))
        return ERR_UNSUPPORTED;
    buf_add_slice(&taker->taken, bytes);
    taker->units++;
    *ret_used = bytes.length;
    return 0;
}

static const char whole[] = NOTE PING GET NOTE MULTI PING NOTE GET EXEC NOTE PING;
static const char taken[] = PING GET MULTI PING GET EXEC PING;

static void are_read_in_pieces(void **state)
{
    (void)state;
    for (size_t piece = 1; piece < sizeof(whole); piece++) {
        struct taker taker = {.units = 0};
        struct cw_aof_reader reader = {.apply = take, .context = &taker, .whole = 1000};
        for (size_t at = 0; at < sizeof(whole) - 1; at += piece) {
            size_t rest = sizeof(whole) - 1 - at;
            assert_int_equal(cw_aof_read(&reader, slice_of(whole + at, rest < piece ? rest : piece)), 0);
        }
        assert_true(cw_aof_reader_is_whole(&reader));
        assert_int_equal(reader.whole, 1000 + sizeof(whole) - 1);
        assert_int_equal(taker.units, 4);
        assert_true(slice_equal(buf_slice(&taker.taken), slice_of(taken, sizeof(taken) - 1)));
        cw_aof_reader_free(&reader);
        buf_free(&taker.taken);
    }
}

/* Where the units and notes of `whole` end. */
static const size_t ends[] = {
    0,
    sizeof(NOTE) - 1,
    sizeof(NOTE PING) - 1,
    sizeof(NOTE PING GET) - 1,
    sizeof(NOTE PING GET NOTE) - 1,
    sizeof(NOTE PING GET NOTE MULTI PING NOTE GET EXEC) - 1,
    sizeof(NOTE PING GET NOTE MULTI PING NOTE GET EXEC NOTE) - 1,
    sizeof(whole) - 1,
};

static void are_torn_at_every_byte(void **state)
{
    (void)state;
    for (size_t length = 0; length < sizeof(whole); length++) {
        struct taker taker = {.units = 0};
        struct cw_aof_reader reader = {.apply = take, .context = &taker};
        size_t last = ARRAY_LENGTH(ends) - 1;
        while (ends[last] > length)
            last--;
        assert_int_equal(cw_aof_read(&reader, slice_of(whole, length)), 0);
        assert_int_equal(reader.whole, ends[last]);
        assert_int_equal(cw_aof_reader_is_whole(&reader), ends[last] == length);
        cw_aof_reader_free(&reader);
        buf_free(&taker.taken);
    }
}

static void are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        size_t whole;
    } rows[] = {
        {"PING\r\n", ERR_CORRUPT, 0},
        {PING "\r\n" PING, ERR_CORRUPT, sizeof(PING) - 1},
        {PING "*1\r\n$x\r\n", ERR_CORRUPT, sizeof(PING) - 1},
        {PING "*1\r\n$4\r\nPINGxx", ERR_CORRUPT, sizeof(PING) - 1},
        {PING GET MULTI PING "x", ERR_CORRUPT, sizeof(PING GET) - 1},
        {PING "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n", ERR_UNSUPPORTED, sizeof(PING) - 1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct taker taker = {.units = 0};
        struct cw_aof_reader reader = {.apply = take, .context = &taker};
        if (cw_aof_read(&reader, slice_text(rows[i].text)) != rows[i].result || reader.whole != rows[i].whole)
            fail_msg("row %zu", i);
        cw_aof_reader_free(&reader);
        buf_free(&taker.taken);
    }
}

static void have_short_notes(void **state)
{
    (void)state;
    char note[2000];
    memset(note, '#', sizeof(note));
    struct taker taker = {.units = 0};
    struct cw_aof_reader reader = {.apply = take, .context = &taker};
    assert_int_equal(cw_aof_read(&reader, slice_of(note, 1000)), 0);
    assert_int_equal(cw_aof_read(&reader, slice_of(note, 1000)), ERR_CORRUPT);
    cw_aof_reader_free(&reader);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_read_in_pieces),
        cmocka_unit_test(are_torn_at_every_byte),
        cmocka_unit_test(are_refused),
        cmocka_unit_test(have_short_notes),
    };
    return cmocka_run_group_tests_name("aof_reader", tests, NULL, NULL);
}
