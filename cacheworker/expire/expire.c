#include "cacheworker/expire/expire.h"

enum { STEP = 8 }; /* segments; between steps the budget is looked at */

uint64_t cw_expire_cycle(struct cw_expire *expire, struct cw_keyspace *keyspace, int64_t now_ms, unsigned budget)
{
    expire->more = false;
    if (cw_keyspace_expiry_mode(keyspace) != CW_EXPIRY_DELETES)
        return 0;
    uint64_t deleted = 0;
    for (unsigned ends = 0; ends < cw_keyspace_databases(keyspace);) {
        if (budget < STEP) {
            expire->more = true;
            break;
        }
        budget -= STEP;
        if (expire->database >= cw_keyspace_databases(keyspace))
            expire->database = 0;
        deleted += cw_keyspace_expire_step(keyspace, expire->database, &expire->position, STEP, now_ms);
        if (expire->position == 0) {
            expire->database++;
            ends++;
        }
    }
    return deleted;
}
