/* stream_id.h: what names an entry of a stream: milliseconds, and a number within the millisecond; as text "5-3".
 *
 * Source: redis.io/docs/data-types/streams, and what redis-server 7.0 takes and answers. */
#ifndef CACHEWORKER_STREAM_STREAM_ID_H
#define CACHEWORKER_STREAM_STREAM_ID_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct cw_stream_id {
    uint64_t ms;
    uint64_t seq;
};

#define CW_STREAM_ID_MIN ((struct cw_stream_id){0, 0})
#define CW_STREAM_ID_MAX ((struct cw_stream_id){UINT64_MAX, UINT64_MAX})

enum {
    CW_STREAM_ID_TEXT_MAX = 41, /* two numbers of 20 digits, and the dash */
    CW_STREAM_ID_BYTES = 16,    /* as big-endian numbers */
};

/* Below, at or above 0, as the order of a and b is. */
static inline int cw_stream_id_compare(struct cw_stream_id a, struct cw_stream_id b)
{
    if (a.ms != b.ms)
        return a.ms < b.ms ? -1 : 1;
    return a.seq < b.seq ? -1 : a.seq > b.seq;
}

static inline bool cw_stream_id_is_zero(struct cw_stream_id id)
{
    return (id.ms | id.seq) == 0;
}

/* The next id, and the one before. False: there was none, and it is 0-0 now, or the greatest. */
bool cw_stream_id_increment(struct cw_stream_id *id);
bool cw_stream_id_decrement(struct cw_stream_id *id);

/* "5-3"; "5" is 5 with missing_seq. ERR_INVALID. As in the reference, the numbers may have a plus sign, blanks before
 * it, and leading zeros, and what stands behind a NUL does not count. */
MUST_CHECK int cw_stream_id_parse(struct slice text, uint64_t missing_seq, struct cw_stream_id *ret_id);

/* The same, or "-" for the least id and "+" for the greatest. */
MUST_CHECK int cw_stream_id_parse_end(struct slice text, uint64_t missing_seq, struct cw_stream_id *ret_id);

/* One end of a range: that too, or "(5-3", which leaves 5-3 itself out. The id returned is the first, or the last, that
 * the range has. ERR_INVALID, or ERR_RANGE when there is no id beyond the one left out. */
MUST_CHECK int cw_stream_id_parse_range_first(struct slice text, struct cw_stream_id *ret_id);
MUST_CHECK int cw_stream_id_parse_range_last(struct slice text, struct cw_stream_id *ret_id);

enum cw_stream_id_form {
    CW_STREAM_ID_GIVEN,    /* "5-3", "5" */
    CW_STREAM_ID_AUTO_SEQ, /* "5-*": the stream chooses the number within the millisecond */
    CW_STREAM_ID_AUTO,     /* "*": the stream chooses */
};

/* The id of an entry to be added. What the stream is to choose is 0. ERR_INVALID. */
MUST_CHECK int cw_stream_id_parse_new(struct slice text, struct cw_stream_id *ret_id, enum cw_stream_id_form *ret_form);

/* Writes "5-3", without a terminating NUL, and returns its length. */
size_t cw_stream_id_format(struct cw_stream_id id, char text[CW_STREAM_ID_TEXT_MAX]);

/* As RDB files have it: two big-endian numbers. */
void cw_stream_id_encode(struct cw_stream_id id, char bytes[CW_STREAM_ID_BYTES]);
struct cw_stream_id cw_stream_id_decode(const char bytes[CW_STREAM_ID_BYTES]);

#endif
