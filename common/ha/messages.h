/* messages.h: the control messages, as values and as RESP.
 *
 * On the wire each is an array of bulk strings, in both directions: RESPITE <KIND> <fields...>; so any of them can be
 * typed in redis-cli, and the request reader reads them. A link begins with HELLO, which carries the shared secret;
 * anything else before it is refused and the link closed.
 *
 *   to a node's control port    HELLO POLL GRANT FENCE LEARN       the node answers STATUS FENCED INSYNC
 *   to a sentinel's port        HELLO PREPARE ACCEPT LEARN DOWN    the sentinel answers PROMISE REFUSE ACCEPTED
 *                               HELLO SUBSCRIBE (proxies, tools)   the sentinel answers TOPOLOGY, at once and later
 *
 * The fields, each one argument; <group> comes first in all but HELLO. A life, a ballot, a history and a topology are
 * written as topology.h says, truth as "yes" or "no", and a list behind its count.
 *
 *   HELLO     sentinel|proxy|worker|tool identity secret [protocol]     (the number of CONTROL_PROTOCOL; none: 1)
 *   POLL      k version
 *   STATUS    k life bound-group version epoch role fence flags oldest-waiting-ms discarded
 *             history count {life acknowledged-offset lag-ms}
 *   GRANT     k life epoch
 *   FENCE     epoch ballot
 *   FENCED    epoch ballot life release? acknowledged-offset history damaged?
 *   LEARN     ballot topology                       (so too ACCEPT and TOPOLOGY)
 *   INSYNC    epoch life expected-version durability acknowledgements count {life}
 *   PREPARE   ballot                                (so too ACCEPTED)
 *   PROMISE   ballot accepted value? [topology] learned-epoch master-dead? count {age-ms <the fields of STATUS>}
 *   REFUSE    ballot higher ballot|lease
 *   DOWN      epoch life
 *   SUBSCRIBE version
 */
#ifndef COMMON_HA_MESSAGES_H
#define COMMON_HA_MESSAGES_H

#include "common/base/buf.h"
#include "common/ha/topology.h"

/* Grows when a message is changed so that an older daemon would misread it. */
enum { CONTROL_PROTOCOL = 1 };

enum message_kind {
    MESSAGE_HELLO,
    MESSAGE_POLL,
    MESSAGE_STATUS,
    MESSAGE_GRANT,
    MESSAGE_FENCE,
    MESSAGE_FENCED,
    MESSAGE_LEARN,
    MESSAGE_INSYNC,
    MESSAGE_PREPARE,
    MESSAGE_PROMISE,
    MESSAGE_REFUSE,
    MESSAGE_ACCEPT,
    MESSAGE_ACCEPTED,
    MESSAGE_DOWN,
    MESSAGE_SUBSCRIBE,
    MESSAGE_TOPOLOGY,
};

enum peer_kind { PEER_SENTINEL, PEER_PROXY, PEER_WORKER, PEER_TOOL };
enum node_role { ROLE_UNADOPTED, ROLE_MASTER, ROLE_REPLICA, ROLE_SPARE };

/* Bits of status.flags. */
enum {
    STATUS_LOADING = 1 << 0,    /* its data are still on their way from its disk: it knows no history yet */
    STATUS_BUSY = 1 << 1,       /* a command has been running for more than 1 s */
    STATUS_STUCK = 1 << 2,      /* the command thread has not turned for stuck_limit */
    STATUS_DISK_ERROR = 1 << 3, /* something that must be durable could not be made so */
    STATUS_LINK_UP = 1 << 4,    /* replica: the stream from the master is live */
    STATUS_SYNCING = 1 << 5,    /* replica: a full sync is under way; history is that of the data set still held */
};

struct replica_lag {
    struct life life;
    uint64_t acknowledged_offset;
    int64_t lag_ms; /* age of the oldest byte of the stream that it has not acknowledged; 0 when it has all */
};

struct status {
    uint64_t k;
    struct life life;
    char group[GROUP_NAME_MAX]; /* the group it is bound to; "" while unbound */
    uint64_t version;           /* of the topology it knows */
    uint64_t epoch;             /* of the role it plays */
    enum node_role role;
    uint64_t fence; /* highest durable fence epoch; 0: none */
    uint32_t flags;
    int64_t oldest_waiting_ms; /* age of the oldest command without a reply */
    uint64_t discarded_bytes;  /* of the stream, that stood in no branch and gave way to one, in this life */
    struct history history;
    uint32_t replica_count;
    struct replica_lag replicas[TOPOLOGY_MEMBERS_MAX];
};

struct fenced {
    uint64_t epoch; /* of the FENCE */
    struct ballot ballot;
    struct life life;
    bool is_release;              /* this is the present epoch's own master */
    uint64_t acknowledged_offset; /* release: highest offset that a reply has acknowledged */
    struct history history;
    bool damaged; /* its disk was not read whole: it may miss what it once acknowledged */
};

struct insync {
    uint64_t epoch;
    struct life life; /* the asking master */
    uint64_t expected_version;
    uint32_t count;
    struct life in_sync[TOPOLOGY_MEMBERS_MAX];
    enum durability durability;
    uint32_t acknowledgements;
};

struct node_view {
    int64_t age_ms; /* since the sentinel got it */
    struct status status;
};

struct promise {
    struct ballot ballot;
    struct ballot accepted; /* no ballot: nothing accepted */
    bool has_value;
    struct topology value;
    uint64_t learned_epoch; /* whose master the sender judges */
    bool master_dead;
    uint32_t view_count;
    struct node_view views[TOPOLOGY_MEMBERS_MAX];
};

enum refuse_reason { REFUSE_BALLOT, REFUSE_LEASE };

struct message {
    enum message_kind kind;
    char group[GROUP_NAME_MAX]; /* all but HELLO */
    union {
        struct {
            enum peer_kind kind;
            struct identity sender;
            struct slice secret; /* borrowed from the encoded bytes, or from the caller when encoding */
            uint32_t protocol;   /* 0 when encoding: CONTROL_PROTOCOL */
        } hello;
        struct {
            uint64_t k;
            uint64_t version;
        } poll;
        struct status status;
        struct {
            uint64_t k;
            struct life life;
            uint64_t epoch;
        } grant;
        struct {
            uint64_t epoch;
            struct ballot ballot;
        } fence;
        struct fenced fenced;
        struct {
            struct ballot ballot;
            struct topology topology;
        } learn; /* also ACCEPT and TOPOLOGY (with the ballot at which it was learned) */
        struct insync insync;
        struct {
            struct ballot ballot;
        } prepare; /* also ACCEPTED */
        struct promise promise;
        struct {
            struct ballot ballot; /* of what is refused */
            struct ballot higher; /* the promised one, with REFUSE_BALLOT */
            enum refuse_reason reason;
        } refuse;
        struct {
            uint64_t epoch;
            struct life life;
        } down;
        struct {
            uint64_t version; /* what the asker has; 0: nothing */
        } subscribe;
    };
};

/* Big: keep one per core, not on the stack of a deep call. */
void message_encode(const struct message *message, struct buf *out);

/* argv as the request reader gave it, argv[0] being "RESPITE" (it and the kind in any case). ERR_NOT_FOUND when the
 * kind is none of these, ERR_PROTOCOL when a field is missing, surplus or wrong; nothing is filled then. */
MUST_CHECK int message_decode(const struct slice *argv, size_t argc, struct message *ret_message);

const char *message_name(enum message_kind kind);
const char *node_role_name(enum node_role role); /* "unadopted" "master" "replica" "spare" */

#endif
