#include "cacheworker/hyperloglog/hyperloglog.h"

#include "common/base/errors.h"

#include <math.h>

enum {
    INDEX_BITS = 14,
    VALUE_MAX = 64 - INDEX_BITS + 1, /* all bits that are no index are zero */
    REGISTER_BITS = 6,
    ENCODING_DENSE = 0,
    ENCODING_SPARSE = 1,
    ENCODING_AT = 4,
    COUNT_AT = 8,
    COUNT_LAST_AT = 15,
    COUNT_IS_STALE = 0x80, /* in the last byte of the count */

    RUN_LONG = 0x40, /* of zeros, in two bytes */
    RUN_OF_VALUE = 0x80,
    RUN_ZEROS_MAX = 64, /* in one byte */
    RUN_VALUE_MAX = 32,
    RUN_VALUES_MAX = 4,
    JOIN_STEPS = 5, /* runs that are looked at after a change, for neighbours to join */
};
_Static_assert(CW_HLL_DENSE_BYTES <= CW_HLL_VALID_BYTES_MAX, "a dense value has room");

static inline unsigned byte_at(struct slice value, size_t at)
{
    return (unsigned char)value.data[at];
}

/* ---- Elements ---- */

/* MurmurHash64A (Appleby, in the public domain). */
static uint64_t hash(struct slice element, uint64_t seed)
{
    const uint64_t factor = UINT64_C(0xc6a4a7935bd1e995);
    uint64_t state = seed ^ (element.length * factor);
    for (; element.length >= 8; element = slice_skip(element, 8)) {
        uint64_t word = 0;
        for (unsigned i = 8; i-- > 0;)
            word = word << 8 | byte_at(element, i);
        word *= factor;
        word ^= word >> 47;
        state = (state ^ word * factor) * factor;
    }
    uint64_t tail = 0;
    for (size_t i = element.length; i-- > 0;)
        tail = tail << 8 | byte_at(element, i);
    if (element.length > 0)
        state = (state ^ tail) * factor;
    state ^= state >> 47;
    state *= factor;
    return state ^ state >> 47;
}

struct cw_hll_note cw_hll_note_of(struct slice element)
{
    uint64_t bits = hash(element, 0xadc83b19);
    uint64_t others = bits >> INDEX_BITS | UINT64_C(1) << (VALUE_MAX - 1);
    return (struct cw_hll_note){.index = (unsigned)(bits & (CW_HLL_REGISTERS - 1)),
                                .value = (unsigned)__builtin_ctzll(others) + 1};
}

/* ---- The header ---- */

bool cw_hll_is_hyperloglog(struct slice value)
{
    if (value.length < CW_HLL_HEADER_BYTES || memcmp(value.data, "HYLL", 4) != 0)
        return false;
    return byte_at(value, ENCODING_AT) == ENCODING_SPARSE ||
           (byte_at(value, ENCODING_AT) == ENCODING_DENSE && value.length == CW_HLL_DENSE_BYTES);
}

bool cw_hll_is_dense(struct slice value)
{
    return byte_at(value, ENCODING_AT) == ENCODING_DENSE;
}

bool cw_hll_cached_count(struct slice value, uint64_t *ret_count)
{
    if (byte_at(value, COUNT_LAST_AT) & COUNT_IS_STALE)
        return false;
    uint64_t count = 0;
    for (unsigned i = COUNT_LAST_AT; i >= COUNT_AT; i--)
        count = count << 8 | byte_at(value, i);
    *ret_count = count;
    return true;
}

void cw_hll_cache_count(char *value, uint64_t count)
{
    for (unsigned i = COUNT_AT; i <= COUNT_LAST_AT; i++, count >>= 8)
        value[i] = (char)count;
}

void cw_hll_forget_count(char *value)
{
    value[COUNT_LAST_AT] = (char)((unsigned char)value[COUNT_LAST_AT] | COUNT_IS_STALE);
}

/* ---- Dense registers ---- */

unsigned cw_hll_dense_register(struct slice value, unsigned index)
{
    unsigned bit = index * REGISTER_BITS;
    size_t at = CW_HLL_HEADER_BYTES + bit / 8;
    unsigned bits = byte_at(value, at) >> bit % 8;
    if (bit % 8 > 8 - REGISTER_BITS)
        bits |= byte_at(value, at + 1) << (8 - bit % 8);
    return bits & CW_HLL_REGISTER_MAX;
}

