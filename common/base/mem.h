/* mem.h: memory for everybody.
 *
 * mem_alloc, mem_zero and mem_resize never return NULL: a process that cannot have a few bytes cannot keep its
 * promises, so it ends and its incarnation with it. Sizes that a client chose go through mem_try_alloc. */
#ifndef COMMON_BASE_MEM_H
#define COMMON_BASE_MEM_H

#include "common/base/check.h"

#include <stddef.h>

MUST_CHECK void *mem_alloc(size_t size);
MUST_CHECK void *mem_zero(size_t size);
MUST_CHECK void *mem_resize(void *block, size_t size);
MUST_CHECK void *mem_try_alloc(size_t size);               /* NULL when there is none */
MUST_CHECK void *mem_try_resize(void *block, size_t size); /* NULL when there is none; the block stays as it is */
void mem_free(void *block);                                /* NULL is fine */
size_t mem_usable(const void *block);                      /* bytes that the allocator really gave; 0 for NULL */

/* Gives what the allocator holds between blocks back to the kernel. It looks at every block to find it: no part of
 * ordinary work. */
void mem_trim(void);

/* New owned, NUL-terminated copy of length bytes. */
MUST_CHECK char *mem_copy_text(const char *text, size_t length);

#endif
