/* migration.h: a group that takes over the data of a server outside (docs/adr/0010-migration.md), in some seeds.
 *
 *   source   a worker by itself, with an append-only file; it is killed, stopped and cut off now and then
 *   writer   writes to the source all the time: a log of tokens, pairs, and values of every type. At the end it reads
 *            through a proxy what of it the group has
 *   tool     orders a start while the group is empty, later the cut-over, or in some seeds that it be called off; tells
 *            the credentials to the workers, but not always at once, so that some next master is interrupted
 *
 * The group's clients begin when a failover cannot lose the order to start any more, and are refused until the end.
 * What must hold, in sync mode and without a cold start:
 *   no write of theirs is acknowledged before the order to end it was given
 *   who reads the source's data of the group never finds less than was read before, whoever is master
 *   a master that follows has the source's data, to the digest, whenever it stands where the source does
 *   the group has a prefix of the source's log, no half of a pair, and after a cut-over all that the source had
 *   acknowledged when the order was sent */
#ifndef TESTS_SIM_MIGRATION_H
#define TESTS_SIM_MIGRATION_H

#include "common/base/buf.h"
#include "tests/sim/world.h"

struct appliance;
struct oracle;

enum { MIGRATION_TOKENS_MAX = 16384 };

struct migration {
    struct appliance *appliance; /* borrowed; NULL: this run has none */
    struct sim_process *source, *writer, *tool;
    struct rand rand;
    bool is_delayed; /* what the source says, or might have been: the end is ordered at the next visit */
    bool aborts;     /* the end is that, and no cut-over */
    int64_t end_ns;

    uint64_t written; /* tokens 1, 2, ... */
    uint64_t newest_acknowledged;
    bool acknowledged[MIGRATION_TOKENS_MAX];
    bool has_read;
    struct buf log; /* owned; of the group, at the end */
    bool is_pair_whole;

    const struct sim_process *ordered; /* whose OK to the start is to be covered by the replicas; NULL: nobody's */
    uint64_t ordered_life, ordered_offset;
    int64_t started_ns;     /* 0: the clients still wait */
    int64_t end_ordered_ns; /* the first order to end it was sent; 0: none was */
    int64_t carried_ns;     /* its OK was heard */
    uint64_t carried;       /* the newest token that must be there after the cut-over */
    uint64_t starts, ends;  /* orders that were answered OK */
    uint64_t compared;      /* times that source and follower stood at one place */
    bool differs;           /* once, and had other data */
    uint64_t interrupted;   /* times that a master was found to be that */
};

/* Adds the processes, before they are started all together. */
void migration_add(struct migration *migration, struct appliance *appliance);
void migration_arm(struct migration *migration);
void migration_finish(struct oracle *oracle);
void migration_free(struct migration *migration);

#endif
