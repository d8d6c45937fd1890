/* topology.h: the register's value, and the arithmetic on it. Plain values: copy them with =, they own nothing.
 *
 * Words as in docs/protocol/quorum.md: a node is named by an identity, one life of its process by (node, incarnation,
 * bits). A topology says who is master, under which epoch, with which history that epoch begins, and who is listed. */
#ifndef COMMON_HA_TOPOLOGY_H
#define COMMON_HA_TOPOLOGY_H

#include "common/base/address.h"
#include "common/base/buf.h"
#include "common/base/check.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    GROUP_NAME_MAX = 32,      /* bytes with the NUL: letters, digits, '-', '_', '.' */
    HISTORY_ENTRIES_MAX = 32, /* older entries are dropped; whoever is that far behind takes a full sync */
    TOPOLOGY_MEMBERS_MAX = 16,
    TOPOLOGY_SENTINELS_MAX = 7,
    TOPOLOGY_TEXT_MAX = 128,   /* author and reason, with the NUL */
    IDENTITY_TEXT_LENGTH = 32, /* lower-case hexadecimal digits */
    LIFE_TEXT_MAX = 80,        /* of a life or a ballot, with the NUL */
};

struct identity {
    uint8_t bytes[16]; /* all zero: nobody */
};

struct life {
    struct identity node;
    uint64_t incarnation; /* counts starts; 0: nobody */
    uint64_t bits;        /* random, drawn at that start */
};

struct history_entry {
    uint64_t epoch;
    uint64_t first_offset; /* offset of the stream at which the epoch began */
};

struct history {
    uint32_t count;
    struct history_entry entries[HISTORY_ENTRIES_MAX]; /* epochs strictly rising */
    uint64_t last_offset;                              /* bytes of stream held */
};

enum member_kind { MEMBER_REPLICA, MEMBER_SPARE }; /* the master's own member row counts as a replica's */

struct member {
    struct identity node;
    enum member_kind kind;
    uint32_t priority;      /* lower is preferred, as replica-priority; 0: never master */
    struct address data;    /* clients and replication */
    struct address control; /* sentinels */
};

struct sentinel_entry {
    struct identity sentinel;
    struct address address;
};

struct sentinel_list {
    uint32_t count;
    struct sentinel_entry entries[TOPOLOGY_SENTINELS_MAX];
};

enum durability { DURABILITY_ASYNC, DURABILITY_SYNC, DURABILITY_SYNC_FSYNC };

struct release { /* the last word of a master that gave its epoch up; present when epoch > 0 */
    uint64_t epoch;
    struct life life;
    uint64_t acknowledged_offset;
    struct history history;
};

struct topology {
    char group[GROUP_NAME_MAX];
    uint64_t version; /* 0: there is no topology */
    uint64_t epoch;   /* 0: no master was ever chosen */
    struct life master;
    struct history branch;
    uint32_t in_sync_count;
    struct life in_sync[TOPOLOGY_MEMBERS_MAX];
    uint32_t member_count;
    struct member members[TOPOLOGY_MEMBERS_MAX];
    uint32_t wanted_replicas; /* spares take the place of missing ones (QUORUM section 7); 0: no node is exchanged */
    enum durability durability;
    uint32_t acknowledgements; /* k of QUORUM section 5 */
    struct sentinel_list sentinels;
    struct sentinel_list previous_sentinels; /* while a list is being changed; else count 0 */
    struct release release;
    char author[TOPOLOGY_TEXT_MAX];
    char reason[TOPOLOGY_TEXT_MAX];
};

/* (counter, sentinel id, run), compared in this order. All zero: no ballot. */
struct ballot {
    uint64_t counter;
    struct identity sentinel;
    uint64_t run;
};

bool identity_equal(const struct identity *a, const struct identity *b);
int identity_compare(const struct identity *a, const struct identity *b);
bool identity_is_nobody(const struct identity *identity);
void identity_format(const struct identity *identity, char text[IDENTITY_TEXT_LENGTH + 1]);
MUST_CHECK int identity_parse(struct slice text, struct identity *ret_identity);

bool life_equal(const struct life *a, const struct life *b);
bool life_is_nobody(const struct life *life);
/* One word: "node:incarnation:bits", the bits as 16 hexadecimal digits. */
void life_format(const struct life *life, char text[LIFE_TEXT_MAX]);
MUST_CHECK int life_parse(struct slice text, struct life *ret_life);

int ballot_compare(const struct ballot *a, const struct ballot *b);
/* One word: "counter:sentinel:run". */
void ballot_format(const struct ballot *ballot, char text[LIFE_TEXT_MAX]);
MUST_CHECK int ballot_parse(struct slice text, struct ballot *ret_ballot);

/* Letters, digits, '-', '_' and '.', at least one and fewer than GROUP_NAME_MAX. */
bool group_name_is_valid(struct slice name);
const char *durability_name(enum durability durability); /* "async" "sync" "sync-fsync" */
MUST_CHECK int durability_parse(struct slice text, enum durability *ret_durability);

/* Every entry of `a` stands in `b` as far as `b` still keeps them, and a's last offset lies where `b` was in a's last
 * epoch. An empty history is a prefix of all. */
bool history_is_prefix(const struct history *a, const struct history *b);
/* The offset up to which both have the same bytes, as far as their entries tell. */
uint64_t history_common_offset(const struct history *a, const struct history *b);
/* Better means a higher (epoch of the last entry, last offset); an empty one is the least. <0, 0, >0. */
int history_compare(const struct history *a, const struct history *b);
uint64_t history_epoch(const struct history *history); /* of the last entry; 0 when empty */
/* Appends (epoch, last offset); drops the oldest entry of a full history. */
void history_begin_epoch(struct history *history, uint64_t epoch);
/* Text form, one word: "epoch:first,epoch:first@last" ("@0" when empty). ERR_INVALID when it is not that, epochs do not
 * rise, or offsets fall. */
void history_format(const struct history *history, struct buf *out);
MUST_CHECK int history_parse(struct slice text, struct history *ret_history);

const struct member *topology_member(const struct topology *topology, const struct identity *node); /* or NULL */
bool topology_in_sync(const struct topology *topology, const struct life *life);
int sentinel_list_find(const struct sentinel_list *list, const struct identity *sentinel); /* index or -1 */

/* Whether the sentinels for which `has` is true are a majority of the list, and of the previous one while there is one.
 */
bool topology_majority(const struct topology *topology, bool (*has)(void *context, const struct identity *sentinel),
                       void *context);

/* One line of words per field, readable by operators, canonical (equal values give equal text). The register's file,
 * ACCEPT, LEARN and `RESPITE TOPOLOGY` carry it. Parsing refuses anything that encoding would not have written, and a
 * node or sentinel that is listed twice: ERR_CORRUPT, never a partial result. */
void topology_encode(const struct topology *topology, struct buf *out);
MUST_CHECK int topology_decode(struct slice text, struct topology *ret_topology);

#endif
