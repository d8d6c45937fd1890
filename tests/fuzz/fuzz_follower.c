/* A server by itself, the stock master that it follows, and the stock replicas and clients that come to it: whatever
 * they say, and whenever they hang up,
 *   - while a snapshot arrives the old data are there, all of them, and only a whole snapshot takes their place;
 *   - what is kept of a master's bytes is bounded by what has arrived.
 * Listener 0 is the data port. It is a master until a client says REPLICAOF to it: then it connects. */
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/repl/repl_internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/puppet.h"

#include <stdlib.h>

struct watched {
    size_t bytes_max; /* that can arrive: a line's end is longer on the wire */
    bool was_syncing;
    uint64_t generation; /* of the data, at that time */
    struct cw_digest digest;
};

/* Of all keys, also of those that have expired meanwhile: a replica leaves them to its master. */
static struct cw_digest digest_of(struct cw_keyspace *keyspace)
{
    struct cw_digest digest = {{0}};
    enum cw_expiry_mode mode = cw_keyspace_expiry_mode(keyspace);
    cw_keyspace_set_expiry_mode(keyspace, CW_EXPIRY_IGNORED);
    CHECK(cw_digest_keyspace(keyspace, CW_HASH_ALL, &digest));
    cw_keyspace_set_expiry_mode(keyspace, mode);
    return digest;
}

static void watch(void *context, void *core)
{
    struct watched *watched = context;
    struct cw_engine *engine = &((struct cw_worker *)core)->engine;
    bool is_other = engine->keyspace_generation != watched->generation;
    bool is_syncing = cw_repl_is_syncing(engine->repl);
    CHECK(!(watched->was_syncing && is_syncing && is_other));
    if (watched->was_syncing && is_other)
        CHECK(engine->repl->follow.has_been_in_step);
    CHECK(buf_length(&engine->repl->follow.input) + cw_ahead_length(&engine->repl->follow.ahead) <= watched->bytes_max);
    CHECK(!is_syncing || cw_ahead_length(&engine->repl->follow.ahead) <= engine->repl->follow.room);
    struct cw_digest digest = {{0}};
    if (watched->was_syncing || is_syncing)
        digest = digest_of(engine->keyspace);
    bool still_follows = cw_repl_stock_master(engine->repl) != NULL;
    if (watched->was_syncing && still_follows && !is_other)
        CHECK(memcmp(&digest, &watched->digest, sizeof(digest)) == 0);
    watched->was_syncing = is_syncing;
    watched->generation = engine->keyspace_generation;
    watched->digest = digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_config config;
    struct cw_worker *worker;
    struct watched watched = {.bytes_max = 2 * size};
    cw_config_defaults(&config, true);
    config.data = (struct address){.host = "127.0.0.1", .port = 1000};
    config.random_seed = 1;
    config.client_output_max = 1 << 20;
    config.client_memory_max = 4 << 20;
    config.query_buffer_max = 1 << 20;
    config.backlog_bytes = 1 << 20;
    if (cw_worker_create(&config, &worker) < 0)
        abort();
    puppet_play_watched(&cw_worker_door, worker, slice_of((const char *)data, size), watch, &watched);
    return 0;
}
