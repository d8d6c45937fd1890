/* HyperLogLogs against an array of registers, and against what a server of version 7.0 made of the same elements. */
#include "cacheworker/hyperloglog/hyperloglog.h"

#include "cacheworker/hyperloglog/self_test.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/base/number.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { SPARSE_BYTES_MAX = 3000 };

/* ---- Elements ---- */

static void test_notes(void **state)
{
    (void)state;
    static const struct cw_hll_note notes[] = {
        /* of the first 0 to 20 letters */
        {5938, 2}, {12711, 2}, {719, 1},  {9474, 1},  {11070, 8}, {3726, 4},  {13647, 2},
        {5634, 2}, {1383, 1},  {6903, 1}, {12228, 1}, {14121, 1}, {9695, 5},  {9157, 1},
        {5697, 2}, {12377, 4}, {9328, 1}, {4271, 1},  {14275, 2}, {11774, 1}, {2760, 4},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(notes); i++) {
        struct cw_hll_note note = cw_hll_note_of(slice_of("abcdefghijklmnopqrstuvwxyz", i));
        assert_int_equal(note.index, notes[i].index);
        assert_int_equal(note.value, notes[i].value);
    }
    struct cw_hll_note note = cw_hll_note_of(SLICE_LITERAL("\xff\xfe\x80\x00\x01\xf0\xf1\xf2\xf3"));
    assert_int_equal(note.index, 11708);
    assert_int_equal(note.value, 1);
}

/* ---- Bytes and estimates of the reference ---- */

static void test_known_bytes(void **state)
{
    (void)state;
    static const char expected[] =
        "HYLL\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x80"
        "\x46\x6d\x80\x56\x0c\x80\x44\x3c\x84\x38\x80\x50\xb1\x84\x49\x8c\x80\x42\x6d\x80\x42\x5a";
    struct cw_hll hll;
    cw_hll_init(&hll);
    for (size_t i = 0; i < 7; i++)
        assert_int_equal(cw_hll_raise(&hll, cw_hll_note_of(slice_of(&"abcdefg"[i], 1)), SPARSE_BYTES_MAX), 1);
    assert_int_equal(hll.length, sizeof(expected) - 1);
    assert_memory_equal(hll.bytes, expected, hll.length);
    uint64_t count;
    assert_false(cw_hll_cached_count(cw_hll_value(&hll), &count));
    assert_int_equal(cw_hll_count(cw_hll_value(&hll), &count), 0);
    assert_int_equal(count, 7);
}

static void test_known_estimates(void **state)
{
    (void)state;
    static const struct {
        unsigned elements; /* "0", "1", ... */
        uint64_t count;
        size_t length;
    } known[] = {{0, 0, 18},
                 {1, 1, 21},
                 {2, 2, 24},
                 {10, 10, 48},
                 {100, 100, 287},
                 {1000, 1001, 1923},
                 {10000, 9987, 12304},
                 {100000, 99565, 12304},
                 {1000000, 1009972, 12304}};
    struct cw_hll hll;
    cw_hll_init(&hll);
    unsigned added = 0;
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        for (; added < known[i].elements; added++) {
            char text[NUMBER_TEXT_MAX];
            struct slice element = slice_of(text, number_format_u64(text, added));
            assert_true(cw_hll_raise(&hll, cw_hll_note_of(element), SPARSE_BYTES_MAX) >= 0);
        }
        uint64_t count;
        assert_int_equal(cw_hll_count(cw_hll_value(&hll), &count), 0);
        assert_int_equal(count, known[i].count);
        assert_int_equal(hll.length, known[i].length);
        uint8_t registers[CW_HLL_REGISTERS] = {0};
        assert_int_equal(cw_hll_merge(cw_hll_value(&hll), registers), 0);
        assert_int_equal(cw_hll_count_registers(registers), known[i].count);
    }
}

