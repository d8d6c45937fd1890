/* Ziplists and zipmaps, which only old files have: what is read from bytes that redis-server 7.0 accepts (RESTORE,
 * with everything sanitized), random ones against the strings they were made of, and damage. */
#include "cacheworker/packed/ziplist.h"
#include "cacheworker/packed/zipmap.h"

#include "common/base/rand.h"
#include "tests/unit/cacheworker/packed/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TEXTS_MAX = 12, TEXT_MAX = 20000, ROUNDS = 300, DAMAGED_ROUNDS = 40 };

/* --- as the reference made them --- */

static void add_u32(struct buf *buf, size_t number)
{
    store_u32_le(buf_reserve(buf, 4), (uint32_t)number);
    buf_commit(buf, 4);
}

static void add_byte(struct buf *buf, size_t byte)
{
    char one = (char)byte;
    buf_add(buf, &one, 1);
}

static void add_number(struct buf *buf, int64_t number, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        add_byte(buf, (uint64_t)number >> 8 * i & 255);
}

static void add_ziplist_integer(struct buf *buf, int64_t number)
{
    static const struct {
        unsigned char encoding;
        unsigned bytes;
    } widths[] = {{0xfe, 1}, {0xc0, 2}, {0xf0, 3}, {0xd0, 4}, {0xe0, 8}};
    if (number >= 0 && number <= 12) {
        add_byte(buf, 0xf1 + (size_t)number);
        return;
    }
    size_t width = 0;
    for (; widths[width].bytes < 8; width++) {
        int64_t limit = (int64_t)1 << (8 * widths[width].bytes - 1);
        if (number >= -limit && number < limit)
            break;
    }
    add_byte(buf, widths[width].encoding);
    add_number(buf, number, widths[width].bytes);
}

static void add_ziplist_text(struct buf *buf, struct slice text)
{
    if (text.length < 64) {
        add_byte(buf, text.length);
    } else if (text.length < 16384) {
        add_byte(buf, 0x40 | text.length >> 8);
        add_byte(buf, text.length);
    } else {
        add_byte(buf, 0x80);
        for (int shift = 24; shift >= 0; shift -= 8)
            add_byte(buf, text.length >> shift);
    }
    buf_add_slice(buf, text);
}

static void make_ziplist(struct buf *buf, const struct slice *texts, size_t count, struct rand *rand)
{
    size_t last = 10;
    size_t last_bytes = 0;
    buf_clear(buf);
    hex_add(buf, "00000000 00000000 0000");
    for (size_t i = 0; i < count; i++) {
        int64_t number;
        last = buf_length(buf);
        if (last_bytes < 254 && rand_below(rand, 4)) { /* a length once long may stay so */
            add_byte(buf, last_bytes);
        } else {
            add_byte(buf, 254);
            add_u32(buf, last_bytes);
        }
        if (number_parse_i64(texts[i], &number) == 0)
            add_ziplist_integer(buf, number);
        else
            add_ziplist_text(buf, texts[i]);
        last_bytes = buf_length(buf) - last;
    }
    add_byte(buf, 255);
    store_u32_le(buf->memory, (uint32_t)buf_length(buf));
    store_u32_le(buf->memory + 4, (uint32_t)last);
    store_u16_le(buf->memory + 8, (uint16_t)count);
}

static void add_zipmap_length(struct buf *buf, size_t length)
{
    add_byte(buf, length < 254 ? length : 254);
    if (length >= 254)
        add_u32(buf, length);
}

static void make_zipmap(struct buf *buf, const struct slice *texts, size_t pairs, struct rand *rand)
{
    buf_clear(buf);
    add_byte(buf, pairs);
    for (size_t i = 0; i < 2 * pairs; i += 2) {
        size_t free_bytes = (size_t)rand_below(rand, 5);
        add_zipmap_length(buf, texts[i].length);
        buf_add_slice(buf, texts[i]);
        add_zipmap_length(buf, texts[i + 1].length);
        add_byte(buf, free_bytes);
        buf_add_slice(buf, texts[i + 1]);
        for (; free_bytes > 0; free_bytes--)
            add_byte(buf, 0xee);
    }
    add_byte(buf, 255);
}

