#include "cacheworker/engine/objects.h"

#include "cacheworker/hash/hash.h"
#include "cacheworker/list/long_list.h"
#include "cacheworker/set/set.h"
#include "cacheworker/stream/stream_object.h"
#include "cacheworker/zset/zset.h"

cw_object_types cw_objects = {
    [CW_TYPE_LIST] = &cw_list_operations,     [CW_TYPE_SET] = &cw_set_operations,
    [CW_TYPE_ZSET] = &cw_zset_operations,     [CW_TYPE_HASH] = &cw_hash_operations,
    [CW_TYPE_STREAM] = &cw_stream_operations,
};
