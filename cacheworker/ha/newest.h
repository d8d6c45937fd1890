/* newest.h: hands the newest of a series of values from one thread to another. Neither ever waits.
 *
 * Three slots: one that the writer fills, one that the reader looks at, and one between them. Publishing and reading
 * swap the own slot for the one between, by one atomic exchange; so a slot has one owner at every moment. What was
 * published and not read before the next publication is never seen. Slots begin zeroed. */
#ifndef CACHEWORKER_HA_NEWEST_H
#define CACHEWORKER_HA_NEWEST_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

struct cw_newest {
    char *slots; /* owned; three of `size` bytes */
    size_t size;
    unsigned writers;
    unsigned readers;
    atomic_uint between; /* the slot's number, and CW_NEWEST_FRESH while the reader has not taken it */
};

enum { CW_NEWEST_FRESH = 4 };

void cw_newest_create(struct cw_newest *newest, size_t size);
void cw_newest_destroy(struct cw_newest *newest);

/* The writer's: where the next value is to be written. It holds what was published some time before. */
static inline void *cw_newest_draft(struct cw_newest *newest)
{
    return newest->slots + newest->writers * newest->size;
}

static inline void cw_newest_publish(struct cw_newest *newest)
{
    unsigned swapped =
        atomic_exchange_explicit(&newest->between, newest->writers | CW_NEWEST_FRESH, memory_order_acq_rel);
    newest->writers = swapped & ~(unsigned)CW_NEWEST_FRESH;
}

/* The reader's: the newest value; it stays as it is until the next call. */
static inline const void *cw_newest_read(struct cw_newest *newest)
{
    if (atomic_load_explicit(&newest->between, memory_order_relaxed) & CW_NEWEST_FRESH) {
        unsigned swapped = atomic_exchange_explicit(&newest->between, newest->readers, memory_order_acq_rel);
        newest->readers = swapped & ~(unsigned)CW_NEWEST_FRESH;
    }
    return newest->slots + newest->readers * newest->size;
}

#endif
