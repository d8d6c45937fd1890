/* cluster.h: sentinels' cores, scripted nodes and clients in one process, in virtual time, for the unit tests.
 *
 * Bytes take 1 ms from end to end, a state 1 ms to become durable. After every event the cluster checks that no two
 * nodes hold a lease, that one version is one value, and that promised ballots never go down. */
#ifndef TESTS_UNIT_SENTINEL_CLUSTER_H
#define TESTS_UNIT_SENTINEL_CLUSTER_H

#include "common/ha/lease.h"
#include "common/ha/messages.h"
#include "common/resp/resp_reader.h"
#include "sentinel/core/inspect.h"
#include "sentinel/core/sentinel.h"

enum { CLUSTER_SENTINELS = 5, CLUSTER_NODES = 4, CLUSTER_CLIENTS = 2048, CLUSTER_VERSIONS = 256 };

#define MS(count) ((int64_t)(count)*NS_PER_MS)

struct cluster_sentinel {
    struct sn_sentinel *core; /* owned; NULL: not running */
    struct identity id;
    struct buf disk; /* owned */
    struct buf said; /* owned; what it logged */
    bool has_disk;
    int64_t paused_until_ns;
    bool is_cut; /* from everybody */
    uint64_t generation;
    struct ballot promised; /* the highest that was ever seen durable */
    unsigned persists;
    int exit_status; /* -1: it did not exit */
    bool disk_fails;
};

struct cluster_node {
    bool is_up;
    bool is_silent; /* takes, answers nothing */
    bool is_cut;
    bool takes_no_fence;
    struct life life;
    struct topology topology; /* the highest that it was told */
    enum node_role role;
    uint64_t fence;
    uint32_t flags;
    uint64_t discarded_bytes;
    struct history history;
    uint64_t acknowledged_offset;
    bool is_bound;
    struct lease_grant grants[CLUSTER_SENTINELS];
    int64_t lease_ns; /* replies may leave before */
    unsigned fences_taken;
    unsigned polls_taken;
};

struct cluster;

struct cluster *cluster_new(unsigned sentinels, unsigned nodes, const struct sn_config *config);
void cluster_free(struct cluster *cluster);

int64_t cluster_now(const struct cluster *cluster);
void cluster_run(struct cluster *cluster, int64_t duration_ns);
/* Runs until `holds`, at most so long. Returns how long it took, or -1. */
int64_t cluster_until(struct cluster *cluster, bool (*holds)(struct cluster *cluster), int64_t most_ns);

struct cluster_sentinel *cluster_sentinel(struct cluster *cluster, unsigned index);
struct cluster_node *cluster_node(struct cluster *cluster, unsigned index);
struct sn_inspection cluster_inspect(struct cluster *cluster, unsigned index);
bool cluster_has_said(struct cluster *cluster, unsigned index, const char *words);

void cluster_start_sentinel(struct cluster *cluster, unsigned index);
void cluster_kill_sentinel(struct cluster *cluster, unsigned index);
void cluster_cut_sentinel(struct cluster *cluster, unsigned index, bool is_cut);
void cluster_kill_node(struct cluster *cluster, unsigned index);
void cluster_start_node(struct cluster *cluster, unsigned index); /* a newer life; keeps history, fence and binding */
void cluster_cut_node(struct cluster *cluster, unsigned index, bool is_cut);
void cluster_cut_pair(struct cluster *cluster, unsigned sentinel, unsigned node, bool is_cut);

/* Kills the sentinel that sends the next message of that kind, just after it has left. */
void cluster_kill_after(struct cluster *cluster, enum message_kind kind);
int cluster_killed(const struct cluster *cluster); /* index or -1 */

/* The operator's create, through a client that says HELLO first. */
void cluster_create_group(struct cluster *cluster, enum durability durability);
void cluster_create_topology(struct cluster *cluster, const struct topology *topology); /* any other first one */
struct topology cluster_first_topology(const struct cluster *cluster, enum durability durability);

void cluster_set_disk_delay(struct cluster *cluster, int64_t delay_ns); /* of writes from now on; 1 ms at first */

/* Text to and from a client's connection to a sentinel. */
unsigned cluster_connect(struct cluster *cluster, unsigned sentinel);
void cluster_say(struct cluster *cluster, unsigned client, struct slice text);
struct slice cluster_heard(struct cluster *cluster, unsigned client); /* since the last call */
bool cluster_is_closed(struct cluster *cluster, unsigned client);

int cluster_master(struct cluster *cluster);     /* the node with a lease now, or -1 */
uint64_t cluster_epoch(struct cluster *cluster); /* the highest that any sentinel has learned */

/* A chance to play a part in the node's place; false: the node does what it would. */
typedef bool cluster_script(struct cluster *cluster, unsigned node, unsigned sentinel, const struct message *message);
void cluster_set_script(struct cluster *cluster, cluster_script *script);
/* Lets the node say something to that sentinel. */
void cluster_node_says(struct cluster *cluster, unsigned node, unsigned sentinel, const struct message *message);

#endif
