/* node.h: what a sentinel knows of one cache worker, and its numbered polls (QUORUM section 2). */
#ifndef SENTINEL_CORE_NODE_H
#define SENTINEL_CORE_NODE_H

#include "common/ha/messages.h"
#include "sentinel/core/links.h"

enum { SN_POLLS_KEPT = 16 };

struct sn_node {
    struct sn_group *group; /* borrowed */
    struct identity id;
    struct address control;
    struct sn_link *link; /* borrowed; NULL: not connected */
    int64_t retry_ns;
    int64_t poll_ns; /* when the next poll is due */
    uint64_t last_k; /* its upper half counts the runs before: no number is ever used twice for this node */
    struct {
        uint64_t k; /* 0: none, or answered */
        int64_t sent_ns;
    } polls[SN_POLLS_KEPT];

    bool has_status;
    struct status status; /* the last valid one */
    int64_t status_ns;
    int64_t loading_ns;     /* when it last said that it is loading: alive, and nothing else (QUORUM section 2) */
    struct life newest;     /* the newest life that answered, or that a topology named */
    int64_t steady_ns;      /* since when it answers without a gap */
    int64_t lost_ns;        /* when it was last found lost */
    uint32_t losses;        /* how often that happened, with no FORGIVEN_NS of peace in between */
    int64_t fence_since_ns; /* since when it reports a fence above the learned epoch; NEVER_NS: it does not */
    uint32_t told_flags;    /* of its STATUS, what was told last */
    struct life told_life;  /* which has discarded told_discarded_bytes; that was told and counted */
    uint64_t told_discarded_bytes;
    bool is_refused; /* it answered what no node of ours may; said once */
};

/* Notes a poll and returns its number, above all before. */
uint64_t sn_node_begin_poll(struct sn_node *node, int64_t now_ns);

/* Whether this answers a poll of this connection that was sent at most 1 s ago. A poll is answered once. */
MUST_CHECK bool sn_node_end_poll(struct sn_node *node, uint64_t k, int64_t now_ns);

/* Whether that life may be the node's: the newest one known, or a newer one, which then becomes it. The same or an
 * older incarnation with other bits is a restored disk. */
MUST_CHECK bool sn_node_meet_life(struct sn_node *node, const struct life *life);

#endif
