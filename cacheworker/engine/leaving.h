/* leaving.h: data sets that went as a whole: what a full sync has replaced, or had brought before it broke off. They
 * are freed in steps, as all that is big (docs/adr/0006-freeing-in-steps.md). */
#ifndef CACHEWORKER_ENGINE_LEAVING_H
#define CACHEWORKER_ENGINE_LEAVING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_keyspace;

enum { CW_LEAVING_MAX = 4 };

struct cw_leaving {                            /* a zeroed one is empty */
    struct cw_keyspace *items[CW_LEAVING_MAX]; /* owned, the oldest first */
    unsigned count;
};

/* Takes the keyspace; a snapshot of it ends. Where there are too many, the oldest is freed at once. */
void cw_leaving_add(struct cw_leaving *leaving, struct cw_keyspace *keyspace);

/* Goes on freeing, by the budget of cw_keyspace_free_step; false when nothing is left. */
bool cw_leaving_free_step(struct cw_leaving *leaving, unsigned budget);

uint64_t cw_leaving_to_free(const struct cw_leaving *leaving); /* keys, and big values */
size_t cw_leaving_bytes(const struct cw_leaving *leaving);

void cw_leaving_destroy(struct cw_leaving *leaving);

#endif
