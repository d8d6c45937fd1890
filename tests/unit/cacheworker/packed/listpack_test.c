/* Listpacks against a list of strings, against what redis-server 7.0 writes, and in the face of damage. */
#include "cacheworker/packed/listpack.h"

#include "common/base/rand.h"
#include "tests/unit/cacheworker/packed/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MODEL_MAX = 60, SCRIPTS = 40, STEPS = 400, TEXT_MAX = 5000 };

static void start(struct buf *buf, struct cw_packed *packed)
{
    buf_clear(buf);
    cw_listpack_init(buf_reserve(buf, CW_LISTPACK_EMPTY_BYTES));
    buf_commit(buf, CW_LISTPACK_EMPTY_BYTES);
    *packed = cw_packed_of_buf(buf);
}

static struct slice text_at(struct slice listpack, size_t place, char space[NUMBER_TEXT_MAX])
{
    struct cw_packed_value value = cw_listpack_value(listpack, place);
    return cw_packed_value_text(&value, space);
}

/* --- the model: strings one behind another --- */

struct model {
    struct buf texts[MODEL_MAX];
    size_t count;
};

static void model_insert(struct model *model, size_t index, struct slice text)
{
    memmove(model->texts + index + 1, model->texts + index, (model->count - index) * sizeof(model->texts[0]));
    model->texts[index] = (struct buf){0};
    buf_add_slice(&model->texts[index], text);
    model->count++;
}

static void model_delete(struct model *model, size_t index, size_t count)
{
    for (size_t i = index; i < index + count; i++)
        buf_free(&model->texts[i]);
    model->count -= count;
    memmove(model->texts + index, model->texts + index + count, (model->count - index) * sizeof(model->texts[0]));
}

static size_t model_find(const struct model *model, size_t index, struct slice text, unsigned step)
{
    while (index < model->count && !slice_equal(buf_slice(&model->texts[index]), text))
        index += step;
    return index;
}

static void assert_text(const struct model *model, size_t index, struct slice listpack, size_t place)
{
    char space[NUMBER_TEXT_MAX];
    struct slice expected = buf_slice(&model->texts[index]);
    assert_int_not_equal(place, CW_LISTPACK_END);
    assert_true(slice_equal(text_at(listpack, place, space), expected));
    int64_t integer;
    bool is_integer = number_parse_i64(expected, &integer) == 0;
    assert_int_equal(cw_listpack_value(listpack, place).text.data == NULL, is_integer);
}

static void assert_same(const struct model *model, const struct cw_packed *packed)
{
    struct slice listpack = exact_copy(cw_packed_slice(packed));
    assert_true(cw_listpack_is_valid(listpack));
    assert_int_equal(cw_listpack_count(listpack), model->count);
    size_t place = cw_listpack_first(listpack);
    for (size_t i = 0; i < model->count; i++) {
        assert_text(model, i, listpack, place);
        assert_int_equal(cw_listpack_at(listpack, (int64_t)i), place);
        assert_int_equal(cw_listpack_at(listpack, (int64_t)i - (int64_t)model->count), place);
        place = cw_listpack_next(listpack, place);
    }
    assert_int_equal(place, CW_LISTPACK_END);
    place = cw_listpack_last(listpack);
    for (size_t i = model->count; i-- > 0;) {
        assert_text(model, i, listpack, place);
        place = cw_listpack_previous(listpack, place);
    }
    assert_int_equal(place, CW_LISTPACK_END);
    assert_int_equal(cw_listpack_at(listpack, (int64_t)model->count), CW_LISTPACK_END);
    assert_int_equal(cw_listpack_at(listpack, -1 - (int64_t)model->count), CW_LISTPACK_END);
    free_copy(listpack);
}

static void assert_finds(const struct model *model, const struct cw_packed *packed, struct slice text,
                         struct rand *rand)
{
    struct slice listpack = cw_packed_slice(packed);
    unsigned step = 1 + (unsigned)rand_below(rand, 3);
    size_t from = (size_t)rand_below(rand, model->count + 1);
    struct cw_packed_needle needle = cw_packed_needle(text);
    size_t found = cw_listpack_find(listpack, cw_listpack_at(listpack, (int64_t)from), &needle, step);
    size_t index = model_find(model, from, text, step);
    assert_int_equal(found, cw_listpack_at(listpack, (int64_t)index));
    if (found != CW_LISTPACK_END) {
        struct cw_packed_value value = cw_listpack_value(listpack, found);
        assert_true(cw_packed_value_equals(&value, &needle));
    }
}