static void dense_set(char *value, struct cw_hll_note note)
{
    unsigned bit = note.index * REGISTER_BITS;
    unsigned char *at = (unsigned char *)value + CW_HLL_HEADER_BYTES + bit / 8;
    unsigned mask = CW_HLL_REGISTER_MAX << bit % 8;
    unsigned bits = note.value << bit % 8;
    at[0] = (unsigned char)((at[0] & ~mask) | bits);
    if (mask > 0xff)
        at[1] = (unsigned char)((at[1] & ~(mask >> 8)) | bits >> 8);
}

static bool dense_raise(char *value, struct cw_hll_note note)
{
    if (cw_hll_dense_register(slice_of(value, CW_HLL_DENSE_BYTES), note.index) >= note.value)
        return false;
    dense_set(value, note);
    return true;
}

bool cw_hll_dense_add(char *value, struct slice element)
{
    return dense_raise(value, cw_hll_note_of(element));
}

/* Four registers are three bytes. */
static inline unsigned dense_four(struct slice value, unsigned index)
{
    size_t at = CW_HLL_HEADER_BYTES + index / 4 * 3;
    return byte_at(value, at) | byte_at(value, at + 1) << 8 | byte_at(value, at + 2) << 16;
}

/* ---- Sparse runs ---- */

static bool read_run(struct slice bytes, struct cw_hll_run *ret_run)
{
    if (bytes.length == 0)
        return false;
    unsigned first = byte_at(bytes, 0);
    if (first & RUN_OF_VALUE) {
        *ret_run = (struct cw_hll_run){.length = (first & 3) + 1, .value = (first >> 2 & 31) + 1, .bytes = 1};
    } else if (!(first & RUN_LONG)) {
        *ret_run = (struct cw_hll_run){.length = first + 1, .bytes = 1};
    } else {
        if (bytes.length == 1)
            return false;
        *ret_run = (struct cw_hll_run){.length = ((first & 63) << 8 | byte_at(bytes, 1)) + 1, .bytes = 2};
    }
    return true;
}

/* Writes the shortest run of that length, at most two bytes; returns how many. Nothing for a length of 0. */
static unsigned write_run(char *bytes, unsigned value, unsigned length)
{
    if (length == 0)
        return 0;
    if (value > 0) {
        bytes[0] = (char)(RUN_OF_VALUE | (value - 1) << 2 | (length - 1));
        return 1;
    }
    if (length <= RUN_ZEROS_MAX) {
        bytes[0] = (char)(length - 1);
        return 1;
    }
    bytes[0] = (char)(RUN_LONG | (length - 1) >> 8);
    bytes[1] = (char)(length - 1);
    return 2;
}

struct cw_hll_walk cw_hll_walk_of(struct slice sparse_value)
{
    return (struct cw_hll_walk){.rest = slice_skip(sparse_value, CW_HLL_HEADER_BYTES)};
}

int cw_hll_walk_next(struct cw_hll_walk *walk, struct cw_hll_run *ret_run)
{
    struct cw_hll_run run;
    if (walk->rest.length == 0)
        return 0;
    if (!read_run(walk->rest, &run) || run.length > CW_HLL_REGISTERS - walk->registers)
        return ERR_CORRUPT;
    walk->rest = slice_skip(walk->rest, run.bytes);
    walk->registers += run.length;
    *ret_run = run;
    return 1;
}

static int end_walk(const struct cw_hll_walk *walk, int result)
{
    return result == 0 && walk->registers == CW_HLL_REGISTERS ? 0 : ERR_CORRUPT;
}

/* ---- The estimate ---- */

struct histogram {
    unsigned registers[CW_HLL_REGISTER_MAX + 1]; /* how many have each value; above VALUE_MAX no element brings one */
};

static double sigma(double x)
{
    if (x == 1)
        return INFINITY;
    double power = 1;
    double sum = x;
    double previous;
    do {
        x *= x;
        previous = sum;
        sum += x * power;
        power += power;
    } while (sum != previous);
    return sum;
}

