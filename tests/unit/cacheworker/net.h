/* net.h: a few workers' cores wired back to back in memory, with the test as their clients and their sentinel.
 *
 * Worker i is reached at data port 1000 + i and control port 2000 + i; a link to NET_SOURCE_PORT is one to the test.
 * Bytes arrive in order and whole, unless a connection is cut. One clock for all. */
#ifndef TESTS_UNIT_CACHEWORKER_NET_H
#define TESTS_UNIT_CACHEWORKER_NET_H

#include "cacheworker/engine/worker.h"
#include "common/ha/messages.h"

enum { NET_WORKERS = 3, NET_CONNECTIONS = 128, NET_OUTSIDE = -1, NET_SOURCE_PORT = 9000 };

struct net_end {
    int worker; /* NET_OUTSIDE: the test */
    link_id link;
    bool is_opening; /* asked for by the core; EVENT_OPENED is due */
    bool is_dirty;   /* it flushed */
    bool is_draining;
    bool hears_close; /* EVENT_CLOSED is due, behind what has arrived */
    struct buf inbox; /* arrived, not yet delivered; of the test: what it may look at */
};

struct net_connection {
    bool is_open;
    bool is_offered; /* a worker has connected to the test, which does not know it yet */
    struct net_end ends[2];
};

struct net_worker {
    struct cw_worker *core; /* NULL: not running */
    struct effects effects;
    bool is_listening;
    bool hold_persists; /* the disk does not answer */
    int persist_result; /* what it answers */
    bool persist_due;
    uint64_t persist_token;
    struct buf persisting;
    uint64_t renamed; /* the token of a file's new name that was asked for; 0: none */
    struct buf state; /* node.state as it is durable */
    bool state_found;
    struct buf log;
    uint64_t starts;
};

struct net {
    struct net_worker workers[NET_WORKERS];
    struct net_connection connections[NET_CONNECTIONS];
    int64_t now_ns;
    bool refuses[NET_WORKERS]; /* nobody gets through to its data port */
    size_t backlog_bytes;
    unsigned mutants;
    const struct storage *storages[NET_WORKERS]; /* NULL: nothing touches the disk */
    uint64_t turns;
};

void net_init(struct net *net);
void net_free(struct net *net);
void net_start(struct net *net, int worker); /* a new life */
void net_kill(struct net *net, int worker);
void net_pump(struct net *net);                /* until nobody has anything to say */
void net_advance(struct net *net, int64_t ns); /* time goes on, in steps of 10 ms */

int net_connect(struct net *net, int worker, int listener); /* the test connects; a connection's number */
int net_accept(struct net *net);                 /* one that a worker has made to the test; -1: there is none */
void net_close(struct net *net, int connection); /* by the test; what has arrived is lost */
void net_send(struct net *net, int connection, struct slice bytes);
void net_cut_between(struct net *net, int a, int b); /* closes the workers' links to each other */
bool net_is_open(const struct net *net, int connection);
struct slice net_received(const struct net *net, int connection);
void net_forget(struct net *net, int connection); /* what was received so far */

/* Sends words and pumps; what came back, as it came. Good until the next call. */
struct slice net_command(struct net *net, int connection, const char *line);

#endif
