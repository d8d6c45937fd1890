#include "cacheworker/bitmap/bits.h"

#include "common/base/check.h"

enum {
    WORD_BYTES = sizeof(uint64_t),
    ROUND_WORDS = 8,
    CHUNK_BYTES = 8 << 10, /* of all strings combined before the next: the result stays in the first cache */
};

static inline uint64_t load_word(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof(word));
    return word;
}

static inline void store_word(char *bytes, uint64_t word)
{
    memcpy(bytes, &word, sizeof(word));
}

/* ---- Counting ---- */

static unsigned count_word(uint64_t word)
{
    word -= word >> 1 & UINT64_C(0x5555555555555555);
    word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
    word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
    return (unsigned)(word * UINT64_C(0x0101010101010101) >> 56);
}

/* A full adder of 64 columns: *sum and two more become *sum and what is returned, the carries. */
static inline uint64_t add_columns(uint64_t *sum, uint64_t a, uint64_t b)
{
    uint64_t both = *sum & a;
    uint64_t either = *sum ^ a;
    *sum = either ^ b;
    return both | (either & b);
}

/* Harley and Seal's way (Warren, Hacker's Delight, section 5-1): columns of whole words are added by carries, and only
 * every eighth word has its bits counted. Leaves less than a round. */
static uint64_t count_rounds(struct slice *bytes)
{
    uint64_t ones = 0;
    uint64_t twos = 0;
    uint64_t fours = 0;
    uint64_t eights_count = 0;
    const char *at = bytes->data;
    size_t rounds = bytes->length / (ROUND_WORDS * WORD_BYTES);
    for (size_t i = 0; i < rounds; i++, at += ROUND_WORDS * WORD_BYTES) {
        uint64_t twos_a = add_columns(&ones, load_word(at), load_word(at + 8));
        uint64_t twos_b = add_columns(&ones, load_word(at + 16), load_word(at + 24));
        uint64_t fours_a = add_columns(&twos, twos_a, twos_b);
        twos_a = add_columns(&ones, load_word(at + 32), load_word(at + 40));
        twos_b = add_columns(&ones, load_word(at + 48), load_word(at + 56));
        uint64_t fours_b = add_columns(&twos, twos_a, twos_b);
        eights_count += count_word(add_columns(&fours, fours_a, fours_b));
    }
    *bytes = slice_skip(*bytes, rounds * ROUND_WORDS * WORD_BYTES);
    return 8 * eights_count + 4 * count_word(fours) + 2 * count_word(twos) + count_word(ones);
}

uint64_t cw_bits_count(struct slice bytes)
{
    uint64_t count = count_rounds(&bytes);
    for (; bytes.length >= WORD_BYTES; bytes = slice_skip(bytes, WORD_BYTES))
        count += count_word(load_word(bytes.data));
    for (size_t i = 0; i < bytes.length; i++)
        count += count_word((unsigned char)bytes.data[i]);
    return count;
}

/* The bits of a byte from its bit `first` on, and up to its bit `last`. */
static unsigned mask_from(uint64_t first)
{
    return 0xffu >> (first & 7);
}

static unsigned mask_to(uint64_t last)
{
    return 0xff00u >> ((last & 7) + 1) & 0xff;
}

static unsigned byte_at(struct slice bytes, uint64_t bit)
{
    return (unsigned char)bytes.data[bit / 8];
}

uint64_t cw_bits_count_between(struct slice bytes, uint64_t first, uint64_t last)
{
    uint64_t count = cw_bits_count(slice_of(bytes.data + first / 8, last / 8 - first / 8 + 1));
    count -= count_word(byte_at(bytes, first) & ~mask_from(first));
    return count - count_word(byte_at(bytes, last) & ~mask_to(last));
}

/* ---- Finding ---- */

/* The first byte from begin on and before end that is not `skipped`, or end. */
static size_t find_byte(struct slice bytes, size_t begin, size_t end, unsigned char skipped)
{
    uint64_t skipped_word = skipped * UINT64_C(0x0101010101010101);
    while (end - begin >= WORD_BYTES && load_word(bytes.data + begin) == skipped_word)
        begin += WORD_BYTES;
    while (begin < end && (unsigned char)bytes.data[begin] == skipped)
        begin++;
    return begin;
}

