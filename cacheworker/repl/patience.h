/* patience.h: how far a replica may be behind before its master gives it up.
 *
 * As many bytes as usual. From the beginning of a full sync until it has caught up for the first time, as many more as
 * the largest size that the data had meanwhile: so one whose link takes more than clients write always gets there,
 * however little more that is: what is written while the snapshot is on its way is less than the snapshot. */
#ifndef CACHEWORKER_REPL_PATIENCE_H
#define CACHEWORKER_REPL_PATIENCE_H

#include <stdbool.h>
#include <stdint.h>

struct cw_patience { /* a zeroed struct is of a replica that has begun nothing */
    uint64_t more;
};

/* Whether it is too far behind, at this moment; to be asked often. All are bytes. */
bool cw_patience_is_over(struct cw_patience *patience, uint64_t behind, uint64_t usual, uint64_t data, bool is_syncing);

#endif
