#include "cacheworker/engine/pending_writes.h"

#include "cacheworker/keyspace/keyspace.h"
#include "common/base/check.h"
#include "common/base/mem.h"

#include <string.h>

enum { MANY_KEYS = 256 }; /* of one read; with more, nothing is known */

void cw_pending_writes_begin(struct cw_pending_writes *pending, const struct cw_keyspace *keyspace, uint64_t offset,
                             bool is_within_unit)
{
    CHECK(pending->latest == NULL);
    *pending = (struct cw_pending_writes){.keyspace = keyspace, .since = offset, .all_gathered = is_within_unit};
    pending->latest = mem_zero(CW_PENDING_SLOTS * sizeof(*pending->latest));
}

void cw_pending_writes_end(struct cw_pending_writes *pending)
{
    mem_free(pending->latest);
    *pending = (struct cw_pending_writes){0};
}

static uint16_t slot_of(const struct cw_pending_writes *pending, struct slice key)
{
    return (uint16_t)(cw_keyspace_hash(pending->keyspace, key) % CW_PENDING_SLOTS);
}

static bool is_without_keys(const struct command *command)
{
    switch (command->id) {
    case COMMAND_ID_SELECT:
    case COMMAND_ID_MULTI:
    case COMMAND_ID_EXEC:
    case COMMAND_ID_PUBLISH:
    case COMMAND_ID_SPUBLISH: return true;
    default: return false;
    }
}

void cw_pending_writes_gather(struct cw_pending_writes *pending, const struct slice *argv, size_t argc)
{
    const struct command *command = command_resolve(argv, argc);
    if (command != NULL && is_without_keys(command))
        return;
    struct command_key keys[CW_PENDING_GATHERED_MAX];
    size_t count = 0;
    bool are_known = command != NULL && command_has_keys(command) &&
                     command_keys(command, argv, argc, keys, ARRAY_LENGTH(keys), &count) == 0 && count > 0 &&
                     count <= CW_PENDING_GATHERED_MAX - pending->gathered_count;
    if (!are_known) {
        pending->all_gathered = true;
        return;
    }
    for (size_t i = 0; i < count; i++)
        pending->gathered[pending->gathered_count++] = slot_of(pending, argv[keys[i].index]);
}

void cw_pending_writes_settle(struct cw_pending_writes *pending, uint64_t offset)
{
    if (pending->all_gathered)
        pending->since = offset;
    for (unsigned i = 0; i < pending->gathered_count; i++)
        pending->latest[pending->gathered[i]] = offset;
    pending->gathered_count = 0;
    pending->all_gathered = false;
}

void cw_pending_writes_settle_all(struct cw_pending_writes *pending, uint64_t offset)
{
    pending->since = offset;
}

uint64_t cw_pending_writes_shown(const struct cw_pending_writes *pending, const struct command *command,
                                 const struct slice *argv, size_t argc)
{
    struct command_key keys[MANY_KEYS];
    size_t count = 0;
    if (command_keys(command, argv, argc, keys, ARRAY_LENGTH(keys), &count) < 0 || count == 0 || count > MANY_KEYS)
        return UINT64_MAX;
    uint64_t shown = pending->since;
    for (size_t i = 0; i < count; i++) {
        uint64_t latest = pending->latest[slot_of(pending, argv[keys[i].index])];
        shown = latest > shown ? latest : shown;
    }
    return shown;
}
