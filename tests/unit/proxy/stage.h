/* stage.h: a proxy core on a stage: the test is its world. Clients, workers and sentinels are byte streams that the
 * test plays; time is a number. Everything goes through the door. */
#ifndef TESTS_UNIT_PROXY_STAGE_H
#define TESTS_UNIT_PROXY_STAGE_H

#include "common/base/door.h"
#include "common/ha/messages.h"
#include "proxy/core/inspect.h"
#include "proxy/core/proxy.h"

enum {
    STAGE_LINKS_MAX = 4096,
    STAGE_WORKER_PORT = 6000,   /* worker n listens on this + n */
    STAGE_SENTINEL_PORT = 7000, /* sentinel n on this + n */
};

struct stage_link {
    bool open;
    bool connecting;
    bool paused;
    bool closed;      /* it was open, and the proxy has closed it */
    bool stuck;       /* the peer takes no bytes */
    uint16_t port;    /* of the peer; 0: a client */
    struct buf heard; /* owned; what the proxy sent and the test has not looked at */
};

struct stage {
    struct px_proxy *proxy;
    struct px_shared shared;
    struct effects effects;
    int64_t now_ns;
    struct topology topology; /* the last that was published */
    struct stage_link links[STAGE_LINKS_MAX];
    bool workers_refuse; /* connections to workers fail */
    bool exited;
    bool woke;       /* it wants the other threads to have a turn */
    struct buf text; /* what stage_heard returned last */
};

void stage_config(struct stage *stage, struct px_config *config);
struct stage *stage_open(const struct px_config *config);              /* NULL: the defaults of stage_config */
struct stage *stage_open_beside(struct stage *first, unsigned thread); /* another thread of that proxy, the next */
void stage_close(struct stage *stage);

void stage_stop(struct stage *stage); /* EVENT_STOP */

/* Publishes a topology: worker `worker` in its `incarnation`-th life is master. */
void stage_publish(struct stage *stage, uint64_t version, uint64_t epoch, unsigned worker, uint64_t incarnation);

link_id stage_client(struct stage *stage); /* LINK_NONE: refused without a word */
void stage_say_bytes(struct stage *stage, link_id link, struct slice bytes);
void stage_say(struct stage *stage, link_id link, const char *text);  /* bytes from the peer, then a turn */
void stage_tell(struct stage *stage, link_id link, const char *text); /* without a turn */
void stage_turn(struct stage *stage);
void stage_hang_up(struct stage *stage, link_id link); /* the peer closes */
void stage_end(struct stage *stage, link_id link);     /* the peer says no more, and listens */
void stage_wait(struct stage *stage, int64_t ns);      /* virtual time, with turns whenever the core asks for one */
void stage_release(struct stage *stage, link_id link); /* a stuck peer reads everything */
/* The peer takes only `count` bytes more, and then is stuck. */
void stage_take_only(struct stage *stage, link_id link, size_t count);

const char *stage_heard(struct stage *stage, link_id link); /* and forgets it; holds until the next call */
link_id stage_worker_link(const struct stage *stage, unsigned worker, unsigned nth); /* open ones, in number order */
unsigned stage_worker_links(const struct stage *stage, unsigned worker);

/* Answers the greeting on every open link of that worker that has one unanswered. */
void stage_attach(struct stage *stage, unsigned worker);

/* "GET a" as an array of bulk strings; holds until the next call. */
const char *stage_array(const char *words);

#define stage_expect(stage, link, text) assert_string_equal(stage_heard(stage, link), text)

#endif
