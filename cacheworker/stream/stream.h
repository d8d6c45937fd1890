/* stream.h: a stream: entries in the order of their ids, and what is remembered about those that are gone.
 *
 * Entries are in nodes (stream_node.h), nodes in a map by their ids; groups and their consumers are in stream_group.h.
 * Time is the caller's. All memory is an arena's, which is given to what changes a stream, and not kept.
 *
 * Source: redis.io/docs/data-types/streams and the command pages of redis 7.2. */
#ifndef CACHEWORKER_STREAM_STREAM_H
#define CACHEWORKER_STREAM_STREAM_H

#include "cacheworker/stream/id_map.h"
#include "cacheworker/stream/name_list.h"
#include "cacheworker/stream/stream_node.h"

struct cw_stream {
    struct cw_id_map nodes; /* of struct cw_stream_node, owned */
    uint64_t length;        /* entries that are there */
    uint64_t entries_added; /* ever */
    struct cw_stream_id last_id;
    struct cw_stream_id first_id;       /* of the first entry that is there; 0-0: there is none */
    struct cw_stream_id max_deleted_id; /* by cw_stream_delete; trimming does not count */
    struct cw_name_list groups;         /* of struct cw_stream_group, owned */
    struct cw_stream_held held;         /* but for what groups hold */
    struct cw_stream_id compacted_to;   /* in the map that compaction is at */
};

/* How much goes into one node before the next is begun. 0: no limit of that kind. */
struct cw_stream_limits {
    uint64_t node_bytes_max;
    uint64_t node_entries_max;
};

struct cw_stream *cw_stream_create(struct cw_arena *arena);
/* Another one with the same content; NULL, and nothing is held, when there is no memory. */
MUST_CHECK struct cw_stream *cw_stream_copy(struct cw_arena *arena, const struct cw_stream *stream);
/* Frees about `*budget` blocks and takes them from it; false when all is gone, the stream too. Between two calls the
 * stream is used for nothing else. */
bool cw_stream_free_step(struct cw_arena *arena, struct cw_stream *stream, unsigned *budget);
void cw_stream_free(struct cw_arena *arena, struct cw_stream *stream); /* at once; NULL is fine */

/* Moves what the arena wants moved: nodes and what is pending; as object.h says. */
bool cw_stream_compact_step(struct cw_arena *arena, struct cw_stream **stream, uint64_t *position, unsigned *budget);

size_t cw_stream_used_bytes(const struct cw_stream *stream);
uint64_t cw_stream_blocks(const struct cw_stream *stream); /* what freeing costs */

/* What changes of a stream take memory from. */
static inline struct cw_stream_memory cw_stream_memory(struct cw_arena *arena, struct cw_stream *stream)
{
    return (struct cw_stream_memory){arena, &stream->held};
}

/* ---- Adding ---- */

/* The id of the next entry: *id with what its form leaves to the stream filled in. ERR_STALE when there is none, or
 * none that is above the last one. */
MUST_CHECK int cw_stream_choose_id(const struct cw_stream *stream, enum cw_stream_id_form form, int64_t now_ms,
                                   struct cw_stream_id *id);

/* ERR_STALE when the id is not above the last one; ERR_TOO_BIG, ERR_NO_MEMORY; then nothing changed. */
MUST_CHECK int cw_stream_append(struct cw_arena *arena, struct cw_stream *stream, const struct cw_stream_limits *limits,
                                struct cw_stream_id id, const struct cw_stream_fields *fields);

/* ---- Removing ---- */

/* False when there is no such entry. */
bool cw_stream_delete(struct cw_arena *arena, struct cw_stream *stream, struct cw_stream_id id);

struct cw_stream_trim {
    enum { CW_STREAM_TRIM_NONE, CW_STREAM_TRIM_LENGTH, CW_STREAM_TRIM_ID } by;
    uint64_t length;        /* that is left */
    struct cw_stream_id id; /* that the entries left do not stand before */
    bool approximate;       /* whole nodes only; what remains of the first one too much stays */
    uint64_t limit;         /* no more than so many, in whole nodes; 0: no limit */
};

/* Removes from the front; returns how many. */
uint64_t cw_stream_trim(struct cw_arena *arena, struct cw_stream *stream, const struct cw_stream_trim *trim);

/* ---- Looking ---- */

bool cw_stream_has(const struct cw_stream *stream, struct cw_stream_id id);

/* The last entry that is there; 0-0 when there is none. */
struct cw_stream_id cw_stream_last_present_id(const struct cw_stream *stream);

/* The first entry, deleted ones that still are in a node included; the greatest id when there is none. */
struct cw_stream_id cw_stream_edge_id(const struct cw_stream *stream);

/* How many nodes the reference's radix tree would have for the nodes of this stream: XINFO shows it. Looks at each. */
uint64_t cw_stream_radix_nodes(const struct cw_stream *stream);

/* Adds a node that was saved, and its entries to the length; cw_stream_node_is_valid has accepted the listpack. The
 * other numbers are the caller's to set, and cw_stream_find_first_id's. ERR_CORRUPT when there is a node of that id,
 * ERR_NO_MEMORY. */
MUST_CHECK int cw_stream_load_node(struct cw_arena *arena, struct cw_stream *stream, struct cw_stream_id node_id,
                                   struct slice listpack);

/* Sets first_id, after nodes were loaded. */
void cw_stream_find_first_id(struct cw_stream *stream);

/* ---- Walking: entries from `first` to `last`, both included, or from `last` to `first` ---- */

struct cw_stream_cursor {
    struct cw_stream_id id; /* of the entry at hand */
    uint64_t fields;        /* pairs of it that were not read yet */

    /* Private. */
    struct cw_stream_id first;
    struct cw_stream_id last;
    bool reverse;
    bool shows_deleted;
    struct cw_id_place node; /* leaf NULL: at the end */
    struct slice listpack;   /* of the node */
    struct cw_stream_master master;
    struct cw_stream_entry entry;
    size_t name;     /* place of the next name, when the master has it */
    size_t data;     /* place of the next name or value of the entry */
    bool is_entered; /* there is an entry at hand, in this node */
};

/* The stream must not change while there is a cursor. */
void cw_stream_cursor_init(struct cw_stream_cursor *cursor, const struct cw_stream *stream, struct cw_stream_id first,
                           struct cw_stream_id last, bool reverse);
/* The next entry; false: there is none. */
bool cw_stream_cursor_next(struct cw_stream_cursor *cursor);
/* The next pair of the entry at hand, which has one. */
void cw_stream_cursor_field(struct cw_stream_cursor *cursor, struct cw_packed_value *ret_name,
                            struct cw_packed_value *ret_value);

#endif
