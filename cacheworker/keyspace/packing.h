/* packing.h: up to which size a collection is packed, and how it is shown: the reference's settings, under its names.
 */
#ifndef CACHEWORKER_KEYSPACE_PACKING_H
#define CACHEWORKER_KEYSPACE_PACKING_H

#include <stddef.h>
#include <stdint.h>

/* A collection that the reference would not pack any more is shown so, and yet is packed up to this size while its
 * members are few: a table costs a page of its own (dictionary.h), and that many bytes are searched as fast. */
enum { CW_PACKED_ANYWAY_MAX = 2048 };

struct cw_packing { /* as CONFIG GET shows them */
    int64_t hash_max_listpack_entries;
    int64_t hash_max_listpack_value;
    int64_t list_max_listpack_size; /* -1 to -5: bytes 4 to 64 KiB; else elements */
    int64_t list_compress_depth;
    int64_t set_max_intset_entries;
    int64_t set_max_listpack_entries;
    int64_t set_max_listpack_value;
    int64_t zset_max_listpack_entries;
    int64_t zset_max_listpack_value;
    size_t stream_node_max_bytes;
    int64_t stream_node_max_entries;
};

#define CW_PACKING_DEFAULT                                                                                             \
    {                                                                                                                  \
        .hash_max_listpack_entries = 512, .hash_max_listpack_value = 64, .list_max_listpack_size = -2,                 \
        .list_compress_depth = 0, .set_max_intset_entries = 512, .set_max_listpack_entries = 128,                      \
        .set_max_listpack_value = 64, .zset_max_listpack_entries = 128, .zset_max_listpack_value = 64,                 \
        .stream_node_max_bytes = 4096, .stream_node_max_entries = 100,                                                 \
    }

#endif
