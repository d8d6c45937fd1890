/* backlog.h: the last bytes of the stream, by offset, in blocks of equal size.
 *
 * One copy serves all replicas: each has an offset of its own and reads where it stands. */
#ifndef CACHEWORKER_REPL_BACKLOG_H
#define CACHEWORKER_REPL_BACKLOG_H

#include "common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

enum { CW_BACKLOG_BLOCK = 64 << 10 };

struct cw_backlog { /* a zeroed struct is empty and begins at offset 0 */
    char **blocks;  /* owned ring of owned blocks; block i holds offsets base + i * CW_BACKLOG_BLOCK and on */
    size_t capacity;
    size_t head;
    size_t count;
    uint64_t base;  /* offset of the first byte of the first block */
    uint64_t first; /* offset of the first byte held: base, or behind it */
    uint64_t end;   /* offset behind the last byte held */
};

void cw_backlog_free(struct cw_backlog *backlog);

/* Forgets all bytes; the next one has this offset. */
void cw_backlog_reset(struct cw_backlog *backlog, uint64_t offset);

void cw_backlog_append(struct cw_backlog *backlog, struct slice bytes);

/* The bytes from `offset` on that lie together; empty at the end. The offset must be held (first <= offset <= end).
 * Borrowed until the next reset or trim. */
struct slice cw_backlog_read(const struct cw_backlog *backlog, uint64_t offset);

/* Gives blocks back whose bytes all lie before `offset`. */
void cw_backlog_trim(struct cw_backlog *backlog, uint64_t offset);

/* Forgets, to the byte, what lies before `offset`, which must not be behind the end. */
void cw_backlog_forget(struct cw_backlog *backlog, uint64_t offset);

/* The same bytes are so much further on in the stream. */
void cw_backlog_shift(struct cw_backlog *backlog, uint64_t bytes);

size_t cw_backlog_memory(const struct cw_backlog *backlog);

#endif
