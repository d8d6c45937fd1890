/* Values of every type as RESTORE takes them: first the type's byte, then the value, in pieces of a size that the
 * second byte says. What is accepted is written and read again, and must be the same value; and it is said in commands,
 * as in the base of an append-only file, all of which a server must take: they make the same value, but of a stream,
 * which may have what no command tells. */
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/objects.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/hash/hash_rdb.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_value.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <limits.h>
#include <string.h>

enum { PIECE_UNIT = 16, FREE_BUDGET = 1 << 20 };

static struct cw_keyspace *new_keyspace(void)
{
    const struct cw_keyspace_config config = {
        .databases = 1, .seed = 1, .expiry_mode = CW_EXPIRY_IGNORED, .objects = &cw_objects};
    return cw_keyspace_create(&config);
}

/* Reads the value into a new key, offering `piece` bytes more each time. False: it is none. */
static bool read_value(struct cw_keyspace *keyspace, struct cw_ref *ref, unsigned type, struct slice bytes,
                       size_t piece)
{
    struct slice key = SLICE_LITERAL("key");
    cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, ref);
    struct cw_rdb_value value = {.keyspace = keyspace, .ref = ref, .type = type};
    size_t offered = 0, used = 0;
    int result = 0;
    while (result == 0 && offered < bytes.length) {
        offered = bytes.length - offered < piece ? bytes.length : offered + piece;
        struct cw_rdb_cursor cursor = {.bytes = slice_of(bytes.data + used, offered - used)};
        result = cw_rdb_value_read(&value, &cursor);
        if (result >= 0)
            used += cursor.position;
    }
    cw_rdb_value_free(&value);
    return result > 0 && ref->entry;
}

static void must_be_same(const struct cw_entry *entry, const struct cw_entry *again)
{
    struct cw_digest digests[2];
    if (!cw_digest_value(entry, CW_HASH_ALL, &digests[0]))
        return;
    CHECK(cw_digest_value(again, CW_HASH_ALL, &digests[1]));
    fuzz_must_equal(slice_of((const char *)&digests[0], sizeof(digests[0])),
                    slice_of((const char *)&digests[1], sizeof(digests[1])), "a value");
}

/* As DUMP does; returns the type. */
static unsigned write_value(struct buf *out, const struct cw_entry *entry)
{
    if (cw_entry_type(entry) == CW_TYPE_HASH && cw_hash_has_expiry(entry)) {
        cw_hash_rdb_add_dated(out, entry, CW_HASH_ALL);
        return RDB_TYPE_HASH_FIELDS;
    }
    cw_rdb_add_value(out, entry);
    return cw_rdb_value_type(entry);
}

/* Lives on from input to input; between them it is empty. */
static struct cw_engine *server(void)
{
    static struct cw_worker *worker;
    if (worker == NULL) {
        struct cw_config config;
        cw_config_defaults(&config, true);
        config.random_seed = 1;
        CHECK(cw_worker_create(&config, &worker) == 0);
    }
    return &worker->engine;
}

static void forget(struct cw_keyspace *keyspace, struct cw_ref *ref)
{
    if (ref->entry != NULL)
        cw_keyspace_delete(keyspace, ref);
    while (cw_keyspace_free_step(keyspace, FREE_BUDGET))
        continue;
}

static void say_commands(const struct cw_entry *entry, size_t piece)
{
    struct cw_engine *engine = server();
    struct buf out = {0}, strings = {0};
    struct cw_rdb_writer writer = {.out = &out, .strings = &strings};
    struct cw_ref ref;
    struct slice key = cw_entry_key(entry);
    unsigned budget;
    size_t used;
    bool ack_wanted;
    cw_rdb_writer_say_commands(&writer);
    do
        budget = piece == SIZE_MAX ? UINT_MAX : (unsigned)piece;
    while (cw_rdb_write_slice(&writer, 0, entry, &budget));
    CHECK(cw_engine_apply(engine, buf_slice(&out), &used, &ack_wanted) == 0 && used == buf_length(&out));
    cw_keyspace_open(engine->keyspace, 0, key, cw_keyspace_hash(engine->keyspace, key), 0, &ref);
    if (cw_entry_type(entry) != CW_TYPE_STREAM) {
        CHECK(ref.entry != NULL);
        must_be_same(entry, ref.entry);
    }
    forget(engine->keyspace, &ref);
    buf_free(&out);
}

static void try_value(unsigned type, struct slice bytes, size_t piece)
{
    struct cw_keyspace *keyspace = new_keyspace();
    struct cw_ref ref;
    if (read_value(keyspace, &ref, type, bytes, piece)) {
        struct cw_keyspace *other = new_keyspace();
        struct cw_ref again;
        struct buf written = {0};
        unsigned written_type = write_value(&written, ref.entry);
        CHECK(read_value(other, &again, written_type, buf_slice(&written), SIZE_MAX));
        must_be_same(ref.entry, again.entry);
        say_commands(ref.entry, piece);
        buf_free(&written);
        cw_keyspace_destroy(other);
    }
    cw_keyspace_destroy(keyspace);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t piece = data[1] == 0 ? SIZE_MAX : (size_t)data[1] * PIECE_UNIT;
    struct slice bytes = slice_of((const char *)data + 2, size - 2);
    char *block = fuzz_exact_copy(bytes);
    try_value(data[0], slice_of(block, bytes.length), piece);
    mem_free(block);
    return 0;
}
