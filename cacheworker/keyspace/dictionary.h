/* dictionary.h: the members of one big collection: a table (table.h) of entries that belongs to an object. Fields with
 * values, members with scores, members alone; an entry may have an expiry of its own, which is the owner's to go by.
 *
 * All memory is the arena's. What it returns is good until the next change of the dictionary. */
#ifndef CACHEWORKER_KEYSPACE_DICTIONARY_H
#define CACHEWORKER_KEYSPACE_DICTIONARY_H

#include "cacheworker/keyspace/entry.h"

struct cw_arena;
struct cw_hash_key;
struct cw_dictionary;
struct rand;

/* Both are borrowed, and outlive it. */
struct cw_dictionary *cw_dictionary_create(struct cw_arena *arena, const struct cw_hash_key *hash_key);

/* As object.h says. */
bool cw_dictionary_free_step(struct cw_dictionary *dictionary, unsigned *budget);
struct cw_dictionary *cw_dictionary_copy(const struct cw_dictionary *dictionary); /* NULL: no memory */
size_t cw_dictionary_used_bytes(const struct cw_dictionary *dictionary);

uint64_t cw_dictionary_count(const struct cw_dictionary *dictionary);

struct cw_entry *cw_dictionary_find(const struct cw_dictionary *dictionary, struct slice name); /* or NULL */

/* Adds the entry, or gives it another value and expiry (CW_NO_EXPIRY: none). `value` is copied; it must not lie in the
 * dictionary, unless it is this entry's. The entry may be another one than before: ret_is_new tells whether the name
 * was not there. */
struct cw_entry *cw_dictionary_put(struct cw_dictionary *dictionary, struct slice name, struct slice value,
                                   int64_t expire_ms, bool *ret_is_new);
/* Gives the entry of that name another expiry, or none; its value is not copied. Returns the entry, which may be
 * another one than before, or NULL: there is none of that name. */
struct cw_entry *cw_dictionary_expire(struct cw_dictionary *dictionary, struct slice name, int64_t expire_ms);
bool cw_dictionary_remove(struct cw_dictionary *dictionary, struct slice name); /* false: was not there */

/* One at random; NULL when empty. */
struct cw_entry *cw_dictionary_random(const struct cw_dictionary *dictionary, struct rand *rand);

typedef void (*cw_dictionary_visitor)(void *context, const struct cw_entry *entry);

/* Visits a part of the dictionary; returns the cursor for the next part, 0 when all was visited. Whatever is there from
 * the first call to the last is visited at least once. */
uint64_t cw_dictionary_scan(const struct cw_dictionary *dictionary, uint64_t cursor, cw_dictionary_visitor visitor,
                            void *context);
void cw_dictionary_for_each(const struct cw_dictionary *dictionary, cw_dictionary_visitor visitor, void *context);

/* Goes through all entries, in no order; a zeroed struct begins. NULL at the end. The entry that was returned last may
 * be given another value of the same length, nothing else may change meanwhile. */
struct cw_dictionary_walk {
    uint64_t position;
    unsigned index;
    bool has_ended;
};
struct cw_entry *cw_dictionary_next(const struct cw_dictionary *dictionary, struct cw_dictionary_walk *walk);

/* Moves what the arena wants moved, as object.h says: the dictionary too. Positions have nothing in their lowest bits
 * (CW_DICTIONARY_POSITION_SPARE). `moved` is told of entries, as table.h says, or NULL. */
enum { CW_DICTIONARY_POSITION_SPARE = 1 };
bool cw_dictionary_compact_step(struct cw_dictionary **dictionary, uint64_t *position, unsigned *budget,
                                void (*moved)(void *context, const struct cw_entry *old, struct cw_entry *entry),
                                void *context);

#endif
