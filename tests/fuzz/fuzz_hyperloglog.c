/* A string as a client may have SET it, taken for a HyperLogLog: nothing is read behind it, whoever decides whether it
 * is sound decides alike, and what is raised is raised in that register only.
 *
 * The input is two bytes that say how, eight that say what is raised, then the string; or only its runs, behind a
 * header that is right. */
#include "cacheworker/hyperloglog/hyperloglog.h"
#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

enum { HOW_BYTES = 2, NOTE_BYTES = 4, NOTES = 2, HEAD_BYTES = HOW_BYTES + NOTES * NOTE_BYTES };

static const size_t limits[] = {0, 30, 100, 3000, 20000, SIZE_MAX};

struct registers {
    uint8_t values[CW_HLL_REGISTERS];
};

/* Whether the value is sound, as all agree, and what it has. */
static bool read_registers(struct slice value, struct registers *registers)
{
    uint64_t count = 0;
    memset(registers, 0, sizeof(*registers));
    int result = cw_hll_merge(value, registers->values);
    CHECK(result == 0 || result == ERR_CORRUPT);
    CHECK(cw_hll_count(value, &count) == result);
    CHECK(result < 0 || count == cw_hll_count_registers(registers->values));
    if (cw_hll_is_dense(value))
        return true;
    struct cw_hll_walk walk = cw_hll_walk_of(value);
    struct cw_hll_run run;
    int step;
    while ((step = cw_hll_walk_next(&walk, &run)) > 0)
        CHECK(run.length > 0 && run.value <= 32 && walk.registers <= CW_HLL_REGISTERS);
    CHECK((step == 0 && walk.registers == CW_HLL_REGISTERS) == (result == 0));
    return result == 0;
}

static void raise_one(struct cw_hll *hll, struct cw_hll_note note, size_t limit, bool is_sound,
                      struct registers *expected)
{
    struct registers found;
    char *block = fuzz_exact_copy(cw_hll_value(hll));
    int result = cw_hll_raise(hll, note, limit);
    if (result < 0)
        fuzz_must_equal(slice_of(block, hll->length), cw_hll_value(hll), "what could not be raised");
    mem_free(block);
    CHECK(!is_sound || result == (expected->values[note.index] < note.value));
    if (result > 0 && is_sound)
        expected->values[note.index] = (uint8_t)note.value;
    CHECK(read_registers(cw_hll_value(hll), &found) == is_sound);
    if (is_sound)
        fuzz_must_equal(slice_of(expected, sizeof(*expected)), slice_of(&found, sizeof(found)), "a raised register");
}

static void play(struct slice value, const uint8_t *notes, size_t limit)
{
    struct registers expected;
    struct cw_hll hll;
    if (!cw_hll_is_hyperloglog(value))
        return;
    bool is_sound = read_registers(value, &expected);
    if (cw_hll_load(&hll, value) < 0) {
        CHECK(!is_sound);
        return;
    }
    for (unsigned i = 0; i < NOTES; i++, notes += NOTE_BYTES) {
        struct cw_hll_note note = {(notes[0] << 8 | notes[1]) % CW_HLL_REGISTERS, 1 + notes[2] % 51};
        raise_one(&hll, note, limit, is_sound, &expected);
    }
    CHECK((cw_hll_make_dense(&hll) == 0) == is_sound);
    for (unsigned i = 0; is_sound && i < CW_HLL_REGISTERS; i++)
        CHECK(cw_hll_dense_register(cw_hll_value(&hll), i) == expected.values[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < HEAD_BYTES)
        return 0;
    struct buf value = {0};
    if (data[0] & 1)
        buf_add(&value, "HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80", CW_HLL_HEADER_BYTES);
    buf_add(&value, data + HEAD_BYTES, size - HEAD_BYTES);
    char *block = fuzz_exact_copy(buf_slice(&value));
    play(slice_of(block, buf_length(&value)), data + HOW_BYTES, limits[data[1] % ARRAY_LENGTH(limits)]);
    mem_free(block);
    buf_free(&value);
    return 0;
}
