/* stream.h: simulated connections. The world owns them; a stream ends when both ends are closed.
 *
 * Bytes travel in segments, in order, each with a delay. Where the way is cut they wait and are tried again, as TCP
 * does; when the oldest has waited for 3 s (TCP_USER_TIMEOUT, which the shells set) the sender's end breaks, and the
 * other end stays half-open until it sends. A segment that reaches a closed end is answered with a reset. */
#ifndef TESTS_SIM_STREAM_H
#define TESTS_SIM_STREAM_H

#include "tests/sim/queue.h"

#define SIM_USER_TIMEOUT_NS (3 * NS_PER_S)
enum { SIM_WINDOW_BYTES = 256 * 1024 };

struct sim_segment {
    struct sim_segment *next;
    int64_t sent_ns;
    int64_t arrival_ns;
    bool is_end; /* the sender closed */
    size_t length;
    char bytes[];
};

struct sim_end {
    struct sim_stream *stream;
    unsigned side;
    struct sim_process *process; /* NULL: nobody is there */
    link_id link;
    bool accepted;    /* the process knows the link */
    bool read_paused; /* EFFECT_PAUSE */
    bool draining;
    bool output_blocked; /* the window was full */
    struct buf arrived;  /* owned; received by the kernel, not yet read by the process */
    bool end_arrived;
    bool is_broken;     /* what it sends goes nowhere; its process may not have heard of it yet */
    bool queued;        /* stands in the inbox of its process, to be read */
    bool flush_pending; /* EFFECT_FLUSH, until the output of this turn */

    struct sim_segment *flight_first, *flight_last; /* owned; on their way TO this end */
    size_t flight_bytes;
    bool arrival_scheduled;
    int64_t last_arrival_ns;
};

struct sim_stream {
    struct sim_stream *next, **link_from;
    uint64_t serial;
    unsigned hosts[2]; /* which host each side is on, also after the process is gone */
    int64_t opened_ns;
    struct address address; /* of the listener */
    bool is_control;        /* between daemons */
    struct sim_end ends[2];
};

struct sim_stream *stream_find(struct world *world, uint64_t serial);
struct sim_stream *stream_open(struct world *world, struct sim_process *from, link_id link,
                               const struct address *address);
void stream_send(struct world *world, struct sim_end *end, struct slice bytes); /* from this end to the other */
void stream_close_end(struct world *world, struct sim_end *end);  /* by its process or its kernel: the other is told */
void stream_forget_end(struct world *world, struct sim_end *end); /* power loss: nobody is told */
void stream_arrive(struct world *world, struct sim_end *end);     /* SIM_ARRIVAL */
void stream_reset(struct world *world, struct sim_end *end);      /* this end breaks */
void stream_connect(struct world *world, struct sim_stream *stream); /* SIM_CONNECT */
size_t stream_window(const struct sim_end *end); /* bytes that the kernel still takes from this end */
int64_t stream_delay_ns(struct world *world);
void stream_free_all(struct world *world);

#endif