/* Integers of every width and their neighbours, what only looks like one, and strings of every head. */
static struct slice random_text(struct rand *rand, char space[TEXT_MAX])
{
    uint64_t kind = rand_below(rand, 10);
    if (kind < 5) {
        int64_t integer = (int64_t)(rand_u64(rand) >> rand_below(rand, 64));
        if (kind == 1)
            integer = (int64_t)(((uint64_t)1 << rand_below(rand, 64)) + rand_below(rand, 3) - 1);
        if (rand_below(rand, 2))
            integer = (int64_t)(0 - (uint64_t)integer);
        return slice_of(space, number_format_i64(space, integer));
    }
    if (kind == 5) {
        static const char *const near[] = {"-0", "01", "+1", " 1", "1 ", "-", "1.0", "9223372036854775808", "0x1"};
        return slice_text(near[rand_below(rand, ARRAY_LENGTH(near))]);
    }
    size_t length = (size_t)rand_below(rand, kind == 6 ? TEXT_MAX : kind == 7 ? 140 : 5);
    for (size_t i = 0; i < length; i++)
        space[i] = (char)('a' + rand_below(rand, 2));
    return slice_of(space, length);
}

static void edit(struct model *model, struct cw_packed *packed, struct slice text, struct rand *rand)
{
    size_t index = (size_t)rand_below(rand, model->count + 1);
    size_t place = cw_listpack_at(cw_packed_slice(packed), (int64_t)index);
    int64_t integer;
    bool as_integer = rand_below(rand, 2) && number_parse_i64(text, &integer) == 0;
    switch (rand_below(rand, 5)) {
    case 0:
    case 1:
        if (model->count == MODEL_MAX)
            break;
        size_t length = packed->length;
        size_t inserted =
            as_integer ? cw_listpack_insert_integer(packed, place, integer) : cw_listpack_insert(packed, place, text);
        assert_int_equal(inserted, place == CW_LISTPACK_END ? length - 1 : place);
        assert_int_equal(packed->length - length, cw_listpack_element_bytes(text));
        if (as_integer)
            assert_int_equal(packed->length - length, cw_listpack_integer_bytes(integer));
        model_insert(model, index, text);
        break;
    case 2:
        if (model->count == MODEL_MAX)
            break;
        if (as_integer)
            cw_listpack_append_integer(packed, integer);
        else
            cw_listpack_append(packed, text);
        model_insert(model, model->count, text);
        break;
    case 3:
        if (place == CW_LISTPACK_END)
            break;
        if (as_integer)
            cw_listpack_replace_integer(packed, place, integer);
        else
            cw_listpack_replace(packed, place, text);
        model_delete(model, index, 1);
        model_insert(model, index, text);
        break;
    default:;
        size_t wanted = (size_t)rand_below(rand, rand_below(rand, 8) ? 3 : MODEL_MAX);
        size_t deleted = wanted < model->count - index ? wanted : model->count - index;
        size_t behind = cw_listpack_delete(packed, place, wanted);
        model_delete(model, index, deleted);
        assert_int_equal(behind, cw_listpack_at(cw_packed_slice(packed), (int64_t)index));
    }
}

static void test_random_edits(void **state)
{
    (void)state;
    struct buf buf = {0};
    struct cw_packed packed;
    struct rand rand;
    static char space[TEXT_MAX];
    rand_seed(&rand, 7);
    for (unsigned script = 0; script < SCRIPTS; script++) {
        struct model model = {.count = 0};
        start(&buf, &packed);
        for (unsigned step = 0; step < STEPS; step++) {
            struct slice text = random_text(&rand, space);
            edit(&model, &packed, text, &rand);
            assert_same(&model, &packed);
            assert_finds(&model, &packed, text, &rand);
        }
        model_delete(&model, 0, model.count);
    }
    buf_free(&buf);
}

static void append_random(struct model *model, struct cw_packed *packed, struct rand *rand)
{
    static char space[TEXT_MAX];
    for (uint64_t count = rand_below(rand, MODEL_MAX / 2); count > 0; count--) {
        struct slice text = random_text(rand, space);
        cw_listpack_append(packed, text);
        model_insert(model, model->count, text);
    }
}

