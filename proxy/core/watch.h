/* watch.h: how the proxy learns who is master (QUORUM section 9).
 *
 * One link to every configured sentinel, subscribed to pushes; each second it asks anew, so that a lost push costs a
 * second. The highest version from any of them wins; a lower one is ignored. */
#ifndef PROXY_CORE_WATCH_H
#define PROXY_CORE_WATCH_H

#include "common/base/buf.h"
#include "common/base/door.h"
#include "common/ha/topology.h"
#include "common/resp/resp_reader.h"

struct px_proxy;

struct px_watch_link {
    struct px_proxy *proxy; /* borrowed */
    struct address address;
    link_id link; /* LINK_NONE between attempts */
    bool opened;
    int64_t heard_ns; /* opened, or anything arrived */
    int64_t retry_ns;
    struct buf input;
    struct buf output;
    struct resp_request request;
};

struct px_watch {
    uint32_t count;
    struct px_watch_link links[TOPOLOGY_SENTINELS_MAX];
    int64_t next_poll_ns;
};

void px_watch_init(struct px_proxy *proxy);
void px_watch_free(struct px_proxy *proxy);
void px_watch_turn(struct px_proxy *proxy); /* connects and polls when it is time */
int64_t px_watch_deadline(const struct px_proxy *proxy);

void px_watch_opened(struct px_watch_link *watch);
void px_watch_received(struct px_watch_link *watch, struct slice bytes);
void px_watch_closed(struct px_watch_link *watch);

#endif
