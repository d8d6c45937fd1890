/* stream_call.h: what the commands on streams share: their arguments, replies, and what goes to the replicas. */
#ifndef CACHEWORKER_STREAM_STREAM_CALL_H
#define CACHEWORKER_STREAM_STREAM_CALL_H

#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/stream/stream_group.h"

#define CW_ERROR_STREAM_ID "ERR Invalid stream ID specified as stream command argument"

/* The stream of an entry that has one; NULL of NULL. Whoever changes it has opened the key. */
static inline struct cw_stream *cw_stream_of(const struct cw_entry *entry)
{
    return entry ? cw_entry_object(entry) : NULL;
}

/* Milliseconds from then to now. Both may be any numbers: a snapshot, or XCLAIM, says when it was. */
static inline int64_t cw_call_since_ms(const struct cw_call *call, int64_t then_ms)
{
    return (int64_t)((uint64_t)call->now_ms - (uint64_t)then_ms);
}

static inline struct cw_arena *cw_call_arena(const struct cw_call *call)
{
    return cw_keyspace_arena(call->keyspace);
}

/* Before something is changed that a reading command found at argv[index]. */
static inline void cw_call_open_read(const struct cw_call *call, size_t index)
{
    struct cw_ref ref;
    cw_call_open(call, index, &ref);
}

/* ---- Arguments: argv[index], or the error is replied ---- */

bool cw_call_stream_id(struct cw_call *call, size_t index, struct cw_stream_id *ret_id);
bool cw_call_stream_range_first(struct cw_call *call, size_t index, struct cw_stream_id *ret_id);
bool cw_call_stream_range_last(struct cw_call *call, size_t index, struct cw_stream_id *ret_id);

/* All of argv[first] to the last argument, as an array to be freed by mem_free; NULL: the error was replied. */
struct cw_stream_id *cw_call_stream_ids(struct cw_call *call, size_t first);

/* The group argv[2] of the stream argv[1], found by reading. NULL when there is none; *ret_is_replied: the key is of
 * another type, and the error was replied. */
struct cw_stream_group *cw_call_stream_group(struct cw_call *call, struct cw_stream **ret_stream, bool *ret_is_replied);
/* The same; NULL: an error was replied. */
struct cw_stream_group *cw_call_require_stream_group(struct cw_call *call, struct cw_stream **ret_stream);

/* ---- Replies ---- */

/* In the words of the reference, which end at a NUL of the client's. */
void cw_reply_stream_error(struct cw_call *call, const char *format, ...) PRINTF(2, 3);
/* A word of the client's for it: "%.*s". */
#define CW_QUOTED(text) (int)(text).length, (text).data

void cw_reply_stream_id(struct cw_call *call, struct cw_stream_id id);
/* The entry at hand: its id, and its fields with their values. */
void cw_reply_stream_entry(struct cw_call *call, struct cw_stream_cursor *cursor);
/* The entry of that id; false, and nothing was replied: there is none. */
bool cw_reply_stream_entry_at(struct cw_call *call, const struct cw_stream *stream, struct cw_stream_id id);
/* An array of entries, `count` at most; 0: all. */
void cw_reply_stream_range(struct cw_call *call, const struct cw_stream *stream, struct cw_stream_id first,
                           struct cw_stream_id last, uint64_t count, bool reverse);

/* ---- What replicas are told; counts as dirty ---- */

/* That the group has given an entry to its consumer, or tries to, and which one it gave last. */
void cw_propagate_stream_claim(struct cw_call *call, struct slice key, const struct cw_stream_group *group,
                               struct cw_stream_id id, const struct cw_stream_pending *pending);
void cw_propagate_stream_group_id(struct cw_call *call, struct slice key, const struct cw_stream_group *group);

/* The consumer, created where there is none of that name, which is propagated; and it was seen now. NULL: there is no
 * memory, and the error was replied. */
struct cw_stream_consumer *cw_call_stream_consumer(struct cw_call *call, struct slice key,
                                                   struct cw_stream_group *group, struct slice name);

#endif