static void test_append_all(void **state)
{
    (void)state;
    struct buf bufs[2] = {{0}, {0}};
    struct cw_packed packed, other;
    struct rand rand;
    rand_seed(&rand, 8);
    for (unsigned script = 0; script < SCRIPTS; script++) {
        struct model model = {.count = 0};
        start(&bufs[0], &packed);
        start(&bufs[1], &other);
        append_random(&model, &packed, &rand);
        append_random(&model, &other, &rand);
        cw_listpack_append_all(&packed, cw_packed_slice(&other));
        assert_same(&model, &packed);
        model_delete(&model, 0, model.count);
    }
    start(&bufs[0], &packed); /* more than the header can tell */
    start(&bufs[1], &other);
    for (unsigned i = 0; i < 40000; i++) {
        cw_listpack_append_integer(&packed, i % 100);
        cw_listpack_append_integer(&other, i % 100);
    }
    cw_listpack_append_all(&packed, cw_packed_slice(&other));
    assert_int_equal(cw_listpack_count(cw_packed_slice(&packed)), 80000);
    assert_true(cw_listpack_is_valid(cw_packed_slice(&packed)));
    buf_free(&bufs[0]);
    buf_free(&bufs[1]);
}

/* --- what redis-server 7.0 writes: DUMP without its type, length and checksum --- */

static void assert_golden(const char *const *texts, size_t count, const char *hex)
{
    struct buf buf = {0};
    struct buf golden = {0};
    struct cw_packed packed;
    start(&buf, &packed);
    for (size_t i = 0; i < count; i++)
        cw_listpack_append(&packed, slice_text(texts[i]));
    hex_add(&golden, hex);
    assert_int_equal(buf_length(&buf), buf_length(&golden));
    assert_memory_equal(buf_slice(&buf).data, buf_slice(&golden).data, buf_length(&buf));
    assert_true(cw_listpack_is_valid(buf_slice(&golden)));
    buf_free(&golden);
    buf_free(&buf);
}

static void test_golden_hash(void **state)
{
    (void)state;
    static const char *const texts[] = {"name", "respite", "age", "0", "127", "128", "", "-1"};
    assert_golden(texts, ARRAY_LENGTH(texts),
                  "270000000800 846e616d6505 877265737069746508 8361676504 0001 7f01 c08002 8001 dfff02 ff");
}

static void test_golden_sorted_set(void **state)
{
    (void)state;
    static const char *const texts[] = {"c", "-3", "a", "1", "b", "1.5", "e", "1.0000000000000001e+300", "d", "inf"};
    assert_golden(texts, ARRAY_LENGTH(texts),
                  "3e0000000a00 816302 dffd02 816102 0101 816202 83312e3504 816502"
                  "97312e30303030303030303030303030303031652b33303018 816402 83696e6604 ff");
}

#define TEN_X     "xxxxxxxxxx"
#define TEN_Y     "yyyyyyyyyy"
#define TEN_X_HEX "78787878787878787878"
#define TEN_Y_HEX "79797979797979797979"

static void test_golden_encodings(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "0",
        "127",
        "128",
        "-1",
        "4095",
        "-4096",
        "4096",
        "-4097",
        "32767",
        "-32768",
        "32768",
        "-32769",
        "8388607",
        "-8388608",
        "8388608",
        "-8388609",
        "2147483647",
        "-2147483648",
        "2147483648",
        "-2147483649",
        "9223372036854775807",
        "-9223372036854775808",
        "9223372036854775808",
        "-0",
        "01",
        "+1",
        "1.0",
        "- 1",
        "12345678901234567890",
        "-12345678901234567890",
        TEN_X TEN_X TEN_X TEN_X TEN_X TEN_X "xxx",
        TEN_Y TEN_Y TEN_Y TEN_Y TEN_Y TEN_Y "yyyy",
    };
    assert_golden(texts, ARRAY_LENGTH(texts),
                  "570100002000 0001 7f01 c08002 dfff02 cfff02 d00002 f1001003 f1ffef03 f1ff7f03 f1008003"
                  "f200800004 f2ff7fff04 f2ffff7f04 f200008004 f30000800005 f3ffff7fff05 f3ffffff7f05 f30000008005"
                  "f4000000800000000009 f4ffffff7fffffffff09 f4ffffffffffffff7f09 f4000000000000008009"
                  "933932323333373230333638353437373538303814 822d3003 82303103 822b3103 83312e3004 832d203104"
                  "94313233343536373839303132333435363738393015 952d313233343536373839303132333435363738393016"
                  "bf" TEN_X_HEX TEN_X_HEX TEN_X_HEX TEN_X_HEX TEN_X_HEX TEN_X_HEX "787878 40"
                  "e040" TEN_Y_HEX TEN_Y_HEX TEN_Y_HEX TEN_Y_HEX TEN_Y_HEX TEN_Y_HEX "79797979 42 ff");
}

