/* object.h: what the keyspace must be able to do with a value that is a structure of its type's own.
 *
 * An object belongs to one entry, and all of its memory is the keyspace's arena's. Packed values are no objects. */
#ifndef CACHEWORKER_KEYSPACE_OBJECT_H
#define CACHEWORKER_KEYSPACE_OBJECT_H

#include "cacheworker/keyspace/entry.h"

struct cw_arena;

enum { CW_TYPES = CW_TYPE_STREAM + 1 };

/* Parts that are due and about to be removed, `count` of them, at least one; the names are borrowed for the call. */
typedef void (*cw_expired_parts)(void *context, const struct slice *names, size_t count);

struct cw_object_operations {
    /* Another one with the same content; NULL, and nothing is held, when there is no memory. */
    void *(*copy)(struct cw_arena *arena, const void *object);
    /* Frees parts until the budget is used up (units as those of cw_keyspace_free_step); false when all is gone, the
     * object too. Between two calls the object is used for nothing else. */
    bool (*free_step)(struct cw_arena *arena, void *object, unsigned *budget);
    size_t (*used_bytes)(const void *object);
    uint64_t (*count)(const void *object); /* of parts, of which there is one at least */
    /* Moves what the arena wants moved (arena.h) from `*position` on, the object itself too, until the budget is used
     * up; true while more is left, at the new position. Begins at 0; the object may have changed since the last call.
     */
    bool (*compact_step)(struct cw_arena *arena, void **object, uint64_t *position, unsigned *budget);

    /* Of types with parts that expire on their own; asked only where the entry says CW_ENTRY_PARTS. */

    /* When the first part is due, or a little before, in ms; INT64_MAX: none will be. */
    int64_t (*earliest_due)(const void *object);
    /* Whether every part is due before now_ms, so that a reader finds nothing. */
    bool (*is_due)(const void *object, int64_t now_ms);
    /* Removes parts that are due before now_ms, and tells `expired` just before, until the budget is used up, from
     * which it takes what that cost (units as those of cw_keyspace_expire_step). True: there may be more. The object
     * may be left without parts. */
    bool (*expire_step)(void *object, int64_t now_ms, unsigned *budget, cw_expired_parts expired, void *context);
};

/* By type; NULL where a type has no objects. */
typedef const struct cw_object_operations *const cw_object_types[CW_TYPES];

#endif