static double tau(double x)
{
    if (x == 0 || x == 1)
        return 0;
    double power = 1;
    double sum = 1 - x;
    double previous;
    do {
        x = sqrt(x);
        previous = sum;
        power *= 0.5;
        sum -= (1 - x) * (1 - x) * power;
    } while (sum != previous);
    return sum / 3;
}

/* Ertl's improved raw estimator (algorithm 6 of the paper). */
static uint64_t estimate(const struct histogram *histogram)
{
    const double registers = CW_HLL_REGISTERS;
    const double alpha = 0.721347520444481703680; /* 1 / (2 ln 2) */
    double sum = registers * tau((registers - histogram->registers[VALUE_MAX]) / registers);
    for (unsigned value = VALUE_MAX - 1; value >= 1; value--)
        sum = (sum + histogram->registers[value]) * 0.5;
    sum += registers * sigma(histogram->registers[0] / registers);
    double count = alpha * registers * registers / sum;
    /* Only registers that no elements can have made come to so much; then the reference's conversion yields this. */
    if (!(count < 0x1p63))
        return UINT64_C(1) << 63;
    return (uint64_t)((long double)count + 0.5L);
}

static void dense_histogram(struct slice value, struct histogram *histogram)
{
    for (unsigned index = 0; index < CW_HLL_REGISTERS; index += 4) {
        unsigned four = dense_four(value, index);
        histogram->registers[four & 63]++;
        histogram->registers[four >> 6 & 63]++;
        histogram->registers[four >> 12 & 63]++;
        histogram->registers[four >> 18]++;
    }
}

static int sparse_histogram(struct slice value, struct histogram *histogram)
{
    struct cw_hll_walk walk = cw_hll_walk_of(value);
    struct cw_hll_run run;
    int result;
    while ((result = cw_hll_walk_next(&walk, &run)) > 0)
        histogram->registers[run.value] += run.length;
    return end_walk(&walk, result);
}

int cw_hll_count(struct slice value, uint64_t *ret_count)
{
    struct histogram histogram = {{0}};
    if (cw_hll_is_dense(value))
        dense_histogram(value, &histogram);
    else if (sparse_histogram(value, &histogram) < 0)
        return ERR_CORRUPT;
    *ret_count = estimate(&histogram);
    return 0;
}

uint64_t cw_hll_count_registers(const uint8_t *registers)
{
    struct histogram histogram = {{0}};
    for (unsigned i = 0; i < CW_HLL_REGISTERS; i++)
        histogram.registers[registers[i] & CW_HLL_REGISTER_MAX]++;
    return estimate(&histogram);
}

/* ---- Merging ---- */

static inline void raise_to(uint8_t *reg, unsigned value)
{
    if (*reg < value)
        *reg = (uint8_t)value;
}

static void dense_merge(struct slice value, uint8_t *registers)
{
    for (unsigned index = 0; index < CW_HLL_REGISTERS; index += 4) {
        unsigned four = dense_four(value, index);
        raise_to(&registers[index], four & 63);
        raise_to(&registers[index + 1], four >> 6 & 63);
        raise_to(&registers[index + 2], four >> 12 & 63);
        raise_to(&registers[index + 3], four >> 18);
    }
}

int cw_hll_merge(struct slice value, uint8_t *registers)
{
    if (cw_hll_is_dense(value)) {
        dense_merge(value, registers);
        return 0;
    }
    struct cw_hll_walk walk = cw_hll_walk_of(value);
    struct cw_hll_run run;
    int result;
    while ((result = cw_hll_walk_next(&walk, &run)) > 0)
        for (unsigned i = walk.registers - run.length; run.value > 0 && i < walk.registers; i++)
            raise_to(&registers[i], run.value);
    return end_walk(&walk, result);
}

/* ---- A value being worked on ---- */

void cw_hll_init(struct cw_hll *hll)
{
    static const char header[CW_HLL_HEADER_BYTES] = {'H', 'Y', 'L', 'L', ENCODING_SPARSE};
    memcpy(hll->bytes, header, sizeof(header));
    hll->length = sizeof(header) + write_run(hll->bytes + sizeof(header), 0, CW_HLL_REGISTERS);
}

