/* entry.h: one key with its value.
 *
 *   header 8 | expiry 8, if any | pointer 8, if the value is not inline | key length 4, if above 255 | key | value
 *
 * An entry is one block of memory that belongs to one slot of a table; whoever owns the table may move it at any time.
 * A value is bytes (a packed collection is bytes too): inline up to CW_INLINE_VALUE_MAX, else in a block of its own. Or
 * it is an object: a structure of its type's own (object.h). Integers are kept as their decimal text: GET is the
 * frequent command, and the text is what it sends; it also is no longer than eight bytes for the counters that people
 * have. */
#ifndef CACHEWORKER_KEYSPACE_ENTRY_H
#define CACHEWORKER_KEYSPACE_ENTRY_H

#include "cacheworker/keyspace/access.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CW_NO_EXPIRY INT64_MIN

enum { CW_INLINE_VALUE_MAX = 1024 };

enum cw_type { /* the numbers are our own; RDB has others */
               CW_TYPE_STRING,
               CW_TYPE_LIST,
               CW_TYPE_SET,
               CW_TYPE_ZSET,
               CW_TYPE_HASH,
               CW_TYPE_STREAM,
};

enum cw_encoding {
    CW_ENCODING_PLAIN, /* a string as it was set: "int" if it reads as one, else "embstr" or "raw" by its length */
    CW_ENCODING_TEXT,  /* a string that is not "int" even if it reads as one (the result of INCRBYFLOAT) */
    CW_ENCODING_RAW,   /* a string that was edited in place: "raw" */

    /* How a collection is shown. Whether it is an object or packed bytes stands in the flags: a small one may be shown
     * as the reference would keep it, and yet be packed. */
    CW_ENCODING_LISTPACK,
    CW_ENCODING_INTSET,
    CW_ENCODING_HASHTABLE,
    CW_ENCODING_QUICKLIST,
    CW_ENCODING_SKIPLIST,
    CW_ENCODING_STREAM,
};

struct cw_entry {
    uint8_t kind; /* enum cw_type in the low four bits, enum cw_encoding in the high four */
    uint8_t flags;
    uint16_t value_length;   /* of an inline value */
    uint32_t key_length : 8; /* of a short key */
    uint32_t access : 24;    /* access.h */
};

enum { /* struct cw_entry.flags */
       CW_ENTRY_EXPIRES = 1 << 0,
       CW_ENTRY_BLOCK = 1 << 1, /* the value is in a block of its own */
       CW_ENTRY_LONG_KEY = 1 << 2,
       CW_ENTRY_OBJECT = 1 << 3, /* the value is an object; never together with CW_ENTRY_BLOCK */
       CW_ENTRY_PARTS = 1 << 4,  /* the object has, or had, parts that expire on their own (object.h) */
       CW_ENTRY_OWED = 1 << 5,   /* the value is still to be shown to a snapshot (keyspace.h), or the rest of it */
       CW_ENTRY_WANTED = 1 << 6, /* the same, and somebody waits for it */

       CW_ENTRY_POINTER = CW_ENTRY_BLOCK | CW_ENTRY_OBJECT,
};

struct cw_block { /* a value that is too big to be inline */
    size_t length;
    size_t capacity;
    char bytes[];
};

static inline size_t cw_block_bytes(const struct cw_block *block)
{
    return sizeof(*block) + block->capacity;
}

static inline char *cw_entry_after_header(const struct cw_entry *entry)
{
    return (char *)(uintptr_t)(entry + 1);
}

/* CW_NO_EXPIRY when there is none. */
static inline int64_t cw_entry_expire_ms(const struct cw_entry *entry)
{
    return entry->flags & CW_ENTRY_EXPIRES ? *(const int64_t *)(const void *)(entry + 1) : CW_NO_EXPIRY;
}

static inline bool cw_entry_has(const struct cw_entry *entry, unsigned flag)
{
    return entry->flags & flag;
}

static inline bool cw_entry_is_object(const struct cw_entry *entry)
{
    return entry->flags & CW_ENTRY_OBJECT;
}

/* Where the pointer is, in an entry that has a block. */
static inline struct cw_block **cw_entry_block(const struct cw_entry *entry)
{
    return (struct cw_block **)(void *)(cw_entry_after_header(entry) + (entry->flags & CW_ENTRY_EXPIRES ? 8 : 0));
}

/* The object of an entry that is one; owned by the entry. */
static inline void *cw_entry_object(const struct cw_entry *entry)
{
    void *object;
    memcpy(&object, cw_entry_after_header(entry) + (entry->flags & CW_ENTRY_EXPIRES ? 8 : 0), sizeof(object));
    return object;
}

static inline struct slice cw_entry_key(const struct cw_entry *entry)
{
    const char *at = cw_entry_after_header(entry) + (entry->flags & CW_ENTRY_EXPIRES ? 8 : 0) +
                     (entry->flags & CW_ENTRY_POINTER ? 8 : 0);
    if (!(entry->flags & CW_ENTRY_LONG_KEY))
        return slice_of(at, entry->key_length);
    uint32_t length;
    memcpy(&length, at, sizeof(length));
    return slice_of(at + sizeof(length), length);
}

/* The bytes of the value; none of an object. */
static inline struct slice cw_entry_value(const struct cw_entry *entry)
{
    if (entry->flags & CW_ENTRY_BLOCK) {
        const struct cw_block *block = *cw_entry_block(entry);
        return slice_of(block->bytes, block->length);
    }
    struct slice key = cw_entry_key(entry);
    return slice_of(key.data + key.length, entry->value_length);
}

static inline enum cw_type cw_entry_type(const struct cw_entry *entry)
{
    return (enum cw_type)(entry->kind & 15);
}

static inline enum cw_encoding cw_entry_encoding(const struct cw_entry *entry)
{
    return (enum cw_encoding)(entry->kind >> 4);
}

const char *cw_type_name(enum cw_type type);                      /* "string", as TYPE says it */
const char *cw_entry_encoding_name(const struct cw_entry *entry); /* "embstr", as OBJECT ENCODING says it */
int32_t cw_entry_refcount(const struct cw_entry *entry);          /* 1, or INT32_MAX as OBJECT REFCOUNT says it */
size_t cw_entry_bytes(const struct cw_entry *entry);              /* of its own block, not rounded */
size_t cw_entry_used_bytes(const struct cw_entry *entry);         /* memory of entry and value, no object */

#endif
