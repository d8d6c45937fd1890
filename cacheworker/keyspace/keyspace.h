/* keyspace.h: all databases of a worker, and everything that may be done to a key.
 *
 * A key is one entry: one block of memory that holds header, expiry, key and small value (entry.h). Entries hang in a
 * hash table per database (table.h). The table is ordered by hash, so that a scan cursor and the position of a snapshot
 * are simply places in that order, which growing and shrinking do not disturb.
 *
 * A change begins with cw_keyspace_open, which shows the bucket to a running snapshot before anything in it changes.
 * What it fills, a struct cw_ref, is good until the next call that is given another key, and the calls that take it
 * keep it good. An entry pointer is good until the next change of the keyspace.
 *
 * Time is the caller's: now_ms is the wall clock in milliseconds. Nothing here reads a clock.
 *
 * A hash is computed once and passed along: a batch executor hashes the keys of all commands of a turn, prefetches all
 * buckets, then all entries, and then executes, so that the cache misses overlap. */
#ifndef CACHEWORKER_KEYSPACE_KEYSPACE_H
#define CACHEWORKER_KEYSPACE_KEYSPACE_H

#include "cacheworker/keyspace/access.h"
#include "cacheworker/keyspace/object.h"
#include "cacheworker/keyspace/packing.h"
#include "common/base/check.h"
#include "common/base/rand.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct cw_keyspace;
struct cw_arena;
struct cw_bucket;
struct cw_hash_key;
struct cw_table;

enum cw_expiry_mode {
    CW_EXPIRY_DELETES, /* a master: whoever comes upon a key that is due deletes it, and `expired` is told */
    CW_EXPIRY_HIDES,   /* a replica's readers: a key that is due is absent, but only the master deletes it */
    CW_EXPIRY_IGNORED, /* applying the master's stream, or loading a file: a key is there until told otherwise */
};

struct cw_keyspace_config {
    unsigned databases;
    uint64_t seed; /* of hashing and random picks; must be unpredictable to clients, or they can flood a bucket */
    enum cw_expiry_mode expiry_mode;
    /* Called just before a key that is due is deleted: the place to propagate DEL. `key` is borrowed for the call;
     * the keyspace must not be touched from it. May be NULL. */
    void (*expired)(void *context, unsigned database, struct slice key);
    /* The same of parts of a key that expire on their own (object.h): the place to propagate HDEL. The last part takes
     * its key with it, and nobody is told of that. May be NULL. */
    void (*expired_parts)(void *context, unsigned database, struct slice key, const struct slice *names, size_t count);
    /* A key came into being, or a reader found none; called only while cw_keyspace_announce asks for it, and under the
     * same rules. May be NULL. */
    void (*added)(void *context, unsigned database, struct slice key);
    void (*missed)(void *context, unsigned database, struct slice key);
    void *context;                        /* borrowed */
    cw_object_types *objects;             /* borrowed for the call; NULL: no values but bytes */
    const struct cw_access_rules *access; /* borrowed, may change; NULL: LRU */
    const struct cw_packing *packing;     /* borrowed, may change; NULL: the defaults */
};

struct cw_keyspace_stats {
    uint64_t hits;          /* cw_keyspace_read found the key */
    uint64_t misses;        /* or did not */
    uint64_t expired;       /* keys deleted because they were due, lazily or by the cycle */
    uint64_t freed_later;   /* by cw_keyspace_free_step: keys of flushed databases, and values too big to go at once */
    uint64_t expired_parts; /* the same as `expired` of parts of keys */
    uint64_t shown_at_once; /* values that were owed to a snapshot, and had to be shown before a change */
};

/* Who is told of what is about to change, while there is one. The keyspace must not be touched from within. */
struct cw_keyspace_observer {
    void *context; /* borrowed */
    /* The key was opened for a change, or another's value is about to become its. It did or did not exist to whoever
     * opened it. */
    void (*opened)(void *context, unsigned database, struct slice key, uint64_t hash, bool existed);
    void (*flushed)(void *context, unsigned database);
    void (*swapped)(void *context, unsigned database); /* of each of the two */
};

