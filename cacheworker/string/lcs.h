/* lcs.h: the longest common subsequence of two strings, by the table of lengths of all their prefixes. */
#ifndef CACHEWORKER_STRING_LCS_H
#define CACHEWORKER_STRING_LCS_H

#include "common/base/check.h"
#include "common/base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct cw_lcs {
    struct slice a, b; /* borrowed */
    uint32_t *lengths; /* owned; of the common subsequence of each two prefixes */
};

/* A stretch that both strings have in common, first and last byte. */
struct cw_lcs_range {
    size_t a_first, a_last;
    size_t b_first, b_last;
};

/* Bytes that the table takes; false when that is more than a size_t holds. */
bool cw_lcs_table_bytes(struct slice a, struct slice b, size_t *ret_bytes);

/* ERR_NO_MEMORY. The bytes of the table must not overflow (above). */
MUST_CHECK int cw_lcs_compute(struct slice a, struct slice b, struct cw_lcs *ret_lcs);
void cw_lcs_free(struct cw_lcs *lcs);

uint32_t cw_lcs_length(const struct cw_lcs *lcs);

/* Calls visit for the ranges of one longest subsequence, from the end to the front. */
typedef void (*cw_lcs_visit)(void *context, const struct cw_lcs_range *range);
void cw_lcs_ranges(const struct cw_lcs *lcs, cw_lcs_visit visit, void *context);

#endif
