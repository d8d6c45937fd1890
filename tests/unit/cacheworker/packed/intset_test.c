/* Intsets against a sorted array, against what redis-server 7.0 writes, and in the face of damage. */
#include "cacheworker/packed/intset.h"

#include "cacheworker/packed/little_endian.h"
#include "common/base/rand.h"
#include "tests/unit/cacheworker/packed/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MODEL_MAX = 200, SCRIPTS = 60, STEPS = 500 };

static void start(struct buf *buf, struct cw_packed *packed)
{
    buf_clear(buf);
    cw_intset_init(buf_reserve(buf, CW_INTSET_EMPTY_BYTES));
    buf_commit(buf, CW_INTSET_EMPTY_BYTES);
    *packed = cw_packed_of_buf(buf);
}

struct model {
    int64_t numbers[MODEL_MAX];
    uint32_t count;
};

static uint32_t model_index(const struct model *model, int64_t number)
{
    uint32_t index = 0;
    while (index < model->count && model->numbers[index] < number)
        index++;
    return index;
}

static bool model_has(const struct model *model, int64_t number)
{
    uint32_t index = model_index(model, number);
    return index < model->count && model->numbers[index] == number;
}

static void model_add(struct model *model, int64_t number)
{
    uint32_t index = model_index(model, number);
    memmove(model->numbers + index + 1, model->numbers + index, (model->count - index) * sizeof(int64_t));
    model->numbers[index] = number;
    model->count++;
}

static void model_remove(struct model *model, int64_t number)
{
    uint32_t index = model_index(model, number);
    model->count--;
    memmove(model->numbers + index, model->numbers + index + 1, (model->count - index) * sizeof(int64_t));
}

static void assert_same(const struct model *model, const struct cw_packed *packed)
{
    struct slice intset = exact_copy(cw_packed_slice(packed));
    assert_true(cw_intset_is_valid(intset));
    assert_int_equal(cw_intset_count(intset), model->count);
    for (uint32_t i = 0; i < model->count; i++)
        assert_true(cw_intset_at(intset, i) == model->numbers[i]);
    free_copy(intset);
}

static int64_t random_number(struct rand *rand, unsigned bits)
{
    int64_t magnitude = (int64_t)(rand_u64(rand) >> (64 - bits));
    if (rand_below(rand, 10) == 0)
        magnitude = (int64_t)(((uint64_t)1 << bits) - 1);
    return rand_below(rand, 2) ? magnitude : -magnitude - 1;
}

static void test_random_edits(void **state)
{
    (void)state;
    struct buf buf = {0};
    struct cw_packed packed;
    struct rand rand;
    rand_seed(&rand, 3);
    for (unsigned script = 0; script < SCRIPTS; script++) {
        struct model model = {.count = 0};
        unsigned bits = 5;
        start(&buf, &packed);
        for (unsigned step = 0; step < STEPS; step++) {
            if (rand_below(&rand, 100) == 0)
                bits = 5 + (unsigned)rand_below(&rand, 59);
            int64_t number = random_number(&rand, bits);
            bool was = model_has(&model, number);
            uint32_t index;
            assert_int_equal(cw_intset_find(cw_packed_slice(&packed), number, &index), was);
            assert_int_equal(index, model_index(&model, number));
            if (rand_below(&rand, 3) == 0) {
                assert_int_equal(cw_intset_remove(&packed, number), was);
                if (was)
                    model_remove(&model, number);
            } else if (model.count < MODEL_MAX) {
                assert_int_equal(cw_intset_add(&packed, number), !was);
                if (!was)
                    model_add(&model, number);
            }
            assert_same(&model, &packed);
        }
    }
    buf_free(&buf);
}

static void assert_bytes(const struct cw_packed *packed, const char *hex)
{
    struct buf golden = {0};
    hex_add(&golden, hex);
    assert_int_equal(packed->length, buf_length(&golden));
    assert_memory_equal(packed->bytes, buf_slice(&golden).data, packed->length);
    buf_free(&golden);
}

/* What redis-server 7.0 writes: DUMP without its type, length and checksum. */
static void test_golden(void **state)
{
    (void)state;
    struct buf buf = {0};
    struct cw_packed packed;
    start(&buf, &packed);
    assert_true(cw_intset_add(&packed, 5) && cw_intset_add(&packed, -1) && cw_intset_add(&packed, 300));
    assert_bytes(&packed, "02000000 03000000 ffff 0500 2c01");

    start(&buf, &packed);
    assert_true(cw_intset_add(&packed, 1) && cw_intset_add(&packed, -70000) && cw_intset_add(&packed, 3));
    assert_bytes(&packed, "04000000 03000000 90eefeff 01000000 03000000");

    start(&buf, &packed);
    assert_true(cw_intset_add(&packed, 1) && cw_intset_add(&packed, (int64_t)1 << 40) && cw_intset_add(&packed, -5) &&
                cw_intset_add(&packed, INT64_MIN));
    assert_bytes(&packed, "08000000 04000000 0000000000000080 fbffffffffffffff 0100000000000000 0000000000010000");
    assert_true(cw_intset_remove(&packed, (int64_t)1 << 40) && cw_intset_remove(&packed, INT64_MIN));
    assert_bytes(&packed, "08000000 02000000 fbffffffffffffff 0100000000000000");
    buf_free(&buf);
}

static void assert_refused_or_usable(struct slice bytes)
{
    struct slice copy = exact_copy(bytes);
    if (cw_intset_is_valid(copy)) {
        struct buf buf = {0};
        buf_add_slice(&buf, copy);
        struct cw_packed packed = cw_packed_of_buf(&buf);
        for (uint32_t i = 0; i < cw_intset_count(copy); i++) {
            uint32_t index;
            assert_true(cw_intset_find(copy, cw_intset_at(copy, i), &index) && index == i);
        }
        cw_intset_add(&packed, INT64_MAX);
        assert_true(cw_intset_is_valid(cw_packed_slice(&packed)));
        assert_true(cw_intset_remove(&packed, INT64_MAX));
        buf_free(&buf);
    }
    free_copy(copy);
}

static void test_damage(void **state)
{
    (void)state;
    static const int64_t numbers[] = {-2, 7, 9, 40000, -1, (int64_t)1 << 40, INT64_MIN};
    struct buf buf = {0};
    struct cw_packed packed;
    start(&buf, &packed);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        cw_intset_add(&packed, numbers[i]);
        for (size_t length = 0; length < packed.length; length++) {
            struct slice copy = exact_copy(slice_of(packed.bytes, length));
            assert_false(cw_intset_is_valid(copy));
            free_copy(copy);
        }
        for (size_t bit = 0; bit < 8 * packed.length; bit++) {
            flip_bit(packed.bytes, bit);
            assert_refused_or_usable(cw_packed_slice(&packed));
            flip_bit(packed.bytes, bit);
        }
    }
    buf_free(&buf);
}

/* Equal neighbours and a wrong order are refused. */
static void test_order(void **state)
{
    (void)state;
    static const char *const refused[] = {"02000000 02000000 0500 0500", "02000000 02000000 0500 ffff",
                                          "03000000 00000000", "02000000 00000080 0000"};
    for (size_t i = 0; i < ARRAY_LENGTH(refused); i++) {
        struct buf buf = {0};
        hex_add(&buf, refused[i]);
        assert_false(cw_intset_is_valid(buf_slice(&buf)));
        buf_free(&buf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_edits),
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
