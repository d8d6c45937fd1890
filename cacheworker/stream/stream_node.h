/* stream_node.h: consecutive entries of a stream in one listpack, byte for byte as the reference keeps them, so that
 * saving and loading are copies.
 *
 *   master: live entries | deleted entries | number of names | name ... | 0
 *   entry:  flags | milliseconds | seq | (number of fields | name | value | ...  or  value ...) | elements before this
 *
 * The node has an id, that of the entry it was begun with; entries say how far theirs is from it. An entry with the
 * same names as the master leaves them out. Deleting marks an entry; the marked stay until the node goes.
 *
 * Source: the comments in t_stream.c of redis 7.2, and dumps of redis-server 7.0. */
#ifndef CACHEWORKER_STREAM_STREAM_NODE_H
#define CACHEWORKER_STREAM_STREAM_NODE_H

#include "cacheworker/packed/listpack.h"
#include "cacheworker/stream/stream_id.h"
#include "cacheworker/stream/stream_memory.h"

struct cw_stream_node {
    uint32_t length;   /* of the listpack */
    uint32_t capacity; /* of bytes */
    char bytes[];
};

size_t cw_stream_node_bytes(const struct cw_stream_node *node); /* of the node's block */

static inline struct slice cw_stream_node_listpack(const struct cw_stream_node *node)
{
    return slice_of(node->bytes, node->length);
}

/* What the fields of an entry are as they come: name, value, name, value. `count` is the number of pairs. */
struct cw_stream_fields {
    const struct slice *texts; /* borrowed */
    size_t count;
};

/* ---- Looking. The listpack is one of ours, or one that cw_stream_node_is_valid has accepted. ---- */

struct cw_stream_master {
    uint64_t live;
    uint64_t deleted;
    uint64_t names;
    size_t first_name;  /* place */
    size_t first_entry; /* place */
};

struct cw_stream_entry {
    size_t place; /* where it begins */
    bool is_deleted;
    bool has_names; /* of its own, before each value; else they are the master's */
    struct cw_stream_id id;
    uint64_t fields;
    size_t data; /* place of the first name or value */
};

struct cw_stream_master cw_stream_node_master(struct slice listpack);
/* The entry at a place; node_id is the id of the node. */
struct cw_stream_entry cw_stream_node_entry(struct slice listpack, struct cw_stream_id node_id,
                                            const struct cw_stream_master *master, size_t place);
/* Where the next begins, when `skipped` elements are left before the end of this one, at `data`. CW_LISTPACK_END: none.
 */
size_t cw_stream_node_after(struct slice listpack, size_t data, uint64_t skipped);
/* Where the entry before the one at `place` begins; before CW_LISTPACK_END: the last. CW_LISTPACK_END: none. */
size_t cw_stream_node_before(struct slice listpack, size_t place);

/* Elements behind entry->data that are names or values. */
static inline uint64_t cw_stream_entry_elements(const struct cw_stream_entry *entry)
{
    return entry->has_names ? 2 * entry->fields : entry->fields;
}

/* Whether these bytes are a node's. Anything may be asked. */
bool cw_stream_node_is_valid(struct slice listpack);

/* ---- Changing ---- */

/* A node without entries, with room for a first one that has these fields. ERR_TOO_BIG, ERR_NO_MEMORY. */
MUST_CHECK int cw_stream_node_create(const struct cw_stream_memory *memory, const struct cw_stream_fields *fields,
                                     struct cw_stream_node **ret_node);
/* One with this listpack, which is copied. NULL when there is no memory. */
MUST_CHECK struct cw_stream_node *cw_stream_node_load(const struct cw_stream_memory *memory, struct slice listpack);
void cw_stream_node_free(const struct cw_stream_memory *memory, struct cw_stream_node *node);

/* The following may move the node. */

/* Adds an entry. ERR_TOO_BIG, ERR_NO_MEMORY, and nothing changed; not for the first one, with the fields of create. */
MUST_CHECK int cw_stream_node_append(const struct cw_stream_memory *memory, struct cw_stream_node **node,
                                     struct cw_stream_id node_id, struct cw_stream_id id,
                                     const struct cw_stream_fields *fields);
/* Gives back what nothing will be appended to. */
void cw_stream_node_shrink(const struct cw_stream_memory *memory, struct cw_stream_node **node);
/* Deletes the live entry at that place. */
void cw_stream_node_delete(const struct cw_stream_memory *memory, struct cw_stream_node **node, size_t place);
/* Deletes live entries from the first on, up to `most`, and none from `before` on, if that is not NULL. Returns how
 * many.
 */
uint64_t cw_stream_node_trim(const struct cw_stream_memory *memory, struct cw_stream_node **node,
                             struct cw_stream_id node_id, uint64_t most, const struct cw_stream_id *before);

#endif
