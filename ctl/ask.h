/* ask.h: asks many daemons at once, within one bound of time; a daemon that is stopped delays nobody.
 *
 * hiredis formats the requests and reads the replies; the connections are our own, non-blocking. */
#ifndef CTL_ASK_H
#define CTL_ASK_H

#include "common/base/address.h"
#include "common/base/buf.h"

#include <hiredis/hiredis.h>

enum { ASK_REPLIES_MAX = 4 };

struct ask {
    struct address address;
    struct buf request;                   /* owned; freed by ask_free */
    unsigned wanted;                      /* replies, at most ASK_REPLIES_MAX */
    redisReply *replies[ASK_REPLIES_MAX]; /* owned */
    unsigned count;
    int result; /* 0 when all wanted replies came; ERR_CONNECTION, ERR_TIMEOUT, ERR_PROTOCOL */

    int descriptor;
    bool connected;
    redisReader *reader; /* owned */
};

/* Adds a command to the request; each argument is binary safe through hiredis' "%b". */
void ask_add(struct ask *ask, const char *format, ...);

/* Sends all requests and gathers the replies until all are there or `timeout_ms` is over. */
void ask_all(struct ask *asks, unsigned count, int timeout_ms);
void ask_free(struct ask *ask);

#endif
