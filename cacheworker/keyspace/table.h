/* table.h: the hash table of one database: extendible hashing (Fagin et al. 1979) over segments of cache-line buckets.
 *
 * The table is ordered by hash: the directory is indexed by the first bits, a segment of local depth d holds the hashes
 * that share their first d bits, and its buckets divide them by the next five. So a bucket is an interval of hashes,
 * and a place in the order means the same before and after segments were split or merged: a scan cursor and the
 * position of a snapshot are such places.
 *
 *   directory[first bits of the hash] -> segment: 32 buckets -> bucket: 7 slots -> entry
 *
 * Growing splits one segment of about two hundred entries at a time; shrinking merges two. A bucket that overflows is
 * continued in a chained one, which its seventh slot points to.
 *
 * The table does not own the values of entries, only the slots; whoever removes an entry frees it. */
#ifndef CACHEWORKER_KEYSPACE_TABLE_H
#define CACHEWORKER_KEYSPACE_TABLE_H

#include "cacheworker/keyspace/arena.h"
#include "cacheworker/keyspace/budget.h"
#include "cacheworker/keyspace/entry.h"
#include "cacheworker/keyspace/hash.h"
#include "cacheworker/keyspace/object.h"
#include "common/base/check.h"
#include "common/base/list.h"
#include "common/base/rand.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CW_BUCKET_SLOTS = 7,
    CW_SEGMENT_BUCKET_BITS = 5,
    CW_SEGMENT_BUCKETS = 1 << CW_SEGMENT_BUCKET_BITS,
    CW_DEPTH_MAX = 40,      /* a bucket is then an interval of 2^19 hashes: cursors fit in 53 bits */
    CW_SEGMENT_SPLIT = 192, /* entries: six for a bucket */
    CW_SEGMENT_MERGE = 128, /* entries of both together */
};

#define CW_CONTROL_CHAINED ((uint64_t)1 << CW_BUCKET_SLOTS)

struct cw_bucket {
    /* Low byte: bit i says that slot i holds an entry, the highest bit that the last slot points to the next bucket of
     * the chain. The seven bytes above: the low byte of the hash of each slot's entry. */
    uint64_t control;
    void *slots[CW_BUCKET_SLOTS];
};
_Static_assert(sizeof(struct cw_bucket) == 64, "a bucket is a cache line");

#define CW_NEVER_DUE INT64_MAX

struct cw_segment {
    uint32_t count; /* entries */
    uint32_t depth; /* bits that all hashes here have in common */
    uint64_t version;
    uint32_t written;     /* bit per bucket: shown to the snapshot `version` already */
    int64_t earliest_due; /* ms; not above any of `due` */
    int64_t *due; /* owned; per bucket in ms, not above the expiry of any of its entries; NULL while nothing expires */
    uint64_t padding[3];
    struct cw_bucket buckets[CW_SEGMENT_BUCKETS];
};
_Static_assert(sizeof(struct cw_segment) == CW_ARENA_SEGMENT_SIZE, "segments fill the arena's pages");

struct cw_table {
    uintptr_t *directory; /* owned; 2^depth segments, with their depth in the low six bits; NULL while empty */
    uint32_t depth;
    uint64_t deepest; /* segments whose depth is the directory's */
    uint64_t segments;
    uint64_t count;
    int64_t earliest_due;       /* ms; not above that of any segment */
    uint64_t round_position;    /* of active expiry: the hash from where on it has not looked in this round */
    int64_t round_earliest_due; /* the same, of what the present round of active expiry has seen or was added since */
    bool ignores_expiries;      /* of entries: others know them, and what stands here says nothing of them */
    uint64_t expires;           /* entries with an expiry */
    uint64_t with_parts;        /* entries with CW_ENTRY_PARTS */
    struct cw_arena *arena;     /* borrowed */
    const struct cw_hash_key *hash_key;                /* borrowed */
    const struct cw_object_operations *const *objects; /* borrowed; by type; NULL where no value is an object */
    uint64_t snapshot; /* version of the running snapshot that this table is still part of; 0: none */
    unsigned snapshot_database;
    bool retired;           /* flushed while part of a snapshot, which frees it */
    struct list garbage;    /* of flushed tables */
    uint64_t free_position; /* of cw_table_free_step: what is before it is freed already */
};

struct cw_table *cw_table_create(struct cw_arena *arena, const struct cw_hash_key *hash_key,
                                 const struct cw_object_operations *const *objects);
void cw_table_destroy(struct cw_table *table); /* must be empty of entries */

/* Frees an entry of a table that goes; returns what that cost, in units of cw_table_free_step. */
typedef unsigned (*cw_entry_freer)(void *context, struct cw_entry *entry);

/* Empties a table that goes, bucket by bucket, until the budget is used up; false when nothing is left but what
 * cw_table_destroy frees. A bucket costs 1, and what `freer` says: a unit is about 50 ns. In between only `count` may
 * be looked at, which is that of the entries that are left. */
bool cw_table_free_step(struct cw_table *table, unsigned *budget, cw_entry_freer freer, void *context);

/* A bucket, as one goes through the table in order. */
struct cw_place {
    struct cw_segment *segment; /* NULL: the table is empty */
    unsigned index;
    uint64_t first; /* lowest hash of the bucket */
    uint64_t next;  /* lowest hash behind it; 0: it is the last one */
};

struct cw_place cw_table_place(const struct cw_table *table, uint64_t hash);
uint64_t cw_table_segment_end(const struct cw_segment *segment, uint64_t hash); /* lowest hash behind it, or 0 */

