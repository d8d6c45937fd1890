/* cluster.h: the workers of net.h as nodes of one group, with the test as their three sentinels. Any two of them are a
 * majority. What nodes say on control links is looked at by polling them and by cluster_received. */
#ifndef TESTS_UNIT_CACHEWORKER_HA_CLUSTER_H
#define TESTS_UNIT_CACHEWORKER_HA_CLUSTER_H

#include "tests/unit/cacheworker/memory_storage.h"
#include "tests/unit/cacheworker/net.h"

enum { SENTINELS = 3 };

struct cluster {
    struct net net;
    struct topology topology; /* the highest that was learned by anybody */
    int controls[SENTINELS][NET_WORKERS];
    uint64_t k;
    struct message message; /* the last one received */
};

/* All workers are up, know the sentinels and a topology without a master. `mutants` are those of ha.h. */
void cluster_begin(struct cluster *cluster);
void cluster_begin_with(struct cluster *cluster, unsigned mutants);
void cluster_end(struct cluster *cluster);

/* A worker ends and comes back with a disk of its own: from here on, so it must outlive the cluster. */
void cluster_restart_with_storage(struct cluster *cluster, int worker, struct memory_storage *memory);

/* --- the sentinels --- */

struct identity cluster_sentinel(int number);

/* A control link on which one sentinel has said HELLO; below 0: nobody listens. */
int cluster_greet(struct cluster *cluster, int worker, int sentinel, const char *secret);
void cluster_connect_sentinels(struct cluster *cluster, int worker);

/* An empty message for the group, in cluster->message; and any message, said on a control link. */
struct message *cluster_new_message(struct cluster *cluster, enum message_kind kind);
void cluster_send(struct cluster *cluster, int control, const struct message *message);

/* The last message of that kind which came on the control link; takes all that came. */
bool cluster_received(struct cluster *cluster, int control, enum message_kind kind);

/* The answer to POLL, in cluster->message; and to that of sentinel 0. */
const struct status *cluster_poll_by(struct cluster *cluster, int sentinel, int worker);
struct status cluster_status_of(struct cluster *cluster, int worker);

/* POLL and GRANT: of one sentinel, and of a majority; time goes on while a majority renews the lease. */
void cluster_grant_by(struct cluster *cluster, int sentinel, int worker, uint64_t k, struct life life, uint64_t epoch);
void cluster_lease_by(struct cluster *cluster, int sentinel, int worker);
void cluster_lease(struct cluster *cluster, int worker);
void cluster_live(struct cluster *cluster, int worker, int64_t ns);

/* Sentinel 0 tells the worker cluster->topology. */
void cluster_learn(struct cluster *cluster, int worker);

void cluster_fence_by(struct cluster *cluster, int sentinel, int worker, uint64_t epoch);
bool cluster_fenced_by(struct cluster *cluster, int sentinel, int worker);

/* What a proposer does: fences, takes the chosen node's history, and lets the given workers learn. Workers are bits of
 * `learners` and `in_sync`, which is empty where it is not given. list_in_sync says it to nobody. */
void cluster_choose(struct cluster *cluster, int master, unsigned learners);
void cluster_choose_with(struct cluster *cluster, int master, unsigned learners, unsigned in_sync);
void cluster_list_in_sync(struct cluster *cluster, unsigned mask);

/* --- what one sees --- */

/* Whether the client, a connection of net.h, is answered so. */
bool cluster_answers(struct cluster *cluster, int client, const char *line, const char *reply);

bool cluster_logged(struct cluster *cluster, int worker, const char *words);
void cluster_clear_log(struct cluster *cluster, int worker);

/* Keys PREFIX:0 and so on: SETs that nobody waits for; a look at some fifty of them, in database 0. */
void cluster_write_many(struct cluster *cluster, int client, const char *prefix, int count);
void cluster_expect_many(struct cluster *cluster, int worker, const char *prefix, int count);

void cluster_expect_same_history(struct cluster *cluster, int a, int b);

#endif
