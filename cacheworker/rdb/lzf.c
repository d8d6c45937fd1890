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
