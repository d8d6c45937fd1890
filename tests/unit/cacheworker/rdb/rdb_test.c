#include "cacheworker/rdb/rdb.h"

#include "cacheworker/keyspace/entry.h"
#include "cacheworker/rdb/lzf.h"
#include "common/base/crc64.h"
#include "common/base/errors.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

/* What a reader reported, as text: one line per field and key. */
struct found {
    struct buf text;
};

static int found_aux(void *context, struct slice name, struct slice value)
{
    struct found *found = context;
    buf_add_format(&found->text, "aux %.*s=%.*s\n", (int)name.length, name.data, (int)value.length, value.data);
    return 0;
}

static int found_function(void *context, struct slice code)
{
    struct found *found = context;
    buf_add_format(&found->text, "library %.*s\n", (int)code.length, code.data);
    return 0;
}

static int found_string(void *context, unsigned database, struct slice key, struct slice value, int64_t expire_ms)
{
    struct found *found = context;
    buf_add_format(&found->text, "%u %.*s=", database, (int)key.length, key.data);
    buf_add_slice(&found->text, value);
    if (expire_ms != CW_NO_EXPIRY)
        buf_add_format(&found->text, " until %lld", (long long)expire_ms);
    buf_add_text(&found->text, "\n");
    return 0;
}

/* Reads `bytes` in pieces of `piece`; the result is that of the last call. */
static int read_all(struct slice bytes, size_t piece, struct found *found, size_t *ret_used)
{
    struct cw_rdb_reader reader = {
        .visitor = {.context = found, .aux = found_aux, .string = found_string, .function = found_function},
        .databases = 4,
        .require_checksum = true};
    int result = 0;
    size_t position = 0;
    while (result == 0 && position < bytes.length) {
        size_t length = bytes.length - position < piece ? bytes.length - position : piece;
        size_t used = 0;
        result = cw_rdb_read(&reader, slice_of(bytes.data + position, length), &used);
        if (result == 0)
            assert_int_equal(used, length);
        position += used;
    }
    cw_rdb_reader_free(&reader);
    *ret_used = position;
    return result;
}

static const char *const integers[] = {
    "0",          "-1",         "127",         "128",         "-128", "-129", "32767", "32768", "-32768", "-32769",
    "2147483647", "2147483648", "-2147483648", "-2147483649", "007",  "+1",   "-0",    "1e3",   ""};

static void write_sample(struct buf *out)
{
    struct cw_rdb_writer writer = {.out = out};
    struct cw_rdb_origin origin = {.history = {.count = 1, .entries = {{3, 100}}, .last_offset = 250},
                                   .stream_database = 2};
    static char big[20000];
    memset(big, 'x', sizeof(big));
    cw_rdb_write_preamble(&writer, &origin, 1700000000000000, 12345);
    cw_rdb_write_database(&writer, 0, 20, 1);
    for (size_t i = 0; i < ARRAY_LENGTH(integers); i++)
        cw_rdb_write_string(&writer, 0, slice_text(integers[i]), slice_text(integers[i]), CW_NO_EXPIRY);
    cw_rdb_write_string(&writer, 0, SLICE_LITERAL("due"), SLICE_LITERAL("v"), 1700000000123);
    cw_rdb_write_string(&writer, 0, SLICE_LITERAL("past"), SLICE_LITERAL("v"), -5);
    cw_rdb_write_string(&writer, 3, SLICE_LITERAL("medium"), slice_of(big, 100), CW_NO_EXPIRY);
    cw_rdb_write_string(&writer, 1, SLICE_LITERAL("big"), slice_of(big, sizeof(big)), CW_NO_EXPIRY);
    cw_rdb_write_string(&writer, 0, SLICE_LITERAL("again"), SLICE_LITERAL("0"), CW_NO_EXPIRY);
    cw_rdb_write_end(&writer);
}

