/* xxh3.h: the digest of a string, as DIGEST shows it: XXH3 of 64 bits with seed 0 and the default secret, after its
 * specification (github.com/Cyan4973/xxHash, doc/xxhash_spec.md). A checksum to compare values by; it withstands no
 * attacker. */
#ifndef CACHEWORKER_STRING_XXH3_H
#define CACHEWORKER_STRING_XXH3_H

#include "common/base/slice.h"

#include <stdint.h>

uint64_t cw_xxh3(struct slice bytes);

#endif
