/* workload.h: clients that write and read through the proxies, and what they remember of it.
 *
 * A client is a core like any other: it connects to a proxy, keeps one to three commands under way, and knows of each
 * whether it was acknowledged, answered with an error, or lost with its connection. Keys are of three sorts: counters
 * (INCR), registers (SET of values that no other write uses), and a log per client, to which it appends tokens that no
 * other write uses, and which it reads once, at the end. In some seeds they also change values of every type
 * (changes.h), in some they write by scripts and functions (scripts.h). And there are pairs of keys, which transactions
 * alone write, both with the same value: whoever reads one sees no half of a transaction, whatever became of the master
 * in the middle. */
#ifndef TESTS_SIM_WORKLOAD_H
#define TESTS_SIM_WORKLOAD_H

#include "tests/sim/world.h"

enum { WORKLOAD_CLIENTS = 6, WORKLOAD_KEYS = 4 };

enum operation_kind {
    OPERATION_INCR,
    OPERATION_SET,
    OPERATION_GET,
    OPERATION_APPEND,
    OPERATION_READ_LOG,
    OPERATION_CHANGE,
    OPERATION_PAIR,       /* a transaction that sets both halves of a pair to the same value */
    OPERATION_READ_PAIR,  /* both halves, which must be equal */
    OPERATION_READ_SOURCE /* how long the log is that the writer of a migration's source keeps */
};
enum operation_fate { FATE_PENDING, FATE_ACKNOWLEDGED, FATE_UNCERTAIN, FATE_REFUSED };

struct operation {
    enum operation_kind kind;
    enum operation_fate fate;
    unsigned client;
    unsigned key;
    uint64_t floor;               /* READ_SOURCE: what was answered to somebody when it was sent */
    uint64_t value;               /* SET, APPEND: what was written. INCR, GET: what was answered (GET of nothing: 0) */
    int64_t sent_ns, answered_ns; /* true time */
    unsigned frames;              /* of its answer that are still to come, before the last one */
};

static inline bool operation_is_write(enum operation_kind kind)
{
    return kind != OPERATION_GET && kind != OPERATION_READ_LOG && kind != OPERATION_READ_PAIR &&
           kind != OPERATION_READ_SOURCE;
}

struct client {
    struct workload *workload; /* borrowed */
    unsigned number;
    bool has_log;
    struct buf log; /* owned; what READ_LOG was answered: tokens, each with a comma behind it */
};

struct workload {
    struct world *world; /* borrowed */
    struct address proxies[4];
    struct sim_process *proxy_of[4]; /* borrowed */
    unsigned proxy_count;
    struct operation *operations; /* owned, in the order of sending */
    size_t count, capacity;
    uint64_t next_value;
    int64_t stop_ns;             /* no new commands after it */
    bool disk_refuses;           /* an answer that is fine: appendfsync always */
    bool is_waiting;             /* no commands yet */
    bool migrates;               /* an answer that is fine: that the group follows a server outside */
    uint64_t source_seen;        /* the longest log of the source that was answered */
    int64_t source_went_back_ns; /* true time when one was shorter than was answered before it was sent; 0: none was */
    bool with_changes;
    bool with_scripts; /* they write by scripts and functions */
    uint64_t acknowledged, uncertain, refused, connections_closed;
    char violation[256]; /* "" while all is well */
    struct client clients[WORKLOAD_CLIENTS];
};

void workload_init(struct workload *workload, struct world *world);
void workload_free(struct workload *workload);
struct sim_process *workload_add_client(struct workload *workload, unsigned number);

#endif
