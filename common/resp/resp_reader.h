/* resp_reader.h: incremental readers of RESP2 and RESP3 (redis.io/docs/reference/protocol-spec).
 *
 * They own no socket, never recurse and never allocate from a declared length: memory grows only with bytes that have
 * arrived. Input is bytes and a length, output is how much of it was used.
 *
 * resp_request reads what a client sends: arrays of bulk strings, and inline lines (with Redis' quoting). Our control
 * messages are arrays of bulk strings in both directions, so the same reader serves them.
 *
 * resp_frame finds where a reply of any type ends, over any number of chunks, without keeping the bytes. */
#ifndef COMMON_RESP_RESP_READER_H
#define COMMON_RESP_RESP_READER_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/slice.h"
#include "common/resp/resp_limits.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct resp_argument {
    size_t offset; /* from the first byte of the request */
    size_t length;
};

enum { RESP_ERROR_TEXT_MAX = 48 };

/* A zeroed struct is ready to read. */
struct resp_request {
    /* Of the request that was read last. The slices point into the input given to that call (of an inline request:
     * into inline_text) and hold until the next call. */
    struct slice *argv; /* owned */
    size_t argc;
    char error[RESP_ERROR_TEXT_MAX]; /* after ERR_PROTOCOL: Redis' own words, without "Protocol error: " */

    /* What is known of a request that is still incomplete. */
    bool in_array;
    size_t expected; /* arguments announced by "*N" */
    size_t parsed;   /* arguments found so far */
    size_t position; /* where the next argument begins, from the first byte of the request */
    size_t missing;  /* bytes without which another call cannot get further */

    size_t argv_capacity;
    struct resp_argument *arguments; /* owned; the arguments that earlier calls found */
    size_t arguments_capacity;
    struct buf inline_text; /* owned; the unquoted arguments of an inline request */
};

/* Reads one request from the front of `input`, which begins at the first byte of that request and, as long as 0 is
 * returned, is given again from that same byte with more bytes behind. Returns the bytes that the request took (argv
 * and argc are filled, argc may be 0 for "*0" and empty lines), 0 when it is incomplete, or ERR_PROTOCOL. */
MUST_CHECK int64_t resp_request_read(struct resp_request *request, struct slice input,
                                     const struct resp_limits *limits);

/* After 0 was returned: how many more bytes are needed at least before another call can get further. A hint for how
 * much to read, taken from a length that the peer declared: never allocate by it alone. */
size_t resp_request_missing(const struct resp_request *request);

void resp_request_reset(struct resp_request *request); /* forgets an incomplete request */
void resp_request_free(struct resp_request *request);

size_t resp_request_memory(const struct resp_request *request); /* bytes that it takes, itself included */

enum { RESP_FRAME_HEAD = 48, RESP_HEADER_MAX = 24 };

/* Where in a value the next byte stands. */
enum resp_frame_state {
    RESP_FRAME_TYPE,           /* at its first byte */
    RESP_FRAME_HEADER,         /* in the length of a bulk or aggregate */
    RESP_FRAME_HEADER_NEWLINE, /* that line's carriage return was the last byte */
    RESP_FRAME_TEXT,           /* in a line of text */
    RESP_FRAME_BULK,           /* in the bytes of a bulk */
    RESP_FRAME_BULK_RETURN,    /* behind them */
    RESP_FRAME_NEWLINE,        /* one line feed before the end of the value */
};

/* A zeroed struct is ready to read. */
struct resp_frame {
    bool inside; /* the frame has begun, and not ended */
    char type;   /* first byte of the frame: '+' '-' ':' '$' '*' '%' '~' '>' '_' '#' ',' '(' '=' '!' '|' */
    uint8_t head_length;
    char head[RESP_FRAME_HEAD]; /* the first bytes of the frame, for looking at errors ("-READONLY ...") */

    enum resp_frame_state state;
    char value_type; /* of the value being read */
    uint8_t header_length;
    char header[RESP_HEADER_MAX]; /* of a bulk or aggregate, gathered over chunks */
    uint64_t left;                /* bytes of the bulk still to come, or bytes of text seen */
    unsigned depth;
    uint64_t remaining[RESP_DEPTH_MAX]; /* values still to come, per open aggregate */
};

/* Scans `input`, which goes on where the last call stopped. Fills ret_used with the bytes that belong to the current
 * frame. Returns 1 when the frame ended there (the next call begins a new frame), 0 when it goes on behind the input,
 * ERR_PROTOCOL when this is not RESP. An attribute ('|') belongs to the frame of the value that follows it. */
MUST_CHECK int resp_frame_scan(struct resp_frame *frame, struct slice input, const struct resp_limits *limits,
                               size_t *ret_used);

#endif
