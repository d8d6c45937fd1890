#include "cacheworker/hyperloglog/self_test.h"

#include "cacheworker/hyperloglog/hyperloglog.h"
#include "common/base/rand.h"

#include <inttypes.h>

enum { REGISTER_ROUNDS = 16, ELEMENTS = 1000000, SEED = 7 };

/* Every register in turn is raised to something; none may disturb another. */
static bool test_registers(struct buf *why)
{
    struct rand rand;
    rand_seed(&rand, SEED);
    for (unsigned round = 0; round < REGISTER_ROUNDS; round++) {
        uint8_t expected[CW_HLL_REGISTERS];
        struct cw_hll hll;
        cw_hll_init(&hll);
        for (unsigned i = 0; i < CW_HLL_REGISTERS; i++) {
            expected[i] = (uint8_t)rand_below(&rand, CW_HLL_REGISTER_MAX + 1);
            if (cw_hll_raise(&hll, (struct cw_hll_note){i, expected[i]}, 0) < 0)
                expected[i] = UINT8_MAX;
        }
        for (unsigned i = 0; i < CW_HLL_REGISTERS; i++) {
            unsigned found = cw_hll_dense_register(cw_hll_value(&hll), i);
            if (found == expected[i])
                continue;
            buf_add_format(why, "TESTFAILED Register %u should be %u but is %u", i, expected[i], found);
            return false;
        }
    }
    return true;
}

/* Six standard errors; of ten elements one, which collide seldom. */
static bool is_close(uint64_t count, uint64_t estimate)
{
    uint64_t error = count > estimate ? count - estimate : estimate - count;
    const double standard_error = 1.04 / 128; /* divided by the root of the number of registers */
    return error <= (count == 10 ? 1 : (uint64_t)(standard_error * 6 * (double)count) + 1);
}

static bool test_estimate(const struct cw_hll *dense, const struct cw_hll *sparse, uint64_t count, struct buf *why)
{
    uint64_t estimate;
    uint64_t other;
    if (cw_hll_count(cw_hll_value(dense), &estimate) < 0 || cw_hll_count(cw_hll_value(sparse), &other) < 0 ||
        estimate != other)
        buf_add_text(why, "TESTFAILED dense/sparse disagree");
    else if (!is_close(count, estimate))
        buf_add_format(why, "TESTFAILED Too big error. card:%" PRIu64 " estimate:%" PRIu64, count, estimate);
    return buf_length(why) == 0;
}

static bool test_estimates(size_t sparse_bytes_max, struct buf *why)
{
    struct cw_hll dense;
    struct cw_hll sparse;
    cw_hll_init(&dense);
    cw_hll_init(&sparse);
    uint64_t checkpoint = 1;
    for (uint64_t count = 1; count <= ELEMENTS; count++) {
        uint64_t bits = rand_mix(SEED) ^ count;
        struct cw_hll_note note = cw_hll_note_of(slice_of(&bits, sizeof(bits)));
        if (cw_hll_raise(&dense, note, 0) < 0 || cw_hll_raise(&sparse, note, sparse_bytes_max) < 0) {
            buf_add_text(why, "TESTFAILED corrupted");
            return false;
        }
        if (count < checkpoint)
            continue;
        if (count < sparse_bytes_max / 4 && cw_hll_is_dense(cw_hll_value(&sparse))) {
            buf_add_text(why, "TESTFAILED sparse encoding not used");
            return false;
        }
        if (!test_estimate(&dense, &sparse, count, why))
            return false;
        checkpoint *= 10;
    }
    return true;
}

bool cw_hll_self_test(size_t sparse_bytes_max, struct buf *why)
{
    return test_registers(why) && test_estimates(sparse_bytes_max, why);
}
