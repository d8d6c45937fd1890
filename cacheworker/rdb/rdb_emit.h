/* rdb_emit.h: the parts of an RDB item, appended. */
#ifndef CACHEWORKER_RDB_RDB_EMIT_H
#define CACHEWORKER_RDB_RDB_EMIT_H

#include "common/base/buf.h"
#include "common/base/slice.h"

void cw_rdb_add_byte(struct buf *out, unsigned byte);
void cw_rdb_add_little_endian(struct buf *out, uint64_t number, unsigned bytes);
void cw_rdb_add_length(struct buf *out, uint64_t length);
void cw_rdb_add_string(struct buf *out, struct slice text); /* as a number where it reads as one of 32 bits */
void cw_rdb_add_integer(struct buf *out, int64_t number);   /* its text, as a string */
void cw_rdb_add_double(struct buf *out, double number);     /* eight bytes, little endian */

/* Whole items. */
void cw_rdb_add_function(struct buf *out, struct slice code); /* a library */
void cw_rdb_add_script(struct buf *out, struct slice source);

#endif
