/* A server by itself, the stock master that it follows, and the stock replicas and clients that come to it: whatever
 * they say, and whenever they hang up,
 *   - while a snapshot arrives the old data are there, all of them, and only a whole snapshot takes their place;
 *   - what is kept of a master's bytes is bounded by what has arrived;
 *   - what stands on the disk in the end, after whatever became of the disk meanwhile, is the data.
 * Listener 0 is the data port. It is a master until a client says REPLICAOF to it: then it connects. A first line "="
 * has it keep an append-only file, with "a" in it synced with each turn, with "c" from a base of commands. */
#include "cacheworker/repl/repl_internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/held.h"
#include "tests/fuzz/puppet.h"

#include <stdlib.h>

struct watched {
    size_t bytes_max; /* that can arrive: a line's end is longer on the wire */
    bool was_syncing;
    uint64_t generation; /* of the data, at that time */
    struct cw_digest digest;
    struct memory_disk *disk;
};

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
        digest = held_digest(engine->keyspace);
    bool still_follows = cw_repl_stock_master(engine->repl) != NULL;
    if (watched->was_syncing && still_follows && !is_other)
        CHECK(memcmp(&digest, &watched->digest, sizeof(digest)) == 0);
    watched->was_syncing = is_syncing;
    watched->generation = engine->keyspace_generation;
    watched->digest = digest;
}

/* --- the disk --- */

static struct cw_worker *create(const struct memory_disk *disk, const char *parameters, int64_t wall_us)
{
    struct cw_config config;
    struct cw_worker *worker;
    cw_config_defaults(&config, true);
    config.data = (struct address){.host = "127.0.0.1", .port = 1000};
    config.storage = &disk->storage;
    config.parameters = slice_text(parameters);
    config.wall_us = wall_us;
    config.random_seed = 1;
    config.client_output_max = 1 << 20;
    config.client_memory_max = 4 << 20;
    config.query_buffer_max = 1 << 20;
    config.backlog_bytes = 1 << 20;
    return cw_worker_create(&config, &worker) == 0 ? worker : NULL;
}

static void look_back(void *context, void *core)
{
    struct watched *watched = context;
    struct cw_engine *engine = &((struct cw_worker *)core)->engine;
    if (engine->aof.state != CW_AOF_ON)
        return;
    struct cw_worker *again = create(watched->disk, "appendonly yes", engine->wall_us);
    CHECK(again != NULL);
    held_must_agree(engine, &again->engine);
    cw_worker_door.destroy(again);
}

/* The parameters that the first line asks for; *input goes on behind it. */
static const char *take_parameters(struct slice *input)
{
    static const char *const parameters[] = {
        "appendonly yes\nappendfsync everysec", "appendonly yes\nappendfsync always",
        "appendonly yes\naof-use-rdb-preamble no", "appendonly yes\nappendfsync always\naof-use-rdb-preamble no"};
    if (input->length == 0 || input->data[0] != '=')
        return "";
    const char *end = memchr(input->data, '\n', input->length);
    size_t length = end != NULL ? (size_t)(end - input->data) + 1 : input->length;
    bool is_always = memchr(input->data, 'a', length) != NULL, has_commands = memchr(input->data, 'c', length) != NULL;
    *input = slice_skip(*input, length);
    return parameters[is_always + 2 * has_commands];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    struct memory_disk disk;
    struct watched watched = {.bytes_max = 2 * size, .disk = &disk};
    memory_disk_init(&disk);
    struct puppet_stage stage = {
        .door = &cw_worker_door, .disk = &disk, .watch = watch, .look_back = look_back, .context = &watched};
    const char *parameters = take_parameters(&input);
    stage.core = create(&disk, parameters, 0);
    if (stage.core == NULL)
        abort();
    puppet_play_on(&stage, input);
    memory_disk_free(&disk);
    return 0;
}
