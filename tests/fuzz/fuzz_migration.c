/* The master of a group that takes over the data of a server outside, which may be evil, with clients beside it and an
 * append-only file on a disk that may be full at times. Whatever that server says,
 *   - the group's data stay until all of a snapshot is there;
 *   - it has no say in who is the group's source, and that it migrates;
 *   - what stands on the disk in the end is the data, at their place in the group's stream, and the migration.
 *
 * Links: a and b sentinels, c the operator's tool, d a client, e to the source, then the probe that asks the source
 * where its stream ends. What stands in `beginning` has been said already. The lease never ends. */
#include "cacheworker/ha/ha_internal.h"
#include "cacheworker/repl/repl_internal.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/held.h"
#include "tests/fuzz/puppet.h"

#include <stdlib.h>

#define SELF   "01000000000000000000000000000000"
#define OTHER  "04000000000000000000000000000000"
#define SOURCE "127.0.0.1 9000 mover"

static const char beginning[] =
    "+1\naRESPITE HELLO sentinel 02000000000000000000000000000000 secret\n"
    "+1\nbRESPITE HELLO sentinel 05000000000000000000000000000000 secret\n"
    "aRESPITE LEARN main 1:02000000000000000000000000000000:1 \"group main\\nversion 2\\nepoch 1\\nmaster " SELF
    ":1:0000000000000007\\nbranch 1:0@0\\nmember " SELF " replica 100 127.0.0.1:1000 127.0.0.1:2000\\nmember " OTHER
    " replica 100 127.0.0.1:1001 127.0.0.1:2001\\ndurability async 1\\n"
    "sentinel 02000000000000000000000000000000 127.0.0.1:3000\\nsentinel 05000000000000000000000000000000 "
    "127.0.0.1:3001\\nsentinel 06000000000000000000000000000000 127.0.0.1:3002\\nauthor x\\nreason y\\n\"\n"
    "+1\ncRESPITE HELLO tool 07000000000000000000000000000000 secret\n"
    "+0\ndSET mine 1\ndRPUSH list a b c\n"
    "cRESPITE MIGRATE CREDENTIALS " SOURCE " word\n"
    "cRESPITE MIGRATE START " SOURCE " replace\n";

struct watched {
    struct slice input;
    struct memory_disk *disk;
    bool was_syncing;
    bool has_begun;      /* the migration */
    bool is_ruled;       /* the input speaks as a sentinel or the tool, too */
    uint64_t generation; /* of the data, while a snapshot arrives */
    struct cw_digest digest;
    struct cw_migration_source source;
};

/* Whether a line of the input is said on a control link, or opens or closes one. */
static bool is_ruled(struct slice input)
{
    for (size_t i = 0; i < input.length; i++) {
        char line[2] = {input.data[i], i + 1 < input.length ? input.data[i + 1] : '\0'};
        if (i > 0 && input.data[i - 1] != '\n')
            continue;
        if (strchr("aAbBcC", line[0]) != NULL || (line[0] == '+' && line[1] == '1') ||
            ((line[0] == '!' || line[0] == '?') && strchr("abc", line[1]) != NULL))
            return true;
    }
    return false;
}

static void renew_lease(const struct cw_engine *engine)
{
    struct cw_desk *desk = cw_engine_desk((struct cw_engine *)engine);
    *(struct cw_lease *)cw_newest_draft(&desk->leases) =
        (struct cw_lease){.term = engine->ha->term, .until_ns = NEVER_NS / 2};
    cw_newest_publish(&desk->leases);
}

static void watch_snapshot(struct watched *watched, struct cw_engine *engine)
{
    bool is_syncing = cw_repl_is_syncing(engine->repl);
    bool is_other = engine->keyspace_generation != watched->generation;
    struct cw_digest digest = {{0}};
    CHECK(!(watched->was_syncing && is_syncing && is_other));
    if (is_syncing)
        digest = held_digest(engine->keyspace);
    if (watched->was_syncing && is_syncing)
        CHECK(memcmp(&digest, &watched->digest, sizeof(digest)) == 0);
    watched->was_syncing = is_syncing;
    watched->generation = engine->keyspace_generation;
    watched->digest = digest;
}

static void watch(void *context, void *core)
{
    struct watched *watched = context;
    struct cw_engine *engine = &((struct cw_worker *)core)->engine;
    const struct cw_migration *migration = &engine->repl->migration;
    renew_lease(engine);
    watch_snapshot(watched, engine);
    if (!watched->has_begun && migration->is_following) {
        watched->has_begun = true;
        watched->source = migration->source;
    }
    if (watched->has_begun && !watched->is_ruled) {
        CHECK(cw_migration_source_equal(&migration->source, &watched->source) && migration->is_following);
        CHECK(cw_ha_role(engine->ha) == ROLE_MASTER && cw_repl_refuses_writes(engine->repl));
        CHECK(buf_length(&engine->repl->follow.input) <= 2 * watched->input.length + sizeof(beginning));
    }
}

static struct cw_worker *create(const struct memory_disk *disk, int64_t wall_us)
{
    struct cw_config config;
    struct cw_worker *worker;
    cw_config_defaults(&config, false);
    config.secret = SLICE_LITERAL("secret");
    config.data = (struct address){.host = "127.0.0.1", .port = 1000};
    config.control = (struct address){.host = "127.0.0.1", .port = 2000};
    config.new_identity = (struct identity){.bytes = {1}};
    config.incarnation_bits = 7;
    config.storage = &disk->storage;
    config.parameters = SLICE_LITERAL("appendonly yes");
    config.wall_us = wall_us;
    config.random_seed = 1;
    config.client_output_max = 1 << 20;
    config.client_memory_max = 4 << 20;
    config.query_buffer_max = 1 << 20;
    config.backlog_bytes = 1 << 20;
    if (cw_worker_create(&config, &worker) < 0)
        abort();
    return worker;
}

static void look_back(void *context, void *core)
{
    struct watched *watched = context;
    struct cw_engine *engine = &((struct cw_worker *)core)->engine;
    CHECK(watched->has_begun || watched->is_ruled);
    if (engine->aof.state != CW_AOF_ON)
        return;
    struct cw_worker *again = create(watched->disk, engine->wall_us);
    held_must_agree(engine, &again->engine);
    CHECK(cw_migration_source_equal(&engine->repl->migration.source, &again->engine.repl->migration.source));
    cw_worker_door.destroy(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_of((const char *)data, size);
    struct buf play = {0};
    struct memory_disk disk;
    struct watched watched = {.input = input, .disk = &disk, .is_ruled = is_ruled(input)};
    memory_disk_init(&disk);
    buf_add_text(&play, beginning);
    buf_add_slice(&play, input);
    struct puppet_stage stage = {.door = &cw_worker_door,
                                 .core = create(&disk, 0),
                                 .disk = &disk,
                                 .watch = watch,
                                 .look_back = look_back,
                                 .context = &watched};
    puppet_play_on(&stage, buf_slice(&play));
    memory_disk_free(&disk);
    buf_free(&play);
    return 0;
}
