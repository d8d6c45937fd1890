#include "cacheworker/engine/objects.h"

#include "cacheworker/hash/hash.h"

cw_object_types cw_objects = {
    [CW_TYPE_HASH] = &cw_hash_operations,
};
