/* ziplist.h: reads what older versions of the reference kept lists, hashes and sorted sets in, and wrote to RDB files
 * (types 10, 12, 13, 14 of up to Redis 6.2). None is ever made or edited here.
 *
 *   total bytes 4, little endian | offset of the last entry 4 | count 2 (65535: more) | entry ... | 0xff
 *   entry: bytes of the entry before, 1 or 0xfe and 4 | encoding and data, see ziplist.c
 *
 * Source: the format's description at the beginning of the reference's ziplist.c. */
#ifndef CACHEWORKER_PACKED_ZIPLIST_H
#define CACHEWORKER_PACKED_ZIPLIST_H

#include "cacheworker/packed/listpack.h"

enum { CW_ZIPLIST_END = 0 }; /* no entry's place */

/* A bigger one is not valid: what is, fits into a listpack. */
#define CW_ZIPLIST_BYTES_MAX (CW_LISTPACK_BYTES_MAX / 2)

/* Whether these bytes are a ziplist: lengths, encodings, lengths before, the last one, count, end. Anything may be
 * asked; what follows wants one that was accepted. */
bool cw_ziplist_is_valid(struct slice bytes);

size_t cw_ziplist_first(struct slice ziplist);
size_t cw_ziplist_next(struct slice ziplist, size_t place);                  /* CW_ZIPLIST_END behind the last */
struct cw_packed_value cw_ziplist_value(struct slice ziplist, size_t place); /* borrowed from the ziplist */

/* Appends every entry to a listpack, whose length and the ziplist's are together within CW_ZIPLIST_BYTES_MAX. */
void cw_ziplist_append_to(struct slice ziplist, struct cw_packed *listpack);

#endif
