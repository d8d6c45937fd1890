/* verbs.h: what respitectl can do; one file per verb. Each returns the exit status. */
#ifndef CTL_VERBS_H
#define CTL_VERBS_H

#include "common/base/address.h"
#include "common/base/buf.h"
#include "common/ha/topology.h"

enum { CTL_NODES_MAX = 16, CTL_NAME_MAX = 64 };

enum ctl_kind { CTL_SENTINEL, CTL_WORKER, CTL_PROXY };

struct ctl_process {
    char name[CTL_NAME_MAX]; /* "" with create */
    enum ctl_kind kind;
    struct address data;    /* of a sentinel or a proxy: its only one */
    struct address control; /* of a worker */
    bool is_spare;          /* of a worker, with create */
    long pid;               /* 0: does not run */
};

struct ctl_options {
    char group[32];
    struct buf secret; /* owned */
    struct ctl_process processes[CTL_NODES_MAX];
    unsigned count;
    struct address endpoint;
    enum durability durability; /* of create */
    uint32_t acknowledgements;  /* of create */
    bool json;
    bool force;          /* of failover, and of a migration's cut-over */
    struct address from; /* of migrate start: the server to follow */
    char user[128];      /* there; empty: the default one */
    struct buf password; /* owned; of that user */
    bool replace;        /* the group's data may go */
    int bound_ms;        /* of a cut-over */
    int timeout_ms;
};

int ctl_create(struct ctl_options *options);   /* makes a group of the given sentinels and workers */
int ctl_failover(struct ctl_options *options); /* what a forced failover would cost; --force does it */
int ctl_migrate(struct ctl_options *options, const char *action); /* docs/MIGRATION.md */
int ctl_status(struct ctl_options *options);                      /* what every process says of itself */

#endif
