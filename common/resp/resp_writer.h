/* resp_writer.h: encode RESP2 and RESP3 into a buffer.
 *
 * `protocol` is 2 or 3: types that RESP2 lacks are written as Redis writes them there (maps as flat arrays, booleans as
 * integers, doubles as bulk strings, null as $-1). Simple strings and errors cannot carry CR or LF: such bytes become
 * spaces, so that no text can forge a reply. */
#ifndef COMMON_RESP_RESP_WRITER_H
#define COMMON_RESP_RESP_WRITER_H

#include "common/base/buf.h"
#include "common/base/number.h"
#include "common/base/slice.h"

#include <stdint.h>

static inline void resp_write_ok(struct buf *out)
{
    buf_add(out, "+OK\r\n", 5);
}

void resp_write_simple(struct buf *out, struct slice text);
void resp_write_error(struct buf *out, struct slice text); /* with the code, without the dash: "ERR no such key" */
void resp_write_error_format(struct buf *out, const char *format, ...) PRINTF(2, 3);
void resp_write_integer(struct buf *out, int64_t number);
void resp_write_bulk(struct buf *out, struct slice bytes);
void resp_write_bulk_text(struct buf *out, const char *text);
void resp_write_bulk_i64(struct buf *out, int64_t number);
void resp_write_bulk_u64(struct buf *out, uint64_t number);
void resp_write_double(struct buf *out, int protocol, double number);
void resp_write_boolean(struct buf *out, int protocol, bool value);
void resp_write_null(struct buf *out, int protocol);       /* $-1 or _ */
void resp_write_null_array(struct buf *out, int protocol); /* *-1 or _ */
void resp_write_array(struct buf *out, uint64_t count);
void resp_write_map(struct buf *out, int protocol, uint64_t pairs);
/* The header of an array, of a map of RESP3, or of a set, in front of its elements, which were written since `out` was
 * `length` bytes long: for who knows only then how many there are. */
void resp_insert_array(struct buf *out, size_t length, uint64_t count);
void resp_insert_map(struct buf *out, size_t length, uint64_t pairs);
void resp_insert_set(struct buf *out, int protocol, size_t length, uint64_t count);
void resp_write_set(struct buf *out, int protocol, uint64_t count);
void resp_write_push(struct buf *out, int protocol, uint64_t count);
/* `format` is three letters, "txt" or "mkd". */
void resp_write_verbatim(struct buf *out, int protocol, const char *format, struct slice text);
void resp_write_big_number(struct buf *out, int protocol, struct slice digits);

#endif
