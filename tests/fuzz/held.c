#include "tests/fuzz/held.h"

#include "cacheworker/hash/hash.h"
#include "cacheworker/repl/repl.h"
#include "common/base/check.h"

struct cw_digest held_digest(struct cw_keyspace *keyspace)
{
    struct cw_digest digest = {{0}};
    enum cw_expiry_mode mode = cw_keyspace_expiry_mode(keyspace);
    cw_keyspace_set_expiry_mode(keyspace, CW_EXPIRY_IGNORED);
    CHECK(cw_digest_keyspace(keyspace, CW_HASH_ALL, &digest));
    cw_keyspace_set_expiry_mode(keyspace, mode);
    return digest;
}

void held_must_agree(const struct cw_engine *engine, const struct cw_engine *again)
{
    struct cw_digest expected = held_digest(engine->keyspace), found = held_digest(again->keyspace);
    CHECK(memcmp(&expected, &found, sizeof(found)) == 0);
    if (!engine->config.standalone)
        CHECK(history_compare(cw_repl_history(engine->repl), cw_repl_history(again->repl)) == 0);
}