struct cw_keyspace *cw_keyspace_create(const struct cw_keyspace_config *config);
void cw_keyspace_destroy(struct cw_keyspace *keyspace); /* NULL is fine; cancels a snapshot */

/* NULL: nobody. Borrowed. */
void cw_keyspace_observe(struct cw_keyspace *keyspace, const struct cw_keyspace_observer *observer);

void cw_keyspace_set_expiry_mode(struct cw_keyspace *keyspace, enum cw_expiry_mode mode);

/* Whether `added` and `missed` are called; at first they are not. */
void cw_keyspace_announce(struct cw_keyspace *keyspace, bool added, bool missed);

enum cw_expiry_mode cw_keyspace_expiry_mode(const struct cw_keyspace *keyspace);
const struct cw_access_rules *cw_keyspace_access_rules(const struct cw_keyspace *keyspace);
unsigned cw_keyspace_databases(const struct cw_keyspace *keyspace);
uint64_t cw_keyspace_count(const struct cw_keyspace *keyspace, unsigned database);
uint64_t cw_keyspace_count_expires(const struct cw_keyspace *keyspace, unsigned database);
/* Whether active expiry will have to do there some day, for keys or for parts of keys. */
bool cw_keyspace_expects_due(const struct cw_keyspace *keyspace, unsigned database);
struct cw_keyspace_stats *cw_keyspace_stats(struct cw_keyspace *keyspace); /* borrowed; the owner may reset them */
size_t
cw_keyspace_used_bytes(const struct cw_keyspace *keyspace); /* memory held: entries, values, tables, free slots */
size_t cw_keyspace_data_bytes(const struct cw_keyspace *keyspace); /* the same without what is free in held pages */

/* Of a database: what leads to its keys. */
size_t cw_keyspace_table_bytes(const struct cw_keyspace *keyspace, unsigned database);

/* Gives what is held in reserve back to the kernel. */
void cw_keyspace_trim(struct cw_keyspace *keyspace);

/* Of one key: entry, value and a slot of the table. */
size_t cw_keyspace_entry_bytes(const struct cw_keyspace *keyspace, const struct cw_entry *entry);

/* What objects are made of: all their memory comes from the arena; their hashing and picking uses these. Borrowed. */
struct cw_arena *cw_keyspace_arena(const struct cw_keyspace *keyspace);
const struct cw_hash_key *cw_keyspace_hash_key(const struct cw_keyspace *keyspace);
const struct cw_packing *cw_keyspace_packing(const struct cw_keyspace *keyspace);
struct rand *cw_keyspace_rand(struct cw_keyspace *keyspace);

/* ---- Hashing and prefetching ---- */

uint64_t cw_keyspace_hash(const struct cw_keyspace *keyspace, struct slice key);

/* First pass over a batch: asks for the bucket. Second pass, when the first had time to arrive: asks for the entry.
 * Both only hint, for any hash, and change nothing. */
void cw_keyspace_prefetch_bucket(const struct cw_keyspace *keyspace, unsigned database, uint64_t hash);
void cw_keyspace_prefetch_entry(const struct cw_keyspace *keyspace, unsigned database, uint64_t hash);

/* ---- Looking ---- */

/* The key for a reading command, or NULL. Counts a hit or a miss, touches the LRU clock, handles a due key as the
 * expiry mode says. A key all of whose parts are due is due itself. Of any other, some parts that are due are deleted
 * first where the mode is CW_EXPIRY_DELETES; whoever reads the object hides the others, as all of them where it is
 * CW_EXPIRY_HIDES, and whoever changes one that is due removes it first (parts_from_ms of struct cw_ref). */
const struct cw_entry *cw_keyspace_read(struct cw_keyspace *keyspace, unsigned database, struct slice key,
                                        uint64_t hash, int64_t now_ms);

/* From here on a key that is read or opened looks as if it had not been: for a client that said NO-TOUCH. */
void cw_keyspace_overlook_uses(struct cw_keyspace *keyspace, bool overlook);

