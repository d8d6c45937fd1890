/* zset.h: members with scores, in order, as the value of a key: a listpack of member, score, member, score while it is
 * small, else a dictionary of the scores and a tree of the order. Nobody outside sees the difference but through OBJECT
 * ENCODING, which shows what the reference would do.
 *
 * Functions that read want the entry of a key that holds a sorted set. Functions that change want a ref that was opened
 * (keyspace.h) and holds one, or no key at all where that is said. A set without members does not exist: removing the
 * last one deletes the key. Scores are never NaN. Ranks count from 0, the lowest score. */
#ifndef CACHEWORKER_ZSET_ZSET_H
#define CACHEWORKER_ZSET_ZSET_H

#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/packed/listpack.h"
#include "cacheworker/zset/order.h"
#include "cacheworker/zset/score.h"

enum { CW_SCORE_TEXT_MAX = 64 }; /* of a score that is formatted */

extern const struct cw_object_operations cw_zset_operations;

uint64_t cw_zset_count(const struct cw_entry *entry);

/* False: there is no such member. */
MUST_CHECK bool cw_zset_score(const struct cw_entry *entry, struct slice member, double *ret_score);
MUST_CHECK bool cw_zset_rank(const struct cw_entry *entry, struct slice member, uint64_t *ret_rank, double *ret_score);

/* Creates the key where there is none. True: the member is new. `member` does not lie in this set. */
bool cw_zset_set(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice member, double score);

bool cw_zset_remove(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice member); /* false: was not there */

/* Removes the members of the ranks from first to last, both of which are there. */
void cw_zset_remove_ranks(struct cw_keyspace *keyspace, struct cw_ref *ref, uint64_t first, uint64_t last);

/* A place in the order, until the next change of the keyspace; of it only the first three are for the caller. */
struct cw_zset_place {
    uint64_t rank;
    struct cw_packed_value member; /* borrowed */
    double score;
    size_t packed; /* the member's place; packed */
    struct cw_order_place order;
};

/* Each fills the place, or returns false: there is none. */
bool cw_zset_at(const struct cw_entry *entry, uint64_t rank, struct cw_zset_place *ret_place);
bool cw_zset_next(const struct cw_entry *entry, struct cw_zset_place *place);
bool cw_zset_previous(const struct cw_entry *entry, struct cw_zset_place *place);

/* The members of a range of scores are those of the ranks from *ret_first to *ret_last. False: there are none. */
bool cw_zset_score_range(const struct cw_entry *entry, const struct cw_score_limit *low,
                         const struct cw_score_limit *high, uint64_t *ret_first, uint64_t *ret_last);
/* The same of a range of members, of a set whose scores are all equal. */
bool cw_zset_lex_range(const struct cw_entry *entry, const struct cw_lex_limit *low, const struct cw_lex_limit *high,
                       uint64_t *ret_first, uint64_t *ret_last);

/* A member at random. */
void cw_zset_random(const struct cw_entry *entry, struct rand *rand, struct cw_zset_place *ret_place);

/* As SCAN; a packed set is visited whole. */
typedef void (*cw_zset_visitor)(void *context, const struct cw_packed_value *member, double score);
uint64_t cw_zset_scan(const struct cw_entry *entry, uint64_t cursor, cw_zset_visitor visitor, void *context);

/* For a result in the making: a key that does not exist gets a set that is no listpack from the beginning, and so keeps
 * the sign of zero, however few its members are. It is empty: the caller adds some, or deletes it. */
void cw_zset_begin(struct cw_keyspace *keyspace, struct cw_ref *ref);
/* It has all its members, and gets the form that its size asks for. */
void cw_zset_finish(struct cw_keyspace *keyspace, struct cw_ref *ref);

/* A listpack that was read whole becomes the value of a new key, in the form that its size asks for. It is valid, not
 * empty, has pairs of members and scores in order, and no member twice: cw_zset_is_listpack. */
void cw_zset_put_listpack(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice listpack);
bool cw_zset_is_listpack(struct slice listpack); /* of a valid listpack */

#endif
