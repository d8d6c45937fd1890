/* output_limits.h: client-output-buffer-limit (redis.io/docs/reference/clients): how much a client may leave unread.
 *
 * Above the hard limit a client is closed at once, above the soft one when that lasts for longer than so many seconds;
 * 0 stands for none. Classes have limits of their own. What a replica has not read stands in the backlog, which is
 * bounded by itself, so the limits of replicas concern no more than the words between the two. */
#ifndef CACHEWORKER_ENGINE_OUTPUT_LIMITS_H
#define CACHEWORKER_ENGINE_OUTPUT_LIMITS_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cw_output_class { CW_OUTPUT_NORMAL, CW_OUTPUT_REPLICA, CW_OUTPUT_PUBSUB, CW_OUTPUT_CLASSES };

struct cw_output_limit {
    size_t hard, soft; /* bytes; 0: none */
    int64_t soft_s;
};

struct cw_output_limits {
    struct cw_output_limit of[CW_OUTPUT_CLASSES];
    size_t least; /* the smallest of all that are not 0, and of the bytes below: less need not be judged */
};

enum { CW_OUTPUT_JUDGED_FROM = 128 << 10 }; /* so much counts at once among what all clients take (client_memory.h) */

/* The reference's, but that `most` bytes (0: no limit) are the hard limit of normal clients, and no other is higher. */
void cw_output_limits_create(struct cw_output_limits *limits, size_t most);

/* "normal 0 0 0 pubsub 32mb 8mb 60": those that are named are replaced, all or none. NULL, or the reason in Redis'
 * words. */
MUST_CHECK const char *cw_output_limits_parse(struct cw_output_limits *limits, struct slice text);

void cw_output_limits_write(const struct cw_output_limits *limits, struct buf *out);

/* Whether `length` bytes are too many. soft_since_ns is the client's own: since when it has been above the soft limit,
 * 0 when it is not. */
bool cw_output_limit_exceeded(const struct cw_output_limit *limit, size_t length, int64_t now_ns,
                              int64_t *soft_since_ns);

#endif
