/* rdb_format.h: the marks of the RDB format that writer and reader share. */
#ifndef CACHEWORKER_RDB_RDB_FORMAT_H
#define CACHEWORKER_RDB_RDB_FORMAT_H

enum {
    RDB_HEADER_LENGTH = 9, /* "REDIS0010", or "VALKEY080" */
    RDB_CHECKSUM_LENGTH = 8,
};

enum { /* first byte of an item */
       RDB_TYPE_STRING = 0,
       RDB_TYPE_LIST = 1,
       RDB_TYPE_SET = 2,
       RDB_TYPE_ZSET = 3, /* scores as text */
       RDB_TYPE_HASH = 4,
       RDB_TYPE_ZSET_2 = 5, /* scores as eight bytes */
       RDB_TYPE_MODULE_PRE_GA = 6,
       RDB_TYPE_MODULE = 7,
       RDB_TYPE_HASH_ZIPMAP = 9,
       RDB_TYPE_LIST_ZIPLIST = 10,
       RDB_TYPE_SET_INTSET = 11,
       RDB_TYPE_ZSET_ZIPLIST = 12,
       RDB_TYPE_HASH_ZIPLIST = 13,
       RDB_TYPE_LIST_QUICKLIST = 14, /* of ziplists */
       RDB_TYPE_STREAM_LISTPACKS = 15,
       RDB_TYPE_HASH_LISTPACK = 16,
       RDB_TYPE_ZSET_LISTPACK = 17,
       RDB_TYPE_LIST_QUICKLIST_2 = 18, /* of listpacks and plain nodes */
       RDB_TYPE_STREAM_LISTPACKS_2 = 19,
       RDB_TYPE_SET_LISTPACK = 20,        /* since version 11 */
       RDB_TYPE_STREAM_LISTPACKS_3 = 21,  /* since version 11 */
       RDB_TYPE_HASH_FIELDS_PRE_GA = 22,  /* date, field, value; of release candidates of 7.4 */
       RDB_TYPE_HASH_TRIPLES_PRE_GA = 23, /* a listpack of field, value, date */
       RDB_TYPE_HASH_FIELDS = 24,  /* since version 12: the earliest date, then as 22 with dates counted from it */
       RDB_TYPE_HASH_TRIPLES = 25, /* since version 12: the earliest date, then as 23 */
       RDB_TYPE_LAST = 31,         /* of those in a file; what is above is no type */
       RDB_TYPE_HASH_VALKEY = 32,  /* 22 of Valkey: field, value, date */
       RDB_TYPES = 33,
       RDB_OPCODE_SLOT_IMPORT = 0xf3, /* of Valkey's cluster: slots that were on their way */
       RDB_OPCODE_SLOT_INFO = 0xf4,   /* how many keys a slot of a cluster has; a hint */
       RDB_OPCODE_FUNCTION = 0xf5,
       RDB_OPCODE_FUNCTION_PRE_GA = 0xf6, /* of release candidates of 7.0 */
       RDB_OPCODE_MODULE_AUX = 0xf7,
       RDB_OPCODE_IDLE = 0xf8,
       RDB_OPCODE_FREQUENCY = 0xf9,
       RDB_OPCODE_AUX = 0xfa,
       RDB_OPCODE_RESIZE = 0xfb,
       RDB_OPCODE_EXPIRE_MS = 0xfc,
       RDB_OPCODE_EXPIRE_S = 0xfd,
       RDB_OPCODE_SELECT = 0xfe,
       RDB_OPCODE_END = 0xff,
};

enum { /* upper two bits of a length's first byte */
       RDB_LENGTH_6 = 0,
       RDB_LENGTH_14 = 1,
       RDB_LENGTH_LONG = 2,
       RDB_LENGTH_SPECIAL = 3,

       RDB_LENGTH_32_MARK = 0x80,
       RDB_LENGTH_64_MARK = 0x81,
};

enum { /* lower six bits with RDB_LENGTH_SPECIAL: how a string is packed */
       RDB_PACKED_INT8 = 0,
       RDB_PACKED_INT16 = 1,
       RDB_PACKED_INT32 = 2,
       RDB_PACKED_LZF = 3,
};

enum { /* what stands before each part of a module's data */
       RDB_MODULE_END = 0,
       RDB_MODULE_SIGNED = 1,
       RDB_MODULE_UNSIGNED = 2,
       RDB_MODULE_FLOAT = 3,
       RDB_MODULE_DOUBLE = 4,
       RDB_MODULE_STRING = 5,
};

#define RDB_AUX_HISTORY         "respite-history"
#define RDB_AUX_MIGRATION       "respite-migration"
#define RDB_AUX_USERS           "respite-users"
#define RDB_AUX_SCRIPT          "lua" /* what EVALSHA knows; of versions before 7.0, passed over by later ones */
#define RDB_AUX_FIELD_EXPIRY    "respite-field-expiry"
#define RDB_AUX_STREAM_DATABASE "repl-stream-db"
#define RDB_AUX_STREAM_ID       "repl-id"
#define RDB_AUX_STREAM_OFFSET   "repl-offset"

#endif