/* The head and the back length of one long string, as redis-server 7.0 writes them. */
static void test_golden_long_strings(void **state)
{
    (void)state;
    static const struct {
        size_t length;
        const char *head;
        const char *end;
    } cases[] = {
        {125, "870000000100e07d", "7fff"},
        {126, "890000000100e07e", "0180ff"},
        {127, "8a0000000100e07f", "0181ff"},
        {4095, "0a1000000100efff", "2081ff"},
        {4096, "0e1000000100f000100000", "2085ff"},
        {16376, "064000000100f0f83f0000", "7ffdff"},
        {16377, "074000000100f0f93f0000", "7ffeff"},
        {16378, "094000000100f0fa3f0000", "00ffffff"},
        {16379, "0a4000000100f0fb3f0000", "018080ff"},
        {2097145, "080020000100f0f9ff1f00", "7ffffeff"},
        {2097146, "0a0020000100f0faff1f00", "00ffffffff"},
        {2097147, "0b0020000100f0fbff1f00", "01808080ff"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct buf buf = {0};
        struct buf golden = {0};
        struct buf text = {0};
        struct cw_packed packed;
        memset(buf_reserve(&text, cases[i].length), 'q', cases[i].length);
        buf_commit(&text, cases[i].length);
        start(&buf, &packed);
        cw_listpack_append(&packed, buf_slice(&text));
        hex_add(&golden, cases[i].head);
        buf_add_slice(&golden, buf_slice(&text));
        hex_add(&golden, cases[i].end);
        assert_true(slice_equal(buf_slice(&buf), buf_slice(&golden)));
        assert_true(cw_listpack_is_valid(buf_slice(&golden)));
        assert_int_equal(cw_listpack_last(buf_slice(&buf)), CW_LISTPACK_HEADER_BYTES);
        assert_true(slice_equal(cw_listpack_value(buf_slice(&buf), CW_LISTPACK_HEADER_BYTES).text, buf_slice(&text)));
        buf_free(&text);
        buf_free(&golden);
        buf_free(&buf);
    }
}

/* --- counting --- */

static void test_count_beyond_its_field(void **state)
{
    (void)state;
    struct buf buf = {0};
    struct cw_packed packed;
    start(&buf, &packed);
    for (unsigned i = 1; i <= 65600; i++) {
        cw_listpack_append_integer(&packed, i & 1023);
        if (i >= 65533 && i <= 65537)
            assert_int_equal(cw_listpack_count(cw_packed_slice(&packed)), i);
    }
    assert_true(cw_listpack_is_valid(cw_packed_slice(&packed)));
    assert_int_equal(load_u16_le(packed.bytes + 4), CW_LISTPACK_COUNT_UNKNOWN);
    size_t place = cw_listpack_at(cw_packed_slice(&packed), 65599);
    assert_int_equal(cw_listpack_value(cw_packed_slice(&packed), place).integer, 65600 & 1023);
    assert_int_equal(place, cw_listpack_last(cw_packed_slice(&packed)));
    assert_int_equal(cw_listpack_at(cw_packed_slice(&packed), 65600), CW_LISTPACK_END);

    cw_listpack_delete(&packed, cw_listpack_at(cw_packed_slice(&packed), 10), 65500);
    assert_int_equal(load_u16_le(packed.bytes + 4), 100);
    assert_true(cw_listpack_is_valid(cw_packed_slice(&packed)));
    assert_int_equal(cw_listpack_delete(&packed, cw_listpack_first(cw_packed_slice(&packed)), UINT64_MAX),
                     CW_LISTPACK_END);
    assert_int_equal(packed.length, CW_LISTPACK_EMPTY_BYTES);
    assert_int_equal(cw_listpack_count(cw_packed_slice(&packed)), 0);
    buf_free(&buf);
}

/* --- damage --- */

/* Everything that reads and edits, on bytes that were accepted. */
static void use(struct slice bytes)
{
    char space[NUMBER_TEXT_MAX];
    struct cw_packed_needle needle = cw_packed_needle(SLICE_LITERAL("nowhere"));
    uint64_t count = 0;
    for (size_t place = cw_listpack_first(bytes); place != CW_LISTPACK_END; place = cw_listpack_next(bytes, place)) {
        needle = cw_packed_needle(text_at(bytes, place, space));
        assert_int_equal(cw_listpack_find(bytes, place, &needle, 1), place);
        count++;
    }
    assert_int_equal(cw_listpack_count(bytes), count);
    for (size_t place = cw_listpack_last(bytes); place != CW_LISTPACK_END; place = cw_listpack_previous(bytes, place))
        count--;
    assert_int_equal(count, 0);

    struct buf buf = {0};
    buf_add_slice(&buf, bytes);
    struct cw_packed packed = cw_packed_of_buf(&buf);
    cw_listpack_insert(&packed, cw_listpack_first(bytes), SLICE_LITERAL("first"));
    cw_listpack_replace_integer(&packed, cw_listpack_last(cw_packed_slice(&packed)), 70000);
    assert_true(cw_listpack_is_valid(cw_packed_slice(&packed)));
    cw_listpack_delete(&packed, CW_LISTPACK_HEADER_BYTES, 2);
    assert_true(cw_listpack_is_valid(cw_packed_slice(&packed)));
    buf_free(&buf);
}

static void assert_refused_or_usable(struct slice bytes)
{
    struct slice copy = exact_copy(bytes);
    if (cw_listpack_is_valid(copy))
        use(copy);
    free_copy(copy);
}

static void damage(const struct cw_packed *packed)
{
    for (size_t length = 0; length < packed->length; length++) {
        struct slice copy = exact_copy(slice_of(packed->bytes, length));
        assert_false(cw_listpack_is_valid(copy));
        if (length >= CW_LISTPACK_EMPTY_BYTES) { /* the same, with a length that is right */
            store_u32_le((char *)(uintptr_t)copy.data, (uint32_t)length);
            assert_refused_or_usable(copy);
        }
        free_copy(copy);
    }
    for (size_t bit = 0; bit < 8 * packed->length; bit++) {
        flip_bit(packed->bytes, bit);
        assert_refused_or_usable(cw_packed_slice(packed));
        flip_bit(packed->bytes, bit);
    }
    use(cw_packed_slice(packed));
}

static void test_damage(void **state)
{
    (void)state;
    struct buf buf = {0};
    struct cw_packed packed;
    struct rand rand;
    static char space[TEXT_MAX];
    rand_seed(&rand, 11);
    for (unsigned round = 0; round < 60; round++) {
        start(&buf, &packed);
        for (uint64_t count = rand_below(&rand, 8); count > 0; count--) {
            struct slice text = random_text(&rand, space);
            cw_listpack_append(&packed, text.length > 300 ? slice_of(text.data, 300) : text);
        }
        damage(&packed);
    }
    buf_free(&buf);
}

/* Elements that the end cuts off, where its byte could pass for a part of them. */
static void test_cut_off(void **state)
{
    (void)state;
    static const char *const refused[] = {
        "08000000ffff f0 ff",   "08000000ffff f1 ff", "08000000ffff c0 ff", "08000000ffff e0 ff", "08000000ffff 01 ff",
        "09000000ffff 8161 ff", "080000000000 01 ff", "07000000ffff 01",    "08000000ffff ff ff",
    };
    struct buf buf = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        buf_clear(&buf);
        hex_add(&buf, refused[i]);
        struct slice copy = exact_copy(buf_slice(&buf));
        assert_false(cw_listpack_is_valid(copy));
        free_copy(copy);
    }
    buf_clear(&buf);
    hex_add(&buf, "07010000ffff e0fd"); /* 255 bytes, whose back length is 01 ff */
    memset(buf_reserve(&buf, 253), 'x', 253);
    buf_commit(&buf, 253);
    hex_add(&buf, "01 ff");
    assert_int_equal(load_u32_le(buf.memory), buf_length(&buf));
    struct slice copy = exact_copy(buf_slice(&buf));
    assert_false(cw_listpack_is_valid(copy));
    free_copy(copy);
    buf_free(&buf);
}

