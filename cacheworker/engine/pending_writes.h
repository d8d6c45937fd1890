/* pending_writes.h: up to where the stream must be acknowledged before the value of a key may be shown. Pure.
 *
 * Where replies wait (for the disk: appendfsync always; for replicas: sync), a read waits for the writes of its own
 * keys, not for all: linearizability is local (Herlihy and Wing, TOPLAS 1990, section 3.3), so what another key has
 * become is nothing that it shows. The keys are those of the stream's commands, for what is in no such command is no
 * part of what can be lost: expiry, eviction, what scripts and transactions did included.
 *
 * Keys share slots, and what is not known is taken for later than it is: a read may wait for more than it must, never
 * for less. */
#ifndef CACHEWORKER_ENGINE_PENDING_WRITES_H
#define CACHEWORKER_ENGINE_PENDING_WRITES_H

#include "common/base/slice.h"
#include "common/command/command.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_keyspace;

enum {
    CW_PENDING_SLOTS = 1 << 14,   /* 128 KiB */
    CW_PENDING_GATHERED_MAX = 64, /* keys of one unit of the stream; with more, all keys are meant */
};

struct cw_pending_writes {              /* a zeroed struct is off */
    const struct cw_keyspace *keyspace; /* borrowed; it hashes the keys */
    uint64_t *latest;                   /* owned; by slot: where the stream ended after the last write. NULL: off */
    uint64_t since;                     /* the same, of writes whose keys are not known */
    bool all_gathered;                  /* of the unit that is being written: any key */
    unsigned gathered_count;
    uint16_t gathered[CW_PENDING_GATHERED_MAX]; /* its slots */
};

/* From here on writes are noted; those before `offset`, and those of a unit that is being written, are taken to be of
 * any key. */
void cw_pending_writes_begin(struct cw_pending_writes *pending, const struct cw_keyspace *keyspace, uint64_t offset,
                             bool is_within_unit);
void cw_pending_writes_end(struct cw_pending_writes *pending);

static inline bool cw_pending_writes_are_noted(const struct cw_pending_writes *pending)
{
    return pending->latest != NULL;
}

/* A command of the stream, or of the unit that is being written, whose end is not there yet. */
void cw_pending_writes_gather(struct cw_pending_writes *pending, const struct slice *argv, size_t argc);

/* What was gathered stands before `offset`. */
void cw_pending_writes_settle(struct cw_pending_writes *pending, uint64_t offset);

/* Any key may have changed before `offset`. */
void cw_pending_writes_settle_all(struct cw_pending_writes *pending, uint64_t offset);

/* While writes are noted: the offset for which the reply to a command waits that shows its keys
 * (command_shows_its_keys); UINT64_MAX: it cannot be told. */
uint64_t cw_pending_writes_shown(const struct cw_pending_writes *pending, const struct command *command,
                                 const struct slice *argv, size_t argc);

#endif