static inline struct cw_segment *cw_table_segment(const struct cw_table *table, uint64_t hash, unsigned *ret_depth)
{
    /* Two shifts, as one by 64 is undefined. */
    uintptr_t tagged = table->directory[hash >> 1 >> (63 - table->depth)];
    *ret_depth = (unsigned)(tagged & 63);
    return (struct cw_segment *)(tagged & ~(uintptr_t)63);
}

static inline unsigned cw_table_bucket_index(uint64_t hash, unsigned depth)
{
    return (unsigned)(hash << depth >> (64 - CW_SEGMENT_BUCKET_BITS));
}

/* The bucket where the chain for the hash begins; the table must not be empty. */
static inline struct cw_bucket *cw_table_bucket(const struct cw_table *table, uint64_t hash)
{
    unsigned depth;
    struct cw_segment *segment = cw_table_segment(table, hash, &depth);
    return &segment->buckets[cw_table_bucket_index(hash, depth)];
}

static inline struct cw_bucket *cw_bucket_next(const struct cw_bucket *bucket)
{
    return bucket->control & CW_CONTROL_CHAINED ? bucket->slots[CW_BUCKET_SLOTS - 1] : NULL;
}

/* Bits 7, 15, 23, ...: the slots whose hash byte is that of `hash`, whether they hold an entry or not. */
static inline uint64_t cw_bucket_match(uint64_t control, uint64_t hash)
{
    const uint64_t ones = 0x0101010101010101;
    const uint64_t low = 0x7f7f7f7f7f7f7f7f;
    uint64_t x = (control >> 8) ^ (ones * (hash & 0xff));
    return ~(((x & low) + low) | x | low) & 0x0080808080808080;
}

struct cw_entry *cw_table_find(const struct cw_table *table, struct slice key, uint64_t hash,
                               struct cw_bucket **ret_bucket, unsigned *ret_slot);

/* Adds an entry whose key is not there. May split the segment. */
void cw_table_insert(struct cw_table *table, struct cw_entry *entry, uint64_t hash, struct cw_bucket **ret_bucket,
                     unsigned *ret_slot);

/* Empties a slot. Other entries of the same chain may move. Does not merge, so that one may go on in the segment. */
void cw_table_remove(struct cw_table *table, uint64_t hash, struct cw_bucket *bucket, unsigned slot);

/* Merges the segment of that hash with its neighbour, while both together hold little. */
void cw_table_merge(struct cw_table *table, uint64_t hash);

/* An entry picked at random, all with the same chance; NULL when the table is empty. */
struct cw_entry *cw_table_random(const struct cw_table *table, struct rand *rand);

/* Says that the bucket has an entry that is due at that time. */
void cw_table_note_due(struct cw_table *table, uint64_t hash, int64_t expire_ms);

/* When an entry, or the first of its parts, is due; CW_NEVER_DUE. */
int64_t cw_table_entry_due(const struct cw_table *table, const struct cw_entry *entry);

/* Finds out anew when a bucket is due, after its entries were looked at. */
void cw_table_renew_due(const struct cw_table *table, struct cw_segment *segment, unsigned index);

/* Calls visit for each entry of the bucket and its chain. */
typedef void (*cw_bucket_visit)(void *context, struct cw_entry *entry);
void cw_bucket_for_each(const struct cw_bucket *bucket, cw_bucket_visit visit, void *context);
unsigned cw_bucket_count(const struct cw_bucket *bucket);
struct cw_entry *cw_bucket_at(const struct cw_bucket *bucket, unsigned index); /* below cw_bucket_count */

enum { CW_COMPACT_COST = 128 }; /* of a look at a segment and its entries, in units of cw_arena_move */

enum {                      /* what active expiry costs, of a budget: units of about 20 ns */
       CW_LOOK_COST = 1,    /* at a segment */
       CW_READ_COST = 16,   /* of a bucket with its entries */
       CW_REMOVE_COST = 28, /* of a part of an object */
};

/* Active expiry goes through the table in rounds, so that it knows afterwards when the next one is worth it. False: no
 * round is under way, and nothing is due before `now_ms`. */
bool cw_table_begin_round(struct cw_table *table, int64_t now_ms);

/* What was due in the segment at round_position is gone: moves on. True: that was the last one, the round is over. */
bool cw_table_end_look(struct cw_table *table, const struct cw_segment *segment);

/* Asks for all entries of a segment, before somebody looks at each. */
void cw_segment_prefetch_entries(const struct cw_segment *segment);

/* Moves what the arena wants moved of the segment that `hash` lies in, with the directory at 0: the segment itself, the
 * buckets of its chains, its entries and their blocks; spends CW_COMPACT_COST, and what moving costs. `moved`, if not
 * NULL, is told of each entry, whose old memory is gone already. Returns the lowest hash behind the segment, or 0. The
 * table must not be empty.
 */
typedef void (*cw_entry_moved)(void *context, const struct cw_entry *old, struct cw_entry *entry);
uint64_t cw_table_compact(struct cw_table *table, uint64_t hash, unsigned *budget, cw_entry_moved moved, void *context);

/* The table, elsewhere if the arena wants that; it is not garbage. */
struct cw_table *cw_table_move(struct cw_table *table, unsigned *budget);

size_t cw_table_used_bytes(const struct cw_table *table); /* without entries, and buckets that continue others */

#endif