/* Registers that no elements make: what the reference answers for them. */
static void test_impossible_registers(void **state)
{
    (void)state;
    uint8_t registers[CW_HLL_REGISTERS];
    memset(registers, 40, sizeof(registers));
    assert_int_equal(cw_hll_count_registers(registers), UINT64_C(12994641697113596));
    memset(registers, 50, sizeof(registers));
    assert_int_equal(cw_hll_count_registers(registers), UINT64_C(1) << 63);
    memset(registers, 51, sizeof(registers));
    assert_int_equal(cw_hll_count_registers(registers), UINT64_C(1) << 63);
    memset(registers, 63, sizeof(registers));
    assert_int_equal(cw_hll_count_registers(registers), UINT64_C(1) << 63);
}

/* ---- The header ---- */

static void test_header(void **state)
{
    (void)state;
    struct cw_hll hll;
    cw_hll_init(&hll);
    uint64_t count = 1;
    assert_true(cw_hll_is_hyperloglog(cw_hll_value(&hll)));
    assert_true(cw_hll_cached_count(cw_hll_value(&hll), &count));
    assert_int_equal(count, 0);
    cw_hll_cache_count(hll.bytes, 0x0102030405060708);
    assert_memory_equal(hll.bytes + 8, "\x08\x07\x06\x05\x04\x03\x02\x01", 8);
    assert_true(cw_hll_cached_count(cw_hll_value(&hll), &count));
    assert_int_equal(count, 0x0102030405060708);
    cw_hll_forget_count(hll.bytes);
    assert_false(cw_hll_cached_count(cw_hll_value(&hll), &count));
    assert_memory_equal(hll.bytes + 8, "\x08\x07\x06\x05\x04\x03\x02\x81", 8);

    for (size_t length = 0; length < CW_HLL_HEADER_BYTES; length++)
        assert_false(cw_hll_is_hyperloglog(slice_of(hll.bytes, length)));
    assert_true(cw_hll_is_hyperloglog(slice_of(hll.bytes, CW_HLL_HEADER_BYTES)));
    hll.bytes[4] = 0;
    memset(hll.bytes + 16, 0, CW_HLL_DENSE_BYTES);
    assert_false(cw_hll_is_hyperloglog(slice_of(hll.bytes, CW_HLL_DENSE_BYTES - 1)));
    assert_true(cw_hll_is_hyperloglog(slice_of(hll.bytes, CW_HLL_DENSE_BYTES)));
    assert_false(cw_hll_is_hyperloglog(slice_of(hll.bytes, CW_HLL_DENSE_BYTES + 1)));
    hll.bytes[4] = 2;
    assert_false(cw_hll_is_hyperloglog(slice_of(hll.bytes, CW_HLL_DENSE_BYTES)));
    hll.bytes[4] = 1;
    hll.bytes[3] = 'l';
    assert_false(cw_hll_is_hyperloglog(slice_of(hll.bytes, 18)));
}

/* ---- Against the model ---- */

struct model {
    uint8_t registers[CW_HLL_REGISTERS];
};

static void assert_same(const struct cw_hll *hll, const struct model *model)
{
    char *exact = mem_alloc(hll->length); /* so that a sanitizer sees what reads behind it */
    memcpy(exact, hll->bytes, hll->length);
    struct model found = {{0}};
    assert_true(cw_hll_is_hyperloglog(slice_of(exact, hll->length)));
    assert_int_equal(cw_hll_merge(slice_of(exact, hll->length), found.registers), 0);
    assert_memory_equal(found.registers, model->registers, sizeof(found.registers));
    uint64_t count;
    assert_int_equal(cw_hll_count(slice_of(exact, hll->length), &count), 0);
    assert_int_equal(count, cw_hll_count_registers(model->registers));
    if (cw_hll_is_dense(slice_of(exact, hll->length)))
        for (unsigned i = 0; i < CW_HLL_REGISTERS; i++)
            assert_int_equal(cw_hll_dense_register(slice_of(exact, hll->length), i), model->registers[i]);
    mem_free(exact);
}