int cw_hll_load(struct cw_hll *hll, struct slice value)
{
    if (value.length > sizeof(hll->bytes))
        return ERR_CORRUPT;
    memcpy(hll->bytes, value.data, value.length);
    hll->length = value.length;
    return 0;
}

int cw_hll_make_dense(struct cw_hll *hll)
{
    if (cw_hll_is_dense(cw_hll_value(hll)))
        return 0;
    uint8_t registers[CW_HLL_REGISTERS] = {0};
    if (cw_hll_merge(cw_hll_value(hll), registers) < 0)
        return ERR_CORRUPT;
    hll->bytes[ENCODING_AT] = ENCODING_DENSE;
    hll->length = CW_HLL_DENSE_BYTES;
    memset(hll->bytes + CW_HLL_HEADER_BYTES, 0, CW_HLL_DENSE_BYTES - CW_HLL_HEADER_BYTES);
    for (unsigned i = 0; i < CW_HLL_REGISTERS; i++)
        if (registers[i] > 0)
            dense_set(hll->bytes, (struct cw_hll_note){i, registers[i]});
    return 0;
}

/* Replaces `old_bytes` at `at` by others. */
static void splice(struct cw_hll *hll, size_t at, size_t old_bytes, const char *bytes, size_t count)
{
    memmove(hll->bytes + at + count, hll->bytes + at + old_bytes, hll->length - at - old_bytes);
    memcpy(hll->bytes + at, bytes, count);
    hll->length = hll->length - old_bytes + count;
}

/* Joins neighbours of equal value, from `at` on, in as many steps as the reference makes. */
static void join_runs(struct cw_hll *hll, size_t at)
{
    struct cw_hll_run run;
    struct cw_hll_run next;
    for (unsigned step = 0; step < JOIN_STEPS && read_run(slice_skip(cw_hll_value(hll), at), &run); step++) {
        bool joins = run.value > 0 && read_run(slice_skip(cw_hll_value(hll), at + 1), &next) &&
                     next.value == run.value && run.length + next.length <= RUN_VALUES_MAX;
        if (joins) {
            char joined[2];
            splice(hll, at, 2, joined, write_run(joined, run.value, run.length + next.length));
        } else {
            at += run.bytes;
        }
    }
}

static int raise_dense(struct cw_hll *hll, struct cw_hll_note note)
{
    if (cw_hll_make_dense(hll) < 0)
        return ERR_CORRUPT;
    return dense_raise(hll->bytes, note);
}

static int raise_sparse(struct cw_hll *hll, struct cw_hll_note note, size_t sparse_bytes_max)
{
    size_t at = CW_HLL_HEADER_BYTES;
    size_t previous = at;
    unsigned first = 0; /* register of the run at `at` */
    struct cw_hll_run run;
    for (;;) {
        if (!read_run(slice_skip(cw_hll_value(hll), at), &run))
            return ERR_CORRUPT;
        if (note.index - first < run.length)
            break;
        previous = at;
        at += run.bytes;
        first += run.length;
    }
    if (run.value >= note.value)
        return 0;

    char parts[5]; /* what is before the register, the register, what is behind it */
    unsigned bytes = write_run(parts, run.value, note.index - first);
    bytes += write_run(parts + bytes, note.value, 1);
    bytes += write_run(parts + bytes, run.value, first + run.length - 1 - note.index);
    size_t length = hll->length - run.bytes + bytes;
    if (length > hll->length && length > sparse_bytes_max)
        return raise_dense(hll, note);
    if (length > sizeof(hll->bytes))
        return ERR_CORRUPT; /* so many runs cannot all be of different registers */
    splice(hll, at, run.bytes, parts, bytes);
    join_runs(hll, previous);
    cw_hll_forget_count(hll->bytes);
    return 1;
}

int cw_hll_raise(struct cw_hll *hll, struct cw_hll_note note, size_t sparse_bytes_max)
{
    if (cw_hll_is_dense(cw_hll_value(hll)) || note.value > RUN_VALUE_MAX)
        return raise_dense(hll, note);
    return raise_sparse(hll, note, sparse_bytes_max);
}