static void expect_sample(struct buf *out)
{
    buf_add_text(out, "aux redis-ver=7.2.4\naux redis-bits=64\naux ctime=1700000000\naux used-mem=12345\n"
                      "aux repl-stream-db=2\naux respite-history=3:100@250\n");
    for (size_t i = 0; i < ARRAY_LENGTH(integers); i++)
        buf_add_format(out, "0 %s=%s\n", integers[i], integers[i]);
    buf_add_text(out, "0 due=v until 1700000000123\n0 past=v until -5\n3 medium=");
    for (int i = 0; i < 100; i++)
        buf_add_text(out, "x");
    buf_add_text(out, "\n1 big=");
    for (int i = 0; i < 20000; i++)
        buf_add_text(out, "x");
    buf_add_text(out, "\n0 again=0\n");
}

static void what_is_written_is_read_in_any_pieces(void **state)
{
    (void)state;
    static const size_t pieces[] = {1, 2, 3, 7, 64, 1000, 4096, 1 << 20};
    struct buf written = {0};
    struct buf expected = {0};
    write_sample(&written);
    expect_sample(&expected);
    size_t length = buf_length(&written);
    buf_add_text(&written, "what comes behind the snapshot is not touched");
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct found found = {0};
        size_t used;
        assert_int_equal(read_all(buf_slice(&written), pieces[i], &found, &used), 1);
        assert_int_equal(used, length);
        assert_true(slice_equal(buf_slice(&found.text), buf_slice(&expected)));
        buf_free(&found.text);
    }
    buf_free(&written);
    buf_free(&expected);
}

static void every_truncation_is_incomplete(void **state)
{
    (void)state;
    struct buf written = {0};
    write_sample(&written);
    for (size_t length = 0; length < buf_length(&written); length += length < 1000 || length > 20800 ? 1 : 97) {
        struct found found = {0};
        size_t used;
        assert_int_equal(read_all(slice_of(buf_slice(&written).data, length), 1 << 20, &found, &used), 0);
        buf_free(&found.text);
    }
    buf_free(&written);
}

/* A flipped bit may make another valid item, ask for more bytes than there are, or be found at once: but a snapshot
 * with one is never complete. */
static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    struct buf written = {0};
    write_sample(&written);
    size_t length = buf_length(&written);
    for (size_t i = 0; i < length; i += i < 700 || i > length - 100 ? 1 : 311) {
        for (unsigned bit = 0; bit < 8; bit++) {
            written.memory[written.start + i] ^= (char)(1 << bit);
            struct found found = {0};
            size_t used;
            assert_int_not_equal(read_all(buf_slice(&written), 1 << 20, &found, &used), 1);
            buf_free(&found.text);
            written.memory[written.start + i] ^= (char)(1 << bit);
        }
    }
    buf_free(&written);
}

static struct buf with_checksum(struct slice body)
{
    struct buf out = {0};
    buf_add_slice(&out, body);
    uint64_t checksum = crc64(0, body);
    for (unsigned i = 0; i < 8; i++) {
        char byte = (char)(checksum >> (8 * i));
        buf_add(&out, &byte, 1);
    }
    return out;
}

struct foreign {
    struct slice body;
    int result;
    const char *found;
};

#define BODY(text) SLICE_LITERAL("REDIS0011" text)