int64_t cw_bits_find(struct slice bytes, bool value, uint64_t first, uint64_t last)
{
    unsigned char skipped = value ? 0 : 0xff;
    unsigned mask = mask_from(first);
    size_t end = last / 8;
    for (size_t at = first / 8; at <= end; mask = 0xff) {
        unsigned sought = ((unsigned char)bytes.data[at] ^ skipped) & mask & (at == end ? mask_to(last) : 0xff);
        if (sought)
            return (int64_t)(at * 8 + (unsigned)__builtin_clz(sought << 24));
        at = at < end ? find_byte(bytes, at + 1, end, skipped) : end + 1;
    }
    return CW_BITS_NOT_FOUND;
}

/* ---- Fields ---- */

uint64_t cw_bits_read(struct slice bytes, uint64_t offset, unsigned width)
{
    unsigned char window[WORD_BYTES + 1] = {0}; /* a field of 64 bits may touch nine bytes */
    size_t first = offset / 8;
    if (first < bytes.length) {
        size_t there = bytes.length - first;
        memcpy(window, bytes.data + first, there < sizeof(window) ? there : sizeof(window));
    }
    unsigned skipped = offset & 7;
    uint64_t word = 0;
    for (unsigned i = 0; i < WORD_BYTES; i++)
        word = word << 8 | window[i];
    word = word << skipped | window[WORD_BYTES] >> (8 - skipped);
    return word >> (64 - width);
}

void cw_bits_write(char *bytes, uint64_t offset, unsigned width, uint64_t bits)
{
    while (width > 0) {
        unsigned room = 8 - (offset & 7); /* bits from here to the end of this byte */
        unsigned count = room < width ? room : width;
        unsigned mask = ((1u << count) - 1) << (room - count);
        unsigned part = (unsigned)(bits >> (width - count)) << (room - count);
        unsigned char *byte = (unsigned char *)&bytes[offset / 8];
        *byte = (unsigned char)((*byte & ~mask) | (part & mask));
        offset += count;
        width -= count;
    }
}

int64_t cw_bits_number(struct cw_bits_type type, uint64_t bits)
{
    unsigned unused = 64 - type.width;
    return type.is_signed ? (int64_t)(bits << unused) >> unused : (int64_t)(bits << unused >> unused);
}

/* Makes a number of more bits than any type has one of this type. */
static bool fit(struct cw_bits_type type, enum cw_bits_overflow overflow, __int128 number, int64_t *ret_number)
{
    int64_t most = type.is_signed ? INT64_MAX >> (64 - type.width) : INT64_MAX >> (63 - type.width);
    int64_t least = type.is_signed ? -most - 1 : 0;
    bool fits = number >= least && number <= most;
    if (!fits && overflow == CW_BITS_FAIL)
        return false;
    if (fits || overflow == CW_BITS_WRAP)
        *ret_number = cw_bits_number(type, (uint64_t)number);
    else
        *ret_number = number > most ? most : least;
    return true;
}

bool cw_bits_convert(struct cw_bits_type type, enum cw_bits_overflow overflow, int64_t number, int64_t *ret_number)
{
    return fit(type, overflow, type.is_signed ? (__int128)number : (__int128)(uint64_t)number, ret_number);
}

bool cw_bits_add(struct cw_bits_type type, enum cw_bits_overflow overflow, int64_t number, int64_t increment,
                 int64_t *ret_number)
{
    return fit(type, overflow, (__int128)number + increment, ret_number);
}

/* ---- Combining ---- */

enum merge { MERGE_AND, MERGE_AND_NOT, MERGE_OR, MERGE_XOR };

static inline uint64_t merge_word(enum merge merge, uint64_t a, uint64_t b)
{
    switch (merge) {
    case MERGE_AND: return a & b;
    case MERGE_AND_NOT: return a & ~b;
    case MERGE_OR: return a | b;
    case MERGE_XOR: return a ^ b;
    }
    return 0;
}

/* Inlined once for each merge, which then is a constant. */
static inline __attribute__((always_inline)) void merge_bytes(enum merge merge, char *result, struct slice with)
{
    size_t at = 0;
    for (; with.length - at >= WORD_BYTES; at += WORD_BYTES)
        store_word(result + at, merge_word(merge, load_word(result + at), load_word(with.data + at)));
    for (; at < with.length; at++)
        result[at] = (char)merge_word(merge, (unsigned char)result[at], (unsigned char)with.data[at]);
}

