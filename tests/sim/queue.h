/* queue.h: what happens next; a binary heap by (time, order of insertion), so that equal times have one order. */
#ifndef TESTS_SIM_QUEUE_H
#define TESTS_SIM_QUEUE_H

#include "tests/sim/world.h"

enum sim_event_kind {
    SIM_WAKE,    /* the process looks at its inbox and its deadline */
    SIM_OUTPUT,  /* the effects of its last step are carried out */
    SIM_ARRIVAL, /* the first segment in flight towards an end */
    SIM_CONNECT, /* a connection request reaches the listener's host */
    SIM_OPENED,  /* the answer reaches who asked */
    SIM_RESET,   /* a reset reaches an end */
    SIM_DISK_DONE,
    SIM_CRASH, /* the process dies while a write is under way */
    SIM_RESUMED,
    SIM_ACTION,
};

struct sim_event {
    int64_t at_ns;
    uint64_t order;
    enum sim_event_kind kind;
    unsigned process;
    uint64_t life;   /* the event is void if the process has another by then */
    uint64_t stream; /* serial */
    unsigned end;
    struct address address;
    void (*action)(struct world *world, void *context);
    void *context;
};

struct sim_queue {
    struct sim_event *items; /* owned */
    size_t count;
    size_t capacity;
    uint64_t next_order;
};

void queue_add(struct sim_queue *queue, struct sim_event event);
bool queue_take(struct sim_queue *queue, struct sim_event *ret_event);
int64_t queue_next_ns(const struct sim_queue *queue); /* NEVER_NS when empty */

#endif
