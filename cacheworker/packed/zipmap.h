/* zipmap.h: reads what versions of the reference before 2.6 kept small hashes in, and wrote to RDB files (type 9).
 * None is ever made or edited here.
 *
 *   count 1 (254: more) | length, field, length, 1 byte that says how many are free, value, free bytes ... | 0xff
 *   length: 1 byte up to 253, or 0xfe and 4, little endian
 *
 * Source: the format's description at the beginning of the reference's zipmap.c. */
#ifndef CACHEWORKER_PACKED_ZIPMAP_H
#define CACHEWORKER_PACKED_ZIPMAP_H

#include "cacheworker/packed/listpack.h"

enum { CW_ZIPMAP_FIRST = 1 }; /* the place of the first field, if there is one */

/* A bigger one is not valid: what is, fits into a listpack. */
#define CW_ZIPMAP_BYTES_MAX (CW_LISTPACK_BYTES_MAX / 2)

/* Whether these bytes are a zipmap: lengths, count, end. Anything may be asked; what follows wants one that was
 * accepted. Whether a field comes twice is for who makes a hash of it to ask. */
bool cw_zipmap_is_valid(struct slice bytes);

/* The field and the value at `place`, which moves to the next; false, and nothing is filled, when there is none. Both
 * are borrowed from the zipmap. */
bool cw_zipmap_next(struct slice zipmap, size_t *place, struct slice *ret_field, struct slice *ret_value);

/* Appends every field and its value to a listpack, whose length and the zipmap's are together within
 * CW_ZIPMAP_BYTES_MAX. */
void cw_zipmap_append_to(struct slice zipmap, struct cw_packed *listpack);

#endif
