/* rdb_format.h: the marks of the RDB format that writer and reader share. */
#ifndef CACHEWORKER_RDB_RDB_FORMAT_H
#define CACHEWORKER_RDB_RDB_FORMAT_H

enum {
    RDB_HEADER_LENGTH = 9, /* "REDIS0010" */
    RDB_CHECKSUM_LENGTH = 8,
};

enum { /* first byte of an item */
       RDB_TYPE_STRING = 0,
       RDB_OPCODE_FUNCTION = 0xf5,
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

#define RDB_AUX_HISTORY         "respite-history"
#define RDB_AUX_STREAM_DATABASE "repl-stream-db"

#endif