/* --- what is read --- */

static void start_listpack(struct buf *buf, struct cw_packed *packed)
{
    buf_clear(buf);
    cw_listpack_init(buf_reserve(buf, CW_LISTPACK_EMPTY_BYTES));
    buf_commit(buf, CW_LISTPACK_EMPTY_BYTES);
    *packed = cw_packed_of_buf(buf);
}

static void assert_listpack(struct slice listpack, const struct slice *texts, size_t count)
{
    char space[NUMBER_TEXT_MAX];
    assert_true(cw_listpack_is_valid(listpack));
    assert_int_equal(cw_listpack_count(listpack), count);
    size_t place = cw_listpack_first(listpack);
    for (size_t i = 0; i < count; i++, place = cw_listpack_next(listpack, place)) {
        struct cw_packed_value value = cw_listpack_value(listpack, place);
        assert_true(slice_equal(cw_packed_value_text(&value, space), texts[i]));
    }
}

static void assert_ziplist(struct slice bytes, const struct slice *texts, size_t count)
{
    char space[NUMBER_TEXT_MAX];
    struct slice ziplist = exact_copy(bytes);
    assert_true(cw_ziplist_is_valid(ziplist));
    size_t place = cw_ziplist_first(ziplist);
    for (size_t i = 0; i < count; i++, place = cw_ziplist_next(ziplist, place)) {
        assert_int_not_equal(place, CW_ZIPLIST_END);
        struct cw_packed_value value = cw_ziplist_value(ziplist, place);
        assert_true(slice_equal(cw_packed_value_text(&value, space), texts[i]));
    }
    assert_int_equal(place, CW_ZIPLIST_END);

    struct buf buf = {0};
    struct cw_packed packed;
    start_listpack(&buf, &packed);
    cw_ziplist_append_to(ziplist, &packed);
    assert_listpack(buf_slice(&buf), texts, count);
    buf_free(&buf);
    free_copy(ziplist);
}

static void assert_zipmap(struct slice bytes, const struct slice *texts, size_t pairs)
{
    struct slice zipmap = exact_copy(bytes);
    assert_true(cw_zipmap_is_valid(zipmap));
    size_t place = CW_ZIPMAP_FIRST;
    struct slice field;
    struct slice value;
    for (size_t i = 0; i < pairs; i++) {
        assert_true(cw_zipmap_next(zipmap, &place, &field, &value));
        assert_true(slice_equal(field, texts[2 * i]));
        assert_true(slice_equal(value, texts[2 * i + 1]));
    }
    assert_false(cw_zipmap_next(zipmap, &place, &field, &value));

    struct buf buf = {0};
    struct cw_packed packed;
    start_listpack(&buf, &packed);
    cw_zipmap_append_to(zipmap, &packed);
    assert_listpack(buf_slice(&buf), texts, 2 * pairs);
    buf_free(&buf);
    free_copy(zipmap);
}

static void test_golden_ziplist(void **state)
{
    (void)state;
    static const char *const texts[] = {"name",
                                        "respite",
                                        "age",
                                        "0",
                                        "12",
                                        "13",
                                        "-1",
                                        "127",
                                        "-128",
                                        "128",
                                        "-32768",
                                        "32768",
                                        "-8388608",
                                        "8388608",
                                        "-2147483648",
                                        "2147483648",
                                        "-9223372036854775808",
                                        ""};
    struct slice slices[ARRAY_LENGTH(texts)];
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        slices[i] = slice_text(texts[i]);
    struct buf buf = {0};
    hex_add(&buf, "63000000 60000000 1200 00046e616d65 060772657370697465 0903616765 05f1 02fd 02fe0d 03feff 03fe7f"
                  "03fe80 03c08000 04c00080 04f0008000 05f0000080 05d000008000 06d000000080 06e00000008000000000"
                  "0ae00000000000000080 0a00 ff");
    assert_ziplist(buf_slice(&buf), slices, ARRAY_LENGTH(slices));
    buf_free(&buf);
}

