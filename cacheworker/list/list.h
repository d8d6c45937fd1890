/* list.h: a sequence of strings as the value of a key: one listpack while the reference would keep it so, else an
 * object (long_list.h). OBJECT ENCODING shows what the reference would do: a listpack becomes a quicklist when it is
 * about to pass list-max-listpack-size, and becomes one again at half of that. list-compress-depth has no effect.
 *
 * Functions that read want the entry of a key that holds a list. Functions that change want a ref that was opened
 * (keyspace.h) and holds a list, or no key at all where that is said. A list without elements does not exist: deleting
 * the last one deletes the key. Texts that are given do not lie in the list. */
#ifndef CACHEWORKER_LIST_LIST_H
#define CACHEWORKER_LIST_LIST_H

#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/list/long_list.h"

uint64_t cw_list_count(const struct cw_entry *entry);

/* ---- Walking ---- */

/* Stands on an element. Good until the next change of the keyspace. */
struct cw_list_walk {
    const struct cw_list_node *node; /* NULL: the list is packed */
    struct slice listpack;
    size_t place;
};

/* From the end when negative; false: there is no such element. */
MUST_CHECK bool cw_list_at(const struct cw_entry *entry, int64_t index, struct cw_list_walk *ret_walk);

bool cw_list_next_node(struct cw_list_walk *walk, enum cw_list_end from); /* a step of cw_list_next */

static inline struct cw_packed_value cw_list_value(const struct cw_list_walk *walk)
{
    return cw_listpack_value(walk->listpack, walk->place);
}

/* To the next element, away from this end of the list; false: there is none. */
static inline bool cw_list_next(struct cw_list_walk *walk, enum cw_list_end from)
{
    walk->place = from == CW_LIST_HEAD ? cw_listpack_next(walk->listpack, walk->place)
                                       : cw_listpack_previous(walk->listpack, walk->place);
    return LIKELY(walk->place != CW_LISTPACK_END) || cw_list_next_node(walk, from);
}

/* ---- Changing ---- */

/* One after another, so that the last one stands at the end. Creates the key where there is none. */
void cw_list_push(struct cw_keyspace *keyspace, struct cw_ref *ref, const struct slice *texts, size_t count,
                  enum cw_list_end end);
/* Beside the first element that is equal to the pivot; false: there is none. */
bool cw_list_insert(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice pivot, struct slice text,
                    bool before);
/* Another text for an element, counted from the end when negative; false: there is no such element. */
bool cw_list_set(struct cw_keyspace *keyspace, struct cw_ref *ref, int64_t index, struct slice text);
/* `count` elements, all of which exist. */
void cw_list_delete(struct cw_keyspace *keyspace, struct cw_ref *ref, uint64_t index, uint64_t count);
/* Elements that are equal to the text, from one end on, `most` at most; how many. */
uint64_t cw_list_delete_equal(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice text,
                              enum cw_list_end from, uint64_t most);

/* ---- Loading ---- */

/* The elements of a listpack, which is valid and has some, at the tail. The first one of a new key is kept as it is
 * where that is allowed, and so are nodes behind it. */
void cw_list_append_listpack(struct cw_keyspace *keyspace, struct cw_ref *ref, struct slice listpack);

#endif
