/* intset.h: a sorted set of integers in one piece of memory, byte for byte the reference's intset.
 *
 *   encoding 4 (2, 4 or 8: bytes of a member), little endian | count 4 | members, ascending, little endian */
#ifndef CACHEWORKER_PACKED_INTSET_H
#define CACHEWORKER_PACKED_INTSET_H

#include "cacheworker/packed/packed.h"

#include <stdbool.h>
#include <stdint.h>

enum { CW_INTSET_EMPTY_BYTES = 8 };

void cw_intset_init(char bytes[CW_INTSET_EMPTY_BYTES]); /* an empty one */
bool cw_intset_is_valid(struct slice bytes);            /* encoding, length, order; anything may be asked */

uint32_t cw_intset_count(struct slice intset);
int64_t cw_intset_at(struct slice intset, uint32_t index);
/* Whether it is a member; ret_index is where it is, or would be. */
bool cw_intset_find(struct slice intset, int64_t number, uint32_t *ret_index);

bool cw_intset_add(struct cw_packed *packed, int64_t number);    /* false: it was a member */
bool cw_intset_remove(struct cw_packed *packed, int64_t number); /* false: it was none */

#endif
