#include "cacheworker/repl/patience.h"

bool cw_patience_is_over(struct cw_patience *patience, uint64_t behind, uint64_t usual, uint64_t data, bool is_syncing)
{
    if (is_syncing && data > patience->more)
        patience->more = data;
    if (!is_syncing && behind <= usual)
        patience->more = 0;
    return behind > usual && behind - usual > patience->more;
}