static void test_golden_zipmap(void **state)
{
    (void)state;
    static char long_value[255];
    memset(long_value, 'w', sizeof(long_value));
    struct slice slices[] = {SLICE_LITERAL("f"), SLICE_LITERAL("1"), SLICE_LITERAL("g"),
                             slice_of(long_value, sizeof(long_value))};
    struct buf buf = {0};
    hex_add(&buf, "02 0166 010031 0167 feff000000 00");
    buf_add(&buf, long_value, sizeof(long_value));
    hex_add(&buf, "ff");
    assert_zipmap(buf_slice(&buf), slices, 2);

    struct slice with_free_bytes[] = {SLICE_LITERAL("f"), SLICE_LITERAL("1"), SLICE_LITERAL(""), SLICE_LITERAL("")};
    buf_clear(&buf);
    hex_add(&buf, "02 0166 010331000000 00 0003000000 ff");
    assert_zipmap(buf_slice(&buf), with_free_bytes, 2);
    buf_free(&buf);
}

/* Texts that overlap in `space` but differ in length, and integers of all widths. */
static size_t random_texts(struct rand *rand, size_t longest, char *space, char numbers[][NUMBER_TEXT_MAX],
                           struct slice texts[TEXTS_MAX])
{
    size_t count = (size_t)rand_below(rand, TEXTS_MAX / 2 + 1) * 2;
    for (size_t i = 0; i < count; i++) {
        int64_t number = (int64_t)(rand_u64(rand) >> rand_below(rand, 64));
        if (rand_below(rand, 2))
            number = (int64_t)(0 - (uint64_t)number);
        size_t limit = rand_below(rand, 5) == 0 ? longest : rand_below(rand, 2) ? 300 : 70;
        if (rand_below(rand, 2))
            texts[i] = slice_of(numbers[i], number_format_i64(numbers[i], number));
        else
            texts[i] = slice_of(space, (size_t)rand_below(rand, limit < longest ? limit : longest));
    }
    return count;
}

static void test_random(void **state)
{
    (void)state;
    static char space[TEXT_MAX];
    char numbers[TEXTS_MAX][NUMBER_TEXT_MAX];
    struct slice texts[TEXTS_MAX];
    struct buf buf = {0};
    struct rand rand;
    rand_seed(&rand, 5);
    memset(space, 'x', sizeof(space));
    for (unsigned round = 0; round < ROUNDS; round++) {
        size_t count = random_texts(&rand, TEXT_MAX, space, numbers, texts);
        make_ziplist(&buf, texts, count, &rand);
        assert_ziplist(buf_slice(&buf), texts, count);
        make_zipmap(&buf, texts, count / 2, &rand);
        assert_zipmap(buf_slice(&buf), texts, count / 2);
    }
    buf_free(&buf);
}

/* --- damage --- */

static void assert_refused_or_walkable(struct slice bytes)
{
    struct slice copy = exact_copy(bytes);
    struct buf buf = {0};
    struct cw_packed packed;
    start_listpack(&buf, &packed);
    if (cw_ziplist_is_valid(copy))
        cw_ziplist_append_to(copy, &packed);
    if (cw_zipmap_is_valid(copy))
        cw_zipmap_append_to(copy, &packed);
    assert_true(cw_listpack_is_valid(buf_slice(&buf)));
    buf_free(&buf);
    free_copy(copy);
}

static void damage(struct buf *buf)
{
    for (size_t length = 0; length < buf_length(buf); length++) {
        struct slice copy = exact_copy(slice_of(buf->memory, length));
        assert_false(cw_ziplist_is_valid(copy));
        assert_refused_or_walkable(copy);
        if (length >= 4) { /* the same, with a length that is right */
            store_u32_le((char *)(uintptr_t)copy.data, (uint32_t)length);
            assert_refused_or_walkable(copy);
        }
        free_copy(copy);
    }
    for (size_t bit = 0; bit < 8 * buf_length(buf); bit++) {
        flip_bit(buf->memory, bit);
        assert_refused_or_walkable(buf_slice(buf));
        flip_bit(buf->memory, bit);
    }
}

