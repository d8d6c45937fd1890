/* tracking.h: what a session has asked for by CLIENT TRACKING, so that a new master can be asked for the same.
 *
 * A session that tracks has a link of its own. When that loses its connection, nobody knows what the client has cached:
 * it is told to forget everything, and the next connection begins with the requests that make up its mode. */
#ifndef PROXY_CORE_TRACKING_H
#define PROXY_CORE_TRACKING_H

#include "common/base/buf.h"

enum { PX_TRACKING_BYTES_MAX = 64 << 10 }; /* of all requests together */

/* What CLIENT CACHING said last; it holds for the next command. */
enum px_caching { PX_CACHING_NONE, PX_CACHING_YES, PX_CACHING_NO };

struct px_tracking {
    struct buf requests; /* owned; CLIENT TRACKING ON ..., in order */
    uint32_t count;
    struct buf asked; /* owned; the request that is under way */
    bool is_on;
    bool asked_on;
    bool asked_adds; /* it adds prefixes to those that there are */
    enum px_caching caching;
};

void px_tracking_free(struct px_tracking *tracking);

/* Whether the words of a CLIENT TRACKING name a session that its messages shall go to. */
bool px_tracking_redirects(const struct slice *argv, size_t argc);

/* A CLIENT TRACKING is under way; `bytes` are the same as an array. */
void px_tracking_ask(struct px_tracking *tracking, const struct slice *argv, size_t argc, struct slice bytes);

/* The worker has said yes to it. */
void px_tracking_grant(struct px_tracking *tracking);

/* The requests that make a new connection track; returns how many replies they bring. */
uint32_t px_tracking_write(const struct px_tracking *tracking, struct buf *out);

#endif
