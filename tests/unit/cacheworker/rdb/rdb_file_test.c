#include "cacheworker/rdb/rdb_file.h"

#include "cacheworker/keyspace/keyspace.h"
#include "common/base/errors.h"
#include "tests/unit/cacheworker/memory_storage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

enum { DATABASES = 4, KEYS = 30000 };

static struct cw_keyspace *new_keyspace(void)
{
    const struct cw_keyspace_config config = {.databases = DATABASES, .seed = 5, .expiry_mode = CW_EXPIRY_IGNORED};
    return cw_keyspace_create(&config);
}

static struct slice key_of(int i, char text[32])
{
    return slice_of(text, (size_t)snprintf(text, 32, "key:%d", i));
}

static void put(struct cw_keyspace *keyspace, int i)
{
    char key[32];
    char value[64];
    struct cw_ref ref;
    struct slice name = key_of(i, key);
    size_t length = (size_t)snprintf(value, sizeof(value), i % 5 == 0 ? "%d" : "value of %d", i);
    cw_keyspace_open(keyspace, (unsigned)i % DATABASES, name, cw_keyspace_hash(keyspace, name), 0, &ref);
    cw_keyspace_put_expiring(keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, slice_of(value, length),
                             i % 3 == 0 ? 1000 + i : CW_NO_EXPIRY);
}

static struct cw_keyspace *sample(int keys)
{
    struct cw_keyspace *keyspace = new_keyspace();
    for (int i = 0; i < keys; i++)
        put(keyspace, i);
    return keyspace;
}

struct comparison {
    struct cw_keyspace *other;
    uint64_t equal;
};

static void compare_entry(void *context, unsigned database, const struct cw_entry *entry)
{
    struct comparison *comparison = context;
    struct slice key = cw_entry_key(entry);
    const struct cw_entry *same =
        cw_keyspace_peek(comparison->other, database, key, cw_keyspace_hash(comparison->other, key), 0);
    comparison->equal += same != NULL && slice_equal(cw_entry_value(entry), cw_entry_value(same)) &&
                         cw_entry_expire_ms(entry) == cw_entry_expire_ms(same);
}

static void expect_equal(struct cw_keyspace *a, struct cw_keyspace *b)
{
    for (unsigned i = 0; i < DATABASES; i++) {
        struct comparison comparison = {.other = b};
        cw_keyspace_for_each(a, i, compare_entry, &comparison);
        assert_true(comparison.equal == cw_keyspace_count(a, i));
        assert_true(comparison.equal == cw_keyspace_count(b, i));
    }
}

static const struct cw_rdb_origin origin = {.history = {.count = 1, .entries = {{2, 10}}, .last_offset = 77},
                                            .stream_database = 3};

static void what_is_saved_is_loaded(void **state)
{
    (void)state;
    static const size_t pieces[] = {0, 1, 1000};
    struct cw_keyspace *saved = sample(KEYS);
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        struct memory_storage memory;
        struct cw_rdb_origin found;
        memory_storage_init(&memory);
        memory.piece = pieces[i];
        struct cw_keyspace *loaded = new_keyspace();
        assert_int_equal(cw_rdb_save(&memory.storage, CW_RDB_FILE, saved, &origin, 1), 0);
        assert_int_equal(cw_rdb_load_file(&memory.storage, CW_RDB_FILE, loaded, &found, NULL), 0);
        expect_equal(saved, loaded);
        assert_int_equal(found.stream_database, 3);
        assert_int_equal(found.history.last_offset, 77);
        assert_int_equal(found.history.entries[0].epoch, 2);
        assert_int_equal(memory.open_files, 0);
        cw_keyspace_destroy(loaded);
        memory_storage_free(&memory);
    }
    cw_keyspace_destroy(saved);
}

static void a_failed_save_leaves_the_old_file(void **state)
{
    (void)state;
    struct memory_storage memory;
    memory_storage_init(&memory);
    struct cw_keyspace *first = sample(100);
    struct cw_keyspace *second = sample(KEYS);
    assert_int_equal(cw_rdb_save(&memory.storage, CW_RDB_FILE, first, &origin, 1), 0);
    memory.write_limit = 300000;
    assert_int_equal(cw_rdb_save(&memory.storage, CW_RDB_FILE, second, &origin, 1), ERR_DISK_FULL);
    memory.write_limit = 0;
    memory.commit_result = ERR_IO;
    assert_int_equal(cw_rdb_save(&memory.storage, CW_RDB_FILE, second, &origin, 1), ERR_IO);
    assert_int_equal(memory.open_files, 0);
    struct cw_keyspace *loaded = new_keyspace();
    struct cw_rdb_origin found;
    assert_int_equal(cw_rdb_load_file(&memory.storage, CW_RDB_FILE, loaded, &found, NULL), 0);
    expect_equal(first, loaded);
    cw_keyspace_destroy(loaded);
    cw_keyspace_destroy(first);
    cw_keyspace_destroy(second);
    memory_storage_free(&memory);
}

static int load(struct memory_storage *memory)
{
    struct cw_keyspace *loaded = new_keyspace();
    struct cw_rdb_origin found;
    int result = cw_rdb_load_file(&memory->storage, CW_RDB_FILE, loaded, &found, NULL);
    cw_keyspace_destroy(loaded);
    assert_int_equal(memory->open_files, 0);
    return result;
}

static void a_file_that_is_not_whole_is_refused(void **state)
{
    (void)state;
    struct memory_storage memory;
    memory_storage_init(&memory);
    assert_int_equal(load(&memory), ERR_NOT_FOUND);
    struct cw_keyspace *saved = sample(50);
    assert_int_equal(cw_rdb_save(&memory.storage, CW_RDB_FILE, saved, &origin, 1), 0);
    assert_int_equal(load(&memory), 0);
    memory.content.end--;
    assert_int_equal(load(&memory), ERR_TRUNCATED);
    memory.content.end++;
    buf_add(&memory.content, "x", 1);
    assert_int_equal(load(&memory), ERR_CORRUPT);
    memory.piece = 1; /* the surplus comes by itself */
    assert_int_equal(load(&memory), ERR_CORRUPT);
    memory.content.end--;
    memory.content.memory[memory.content.end - 3] ^= 4; /* of the checksum */
    assert_int_equal(load(&memory), ERR_CORRUPT);
    buf_clear(&memory.content);
    assert_int_equal(load(&memory), ERR_TRUNCATED);
    cw_keyspace_destroy(saved);
    memory_storage_free(&memory);
}

static void a_key_twice_is_refused(void **state)
{
    (void)state;
    struct memory_storage memory;
    memory_storage_init(&memory);
    struct cw_rdb_writer writer = {.out = &memory.content};
    cw_rdb_write_preamble(&writer, &origin, 1, 1);
    cw_rdb_write_string(&writer, 0, SLICE_LITERAL("k"), SLICE_LITERAL("1"), CW_NO_EXPIRY);
    cw_rdb_write_string(&writer, 1, SLICE_LITERAL("k"), SLICE_LITERAL("2"), CW_NO_EXPIRY);
    cw_rdb_write_string(&writer, 0, SLICE_LITERAL("k"), SLICE_LITERAL("3"), CW_NO_EXPIRY);
    cw_rdb_write_end(&writer);
    memory.exists = true;
    assert_int_equal(load(&memory), ERR_CORRUPT);
    memory_storage_free(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_saved_is_loaded),
        cmocka_unit_test(a_failed_save_leaves_the_old_file),
        cmocka_unit_test(a_file_that_is_not_whole_is_refused),
        cmocka_unit_test(a_key_twice_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