static void what_others_write_is_judged(void **state)
{
    (void)state;
    static const struct foreign rows[] = {
        {BODY("\xff"), 1, ""},
        {SLICE_LITERAL("REDIS0006\xff"), 1, ""},
        {SLICE_LITERAL("REDIS0005\xff"), 1, ""},
        {SLICE_LITERAL("REDIS0004\xff"), ERR_CORRUPT, ""}, /* without a checksum, where one is required */
        {SLICE_LITERAL("REDIS0000\xff"), ERR_UNSUPPORTED, ""},
        {SLICE_LITERAL("REDIS0013\xff"), ERR_UNSUPPORTED, ""},
        {SLICE_LITERAL("REDIX0011\xff"), ERR_CORRUPT, ""},
        {SLICE_LITERAL("REDIS00x1\xff"), ERR_CORRUPT, ""},
        /* "aaaaaaaaaa" packed: one literal, a reference of length 9 to it. */
        {BODY("\x00\x01k\xc3\x05\x0a\x00"
              "a\xe0\x00\x00\xff"),
         1, "0 k=aaaaaaaaaa\n"},
        {BODY("\x00\x01k\xc3\x05\x0b\x00"
              "a\xe0\x00\x00\xff"),
         ERR_CORRUPT, ""},
        {BODY("\x00\x01k\xc3\x05\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x00"
              "a\xe0\x00\x00\xff"),
         ERR_CORRUPT, ""},                                                        /* a declared length that cannot be */
        {BODY("\x00\x01k\x81\x7f\xff\xff\xff\xff\xff\xff\xff"), ERR_CORRUPT, ""}, /* the same, not packed */
        {BODY("\x00\x01k\x80\x40\x00\x00\x00"), 0, ""},                           /* as long as a listpack may be */
        {BODY("\x00\x01k\x80\x40\x00\x00\x01"), ERR_CORRUPT, ""},                 /* longer */
        {BODY("\x00\x01k\x82zzzz"), ERR_CORRUPT, ""},                             /* no such length */
        {BODY("\x00\x01k\xc4"), ERR_CORRUPT, ""},                                 /* no such packing */
        {BODY("\xfe\x04"), ERR_CORRUPT, ""},                                      /* database 4 of 4 */
        {BODY("\xfe\xc0"), ERR_CORRUPT, ""},                                      /* a number where a length belongs */
        {BODY("\xfe\x03\xfb\x01\x00\x00\x01k\x01v\xff"), 1, "3 k=v\n"},
        {BODY("\xfd\x02\x00\x00\x00\x00\x01k\x01v\xff"), 1, "0 k=v until 2000\n"},
        {BODY("\xfc\x02\x00\x00\x00\x00\x00\x00\x00\xf8\x05\xf9\x07\x00\x01k\x01v\xff"), 1, "0 k=v until 2\n"},
        {BODY("\xfc\x02\x00\x00\x00\x00\x00\x00\x00\xff"), ERR_CORRUPT, ""}, /* an expiry of nothing */
        {BODY("\x01\x01k\x01\x01v\xff"), ERR_UNSUPPORTED, ""},               /* a list */
        {BODY("\xf5\x01x\xff"), 1, "library x\n"},
        {BODY("\xf6\x01x\xff"), ERR_UNSUPPORTED, ""}, /* of a release candidate */
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct buf bytes = with_checksum(rows[i].body);
        struct found found = {0};
        size_t used;
        int result = read_all(buf_slice(&bytes), i % 2 ? 1 : 1000, &found, &used);
        if (result != rows[i].result)
            fail_msg("row %zu: %d instead of %d", i, result, rows[i].result);
        if (result == 1)
            assert_true(slice_equal(buf_slice(&found.text), slice_text(rows[i].found)));
        buf_free(&found.text);
        buf_free(&bytes);
    }
}

static void a_missing_checksum_counts_where_none_is_required(void **state)
{
    (void)state;
    struct slice bytes = SLICE_LITERAL("REDIS0010\xff\0\0\0\0\0\0\0\0");
    for (int required = 0; required < 2; required++) {
        struct found found = {0};
        struct cw_rdb_reader reader = {
            .visitor = {.context = &found, .aux = found_aux, .string = found_string, .function = found_function},
            .databases = 1,
            .require_checksum = required};
        size_t used;
        assert_int_equal(cw_rdb_read(&reader, bytes, &used), required ? ERR_CORRUPT : 1);
        cw_rdb_reader_free(&reader);
    }
}

static int no_room(void *context, unsigned database, struct slice key, struct slice value, int64_t expire_ms)
{
    (void)context, (void)database, (void)key, (void)value, (void)expire_ms;
    return ERR_TOO_BIG;
}

static void the_visitors_error_ends_the_reading(void **state)
{
    (void)state;
    struct buf written = {0};
    write_sample(&written);
    struct found found = {0};
    struct cw_rdb_reader reader = {.visitor = {.context = &found, .aux = found_aux, .string = no_room}, .databases = 4};
    size_t used;
    assert_int_equal(cw_rdb_read(&reader, buf_slice(&written), &used), ERR_TOO_BIG);
    cw_rdb_reader_free(&reader);
    buf_free(&found.text);
    buf_free(&written);
}

