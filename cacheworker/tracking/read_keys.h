/* read_keys.h: who has read which key since it was last changed: the invalidation table of client-side caching.
 *
 * Readers are numbers. The table holds any number of keys; whoever fills it keeps it small by taking out the oldest
 * (tracking-table-max-keys). Of each key it holds at most twice as many readers as there are alive, however many came
 * and went: the dead ones are dropped when room for more is needed. It grows in steps, and what was cleared is freed in
 * steps. */
#ifndef CACHEWORKER_TRACKING_READ_KEYS_H
#define CACHEWORKER_TRACKING_READ_KEYS_H

#include "common/base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cw_read_keys;

/* Whether a reader still wants to know. */
typedef bool (*cw_reader_is_alive)(void *context, uint64_t reader);

struct cw_read_keys *cw_read_keys_create(uint64_t seed, cw_reader_is_alive is_alive, void *context);
void cw_read_keys_destroy(struct cw_read_keys *keys);

void cw_read_keys_add(struct cw_read_keys *keys, struct slice key, uint64_t reader);

/* Forgets the key, after it called `tell` for each reader, in the order of their numbers; that must not touch the
 * table. */
void cw_read_keys_take(struct cw_read_keys *keys, struct slice key, void (*tell)(void *context, uint64_t reader),
                       void *context);

/* The key that is in the table for longest; borrowed until the table is changed. There must be one. */
struct slice cw_read_keys_oldest(const struct cw_read_keys *keys);

/* Forgets everything at once. */
void cw_read_keys_clear(struct cw_read_keys *keys);

/* Frees some of what was cleared; false when nothing is left. */
bool cw_read_keys_free_step(struct cw_read_keys *keys, unsigned budget);

size_t cw_read_keys_count(const struct cw_read_keys *keys);     /* keys */
uint64_t cw_read_keys_readers(const struct cw_read_keys *keys); /* of all keys together, the dead ones included */

#endif