static void test_damage(void **state)
{
    (void)state;
    static char space[TEXT_MAX];
    char numbers[TEXTS_MAX][NUMBER_TEXT_MAX];
    struct slice texts[TEXTS_MAX];
    struct buf buf = {0};
    struct rand rand;
    rand_seed(&rand, 6);
    memset(space, 'x', sizeof(space));
    for (unsigned round = 0; round < DAMAGED_ROUNDS; round++) {
        size_t count = random_texts(&rand, 70, space, numbers, texts);
        make_ziplist(&buf, texts, count, &rand);
        damage(&buf);
        make_zipmap(&buf, texts, count / 2, &rand);
        damage(&buf);
    }
    buf_free(&buf);
}

struct judgement {
    const char *hex;
    bool is_valid;
};

static void assert_judgement(const struct judgement *judgement, bool is_valid(struct slice))
{
    struct buf buf = {0};
    hex_add(&buf, judgement->hex);
    struct slice copy = exact_copy(buf_slice(&buf));
    assert_int_equal(is_valid(copy), judgement->is_valid);
    free_copy(copy);
    buf_free(&buf);
}

static void test_valid_ziplists(void **state)
{
    (void)state;
    static const struct judgement ziplists[] = {
        {"0f000000 0c000000 0200 00f1 02f2 ff", true},
        {"0f000000 0c000000 ffff 00f1 02f2 ff", true},
        {"0b000000 0a000000 0000 ff", true},
        {"0f000000 0c000000 0200 00f1 01f2 ff", false}, /* the bytes of the entry before */
        {"0f000000 0c000000 0200 01f1 02f2 ff", false},
        {"0f000000 0c000000 0200 00f1 fff2 ff", false},
        {"0f000000 0a000000 0200 00f1 02f2 ff", false}, /* the last entry */
        {"0f000000 0e000000 0200 00f1 02f2 ff", false},
        {"0f000000 0c000000 0100 00f1 02f2 ff", false}, /* the count */
        {"0e000000 0c000000 0200 00f1 02f2 ff", false}, /* the length */
        {"0f000000 0c000000 0200 00f1 02f2 fe", false}, /* the end */
        {"0f000000 0c000000 0200 00f1 02ff ff", false}, /* the encoding */
        {"0e000000 0c000000 0200 00f1 02 ff", false},
        {"12000000 0c000000 0200 00f1 fe02000000 ff", false},
        {"0f000000 0c000000 0200 00f1 0202 ff", false}, /* the length of a string */
        {"10000000 0c000000 0200 00f1 024080 ff", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(ziplists); i++)
        assert_judgement(&ziplists[i], cw_ziplist_is_valid);
}

/* As redis-server 7.0 judges them, but for the empty one, which only is no hash. */
static void test_valid_zipmaps(void **state)
{
    (void)state;
    static const struct judgement zipmaps[] = {
        {"01 0166 010031 ff", true},
        {"fe 0166 010031 ff", true},
        {"00 ff", true},
        {"ff", false},
        {"00 0166 010031 ff", false}, /* the count */
        {"02 0166 010031 ff", false},
        {"ff 0166 010031 ff", false},
        {"01 0166 010031", false}, /* the end */
        {"01 0166 01 ff", false},
        {"01 0166 010531000000 ff", false},    /* the free bytes */
        {"01 fe01000000 66 010031 ff", false}, /* a length longer than it must be */
        {"01 0166 fe00010000 0031 ff", false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(zipmaps); i++)
        assert_judgement(&zipmaps[i], cw_zipmap_is_valid);

    struct buf buf = {0};
    hex_add(&buf, "01 ff"); /* no length, though as many bytes follow */
    memset(buf_reserve(&buf, 255), 'f', 255);
    buf_commit(&buf, 255);
    hex_add(&buf, "010031 ff");
    assert_false(cw_zipmap_is_valid(buf_slice(&buf)));
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_ziplist), cmocka_unit_test(test_golden_zipmap),
        cmocka_unit_test(test_random),         cmocka_unit_test(test_damage),
        cmocka_unit_test(test_valid_ziplists), cmocka_unit_test(test_valid_zipmaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
