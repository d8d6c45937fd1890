/* object.h: what the keyspace must be able to do with a value that is a structure of its type's own.
 *
 * An object belongs to one entry, and all of its memory is the keyspace's arena's. Packed values are no objects. */
#ifndef CACHEWORKER_KEYSPACE_OBJECT_H
#define CACHEWORKER_KEYSPACE_OBJECT_H

#include "cacheworker/keyspace/entry.h"

struct cw_arena;

enum { CW_TYPES = CW_TYPE_STREAM + 1 };

struct cw_object_operations {
    /* Another one with the same content; NULL, and nothing is held, when there is no memory. */
    void *(*copy)(struct cw_arena *arena, const void *object);
    /* Frees about `*budget` parts and takes them from it; false when all is gone, the object too. Between two calls the
     * object is used for nothing else. */
    bool (*free_step)(struct cw_arena *arena, void *object, unsigned *budget);
    size_t (*used_bytes)(const void *object);
    uint64_t (*count)(const void *object); /* of parts: what freeing costs */
    /* Moves what the arena wants moved (arena.h) of about `*budget` parts from `*position` on, and takes them from the
     * budget; true while more is left, at the new position. Begins at 0. NULL: of this type nothing is moved. */
    bool (*compact_step)(void *object, uint64_t *position, unsigned *budget);
};

/* By type; NULL where a type has no objects. */
typedef const struct cw_object_operations *const cw_object_types[CW_TYPES];

#endif
