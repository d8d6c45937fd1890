/* arena.h: the memory of a keyspace.
 *
 * Blocks come from pages of 64 KiB that hold one size each, without a header per block: five million entries would
 * otherwise pay eight bytes each to malloc, and its rounding. Sizes are in steps of eight bytes up to 512, above that
 * as many as fill a page with a number of blocks. Pages come from chunks of 2 MiB, which the kernel may back by huge
 * pages. A page that is empty is used again for any size, or its memory goes back to the kernel in steps. What is
 * bigger than a quarter of a page is malloc's.
 *
 * Whoever frees a block says how big it is: the owner always knows. */
#ifndef CACHEWORKER_KEYSPACE_ARENA_H
#define CACHEWORKER_KEYSPACE_ARENA_H

#include "common/base/check.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    CW_ARENA_SMALL_MAX = 512,     /* up to here sizes are rounded to multiples of eight */
    CW_ARENA_SEGMENT_SIZE = 2112, /* of tables: 31 of them and the page's header fill 64 KiB exactly */
    CW_ARENA_PAGED_MAX = 16368,   /* bigger blocks are malloc's */
};

struct cw_arena;

struct cw_arena *cw_arena_create(void);
/* Takes all pages with it; blocks that are malloc's must have been freed (CHECKed). NULL is fine. */
void cw_arena_destroy(struct cw_arena *arena);

/* Blocks are aligned to 8 bytes, and to 64 when the size is a multiple of 64 and small. Never NULL, see
 * common/base/mem.h. */
void *cw_arena_alloc(struct cw_arena *arena, size_t size);
/* For sizes that a client chose: NULL when there is no memory. */
MUST_CHECK void *cw_arena_try_alloc(struct cw_arena *arena, size_t size);
void cw_arena_free(struct cw_arena *arena, void *block, size_t size);

/* Of a block that is malloc's and is to be freed: gives the kernel the end of its first `length` bytes back, up to a
 * huge page of it, and returns how many bytes in front of that are left. So what is very big need not go at once. */
size_t cw_arena_drop_end(void *block, size_t length);

/* What cw_arena_alloc really takes for a size. Two sizes that round to the same may use one block. */
size_t cw_arena_rounded(size_t size);

/* Gives the memory of empty pages back to the kernel, but for a small reserve, until the budget is used up (units of
 * about 50 ns); true while there is more to give. */
bool cw_arena_trim_step(struct cw_arena *arena, unsigned *budget);
/* All of it, the reserve too. */
void cw_arena_trim(struct cw_arena *arena);

/* ---- Compaction ----
 *
 * Pages of which little is used hold memory that nobody can have. While an arena is compacted the emptiest pages of
 * each size are set apart: nothing is taken from them any more, and their owners are asked to move what they have
 * there. */

/* Sets pages apart, as many as the others have room for. False: that would not be worth it, and nothing begins. */
bool cw_arena_begin_compaction(struct cw_arena *arena);
void cw_arena_end_compaction(struct cw_arena *arena);

/* The block; or, if it stands in a page that was set apart, a copy of it elsewhere, and this one is freed: then what
 * that costs is taken from the budget (units of about 50 ns). */
void *cw_arena_move(struct cw_arena *arena, void *block, size_t size, unsigned *budget);

size_t cw_arena_held_bytes(const struct cw_arena *arena); /* pages in use or kept in reserve, and malloc's blocks */
size_t cw_arena_used_bytes(const struct cw_arena *arena); /* of these, what is in blocks that are not free */

#endif
