#include "cacheworker/expire/expire.h"

uint64_t cw_expire_cycle(struct cw_expire *expire, struct cw_keyspace *keyspace, int64_t now_ms, unsigned budget)
{
    expire->more = false;
    if (cw_keyspace_expiry_mode(keyspace) != CW_EXPIRY_DELETES)
        return 0;
    uint64_t deleted = 0;
    unsigned databases = cw_keyspace_databases(keyspace);
    for (unsigned seen = 0; seen < databases; seen++) {
        deleted += cw_keyspace_expire_step(keyspace, expire->database, &budget, now_ms);
        if (budget == 0) {
            expire->more = true;
            break;
        }
        expire->database = (expire->database + 1) % databases;
    }
    return deleted;
}
