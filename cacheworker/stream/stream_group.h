/* stream_group.h: consumer groups: what of a stream was delivered to whom, and was not acknowledged yet.
 *
 * A group remembers the last id that it delivered. What it delivered is pending, for the group and for one of its
 * consumers, until it is acknowledged. */
#ifndef CACHEWORKER_STREAM_STREAM_GROUP_H
#define CACHEWORKER_STREAM_STREAM_GROUP_H

#include "cacheworker/stream/stream.h"

#define CW_STREAM_READ_UNKNOWN INT64_C(-1) /* the reference's SCG_INVALID_ENTRIES_READ */
#define CW_STREAM_NEVER_ACTIVE INT64_C(-1)

struct cw_stream_group {
    struct cw_named named;
    struct cw_stream_id last_id;   /* delivered */
    int64_t entries_read;          /* of all that were ever added; or CW_STREAM_READ_UNKNOWN */
    struct cw_id_map pending;      /* of struct cw_stream_pending, owned */
    struct cw_name_list consumers; /* of struct cw_stream_consumer, owned */
    struct cw_stream_held held;    /* for both; the group itself is counted by its stream */
    char name[];
};

struct cw_stream_consumer {
    struct cw_named named;
    int64_t seen_ms;          /* it last asked for something; Unix time */
    int64_t active_ms;        /* it last got something; or CW_STREAM_NEVER_ACTIVE */
    struct cw_id_map pending; /* of struct cw_stream_pending, the group's */
    char name[];
};

struct cw_stream_pending {
    struct cw_stream_consumer *consumer; /* that has it; NULL only until cw_stream_pending_assign */
    int64_t delivery_ms;
    uint64_t deliveries;
};

/* ---- Groups ---- */

static inline struct cw_stream_group *cw_stream_group_at(const struct cw_stream *stream, uint32_t index)
{
    return (struct cw_stream_group *)(void *)stream->groups.items[index];
}

/* NULL when there is none of that name. */
struct cw_stream_group *cw_stream_group_find(const struct cw_stream *stream, struct slice name);
/* ERR_EXISTS, ERR_NO_MEMORY. */
MUST_CHECK int cw_stream_group_create(struct cw_arena *arena, struct cw_stream *stream, struct slice name,
                                      struct cw_stream_id last_id, int64_t entries_read,
                                      struct cw_stream_group **ret_group);
/* What the group held is in the stream that is returned, which is good for nothing but being freed. It may be much. */
MUST_CHECK struct cw_stream *cw_stream_group_destroy(struct cw_arena *arena, struct cw_stream *stream,
                                                     struct cw_stream_group *group);

/* The group has been given an entry: when it is behind the last one, it becomes that. */
void cw_stream_group_delivered(const struct cw_stream *stream, struct cw_stream_group *group, struct cw_stream_id id);

/* How many entries are ahead of the group. False: deleted ones among them make that unknown. */
bool cw_stream_group_lag(const struct cw_stream *stream, const struct cw_stream_group *group, int64_t *ret_lag);

/* How many entries were added up to this one; CW_STREAM_READ_UNKNOWN when only counting would tell. */
int64_t cw_stream_entries_up_to(const struct cw_stream *stream, struct cw_stream_id id);

/* ---- Consumers ---- */

static inline struct cw_stream_consumer *cw_stream_consumer_at(const struct cw_stream_group *group, uint32_t index)
{
    return (struct cw_stream_consumer *)(void *)group->consumers.items[index];
}

struct cw_stream_consumer *cw_stream_consumer_find(const struct cw_stream_group *group, struct slice name);
/* ERR_EXISTS, ERR_NO_MEMORY. It was seen now, and never active. */
MUST_CHECK int cw_stream_consumer_create(struct cw_arena *arena, struct cw_stream_group *group, struct slice name,
                                         int64_t now_ms, struct cw_stream_consumer **ret_consumer);
/* What it has pending goes too, one by one; but if nobody else has anything pending, all at once, as with a group: that
 * is in the stream that is returned, or NULL. */
MUST_CHECK struct cw_stream *cw_stream_consumer_delete(struct cw_arena *arena, struct cw_stream_group *group,
                                                       struct cw_stream_consumer *consumer);

/* ---- What is pending ---- */

static inline struct cw_stream_pending *cw_stream_pending_find(const struct cw_stream_group *group,
                                                               struct cw_stream_id id)
{
    return cw_id_map_find(&group->pending, id);
}

/* Makes an entry pending, without a consumer yet: it must get one before anything else is done. NULL: it is already. */
struct cw_stream_pending *cw_stream_pending_add(struct cw_arena *arena, struct cw_stream_group *group,
                                                struct cw_stream_id id);
/* Gives it to this consumer, and takes it from the one that has it. */
void cw_stream_pending_assign(struct cw_arena *arena, struct cw_stream_group *group, struct cw_stream_pending *pending,
                              struct cw_stream_id id, struct cw_stream_consumer *consumer);
/* Acknowledged, or given up. False: it was not pending. */
bool cw_stream_pending_drop(struct cw_arena *arena, struct cw_stream_group *group, struct cw_stream_id id);

/* ---- For stream.c ---- */

/* Copies all groups into a stream that has none. ERR_NO_MEMORY; then some may be there. */
MUST_CHECK int cw_stream_groups_copy(struct cw_arena *arena, const struct cw_stream *from, struct cw_stream *to);
/* Frees about one block of the last group; false when there is no group. */
bool cw_stream_groups_free_part(const struct cw_stream_memory *memory, struct cw_name_list *groups);

/* Goes on with the map of that number: of each group in turn what it has pending, then what each of its consumers has.
 */
enum cw_stream_compacted {
    CW_STREAM_COMPACTED_PART, /* the budget is used up */
    CW_STREAM_COMPACTED_MAP,  /* this map is done */
    CW_STREAM_COMPACTED_ALL,  /* there is no such map */
};
enum cw_stream_compacted cw_stream_groups_compact(struct cw_arena *arena, struct cw_stream *stream, uint64_t number,
                                                  unsigned *budget);

/* What all groups hold, but for themselves. */
struct cw_stream_held cw_stream_groups_held(const struct cw_name_list *groups);

#endif
