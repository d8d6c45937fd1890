/* budget.h: work that is done in steps, so that no turn is long, is done within budgets, which know no clock: a number
 * of units, from which is taken what each piece of work is known to cost. */
#ifndef CACHEWORKER_KEYSPACE_BUDGET_H
#define CACHEWORKER_KEYSPACE_BUDGET_H

#include <stddef.h>

static inline void cw_spend(unsigned *budget, unsigned cost)
{
    *budget -= cost < *budget ? cost : *budget;
}

/* Of freeing a block of so many bytes, in units of about 50 ns: what is big goes back to the kernel page by page. */
static inline unsigned cw_free_cost(size_t size)
{
    return 1 + (unsigned)(size >> 11);
}

#endif
