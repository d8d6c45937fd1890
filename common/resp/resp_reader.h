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

/* A zeroed struct is ready to read. */
struct resp_request {
    struct slice *argv; /* owned; filled when a request is complete, pointing into the input given to that call */
    size_t argc;
    size_t argv_capacity;

    /* What is known of the request that is still incomplete; the next call gives the same bytes and more. */
    struct resp_argument *arguments; /* owned */
    size_t arguments_capacity;
    size_t expected; /* arguments announced by "*N" */
    size_t parsed;   /* arguments found so far */
    size_t position; /* bytes looked at, from the first byte of the request */
    bool in_array;
    char *inline_text; /* owned; unquoted arguments of an inline request, which argv points to */
    const char *error; /* after ERR_PROTOCOL: Redis' own words, without "Protocol error: "; static */
};

/* Reads one request from the front of `input`, which begins at the first byte of that request and, as long as 0 is
 * returned, is given again from that same byte with more bytes behind. Returns the bytes that the request took (argv
 * and argc are filled, argc may be 0 for "*0" and empty lines), 0 when it is incomplete, or ERR_PROTOCOL. */
MUST_CHECK int64_t resp_request_read(struct resp_request *request, struct slice input, const struct resp_limits *limits);

/* How many bytes the request needs at least before another call can get further; a hint, 1 when unknown. */
size_t resp_request_missing(const struct resp_request *request);

void resp_request_reset(struct resp_request *request); /* forgets an incomplete request */
void resp_request_free(struct resp_request *request);

enum { RESP_FRAME_HEAD = 48 };

/* A zeroed struct is ready to read. */
struct resp_frame {
    uint64_t remaining[RESP_DEPTH_MAX]; /* values still to come, per open aggregate */
    unsigned depth;
    uint64_t bulk_left;    /* bytes of a bulk string (and its CRLF) still to come */
    bool inside;           /* the frame has begun */
    char type;             /* first byte of the frame: '+' '-' ':' '$' '*' '%' '~' '>' '_' '#' ',' '(' '=' '!' '|' */
    uint8_t line_length;   /* bytes of the current header line that are in `line` */
    char line[32];         /* header of an aggregate or bulk, gathered over chunks */
    uint32_t line_skipped; /* bytes of the current line that were not kept */
    uint8_t head_length;
    char head[RESP_FRAME_HEAD]; /* the first bytes of the frame, for looking at errors ("-READONLY ...") */
};

/* Scans `input`, which goes on where the last call stopped. Fills ret_used with the bytes that belong to the current
 * frame. Returns 1 when the frame ended there (the next call begins a new frame), 0 when it goes on behind the input,
 * ERR_PROTOCOL when this is not RESP. An attribute ('|') belongs to the frame of the value that follows it. */
MUST_CHECK int resp_frame_scan(struct resp_frame *frame, struct slice input, const struct resp_limits *limits,
                               size_t *ret_used);

#endif
