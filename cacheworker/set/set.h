/* set.h: members, each of them once, as the value of a key: an intset while all are integers, a listpack while they are
 * few and short, else a dictionary. Nobody outside sees the difference but through OBJECT ENCODING, which shows what
 * the reference would do.
 *
 * Functions that read want the entry of a key that holds a set. Functions that change want a ref that was opened
 * (keyspace.h) and holds a set, or no key at all where that is said. A set without members does not exist: removing the
 * last one deletes the key. A member is a text or an integer, as it suits who has it: the same number is the same
 * member. */
#ifndef CACHEWORKER_SET_SET_H
#define CACHEWORKER_SET_SET_H

#include "cacheworker/keyspace/dictionary.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/packed/listpack.h"

extern const struct cw_object_operations cw_set_operations;

/* A text as a member; also an empty one without data. */
static inline struct cw_packed_value cw_set_member(struct slice text)
{
    return (struct cw_packed_value){.text = slice_of(text.data ? text.data : "", text.length)};
}

uint64_t cw_set_count(const struct cw_entry *entry);
bool cw_set_contains(const struct cw_entry *entry, const struct cw_packed_value *member);

/* All members in no order, those of an intset ascending; a walk that is zeroed begins. False at the end. Nothing may
 * change meanwhile. */
struct cw_set_walk {
    size_t place; /* of the next member; packed */
    bool has_begun;
    struct cw_dictionary_walk dictionary;
    struct cw_packed_value member; /* where it stands; borrowed until the next change of the keyspace */
};
bool cw_set_next(const struct cw_entry *entry, struct cw_set_walk *walk);

/* A member at random, all with the same chance. */
struct cw_packed_value cw_set_random(const struct cw_entry *entry, struct rand *rand);

/* As SCAN: fills walks through the visitor; a packed set is visited whole. */
typedef void (*cw_set_visitor)(void *context, const struct cw_packed_value *member);
uint64_t cw_set_scan(const struct cw_entry *entry, uint64_t cursor, cw_set_visitor visitor, void *context);

/* Creates the key, which does not exist, with a set that is shown as `encoding` until its members ask for another one.
 * It is empty: the caller adds a member, or deletes it. */
void cw_set_create(struct cw_keyspace *keyspace, struct cw_ref *ref, enum cw_encoding encoding);

/* `count` members are about to be added, of which this is the first: creates the key where there is none, and otherwise
 * gives up what would not hold that many. */
void cw_set_expect(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *first,
                   uint64_t count);

/* `member` does not lie in this set. */
bool cw_set_add(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *member); /* is new? */
void cw_set_add_new(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *member);

/* False: was no member. `member` may lie in this set. */
bool cw_set_remove(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct cw_packed_value *member);

/* A set of nothing but integers, as many as an intset may have, becomes one. */
void cw_set_pack_integers(struct cw_keyspace *keyspace, struct cw_ref *ref);

/* An intset that was read whole becomes the value of a new key, in the form that its size asks for. `intset` is valid
 * and not empty. */
void cw_set_put_intset(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice intset);

#endif