/* The same without counting and touching: for OBJECT, TTL, TYPE, and whoever looks from outside. */
const struct cw_entry *cw_keyspace_peek(struct cw_keyspace *keyspace, unsigned database, struct slice key,
                                        uint64_t hash, int64_t now_ms);

/* The entry as it stands in the table, due or not: nothing expires by this. */
const struct cw_entry *cw_keyspace_standing(const struct cw_keyspace *keyspace, unsigned database, struct slice key,
                                            uint64_t hash);

/* Whether a key with this expiry is absent to a reader now, in the present mode. Pure. */
bool cw_keyspace_is_due(const struct cw_keyspace *keyspace, const struct cw_entry *entry, int64_t now_ms);

/* A key of the database picked at random, or NULL when it is empty. Keys that are due are not sorted out. */
const struct cw_entry *cw_keyspace_random(struct cw_keyspace *keyspace, unsigned database);

/* ---- Changing ---- */

/* Where a key is, or would be. Filled by cw_keyspace_open; only `entry` is for the caller to look at. */
struct cw_ref {
    struct cw_entry *entry; /* NULL: the key does not exist */
    struct slice key;       /* borrowed */
    uint64_t hash;
    struct cw_table *table;
    struct cw_bucket *bucket; /* that holds the entry */
    unsigned slot;
    uint32_t access; /* the LRU clock when the key was opened */
    unsigned database;
    int64_t parts_from_ms; /* parts that are due before are to go before they are changed; 0: none */
};

/* The key for a changing command; returns ref->entry. A due key is handled as the mode says (HIDES: ref->entry is NULL
 * although the key is in the table; a put replaces it). Touches the LRU clock of an existing entry; shows the bucket to
 * a running snapshot. `key` must outlive the ref. */
struct cw_entry *cw_keyspace_open(struct cw_keyspace *keyspace, unsigned database, struct slice key, uint64_t hash,
                                  int64_t now_ms, struct cw_ref *ref);

/* Gives the key this value: inserts it, or replaces whatever was there; in place where the block fits. An expiry that
 * the key has is kept (SET clears it by cw_keyspace_persist). `value` is copied and must not lie in the keyspace,
 * unless it is the ref's own value. ref->entry is the entry afterwards. */
void cw_keyspace_put(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_type type, enum cw_encoding encoding,
                     struct slice value);

/* Put and persist in one motion: what SET does, without moving the entry twice. expire_ms is CW_NO_EXPIRY or a date. */
void cw_keyspace_put_expiring(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_type type,
                              enum cw_encoding encoding, struct slice value, int64_t expire_ms);

/* Gives the key an object as its value, which it owns from now on; an expiry is kept. What the key had is freed. */
void cw_keyspace_put_object(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_type type,
                            enum cw_encoding encoding, void *object);

/* Makes the value of an existing key `length` bytes long and returns the bytes for writing. The old bytes stay at the
 * front, new ones are zero. Grows with room to spare, so that appending is cheap. NULL, and nothing changed, when there
 * is no memory. */
char *cw_keyspace_resize(struct cw_keyspace *keyspace, struct cw_ref *ref, size_t length);

/* Says how the value, changed in place, is to be shown from now on. */
void cw_keyspace_set_encoding(struct cw_ref *ref, enum cw_encoding encoding);

/* Deletes an existing key; ref->entry is NULL afterwards, and the ref good for a put. */
void cw_keyspace_delete(struct cw_keyspace *keyspace, struct cw_ref *ref);

/* Expiry of an existing key: an absolute date in ms, in the past too. */
void cw_keyspace_expire(struct cw_keyspace *keyspace, struct cw_ref *ref, int64_t expire_ms);
/* Says that the key's object has a part that expires at that time. */
void cw_keyspace_note_part(struct cw_ref *ref, int64_t expire_ms);
/* Says that a part of the key's object, which was due, is about to be removed. */
void cw_keyspace_tell_expired_part(struct cw_keyspace *keyspace, const struct cw_ref *ref, struct slice name);
/* Takes the expiry away; false when there was none. */
bool cw_keyspace_persist(struct cw_keyspace *keyspace, struct cw_ref *ref);

struct cw_key {
    unsigned database;
    struct slice name; /* borrowed */
    uint64_t hash;
};

