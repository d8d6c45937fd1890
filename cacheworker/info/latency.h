/* latency.h: which commands and which of the worker's own doings took long, and when (redis.io/docs/management/
 * optimization/latency-monitor): what took latency-monitor-threshold ms or more. For each event the last 160 seconds
 * in which there was one are kept, each with its longest. */
#ifndef CACHEWORKER_INFO_LATENCY_H
#define CACHEWORKER_INFO_LATENCY_H

#include "common/base/buf.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum { CW_LATENCY_SAMPLES = 160 };

enum cw_latency_event { /* by the reference's names */
                        CW_LATENCY_COMMAND,
                        CW_LATENCY_FAST_COMMAND,
                        CW_LATENCY_EXPIRE_CYCLE,
                        CW_LATENCY_EVICTION_CYCLE,
                        CW_LATENCY_EVENTS,
};

struct cw_latency_sample {
    int64_t wall_s;
    int64_t ms;
};

struct cw_latency_series {
    struct cw_latency_sample samples[CW_LATENCY_SAMPLES]; /* a ring; count of them, the last before `next` */
    unsigned next;
    unsigned count; /* 0: there is no such event */
    int64_t longest_ms;
};

struct cw_latency {
    struct cw_latency_series of[CW_LATENCY_EVENTS];
};

const char *cw_latency_event_name(enum cw_latency_event event);

/* False where the name is none of an event, or the event never was. In any case. */
bool cw_latency_find(const struct cw_latency *latency, struct slice name, enum cw_latency_event *ret_event);

void cw_latency_add(struct cw_latency *latency, enum cw_latency_event event, int64_t wall_s, int64_t ms);

/* Forgets one event; whether there was anything to forget. */
bool cw_latency_reset(struct cw_latency *latency, enum cw_latency_event event);

/* The sample that came `index` after the oldest that is kept. */
const struct cw_latency_sample *cw_latency_at(const struct cw_latency_series *series, unsigned index);

/* LATENCY GRAPH: four lines of text high, the newest sample to the right, with how long ago each was. */
void cw_latency_draw(const struct cw_latency *latency, enum cw_latency_event event, int64_t wall_s, struct buf *out);

/* LATENCY DOCTOR: each event in a sentence, and what can be done. */
void cw_latency_explain(const struct cw_latency *latency, int64_t threshold_ms, struct buf *out);

#endif