struct chunk { /* the same place of all strings */
    const struct slice *strings;
    size_t count;
    size_t begin;
    size_t length;
    char *result;
};

/* What string `index` has there: at most the chunk's length, maybe nothing. */
static struct slice part_of(const struct chunk *chunk, size_t index)
{
    struct slice string = chunk->strings[index];
    if (string.length <= chunk->begin)
        return slice_of(NULL, 0);
    size_t there = string.length - chunk->begin;
    return slice_of(string.data + chunk->begin, there < chunk->length ? there : chunk->length);
}

static void take(const struct chunk *chunk, size_t index)
{
    struct slice part = part_of(chunk, index);
    if (part.length > 0)
        memcpy(chunk->result, part.data, part.length);
    memset(chunk->result + part.length, 0, chunk->length - part.length);
}

static void merge_one(enum merge merge, const struct chunk *chunk, size_t index)
{
    struct slice part = part_of(chunk, index);
    switch (merge) {
    case MERGE_AND:
        merge_bytes(MERGE_AND, chunk->result, part);
        memset(chunk->result + part.length, 0, chunk->length - part.length);
        break;
    case MERGE_AND_NOT: merge_bytes(MERGE_AND_NOT, chunk->result, part); break;
    case MERGE_OR: merge_bytes(MERGE_OR, chunk->result, part); break;
    case MERGE_XOR: merge_bytes(MERGE_XOR, chunk->result, part); break;
    }
}

/* Takes string `first`, then merges those behind it. */
static void merge_all(enum merge merge, const struct chunk *chunk, size_t first)
{
    take(chunk, first);
    for (size_t i = first + 1; i < chunk->count; i++)
        merge_one(merge, chunk, i);
}

static void merge_one_only(const struct chunk *chunk)
{
    char seen[CHUNK_BYTES]; /* in this one and before */
    char several[CHUNK_BYTES] = {0};
    take(chunk, 0);
    for (size_t i = 1; i < chunk->count; i++) {
        struct slice part = part_of(chunk, i);
        memcpy(seen, chunk->result, part.length);
        merge_bytes(MERGE_AND, seen, part);
        merge_bytes(MERGE_OR, several, slice_of(seen, part.length));
        merge_bytes(MERGE_OR, chunk->result, part);
    }
    merge_bytes(MERGE_AND_NOT, chunk->result, slice_of(several, chunk->length));
}

static void invert(const struct chunk *chunk)
{
    size_t at = 0;
    for (; chunk->length - at >= WORD_BYTES; at += WORD_BYTES)
        store_word(chunk->result + at, ~load_word(chunk->result + at));
    for (; at < chunk->length; at++)
        chunk->result[at] = (char)~chunk->result[at];
}

static void combine_chunk(enum cw_bits_operation operation, const struct chunk *chunk)
{
    switch (operation) {
    case CW_BITS_AND: merge_all(MERGE_AND, chunk, 0); break;
    case CW_BITS_OR: merge_all(MERGE_OR, chunk, 0); break;
    case CW_BITS_XOR: merge_all(MERGE_XOR, chunk, 0); break;
    case CW_BITS_NOT:
        take(chunk, 0);
        invert(chunk);
        break;
    case CW_BITS_DIFF: merge_all(MERGE_AND_NOT, chunk, 0); break;
    case CW_BITS_DIFF1:
        merge_all(MERGE_OR, chunk, 1);
        merge_one(MERGE_AND_NOT, chunk, 0);
        break;
    case CW_BITS_AND_OR:
        merge_all(MERGE_OR, chunk, 1);
        merge_one(MERGE_AND, chunk, 0);
        break;
    case CW_BITS_ONE: merge_one_only(chunk); break;
    }
}

void cw_bits_combine(enum cw_bits_operation operation, const struct slice *strings, size_t count, char *result,
                     size_t length)
{
    for (size_t begin = 0; begin < length; begin += CHUNK_BYTES) {
        size_t rest = length - begin;
        struct chunk chunk = {strings, count, begin, rest < CHUNK_BYTES ? rest : CHUNK_BYTES, result + begin};
        combine_chunk(operation, &chunk);
    }
}