/* Runs as anybody may write them: any lengths, long ones for few registers too. */
static void draw_value(struct rand *rand, struct cw_hll *hll, struct model *model)
{
    cw_hll_init(hll);
    hll->length = CW_HLL_HEADER_BYTES;
    memset(model, 0, sizeof(*model));
    for (unsigned first = 0; first < CW_HLL_REGISTERS;) {
        unsigned left = CW_HLL_REGISTERS - first;
        unsigned most[] = {64, rand_chance(rand, 200000) ? 16384 : 1000, 4};
        uint64_t kind = rand_below(rand, 3);
        unsigned length = 1 + (unsigned)rand_below(rand, most[kind] < left ? most[kind] : left);
        if (kind == 0) {
            hll->bytes[hll->length++] = (char)(length - 1);
        } else if (kind == 1) {
            hll->bytes[hll->length++] = (char)(0x40 | (length - 1) >> 8);
            hll->bytes[hll->length++] = (char)(length - 1);
        } else {
            unsigned value = 1 + (unsigned)rand_below(rand, 32);
            hll->bytes[hll->length++] = (char)(0x80 | (value - 1) << 2 | (length - 1));
            memset(model->registers + first, (int)value, length);
        }
        first += length;
    }
}

static void raise_both(struct cw_hll *hll, struct model *model, struct cw_hll_note note, size_t sparse_bytes_max)
{
    bool was_sparse = !cw_hll_is_dense(cw_hll_value(hll));
    size_t old_length = hll->length;
    bool changes = model->registers[note.index] < note.value;
    cw_hll_cache_count(hll->bytes, 5);
    assert_int_equal(cw_hll_raise(hll, note, sparse_bytes_max), changes);
    if (changes)
        model->registers[note.index] = (uint8_t)note.value;
    bool is_sparse = !cw_hll_is_dense(cw_hll_value(hll));
    assert_true(is_sparse || !was_sparse || note.value > 32 || old_length + 4 > sparse_bytes_max);
    assert_true(!is_sparse || hll->length <= old_length || hll->length <= sparse_bytes_max);
    uint64_t count;
    if (is_sparse)
        assert_int_equal(cw_hll_cached_count(cw_hll_value(hll), &count), !changes);
}

static void test_raise(void **state)
{
    (void)state;
    static const size_t limits[] = {0, 18, 30, 100, 500, SPARSE_BYTES_MAX, 20000, SIZE_MAX};
    struct rand rand;
    rand_seed(&rand, 4);
    for (unsigned round = 0; round < 200; round++) {
        struct cw_hll hll;
        struct model model = {{0}};
        size_t limit = limits[rand_below(&rand, ARRAY_LENGTH(limits))];
        if (rand_chance(&rand, 500000))
            draw_value(&rand, &hll, &model);
        else
            cw_hll_init(&hll);
        unsigned where = 1 + (unsigned)rand_below(&rand, CW_HLL_REGISTERS); /* neighbours often meet */
        unsigned value_max = rand_chance(&rand, 100000) ? 51 : 1 + (unsigned)rand_below(&rand, 32);
        for (unsigned step = 0; step < 200; step++) {
            struct cw_hll_note note = {(unsigned)rand_below(&rand, where), 1 + (unsigned)rand_below(&rand, value_max)};
            raise_both(&hll, &model, note, limit);
            if (step % 20 == 0)
                assert_same(&hll, &model);
        }
        assert_same(&hll, &model);
    }
}

/* All registers by themselves, as long as a sparse value can become. */
static void test_longest_sparse(void **state)
{
    (void)state;
    struct cw_hll hll;
    struct model model = {{0}};
    cw_hll_init(&hll);
    for (unsigned i = 0; i < CW_HLL_REGISTERS; i++)
        raise_both(&hll, &model, (struct cw_hll_note){i, 1 + i % 32}, SIZE_MAX);
    assert_int_equal(hll.length, CW_HLL_HEADER_BYTES + CW_HLL_REGISTERS);
    assert_same(&hll, &model);
    hll.length = CW_HLL_HEADER_BYTES;
    for (unsigned i = 0; i < CW_HLL_REGISTERS; i++) {
        hll.bytes[hll.length++] = 0x40; /* two bytes for each register, as nobody writes them */
        hll.bytes[hll.length++] = 0;
    }
    memset(&model, 0, sizeof(model));
    for (unsigned i = 0; i < CW_HLL_REGISTERS; i++)
        raise_both(&hll, &model, (struct cw_hll_note){i * 7 % CW_HLL_REGISTERS, 1 + i % 32}, SIZE_MAX);
    assert_same(&hll, &model);
}

