#include "cacheworker/rdb/lzf.h"

#include "common/base/errors.h"

int cw_lzf_unpack(struct slice packed, char *out, size_t length)
{
    const unsigned char *in = (const unsigned char *)packed.data;
    const unsigned char *end = in + packed.length;
    size_t filled = 0;

    while (in < end) {
        unsigned control = *in++;
        if (control < 32) { /* a run of literal bytes */
            size_t run = control + 1;
            if (run > (size_t)(end - in) || run > length - filled)
                return ERR_CORRUPT;
            memcpy(out + filled, in, run);
            in += run;
            filled += run;
            continue;
        }
        size_t run = control >> 5; /* a reference to bytes that are already there, perhaps overlapping itself */
        if (run == 7) {
            if (in == end)
                return ERR_CORRUPT;
            run += *in++;
        }
        if (in == end)
            return ERR_CORRUPT;
        size_t distance = ((size_t)(control & 31) << 8 | *in++) + 1;
        run += 2;
        if (distance > filled || run > length - filled)
            return ERR_CORRUPT;
        for (; run > 0; run--, filled++)
            out[filled] = out[filled - distance];
    }
    return filled == length ? 0 : ERR_CORRUPT;
}

/* ---- Packing ---- */

enum {
    LITERALS_MAX = 32,
    MATCH_MIN = 3,
    MATCH_MAX = 264,
    DISTANCE_MAX = 1 << 13,
};

struct packing {
    struct slice bytes;
    unsigned char *out;
    size_t filled;
    size_t capacity;
};

static unsigned hash_of(const unsigned char *at)
{
    uint32_t three = (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8 | at[2];
    return three * 2654435761u >> (32 - CW_LZF_PLACES_BITS);
}

/* Bytes as they are. False: there is no room. */
static bool add_literals(struct packing *packing, size_t from, size_t to)
{
    while (from < to) {
        size_t run = to - from < LITERALS_MAX ? to - from : LITERALS_MAX;
        if (packing->capacity - packing->filled < run + 1)
            return false;
        packing->out[packing->filled++] = (unsigned char)(run - 1);
        memcpy(packing->out + packing->filled, packing->bytes.data + from, run);
        packing->filled += run;
        from += run;
    }
    return true;
}

static bool add_match(struct packing *packing, size_t distance, size_t length)
{
    if (packing->capacity - packing->filled < 3)
        return false;
    unsigned high = (unsigned)((distance - 1) >> 8);
    size_t run = length - 2;
    if (run < 7) {
        packing->out[packing->filled++] = (unsigned char)(run << 5 | high);
    } else {
        packing->out[packing->filled++] = (unsigned char)(7 << 5 | high);
        packing->out[packing->filled++] = (unsigned char)(run - 7);
    }
    packing->out[packing->filled++] = (unsigned char)((distance - 1) & 0xff);
    return true;
}

/* How many bytes at both places are the same; 0 unless they are enough. */
static size_t match_length(struct slice bytes, size_t at, size_t candidate)
{
    size_t most = bytes.length - at < MATCH_MAX ? bytes.length - at : MATCH_MAX;
    size_t length = 0;
    while (length < most && bytes.data[at + length] == bytes.data[candidate + length])
        length++;
    return length >= MATCH_MIN ? length : 0;
}

size_t cw_lzf_pack(struct cw_lzf *lzf, struct slice bytes, char *out, size_t capacity)
{
    struct packing packing = {bytes, (unsigned char *)out, 0, capacity};
    const unsigned char *in = (const unsigned char *)bytes.data;
    size_t literals = 0; /* where those begin that are not written yet */
    size_t at = 0;
    while (at + MATCH_MIN <= bytes.length) {
        uint32_t *place = &lzf->places[hash_of(in + at)];
        size_t candidate = *place; /* perhaps one of an earlier string: then the bytes decide */
        *place = (uint32_t)at;
        size_t length = candidate < at && at - candidate <= DISTANCE_MAX ? match_length(bytes, at, candidate) : 0;
        if (length == 0) {
            at++;
            continue;
        }
        if (!add_literals(&packing, literals, at) || !add_match(&packing, at - candidate, length))
            return 0;
        at += length;
        literals = at;
    }
    return add_literals(&packing, literals, bytes.length) ? packing.filled : 0;
}
