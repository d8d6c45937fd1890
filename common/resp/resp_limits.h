/* resp_limits.h: the bounds of the protocol readers. The defaults are Redis' own. */
#ifndef COMMON_RESP_RESP_LIMITS_H
#define COMMON_RESP_RESP_LIMITS_H

#include <stdbool.h>
#include <stddef.h>

struct resp_limits {
    size_t arguments_max;      /* of one request */
    size_t bulk_length_max;    /* bytes of one argument or bulk reply (proto-max-bulk-len) */
    size_t inline_length_max;  /* bytes of one line */
    size_t request_length_max; /* bytes of one whole request */
    bool unauthenticated;      /* says so in the words of the error */
};

enum { RESP_DEPTH_MAX = 16 }; /* of nested replies; deeper is a protocol error */

#define RESP_LIMITS_DEFAULT                                                                                            \
    ((struct resp_limits){.arguments_max = 1024 * 1024,                                                                \
                          .bulk_length_max = (size_t)512 << 20,                                                        \
                          .inline_length_max = 64 << 10,                                                               \
                          .request_length_max = (size_t)1 << 30})

/* Before a client has proved who it is; the figures are the reference's (10 arguments, 16 KiB each). */
#define RESP_LIMITS_UNAUTHENTICATED                                                                                    \
    ((struct resp_limits){.arguments_max = 10,                                                                         \
                          .bulk_length_max = 16 << 10,                                                                 \
                          .inline_length_max = 16 << 10,                                                               \
                          .request_length_max = 64 << 10,                                                              \
                          .unauthenticated = true})

#endif