static void test_merge(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 5);
    for (unsigned round = 0; round < 50; round++) {
        struct model expected = {{0}};
        struct model found = {{0}};
        for (unsigned i = 0; i < 3; i++) {
            struct cw_hll hll;
            struct model model;
            draw_value(&rand, &hll, &model);
            if (rand_chance(&rand, 300000))
                assert_int_equal(cw_hll_make_dense(&hll), 0);
            assert_same(&hll, &model);
            assert_int_equal(cw_hll_merge(cw_hll_value(&hll), found.registers), 0);
            for (unsigned j = 0; j < CW_HLL_REGISTERS; j++)
                if (expected.registers[j] < model.registers[j])
                    expected.registers[j] = model.registers[j];
        }
        assert_memory_equal(found.registers, expected.registers, sizeof(found.registers));
    }
}

static void test_dense_add(void **state)
{
    (void)state;
    struct cw_hll hll;
    struct model model = {{0}};
    cw_hll_init(&hll);
    assert_int_equal(cw_hll_make_dense(&hll), 0);
    char *exact = mem_alloc(CW_HLL_DENSE_BYTES);
    memcpy(exact, hll.bytes, CW_HLL_DENSE_BYTES);
    for (uint64_t i = 0; i < 30000; i++) {
        struct slice element = slice_of(&i, sizeof(i));
        struct cw_hll_note note = cw_hll_note_of(element);
        assert_int_equal(cw_hll_dense_add(exact, element), model.registers[note.index] < note.value);
        raise_both(&hll, &model, note, 0);
    }
    cw_hll_cache_count(exact, 5);
    assert_memory_equal(exact, hll.bytes, CW_HLL_DENSE_BYTES);
    assert_same(&hll, &model);
    mem_free(exact);
}

/* ---- What is corrupt ---- */

/* The header and these runs, in a block of exactly that size. */
static struct slice corrupt_value(const char *runs, size_t length)
{
    char *bytes = mem_zero(CW_HLL_HEADER_BYTES + length);
    memcpy(bytes, "HYLL\x01", 5);
    memcpy(bytes + CW_HLL_HEADER_BYTES, runs, length);
    return slice_of(bytes, CW_HLL_HEADER_BYTES + length);
}

static void assert_corrupt(struct slice value)
{
    uint8_t registers[CW_HLL_REGISTERS] = {0};
    struct cw_hll hll;
    uint64_t count;
    assert_true(cw_hll_is_hyperloglog(value));
    assert_int_equal(cw_hll_count(value, &count), ERR_CORRUPT);
    assert_int_equal(cw_hll_merge(value, registers), ERR_CORRUPT);
    assert_int_equal(cw_hll_load(&hll, value), 0);
    assert_int_equal(cw_hll_make_dense(&hll), ERR_CORRUPT);
    assert_int_equal(cw_hll_raise(&hll, (struct cw_hll_note){0, 33}, 3000), ERR_CORRUPT);
    assert_true(slice_equal(cw_hll_value(&hll), value));
}

static void test_corrupt(void **state)
{
    (void)state;
    static const struct slice runs[] = {
        SLICE_LITERAL(""),
        SLICE_LITERAL("\x7f\xfe"),         /* one register is missing */
        SLICE_LITERAL("\x7f\xff\x00"),     /* one too many */
        SLICE_LITERAL("\x7f\xff\x80"),     /* the same, with a value */
        SLICE_LITERAL("\x7f\xff\x40\x00"), /* the same, in two bytes */
        SLICE_LITERAL("\x7f"),             /* cut in two */
        SLICE_LITERAL("\x3f\x7e\xbf\x40"), /* cut in two behind the last register */
        SLICE_LITERAL("\x7f\xfe\x81"),     /* a value in the last register and behind it */
        SLICE_LITERAL("\x7f\xff\x7f\xff"),
    };
    for (size_t i = 0; i < ARRAY_LENGTH(runs); i++) {
        struct slice value = corrupt_value(runs[i].data, runs[i].length);
        assert_corrupt(value);
        mem_free((void *)(uintptr_t)value.data);
    }
    struct cw_hll hll;
    struct slice longer = {mem_zero(CW_HLL_VALID_BYTES_MAX + 1), CW_HLL_VALID_BYTES_MAX + 1};
    assert_int_equal(cw_hll_load(&hll, longer), ERR_CORRUPT);
    mem_free((void *)(uintptr_t)longer.data);
}

