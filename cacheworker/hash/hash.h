/* hash.h: fields with values, as the value of a key: a listpack of field, value, field, value while it is small, else a
 * dictionary. Nobody outside sees the difference but through OBJECT ENCODING, which shows what the reference would do.
 *
 * Functions that read want the entry of a key that holds a hash. Functions that change want a ref that was opened
 * (keyspace.h) and holds a hash, or no key at all where that is said. A hash without fields does not exist: deleting
 * the last one deletes the key.
 *
 * A field may expire on its own, at a date in ms that is not below 0; its hash is an object from then on (big_hash.h).
 * Whoever reads says what is seen: fields that are due before `from_ms` are not there. For a client that is now
 * (cw_call_parts_from); with CW_HASH_ALL every field is there, due or not. */
#ifndef CACHEWORKER_HASH_HASH_H
#define CACHEWORKER_HASH_HASH_H

#include "cacheworker/hash/big_hash.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/packed/listpack.h"

#define CW_HASH_ALL          ((int64_t)0)
#define CW_HASH_KEEPS_EXPIRY (CW_NO_EXPIRY + 1)

uint64_t cw_hash_count(const struct cw_entry *entry, int64_t from_ms);

/* False: there is no such field. The value is borrowed until the next change of the keyspace. */
MUST_CHECK bool cw_hash_get(const struct cw_entry *entry, int64_t from_ms, struct slice field,
                            struct cw_packed_value *ret_value);
/* The date, or CW_NO_EXPIRY. */
MUST_CHECK bool cw_hash_expiry(const struct cw_entry *entry, int64_t from_ms, struct slice field,
                               int64_t *ret_expire_ms);

/* Whether a field has an expiry. */
bool cw_hash_has_expiry(const struct cw_entry *entry);

/* Creates the key where there is none. True: the field is new. Neither slice lies in this hash. An expiry that the
 * field has is taken away. */
bool cw_hash_set(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field, struct slice value);
/* The same with an expiry: a date, CW_NO_EXPIRY, or CW_HASH_KEEPS_EXPIRY for the one that the field has, if any. */
bool cw_hash_set_expiring(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field, struct slice value,
                          int64_t expire_ms);

/* Gives a field another expiry, or CW_NO_EXPIRY; false: there is no such field. */
bool cw_hash_expire(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field, int64_t expire_ms);

/* The same for `count` pairs, field, value, field, value; returns how many fields are new. */
uint64_t cw_hash_set_pairs(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct slice *pairs, size_t count);

bool cw_hash_delete(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice field); /* false: was not there */

/* All fields in no order; a walk that is zeroed but for from_ms begins. False at the end. Nothing may change meanwhile.
 */
struct cw_hash_walk {
    int64_t from_ms;
    size_t place; /* of the next field; packed */
    bool has_begun;
    struct cw_dictionary_walk dictionary;
    struct cw_packed_value field; /* where it stands */
    struct cw_packed_value value;
    int64_t expire_ms; /* of the field, or CW_NO_EXPIRY */
};
bool cw_hash_next(const struct cw_entry *entry, struct cw_hash_walk *walk);

/* A field at random, with its value. There must be one. */
void cw_hash_random(const struct cw_entry *entry, int64_t from_ms, struct rand *rand, struct cw_hash_walk *ret_pick);

/* As SCAN: fills walks through the visitor; a packed hash is visited whole. */
typedef void (*cw_hash_visitor)(void *context, const struct cw_packed_value *field,
                                const struct cw_packed_value *value);
uint64_t cw_hash_scan(const struct cw_entry *entry, int64_t from_ms, uint64_t cursor, cw_hash_visitor visitor,
                      void *context);

/* A listpack that was read whole becomes the value of a new key, in the form that its size asks for. `listpack` is
 * valid, with an even number of elements, none of the fields twice. */
void cw_hash_put_listpack(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice listpack);

#endif
