#include "cacheworker/string/lcs.h"

#include "common/base/errors.h"
#include "common/base/mem.h"

static uint32_t *cell(const struct cw_lcs *lcs, size_t i, size_t j)
{
    return &lcs->lengths[i * (lcs->b.length + 1) + j];
}

bool cw_lcs_table_bytes(struct slice a, struct slice b, size_t *ret_bytes)
{
    size_t cells;
    return !__builtin_mul_overflow(a.length + 1, b.length + 1, &cells) &&
           !__builtin_mul_overflow(cells, sizeof(uint32_t), ret_bytes);
}

int cw_lcs_compute(struct slice a, struct slice b, struct cw_lcs *ret_lcs)
{
    size_t bytes;
    CHECK(cw_lcs_table_bytes(a, b, &bytes));
    struct cw_lcs lcs = {a, b, mem_try_alloc(bytes)};
    if (!lcs.lengths)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i <= a.length; i++)
        for (size_t j = 0; j <= b.length; j++) {
            uint32_t length = 0;
            if (i > 0 && j > 0 && a.data[i - 1] == b.data[j - 1]) {
                length = *cell(&lcs, i - 1, j - 1) + 1;
            } else if (i > 0 && j > 0) {
                uint32_t without_a = *cell(&lcs, i - 1, j);
                uint32_t without_b = *cell(&lcs, i, j - 1);
                length = without_a > without_b ? without_a : without_b;
            }
            *cell(&lcs, i, j) = length;
        }
    *ret_lcs = lcs;
    return 0;
}

void cw_lcs_free(struct cw_lcs *lcs)
{
    mem_free(lcs->lengths);
    lcs->lengths = NULL;
}

uint32_t cw_lcs_length(const struct cw_lcs *lcs)
{
    return *cell(lcs, lcs->a.length, lcs->b.length);
}

void cw_lcs_ranges(const struct cw_lcs *lcs, cw_lcs_visit visit, void *context)
{
    size_t i = lcs->a.length;
    size_t j = lcs->b.length;
    while (i > 0 && j > 0) {
        struct cw_lcs_range range = {.a_last = i - 1, .b_last = j - 1};
        size_t end = i;
        while (i > 0 && j > 0 && lcs->a.data[i - 1] == lcs->b.data[j - 1]) {
            i--;
            j--;
        }
        if (i < end) {
            range.a_first = i;
            range.b_first = j;
            visit(context, &range);
        } else if (*cell(lcs, i - 1, j) > *cell(lcs, i, j - 1)) {
            i--;
        } else {
            j--;
        }
    }
}