/* Value and expiry of an existing key go to another name or database; what was there is replaced. The two must differ.
 * Big values change hands, they are not copied. */
void cw_keyspace_move(struct cw_keyspace *keyspace, const struct cw_key *from, const struct cw_key *to);
/* The same, and the source stays. False, and nothing changed, when there is no memory for the copy. */
MUST_CHECK bool cw_keyspace_copy(struct cw_keyspace *keyspace, const struct cw_key *from, const struct cw_key *to);

/* ---- Drafts ----
 *
 * A draft is a key of no database: a place for a value that is made out of others, to be stored as a key's value when
 * it is complete, or shown and thrown away. Nobody else sees it, a snapshot included. Entries of keys stay where they
 * are, and can be read, while it changes. */

/* Opens the draft, which is empty; there is one at a time (CHECKed). It ends by being stored or deleted. */
void cw_keyspace_open_draft(struct cw_keyspace *keyspace, int64_t now_ms, struct cw_ref *ref);

/* Value and expiry of the draft go to a key; what was there is replaced, and is the same key still. ref->entry is NULL
 * afterwards. */
void cw_keyspace_store_draft(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_key *to);

/* ---- Whole databases ---- */

/* Empties a database at once; its memory is given back by cw_keyspace_free_step. Returns how many keys there were. A
 * running snapshot still shows them. */
uint64_t cw_keyspace_flush(struct cw_keyspace *keyspace, unsigned database);

/* Gives back memory of flushed databases and of big values that were deleted, until the budget is used up; false when
 * nothing is left to do. An entry or part costs 1, and another 1 for each 2 KiB: a unit is about 50 ns. */
bool cw_keyspace_free_step(struct cw_keyspace *keyspace, unsigned budget);
/* What free_step has before it: keys, and big values. */
uint64_t cw_keyspace_to_free(const struct cw_keyspace *keyspace);

/* Frees an object of that type that is no key's: at once if it is small, else by free_step. Returns what it cost. */
unsigned cw_keyspace_discard_object(struct cw_keyspace *keyspace, enum cw_type type, void *object);

/* Compaction: gives back memory that is held in pages of which little is used, by moving what is there. Begins where
 * that is worth it, and goes on until the budget is used up (units of about 50 ns); false when nothing is left to do
 * now. Whoever holds a ref or an entry over this call holds nothing. */
bool cw_keyspace_has_slack(
    const struct cw_keyspace *keyspace); /* so much is held in vain that looking may be worth it */
bool cw_keyspace_compact_step(struct cw_keyspace *keyspace, unsigned budget);

void cw_keyspace_swap_databases(struct cw_keyspace *keyspace, unsigned a, unsigned b);

/* Exchanges the contents of two keyspaces (a replica's new data set comes in), which have the same number of databases:
 * the data with their hash seed, garbage and memory, and a running snapshot, which goes on in the other keyspace.
 * Expiry mode, callbacks, observer and statistics stay; the observer is not told. A hash computed before is void
 * afterwards. */
void cw_keyspace_swap(struct cw_keyspace *a, struct cw_keyspace *b);

/* ---- Walking ---- */

/* Sees an entry; must not change the keyspace. `entry` is borrowed for the call. */
typedef void (*cw_visitor)(void *context, unsigned database, const struct cw_entry *entry);

/* Visits one bucket and returns where to go on; 0 begins and ends. An entry that exists from the first to the last call
 * is visited at least once, however the table grows and shrinks between. Any number is a valid cursor. Cursors stay
 * below 2^53, so that clients that keep them in a double do not lose bits. */
uint64_t cw_keyspace_scan(const struct cw_keyspace *keyspace, unsigned database, uint64_t cursor, cw_visitor visitor,
                          void *context);

/* Visits every entry of a database once. */
void cw_keyspace_for_each(const struct cw_keyspace *keyspace, unsigned database, cw_visitor visitor, void *context);

/* ---- Snapshot ----
 *
 * A picture of all databases as they were at begin, without a copy of the memory: buckets are shown one after another
 * by step, and a bucket that is about to change is shown before the change. Each key of that moment is shown exactly
 * once, keys that were due included; the databases come in no order. The database told is the key's number at begin. */