/* Wider than it must be, an integer kept as a string: nobody writes it, but it is safe and found by its text. */
static void test_not_canonical(void **state)
{
    (void)state;
    struct buf buf = {0};
    hex_add(&buf, "100000000200 f1050003 813502 f1 ff");
    assert_false(cw_listpack_is_valid(buf_slice(&buf)));
    buf_clear(&buf);
    hex_add(&buf, "0e0000000200 f1050003 813502 ff");
    struct slice listpack = buf_slice(&buf);
    assert_true(cw_listpack_is_valid(listpack));
    struct cw_packed_needle needle = cw_packed_needle(SLICE_LITERAL("5"));
    size_t first = cw_listpack_first(listpack);
    assert_int_equal(cw_listpack_find(listpack, first, &needle, 1), first);
    assert_int_equal(cw_listpack_find(listpack, cw_listpack_next(listpack, first), &needle, 1),
                     cw_listpack_last(listpack));
    buf_free(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_edits),
        cmocka_unit_test(test_append_all),
        cmocka_unit_test(test_golden_hash),
        cmocka_unit_test(test_golden_sorted_set),
        cmocka_unit_test(test_golden_encodings),
        cmocka_unit_test(test_golden_long_strings),
        cmocka_unit_test(test_count_beyond_its_field),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_cut_off),
        cmocka_unit_test(test_not_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