/* A raise looks no further than it must, as the reference. */
static void test_raise_of_corrupt(void **state)
{
    (void)state;
    struct slice value = corrupt_value("\x3f\x40", 2); /* 64 registers, and a run cut in two */
    struct cw_hll hll;
    assert_int_equal(cw_hll_load(&hll, value), 0);
    assert_int_equal(cw_hll_raise(&hll, (struct cw_hll_note){63, 2}, 3000), 1);
    assert_int_equal(hll.length, 19);
    assert_memory_equal(hll.bytes + 16, "\x3e\x84\x40", 3);
    assert_int_equal(cw_hll_raise(&hll, (struct cw_hll_note){64, 2}, 3000), ERR_CORRUPT);
    assert_int_equal(cw_hll_raise(&hll, (struct cw_hll_note){0, 2}, 19), ERR_CORRUPT); /* it would become dense */
    assert_int_equal(hll.length, 19);
    mem_free((void *)(uintptr_t)value.data);
}

/* Of too many runs none may grow out of the buffer. */
static void test_no_room(void **state)
{
    (void)state;
    char runs[CW_HLL_VALID_BYTES_MAX - CW_HLL_HEADER_BYTES];
    memset(runs, 0x3f, sizeof(runs));
    struct slice value = corrupt_value(runs, sizeof(runs));
    struct cw_hll hll;
    assert_int_equal(cw_hll_load(&hll, value), 0);
    assert_int_equal(cw_hll_raise(&hll, (struct cw_hll_note){10, 2}, SIZE_MAX), ERR_CORRUPT);
    assert_true(slice_equal(cw_hll_value(&hll), value));
    mem_free((void *)(uintptr_t)value.data);
}

/* Any bytes at all: nothing is read behind them, and who accepts them agrees with who else does. */
static void test_any_bytes(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 6);
    for (unsigned round = 0; round < 20000; round++) {
        char runs[400];
        size_t length = rand_below(&rand, sizeof(runs));
        bool is_long = rand_chance(&rand, 500000);
        for (size_t i = 0; i < length; i++)
            runs[i] = (char)(is_long ? 0x40 | rand_below(&rand, 8) : rand_u64(&rand));
        struct slice value = corrupt_value(runs, length);
        uint8_t registers[CW_HLL_REGISTERS] = {0};
        struct cw_hll hll;
        uint64_t count = 0;
        int result = cw_hll_count(value, &count);
        assert_int_equal(cw_hll_merge(value, registers), result);
        if (result == 0)
            assert_int_equal(cw_hll_count_registers(registers), count);
        assert_int_equal(cw_hll_load(&hll, value), 0);
        for (unsigned i = 0; i < 5; i++) {
            struct cw_hll_note note = {(unsigned)rand_below(&rand, CW_HLL_REGISTERS),
                                       1 + (unsigned)rand_below(&rand, 32)};
            int raised = cw_hll_raise(&hll, note, SPARSE_BYTES_MAX);
            assert_true(raised >= 0 || raised == ERR_CORRUPT);
            assert_int_equal(cw_hll_count(cw_hll_value(&hll), &count), result);
        }
        mem_free((void *)(uintptr_t)value.data);
    }
}

static void test_self_test(void **state)
{
    (void)state;
    struct buf why = {0};
    assert_true(cw_hll_self_test(SPARSE_BYTES_MAX, &why));
    assert_true(cw_hll_self_test(0, &why));
    assert_int_equal(buf_length(&why), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_notes),
        cmocka_unit_test(test_known_bytes),
        cmocka_unit_test(test_known_estimates),
        cmocka_unit_test(test_impossible_registers),
        cmocka_unit_test(test_header),
        cmocka_unit_test(test_raise),
        cmocka_unit_test(test_longest_sparse),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_dense_add),
        cmocka_unit_test(test_corrupt),
        cmocka_unit_test(test_raise_of_corrupt),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_any_bytes),
        cmocka_unit_test(test_self_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