/* Who sees it. The keyspace must not be touched from within. */
struct cw_snapshot_visitor {
    void *context;    /* borrowed */
    cw_visitor entry; /* shows a whole entry; that may happen between two slices of another */
    /* Shows the next slice of an entry, until the budget is used up; true while there may be more. NULL: all is shown
     * whole. A unit is about 50 ns. */
    bool (*slice)(void *context, unsigned database, const struct cw_entry *entry, unsigned *budget);
};

/* There may be one at a time (CHECKed). The visitor, which is copied, is called from within begin's successors: step
 * and every change.
 *
 * A value that takes long (more than about 0.1 ms) is shown in slices, one such value after the other, by step only.
 * Until its last slice it must not change: a change waits (cw_keyspace_is_owed), or the rest of the value is shown at
 * once, however long that takes. An entry that is deleted meanwhile without having been opened, because it is due or
 * evicted, is kept until then. Nothing is compacted while a value is owed. */
void cw_keyspace_snapshot_begin(struct cw_keyspace *keyspace, const struct cw_snapshot_visitor *visitor);

/* Goes on until the budget is used up, in units of about 50 ns: a bucket costs 1, an entry what is in it. False when
 * the picture is complete: the snapshot is over, and the visitor will not be called again. */
bool cw_keyspace_snapshot_step(struct cw_keyspace *keyspace, unsigned budget);

/* Whether the value of that key is owed to a running snapshot, so that a change should wait: it is shown before all
 * that nobody waits for. */
bool cw_keyspace_is_owed(struct cw_keyspace *keyspace, unsigned database, struct slice key, uint64_t hash);

/* Whether somebody waits for a value that is owed. */
bool cw_keyspace_is_awaited(const struct cw_keyspace *keyspace);

void cw_keyspace_snapshot_cancel(struct cw_keyspace *keyspace);
bool cw_keyspace_snapshot_is_active(const struct cw_keyspace *keyspace);

/* ---- Active expiry; used by cacheworker/expire ----
 *
 * The table knows for each bucket about when its first key is due, so only buckets with something due are read. */

/* Goes on through a database, where the last call stopped, and deletes what is due, until the budget is used up or the
 * database has been seen, or at once when nothing in it is due. What it cost is taken from *budget: 1 for a look at a
 * segment, 16 for reading a bucket, 28 for a part of a key; a unit is about 20 ns. A segment that was begun is finished
 * (32 buckets), but for objects that lose parts: there it goes on next time.
 * Returns how many keys and parts of keys it deleted. Only in mode CW_EXPIRY_DELETES. */
uint64_t cw_keyspace_expire_step(struct cw_keyspace *keyspace, unsigned database, unsigned *budget, int64_t now_ms);

/* ---- Eviction; used by cacheworker/evict ---- */

/* Looks for the next bucket from *position on that has entries (with `expiring`: with an expiry), begins anew at the
 * end, and stops when the budget is used up, whose units are those of cw_keyspace_expire_step. Fills at most `capacity`
 * entries and returns how many; moves *position behind that bucket. Any number is a position. */
unsigned cw_keyspace_look(struct cw_keyspace *keyspace, unsigned database, bool expiring, uint64_t *position,
                          const struct cw_entry **entries, unsigned capacity, unsigned *budget);

/* Asks for what a look at that position will read, when its bucket is there already. A hint. */
void cw_keyspace_prefetch_look(const struct cw_keyspace *keyspace, unsigned database, uint64_t position);

/* Whether an entry that was looked at is still there; `hash` is its key's. `entry` may be a pointer to nothing by now:
 * it is only compared. Another key that lives there since is not told from it. */
bool cw_keyspace_holds(const struct cw_keyspace *keyspace, unsigned database, uint64_t hash,
                       const struct cw_entry *entry);

/* Deletes an entry that the keyspace holds. */
void cw_keyspace_evict(struct cw_keyspace *keyspace, unsigned database, uint64_t hash, const struct cw_entry *entry);

#endif
