#include "cacheworker/keyspace/entry.h"

#include "cacheworker/keyspace/arena.h"
#include "common/base/number.h"

enum {
    EMBEDDED_STRING_MAX = 44, /* the reference's OBJ_ENCODING_EMBSTR_SIZE_LIMIT */
    SHARED_INTEGERS = 10000,  /* small integers, which the reference keeps once for all keys */
};

const char *cw_type_name(enum cw_type type)
{
    static const char *const names[] = {
        [CW_TYPE_STRING] = "string", [CW_TYPE_LIST] = "list", [CW_TYPE_SET] = "set",
        [CW_TYPE_ZSET] = "zset",     [CW_TYPE_HASH] = "hash", [CW_TYPE_STREAM] = "stream",
    };
    return (unsigned)type < ARRAY_LENGTH(names) ? names[type] : "none";
}

const char *cw_entry_encoding_name(const struct cw_entry *entry)
{
    static const char *const collections[] = {
        [CW_ENCODING_LISTPACK] = "listpack",   [CW_ENCODING_INTSET] = "intset",
        [CW_ENCODING_HASHTABLE] = "hashtable", [CW_ENCODING_QUICKLIST] = "quicklist",
        [CW_ENCODING_SKIPLIST] = "skiplist",   [CW_ENCODING_STREAM] = "stream",
    };
    struct slice value = cw_entry_value(entry);
    int64_t number;
    if (cw_entry_type(entry) != CW_TYPE_STRING)
        return collections[cw_entry_encoding(entry)];
    if (cw_entry_encoding(entry) == CW_ENCODING_RAW)
        return "raw";
    if (cw_entry_encoding(entry) == CW_ENCODING_PLAIN && number_parse_i64(value, &number) == 0)
        return "int";
    return value.length <= EMBEDDED_STRING_MAX ? "embstr" : "raw";
}

int32_t cw_entry_refcount(const struct cw_entry *entry)
{
    int64_t number;
    bool is_shared = strcmp(cw_entry_encoding_name(entry), "int") == 0 &&
                     number_parse_i64(cw_entry_value(entry), &number) == 0 && number >= 0 && number < SHARED_INTEGERS;
    return is_shared ? INT32_MAX : 1;
}

size_t cw_entry_bytes(const struct cw_entry *entry)
{
    struct slice key = cw_entry_key(entry);
    size_t inline_value = entry->flags & CW_ENTRY_POINTER ? 0 : entry->value_length;
    return (size_t)(key.data - (const char *)entry) + key.length + inline_value;
}

size_t cw_entry_used_bytes(const struct cw_entry *entry)
{
    size_t bytes = cw_arena_rounded(cw_entry_bytes(entry));
    if (entry->flags & CW_ENTRY_BLOCK)
        bytes += cw_arena_rounded(cw_block_bytes(*cw_entry_block(entry)));
    return bytes;
}