static void checksum_has_the_usual_check_value(void **state)
{
    (void)state;
    assert_true(crc64(0, SLICE_LITERAL("123456789")) == UINT64_C(0xe9c6d914c4b8d9ca));
    assert_true(crc64(crc64(0, SLICE_LITERAL("1234")), SLICE_LITERAL("56789")) == UINT64_C(0xe9c6d914c4b8d9ca));
}

static void lzf_never_leaves_its_bounds(void **state)
{
    (void)state;
    static const struct {
        struct slice packed;
        size_t length;
        int result;
    } rows[] = {
        {SLICE_LITERAL(""), 0, 0},
        {SLICE_LITERAL("\x02"
                       "abc"),
         3, 0},
        {SLICE_LITERAL("\x02"
                       "abc"),
         2, ERR_CORRUPT},
        {SLICE_LITERAL("\x02"
                       "abc"),
         4, ERR_CORRUPT},
        {SLICE_LITERAL("\x03"
                       "abc"),
         4, ERR_CORRUPT},
        {SLICE_LITERAL("\x20\x00"), 3, ERR_CORRUPT}, /* refers to what is not there */
        {SLICE_LITERAL("\x00"
                       "a\x20"),
         4, ERR_CORRUPT}, /* cut off */
        {SLICE_LITERAL("\x00"
                       "a\xe0"),
         10, ERR_CORRUPT},
        {SLICE_LITERAL("\x00"
                       "a\x20\x00"),
         4, 0},
        {SLICE_LITERAL("\x00"
                       "a\x20\x01"),
         4, ERR_CORRUPT},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        char out[16];
        int result = cw_lzf_unpack(rows[i].packed, out, rows[i].length);
        if (result != rows[i].result)
            fail_msg("row %zu: %d", i, result);
    }
}

/* Fills with something that repeats itself more or less. */
static void fill_text(struct rand *rand, char *text, size_t length)
{
    uint64_t letters = 1 + rand_below(rand, 256);
    size_t period = 1 + (size_t)rand_below(rand, 100);
    for (size_t i = 0; i < length; i++)
        text[i] = i >= period && rand_below(rand, 20) > 0 ? text[i - period] : (char)rand_below(rand, letters);
}

static void lzf_packs_what_it_unpacks(void **state)
{
    (void)state;
    enum { MOST = 30000 };
    static char text[MOST], packed[MOST], unpacked[MOST];
    static struct cw_lzf lzf;
    struct rand rand;
    rand_seed(&rand, 1);
    size_t shorter = 0;
    for (unsigned i = 0; i < 3000; i++) {
        size_t length = 1 + rand_below(&rand, i % 10 == 0 ? MOST - 1 : 300);
        size_t capacity = i % 2 == 0 ? length : rand_below(&rand, length);
        fill_text(&rand, text, length);
        memset(packed, '!', sizeof(packed));
        size_t used = cw_lzf_pack(&lzf, slice_of(text, length), packed, capacity);
        assert_true(used <= capacity);
        for (size_t at = capacity; at < capacity + 8 && at < MOST; at++)
            assert_int_equal(packed[at], '!');
        if (used == 0)
            continue;
        shorter++;
        assert_int_equal(cw_lzf_unpack(slice_of(packed, used), unpacked, length), 0);
        assert_memory_equal(text, unpacked, length);
    }
    assert_true(shorter > 500);
    memset(text, 'x', sizeof(text));
    size_t used = cw_lzf_pack(&lzf, slice_of(text, MOST), packed, MOST);
    assert_in_range(used, 1, MOST / 50);
    assert_int_equal(cw_lzf_unpack(slice_of(packed, used), unpacked, MOST), 0);
    assert_memory_equal(text, unpacked, MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_in_any_pieces),
        cmocka_unit_test(every_truncation_is_incomplete),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(what_others_write_is_judged),
        cmocka_unit_test(a_missing_checksum_counts_where_none_is_required),
        cmocka_unit_test(the_visitors_error_ends_the_reading),
        cmocka_unit_test(checksum_has_the_usual_check_value),
        cmocka_unit_test(lzf_never_leaves_its_bounds),
        cmocka_unit_test(lzf_packs_what_it_unpacks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
