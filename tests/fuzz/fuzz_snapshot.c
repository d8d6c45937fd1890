/* Snapshots: whatever the bytes are, the reader finds the same in them whether they come whole, in two pieces or byte
 * by byte; and what can be loaded is a data set of which every key is readable, which is written as a snapshot that
 * loads to the same. A checksum of zero means that there is none, so the search is not stopped by it. */
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/objects.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/rdb/rdb_load.h"
#include "common/base/errors.h"
#include "common/base/mem.h"
#include "tests/fuzz/fuzz.h"

enum { DATABASES = 4, SPLIT_MAX = 300, TALE_VALUE_MAX = 200 };

/* A reader that writes down what it finds. */
struct reading {
    struct cw_rdb_reader reader;
    struct buf tale;
    size_t used;
    int result;
};

static void tell(struct buf *tale, struct slice bytes)
{
    buf_add_format(tale, "%zu:", bytes.length);
    buf_add(tale, bytes.data, bytes.length < TALE_VALUE_MAX ? bytes.length : TALE_VALUE_MAX);
}

static int found_aux(void *context, struct slice name, struct slice value)
{
    struct buf *tale = context;
    buf_add_text(tale, "\naux ");
    tell(tale, name);
    tell(tale, value);
    return 0;
}

static int found_string(void *context, unsigned database, struct slice key, struct slice value, int64_t expire_ms)
{
    struct buf *tale = context;
    buf_add_format(tale, "\nkey %u %lld ", database, (long long)expire_ms);
    tell(tale, key);
    tell(tale, value);
    return 0;
}

static void begin(struct reading *reading)
{
    *reading = (struct reading){.result = 0};
    reading->reader = (struct cw_rdb_reader){
        .visitor = {.context = &reading->tale, .aux = found_aux, .string = found_string}, .databases = DATABASES};
}

static void arrive(struct reading *reading, struct slice bytes)
{
    if (reading->result != 0 || bytes.length == 0)
        return;
    char *block = fuzz_exact_copy(bytes);
    size_t used = 0;
    reading->result = cw_rdb_read(&reading->reader, slice_of(block, bytes.length), &used);
    mem_free(block);
    CHECK(reading->result != 0 || used == bytes.length);
    CHECK(used <= bytes.length);
    reading->used += used;
}

static void end(struct reading *reading)
{
    buf_add_format(&reading->tale, "\nresult %d", reading->result);
    if (reading->result >= 0)
        buf_add_format(&reading->tale, " behind %zu bytes", reading->used);
    cw_rdb_reader_free(&reading->reader);
}

static void try_chunkings(struct slice input)
{
    struct reading whole;
    begin(&whole);
    arrive(&whole, input);
    end(&whole);
    for (size_t split = 1; split < input.length && split < SPLIT_MAX; split++) {
        struct reading pieces;
        begin(&pieces);
        arrive(&pieces, slice_of(input.data, split));
        arrive(&pieces, slice_skip(input, split));
        end(&pieces);
        fuzz_must_equal(buf_slice(&whole.tale), buf_slice(&pieces.tale), "a split snapshot");
        buf_free(&pieces.tale);
    }
    struct reading bytes;
    begin(&bytes);
    for (size_t i = 0; i < input.length; i++)
        arrive(&bytes, slice_of(input.data + i, 1));
    end(&bytes);
    fuzz_must_equal(buf_slice(&whole.tale), buf_slice(&bytes.tale), "a snapshot byte by byte");
    buf_free(&bytes.tale);
    buf_free(&whole.tale);
}

/* --- the data set --- */

static struct cw_keyspace *new_keyspace(void)
{
    return cw_keyspace_create(&(struct cw_keyspace_config){
        .databases = DATABASES, .seed = 1, .expiry_mode = CW_EXPIRY_IGNORED, .objects = &cw_objects});
}

static int load(struct slice bytes, struct cw_keyspace *keyspace, struct cw_rdb_origin *ret_origin)
{
    struct cw_rdb_load load;
    size_t used;
    cw_rdb_load_init(&load, keyspace);
    int result = bytes.length > 0 ? cw_rdb_read(&load.reader, bytes, &used) : 0;
    *ret_origin = load.origin;
    cw_rdb_load_free(&load);
    return result;
}

struct writing {
    struct cw_keyspace *keyspace; /* borrowed */
    struct cw_keyspace *other;    /* borrowed: has the same keys, or NULL */
    struct cw_rdb_writer writer;
    uint64_t count;
};

/* Of values that may be kept in different forms. */
static void must_equal(const struct cw_entry *a, const struct cw_entry *b)
{
    struct cw_digest digests[2];
    CHECK(cw_entry_type(a) == cw_entry_type(b) && cw_entry_expire_ms(a) == cw_entry_expire_ms(b));
    CHECK(cw_digest_value(a, CW_HASH_ALL, &digests[0]) && cw_digest_value(b, CW_HASH_ALL, &digests[1]));
    CHECK(memcmp(&digests[0], &digests[1], sizeof(digests[0])) == 0);
}

static void see(void *context, unsigned database, const struct cw_entry *entry)
{
    struct writing *writing = context;
    struct slice key = cw_entry_key(entry);
    uint64_t hash = cw_keyspace_hash(writing->keyspace, key);
    CHECK(cw_keyspace_peek(writing->keyspace, database, key, hash, 0) == entry);
    if (writing->other != NULL) {
        hash = cw_keyspace_hash(writing->other, key);
        const struct cw_entry *twin = cw_keyspace_peek(writing->other, database, key, hash, 0);
        CHECK(twin != NULL);
        must_equal(twin, entry);
    } else {
        cw_rdb_write_entry(&writing->writer, database, entry);
    }
    writing->count++;
}

static uint64_t see_all(struct writing *writing)
{
    uint64_t expected = 0;
    writing->count = 0;
    for (unsigned database = 0; database < DATABASES; database++) {
        cw_keyspace_for_each(writing->keyspace, database, see, writing);
        expected += cw_keyspace_count(writing->keyspace, database);
    }
    CHECK(writing->count == expected);
    return expected;
}

static void try_data(struct slice input)
{
    struct cw_rdb_origin origin;
    struct cw_rdb_origin again_origin;
    struct buf written = {0};
    struct cw_keyspace *first = new_keyspace();
    struct cw_keyspace *second = new_keyspace();
    if (load(input, first, &origin) == 1) {
        struct writing writing = {.keyspace = first, .writer = {.out = &written}};
        cw_rdb_write_preamble(&writing.writer, &origin, 0, 0);
        uint64_t count = see_all(&writing);
        cw_rdb_write_end(&writing.writer);
        CHECK(load(buf_slice(&written), second, &again_origin) == 1);
        CHECK(memcmp(&origin, &again_origin, sizeof(origin)) == 0);
        writing.keyspace = second;
        writing.other = first;
        CHECK(see_all(&writing) == count);
    }
    buf_free(&written);
    cw_keyspace_destroy(second);
    cw_keyspace_destroy(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    try_chunkings(slice_of(data, size));
    try_data(slice_of(data, size));
    return 0;
}
