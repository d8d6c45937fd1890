/* statistics.h: what a worker counts. Reset by CONFIG RESETSTAT, shown by INFO. */
#ifndef CACHEWORKER_INFO_STATISTICS_H
#define CACHEWORKER_INFO_STATISTICS_H

#include "cacheworker/info/histogram.h"
#include "common/base/slice.h"

#include <stdint.h>

enum {
    CW_ERROR_KINDS_MAX = 64, /* further kinds are in the total only */
    CW_ERROR_CODE_MAX = 32,  /* bytes of an error's first word, with the NUL */
    CW_RATE_SAMPLES = 16,    /* of the instantaneous figures */
    CW_DENIALS = 4,          /* reasons for them */
};

struct cw_command_statistics {
    uint64_t calls;
    uint64_t rejected;              /* refused before they were executed */
    uint64_t failed;                /* answered an error */
    uint64_t total_ns;              /* that the calls took, where somebody measures */
    struct cw_histogram *histogram; /* owned; the same one by one; NULL before the first */
};

struct cw_error_statistics {
    char code[CW_ERROR_CODE_MAX];
    uint64_t count;
};

/* Samples of a counter, 100 ms or more apart, while there is traffic. */
struct cw_rate {
    uint64_t last_value;
    int64_t last_ns;
    uint64_t per_second[CW_RATE_SAMPLES];
    unsigned next;
};

struct cw_statistics {
    struct cw_command_statistics *commands; /* owned; by command id */
    struct cw_error_statistics errors[CW_ERROR_KINDS_MAX];
    unsigned error_kinds;
    uint64_t total_errors;
    uint64_t total_commands;
    uint64_t total_connections;
    uint64_t rejected_connections;
    uint64_t input_bytes;
    uint64_t output_bytes;
    uint64_t replication_input_bytes;  /* of these */
    uint64_t replication_output_bytes; /* of these, what the stream and snapshots took */
    uint64_t reads;                    /* of something from a link */
    uint64_t writes;
    uint64_t turns;
    uint64_t turns_ns; /* processor time */
    uint64_t output_limit_disconnections;
    uint64_t query_limit_disconnections;
    uint64_t expire_cycles_cut; /* that ran out of their budget */
    uint64_t expire_cycles_ns;
    uint64_t evicted_keys;
    uint64_t evicted_clients;
    uint64_t denied[CW_DENIALS]; /* by access control; enum cw_acl_reason */
    int64_t memory_exceeded_ns;  /* how long memory was above its limit, before now */
    uint64_t changes;            /* of data, since the last SAVE */
    int64_t longest_turn_ns;     /* processor time, from one EVENT_TURN to the next */
    uint64_t saves;              /* of the data, to the disk */
    struct cw_rate commands_rate;
    struct cw_rate input_rate;
    struct cw_rate output_rate;
    struct cw_rate replication_input_rate;
    struct cw_rate replication_output_rate;
    struct cw_rate turns_rate;
    struct cw_rate turns_ns_rate;
};

void cw_statistics_create(struct cw_statistics *statistics);
void cw_statistics_destroy(struct cw_statistics *statistics);

/* CONFIG RESETSTAT: all but what is not a statistic (changes). */
void cw_statistics_reset(struct cw_statistics *statistics);

/* `code` is the error's first word. */
void cw_statistics_count_error(struct cw_statistics *statistics, struct slice code);

/* Looks at the counters once in a while, so that rates can be shown. */
void cw_statistics_sample(struct cw_statistics *statistics, int64_t now_ns);
uint64_t cw_rate_per_second(const struct cw_rate *rate, int64_t now_ns);

#endif
