/* mailbox.h: letters from one thread to another, in order, in a ring of bytes. Neither side ever waits: where there is
 * no room the letter is lost, as it could be on the way through a network, and its sender says it again. */
#ifndef CACHEWORKER_HA_MAILBOX_H
#define CACHEWORKER_HA_MAILBOX_H

#include "common/base/buf.h"
#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_mailbox {
    char *ring; /* owned */
    size_t capacity;
    atomic_size_t put;   /* bytes ever put; the writer's */
    atomic_size_t taken; /* bytes ever taken; the reader's */
};

void cw_mailbox_create(struct cw_mailbox *mailbox, size_t capacity);
void cw_mailbox_destroy(struct cw_mailbox *mailbox);

/* The writer's. False: there is no room. */
MUST_CHECK bool cw_mailbox_put(struct cw_mailbox *mailbox, uint64_t address, struct slice letter);

/* The reader's. Replaces the content of ret_letter by the oldest letter; false: there is none. */
MUST_CHECK bool cw_mailbox_take(struct cw_mailbox *mailbox, uint64_t *ret_address, struct buf *ret_letter);

#endif
