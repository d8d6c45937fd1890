/* refusals.h: why what came over a control link was not taken, counted, for INFO and for logs that do not fill a disk.
 * Plain values; single-threaded. */
#ifndef COMMON_HA_REFUSALS_H
#define COMMON_HA_REFUSALS_H

#include "common/base/buf.h"

#include <stdbool.h>
#include <stdint.h>

enum refusal {
    REFUSAL_SECRET,     /* a HELLO with another secret */
    REFUSAL_PROTOCOL,   /* a HELLO of another version of the protocol */
    REFUSAL_NO_HELLO,   /* a message before HELLO */
    REFUSAL_PERMISSION, /* a message that its sender's kind may not say, or an identity that is another's */
    REFUSAL_MALFORMED,  /* not a message, or not one for this daemon */
    REFUSAL_GROUP,      /* of another group */
    REFUSAL_OLD,        /* overtaken: an older version, epoch, or life, an answer to a question that was not asked */
    REFUSAL_KINDS
};

#define REFUSALS_TOLD_EVERY_NS (10 * INT64_C(1000000000))

struct refusals { /* zeroed: none yet */
    uint64_t counts[REFUSAL_KINDS];
    uint64_t told_total; /* without REFUSAL_OLD, which happens in every failover */
    int64_t told_ns;     /* 0: never */
};

/* True when there is something new to log, and the last such line is long enough ago; then it counts as logged. */
bool refusals_tell(struct refusals *refusals, int64_t now_ns);

/* "secret=0,protocol=0,…": the value of an INFO field. */
void refusals_format(const struct refusals *refusals, struct buf *out);

#endif
