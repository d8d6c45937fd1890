/* digest.h: a signature of data that is the same wherever the data is, for DEBUG DIGEST and DEBUG DIGEST-VALUE.
 *
 * It depends neither on the order of keys in a table nor on how a value is kept. It is made to show that two data sets
 * differ by accident; it is not the reference's, and no protection against somebody who wants them to look alike. */
#ifndef CACHEWORKER_ENGINE_DIGEST_H
#define CACHEWORKER_ENGINE_DIGEST_H

#include "cacheworker/keyspace/keyspace.h"
#include "common/base/buf.h"

struct cw_digest { /* zeroed: of nothing */
    uint64_t words[3];
};

enum { CW_DIGEST_TEXT_LENGTH = 40 };

/* Goes on with these bytes: what came before, and in which order, counts. */
void cw_digest_add(struct cw_digest *digest, struct slice bytes);
/* Adds a member of something without an order; the members must be unlike each other, for twice is as never. */
void cw_digest_join(struct cw_digest *digest, const struct cw_digest *member);

/* Of a value, its type, and whether it expires; of a hash, the fields that are seen from `from_ms` on (hash.h). False,
 * and nothing is filled, for a type that has no digest. */
bool cw_digest_value(const struct cw_entry *entry, int64_t from_ms, struct cw_digest *ret_digest);

/* Of all keys that a reader would find now. False as above. */
bool cw_digest_keyspace(const struct cw_keyspace *keyspace, int64_t now_ms, struct cw_digest *ret_digest);

void cw_digest_write(const struct cw_digest *digest, char text[CW_DIGEST_TEXT_LENGTH + 1]);

#endif
