/* The keyspace beside a naive model: arrays of values, one per key that may exist. */
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/keyspace/arena.h"

#include "cacheworker/expire/expire.h"
#include "common/base/mem.h"
#include "common/base/buf.h"
#include "common/base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DATABASES = 3, KEYS = 4000, KEY_TEXT_MAX = 400, LONG_KEY = 300, VALUE_MAX = 4000, BIG = 66000, BIG_MAX = 80000 };

struct value {
    bool exists;
    bool visited; /* by the walk at hand */
    bool must;    /* was there since the scan began */
    int64_t expire_ms;
    char *bytes; /* owned */
    size_t length;
};

struct model {
    struct value values[DATABASES][KEYS];
};

struct world {
    struct cw_keyspace *keyspace;
    struct rand rand;
    int64_t now_ms;
    struct model *model;
    uint64_t expired;

    bool in_snapshot;
    struct model *picture;
    const struct cw_entry *open; /* whose value is being shown in slices */
    uint64_t sliced;             /* values that were, so far */
    uint64_t shown_beside;       /* while another one was */
    uint64_t waited;
    uint64_t evicted_owed;

    uint64_t cursor; /* of the scan that is under way in database 0 */
    struct cw_expire cycle;
};

/* ---- Model ---- */

/* Key number 0 is the empty one; every 17th is long. */
static struct slice key_of(unsigned number, char *text)
{
    if (number == 0)
        return slice_of(text, 0);
    size_t length = (size_t)snprintf(text, KEY_TEXT_MAX, "%u", number);
    if (number % 17 != 0)
        return slice_of(text, length);
    memset(text + length, '.', LONG_KEY);
    return slice_of(text, length + LONG_KEY);
}

static unsigned number_of(struct slice key)
{
    unsigned number = 0;
    for (size_t i = 0; i < key.length && key.data[i] != '.'; i++)
        number = number * 10 + (unsigned)(key.data[i] - '0');
    assert_true(number < KEYS);
    char text[KEY_TEXT_MAX];
    assert_true(slice_equal(key, key_of(number, text)));
    return number;
}

static void model_clear(struct value *value)
{
    mem_free(value->bytes);
    *value = (struct value){.visited = value->visited};
}

static void model_set(struct value *value, struct slice bytes, int64_t expire_ms)
{
    char *copy = mem_copy_text(bytes.data, bytes.length);
    mem_free(value->bytes);
    value->bytes = copy;
    value->length = bytes.length;
    value->exists = true;
    value->expire_ms = expire_ms;
}

static struct model *model_copy(const struct model *model)
{
    struct model *copy = mem_zero(sizeof(*copy));
    for (unsigned d = 0; d < DATABASES; d++)
        for (unsigned i = 0; i < KEYS; i++) {
            const struct value *value = &model->values[d][i];
            if (value->exists)
                model_set(&copy->values[d][i], slice_of(value->bytes, value->length), value->expire_ms);
        }
    return copy;
}

static void model_free(struct model *model)
{
    for (unsigned d = 0; d < DATABASES; d++)
        for (unsigned i = 0; i < KEYS; i++)
            mem_free(model->values[d][i].bytes);
    mem_free(model);
}

static void assert_entry_is(const struct cw_entry *entry, const struct value *value)
{
    assert_true(value->exists);
    assert_int_equal(cw_entry_type(entry), CW_TYPE_STRING);
    assert_true(slice_equal(cw_entry_value(entry), slice_of(value->bytes, value->length)));
    assert_int_equal(cw_entry_expire_ms(entry), value->expire_ms);
}

static bool is_due(const struct world *world, const struct value *value)
{
    return value->exists && value->expire_ms != CW_NO_EXPIRY && value->expire_ms < world->now_ms;
}

/* ---- Callbacks ---- */

static void on_expired(void *context, unsigned database, struct slice key)
{
    struct world *world = context;
    struct value *value = &world->model->values[database][number_of(key)];
    assert_true(is_due(world, value));
    model_clear(value);
    world->expired++;
}

static void on_snapshot(void *context, unsigned database, const struct cw_entry *entry)
{
    struct world *world = context;
    assert_true(world->in_snapshot);
    struct value *value = &world->picture->values[database][number_of(cw_entry_key(entry))];
    assert_entry_is(entry, value);
    assert_false(value->visited);
    assert_ptr_not_equal(entry, world->open);
    value->visited = true;
    world->shown_beside += world->open != NULL;
}

/* Whatever happens between two slices, the value is what it was. */
static bool on_slice(void *context, unsigned database, const struct cw_entry *entry, unsigned *budget)
{
    struct world *world = context;
    assert_true(world->in_snapshot);
    struct value *value = &world->picture->values[database][number_of(cw_entry_key(entry))];
    assert_entry_is(entry, value);
    assert_true(value->length >= BIG);
    assert_false(value->visited);
    assert_true(world->open == NULL || world->open == entry);
    bool more = *budget < UINT32_MAX && rand_below(&world->rand, 10) > 0;
    *budget = 0;
    world->open = more ? entry : NULL;
    world->sliced += !more;
    value->visited = !more;
    return more;
}

static void on_walk(void *context, unsigned database, const struct cw_entry *entry)
{
    struct world *world = context;
    struct value *value = &world->model->values[database][number_of(cw_entry_key(entry))];
    assert_entry_is(entry, value);
    value->visited = true;
}

/* ---- Operations ---- */

static void snapshot_finish(struct world *world)
{
    for (unsigned d = 0; d < DATABASES; d++)
        for (unsigned i = 0; i < KEYS; i++)
            assert_int_equal(world->picture->values[d][i].visited, world->picture->values[d][i].exists);
    model_free(world->picture);
    world->picture = NULL;
    world->in_snapshot = false;
}

static void operate_snapshot(struct world *world)
{
    if (!world->in_snapshot) {
        world->picture = model_copy(world->model);
        world->in_snapshot = true;
        cw_keyspace_snapshot_begin(world->keyspace, &(struct cw_snapshot_visitor){world, on_snapshot, on_slice});
    } else if (rand_below(&world->rand, 400) == 0) {
        cw_keyspace_snapshot_cancel(world->keyspace);
        model_free(world->picture);
        world->picture = NULL;
        world->in_snapshot = false;
        world->open = NULL;
    } else if (!cw_keyspace_snapshot_step(world->keyspace, 1 + (unsigned)rand_below(&world->rand, 40))) {
        snapshot_finish(world);
    }
    assert_int_equal(cw_keyspace_snapshot_is_active(world->keyspace), world->in_snapshot);
}

static void operate_scan(struct world *world)
{
    struct value *values = world->model->values[0];
    if (world->cursor == 0)
        for (unsigned i = 0; i < KEYS; i++) {
            values[i].must = values[i].exists;
            values[i].visited = false;
        }
    world->cursor = cw_keyspace_scan(world->keyspace, 0, world->cursor, on_walk, world);
    assert_true(world->cursor < (uint64_t)1 << 53);
    for (unsigned i = 0; world->cursor == 0 && i < KEYS; i++)
        assert_true(!values[i].must || values[i].visited);
}

/* A database is another one now, so what the scan has seen means nothing. */
static void scan_forget(struct world *world)
{
    world->cursor = 0;
}

static struct slice random_value(struct world *world, char *bytes)
{
    if (rand_below(&world->rand, 150) == 0) {
        size_t length = (size_t)rand_between(&world->rand, BIG, BIG_MAX);
        memset(bytes, (int)rand_below(&world->rand, 256), length);
        return slice_of(bytes, length);
    }
    size_t bound = rand_below(&world->rand, 50) == 0 ? VALUE_MAX : rand_below(&world->rand, 10) == 0 ? 600 : 40;
    size_t length = rand_below(&world->rand, bound);
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)rand_u64(&world->rand);
    return slice_of(bytes, length);
}

static int64_t random_expiry(struct world *world)
{
    return world->now_ms + rand_between(&world->rand, -50, 20000);
}

static void operate_resize(struct world *world, struct cw_ref *ref, struct value *value)
{
    size_t length = rand_below(&world->rand, value->length * 2 + 20);
    size_t old = value->length;
    char *grown = mem_zero(length + 1);
    memcpy(grown, value->bytes, old < length ? old : length);
    char *bytes = cw_keyspace_resize(world->keyspace, ref, length);
    assert_non_null(bytes);
    assert_memory_equal(bytes, grown, length);
    memset(bytes, 'r', length);
    memset(grown, 'r', length);
    mem_free(value->bytes);
    value->bytes = grown;
    value->length = length;
}

static void operate_two_keys(struct world *world, unsigned database, unsigned number)
{
    unsigned other_database = (unsigned)rand_below(&world->rand, DATABASES);
    unsigned other = (unsigned)rand_below(&world->rand, KEYS);
    struct value *from = &world->model->values[database][number];
    struct value *to = &world->model->values[other_database][other];
    if (from == to || !from->exists)
        return;
    char texts[2][KEY_TEXT_MAX];
    struct cw_key keys[2] = {{database, key_of(number, texts[0]), 0}, {other_database, key_of(other, texts[1]), 0}};
    for (unsigned i = 0; i < 2; i++)
        keys[i].hash = cw_keyspace_hash(world->keyspace, keys[i].name);
    model_set(to, slice_of(from->bytes, from->length), from->expire_ms);
    if (rand_below(&world->rand, 2)) {
        assert_true(cw_keyspace_copy(world->keyspace, &keys[0], &keys[1]));
    } else {
        cw_keyspace_move(world->keyspace, &keys[0], &keys[1]);
        model_clear(from);
    }
}

static void operate_key(struct world *world, unsigned keep_per_cent)
{
    unsigned database = (unsigned)rand_below(&world->rand, 10) < 8 ? 0 : (unsigned)rand_below(&world->rand, DATABASES);
    unsigned number = (unsigned)rand_below(&world->rand, KEYS);
    struct value *value = &world->model->values[database][number];
    char text[KEY_TEXT_MAX];
    static char bytes[BIG_MAX];
    struct slice key = key_of(number, text);
    uint64_t hash = cw_keyspace_hash(world->keyspace, key);

    unsigned choice = (unsigned)rand_below(&world->rand, 20);
    if (choice == 0) {
        operate_two_keys(world, database, number);
        return;
    }
    if (choice < 4) {
        cw_keyspace_prefetch_bucket(world->keyspace, database, hash);
        cw_keyspace_prefetch_entry(world->keyspace, database, hash);
        bool due = is_due(world, value);
        const struct cw_entry *entry = cw_keyspace_read(world->keyspace, database, key, hash, world->now_ms);
        assert_int_equal(entry != NULL, value->exists && !due);
        if (entry)
            assert_entry_is(entry, value);
        return;
    }
    struct cw_ref ref;
    cw_keyspace_open(world->keyspace, database, key, hash, world->now_ms, &ref);
    assert_int_equal(ref.entry != NULL, value->exists);
    if (choice < 12) {
        if (rand_below(&world->rand, 100) < keep_per_cent) {
            int64_t expire_ms = rand_below(&world->rand, 3) ? CW_NO_EXPIRY : random_expiry(world);
            struct slice fresh = random_value(world, bytes);
            cw_keyspace_put_expiring(world->keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, fresh, expire_ms);
            model_set(value, fresh, expire_ms);
        } else if (ref.entry) {
            cw_keyspace_delete(world->keyspace, &ref);
            model_clear(value);
        }
    } else if (!ref.entry) {
        return;
    } else if (choice < 14) {
        struct slice fresh = random_value(world, bytes);
        cw_keyspace_put(world->keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, fresh);
        model_set(value, fresh, value->expire_ms);
    } else if (choice < 17) {
        operate_resize(world, &ref, value);
    } else if (choice < 19) {
        value->expire_ms = random_expiry(world);
        cw_keyspace_expire(world->keyspace, &ref, value->expire_ms);
    } else {
        assert_int_equal(cw_keyspace_persist(world->keyspace, &ref), value->expire_ms != CW_NO_EXPIRY);
        value->expire_ms = CW_NO_EXPIRY;
    }
    if (ref.entry)
        assert_entry_is(ref.entry, value);
}

/* Without being opened first. */
static void operate_eviction(struct world *world)
{
    unsigned database = (unsigned)rand_below(&world->rand, DATABASES);
    const struct cw_entry *entry = cw_keyspace_random(world->keyspace, database);
    if (entry == NULL)
        return;
    struct value *value = &world->model->values[database][number_of(cw_entry_key(entry))];
    uint64_t hash = cw_keyspace_hash(world->keyspace, cw_entry_key(entry));
    uint64_t at_once = cw_keyspace_stats(world->keyspace)->shown_at_once;
    world->evicted_owed += cw_keyspace_is_owed(world->keyspace, database, cw_entry_key(entry), hash);
    assert_true(cw_keyspace_holds(world->keyspace, database, hash, entry));
    cw_keyspace_evict(world->keyspace, database, hash, entry);
    assert_int_equal(cw_keyspace_stats(world->keyspace)->shown_at_once, at_once);
    model_clear(value);
}

/* A value that is owed does not have to be shown at once, if the change waits. */
static void operate_wait(struct world *world)
{
    unsigned database = (unsigned)rand_below(&world->rand, DATABASES);
    const struct cw_entry *entry = cw_keyspace_random(world->keyspace, database);
    if (entry == NULL || !world->in_snapshot)
        return;
    struct slice key = cw_entry_key(entry);
    uint64_t hash = cw_keyspace_hash(world->keyspace, key);
    if (!cw_keyspace_is_owed(world->keyspace, database, key, hash))
        return;
    world->waited++;
    while (cw_keyspace_is_owed(world->keyspace, database, key, hash)) {
        uint64_t sliced = world->sliced;
        const struct cw_entry *open = world->open;
        if (!cw_keyspace_snapshot_step(world->keyspace, 1)) {
            snapshot_finish(world);
            break;
        }
        assert_true(world->open != NULL || world->sliced > sliced || open != NULL);
    }
    uint64_t at_once = cw_keyspace_stats(world->keyspace)->shown_at_once;
    struct cw_ref ref;
    assert_true(cw_keyspace_open(world->keyspace, database, key, hash, 0, &ref) == entry);
    assert_int_equal(cw_keyspace_stats(world->keyspace)->shown_at_once, at_once);
}

static void operate_database(struct world *world)
{
    unsigned a = (unsigned)rand_below(&world->rand, DATABASES);
    unsigned b = (unsigned)rand_below(&world->rand, DATABASES);
    if (rand_below(&world->rand, 2)) {
        uint64_t flushed = cw_keyspace_flush(world->keyspace, a);
        for (unsigned i = 0; i < KEYS; i++) {
            flushed -= world->model->values[a][i].exists;
            model_clear(&world->model->values[a][i]);
        }
        assert_int_equal(flushed, 0);
    } else {
        static struct value spare[KEYS];
        cw_keyspace_swap_databases(world->keyspace, a, b);
        memcpy(spare, world->model->values[a], sizeof(spare));
        memmove(world->model->values[a], world->model->values[b], sizeof(spare));
        memcpy(world->model->values[b], spare, sizeof(spare));
    }
    scan_forget(world);
}

static void assert_same(struct world *world)
{
    for (unsigned d = 0; d < DATABASES; d++) {
        uint64_t count = 0;
        uint64_t expires = 0;
        for (unsigned i = 0; i < KEYS; i++)
            world->model->values[d][i].visited = false;
        cw_keyspace_for_each(world->keyspace, d, on_walk, world);
        for (unsigned i = 0; i < KEYS; i++) {
            const struct value *value = &world->model->values[d][i];
            assert_int_equal(value->visited, value->exists);
            count += value->exists;
            expires += value->exists && value->expire_ms != CW_NO_EXPIRY;
        }
        assert_int_equal(cw_keyspace_count(world->keyspace, d), count);
        assert_int_equal(cw_keyspace_count_expires(world->keyspace, d), expires);
    }
    assert_int_equal(cw_keyspace_stats(world->keyspace)->expired, world->expired);
    scan_forget(world);
}

static void expire_all(struct world *world)
{
    /* The first ends the rounds that are under way. */
    for (unsigned i = 0; i < 2; i++)
        cw_expire_cycle(&world->cycle, world->keyspace, world->now_ms, UINT32_MAX);
    assert_false(world->cycle.more);
    for (unsigned d = 0; d < DATABASES; d++)
        for (unsigned i = 0; i < KEYS; i++)
            assert_false(is_due(world, &world->model->values[d][i]));
}

static void world_open(struct world *world, uint64_t seed)
{
    struct cw_keyspace_config config = {.databases = DATABASES, .seed = seed, .expired = on_expired, .context = world};
    *world = (struct world){.now_ms = 1700000000000, .model = mem_zero(sizeof(struct model))};
    rand_seed(&world->rand, seed);
    world->keyspace = cw_keyspace_create(&config);
}

static void world_close(struct world *world)
{
    cw_keyspace_destroy(world->keyspace);
    model_free(world->model);
    if (world->picture)
        model_free(world->picture);
}

static void run_seed(uint64_t seed, uint64_t *ret_evicted_owed)
{
    enum { OPERATIONS = 150000, PHASE = 25000 };
    struct world world;
    world_open(&world, seed);
    for (unsigned i = 0; i < OPERATIONS; i++) {
        /* Phases of growing and of shrinking, so that segments split and merge under scan and snapshot. */
        operate_key(&world, i / PHASE % 2 ? 5 : 95);
        if (rand_below(&world.rand, 20) == 0)
            operate_snapshot(&world);
        if (rand_below(&world.rand, 20) == 0)
            operate_scan(&world);
        if (rand_below(&world.rand, 300) == 0)
            operate_eviction(&world);
        if (rand_below(&world.rand, 10) == 0)
            operate_wait(&world);
        if (rand_below(&world.rand, 100) == 0)
            (void)cw_keyspace_compact_step(world.keyspace, 1000);
        if (rand_below(&world.rand, 5000) == 0)
            operate_database(&world);
        if (rand_below(&world.rand, 20) == 0)
            world.now_ms += (int64_t)rand_below(&world.rand, 40);
        if (rand_below(&world.rand, 100) == 0)
            cw_expire_cycle(&world.cycle, world.keyspace, world.now_ms, 300);
        if (rand_below(&world.rand, 200) == 0)
            (void)cw_keyspace_free_step(world.keyspace, 100);
        if (i % PHASE == PHASE - 1) {
            expire_all(&world);
            assert_same(&world);
        }
    }
    assert_true(world.sliced > 0 && world.shown_beside > 0 && world.waited > 0);
    assert_true(cw_keyspace_stats(world.keyspace)->shown_at_once > 0);
    *ret_evicted_owed += world.evicted_owed;
    world_close(&world);
}

static void test_random_operations(void **state)
{
    (void)state;
    uint64_t evicted_owed = 0;
    for (uint64_t seed = 1; seed <= 4; seed++)
        run_seed(seed, &evicted_owed);
    assert_true(evicted_owed > 0);
}

/* ---- Directed ---- */

static struct cw_keyspace *plain_keyspace(unsigned databases, uint64_t seed)
{
    struct cw_keyspace_config config = {.databases = databases, .seed = seed};
    return cw_keyspace_create(&config);
}

/* Puts key "1" as a command does at that time. */
static void put_at(struct cw_keyspace *keyspace, int64_t now_ms, int64_t expire_ms)
{
    struct cw_ref ref;
    struct slice key = SLICE_LITERAL("1");
    assert_null(cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), now_ms, &ref));
    cw_keyspace_put_expiring(keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, key, expire_ms);
}

static void put_number(struct cw_keyspace *keyspace, unsigned database, uint64_t number, int64_t expire_ms)
{
    char text[NUMBER_TEXT_MAX];
    struct slice key = slice_of(text, number_format_u64(text, number));
    struct cw_ref ref;
    cw_keyspace_open(keyspace, database, key, cw_keyspace_hash(keyspace, key), 0, &ref);
    cw_keyspace_put_expiring(keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, key, expire_ms);
}

static const struct cw_entry *peek_text(struct cw_keyspace *keyspace, const char *text, int64_t now_ms)
{
    struct slice key = slice_text(text);
    return cw_keyspace_peek(keyspace, 0, key, cw_keyspace_hash(keyspace, key), now_ms);
}

static void test_modes_of_expiry(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = plain_keyspace(1, 1);
    put_number(keyspace, 0, 1, 1000);
    assert_non_null(peek_text(keyspace, "1", 1000)); /* due when the date is past, not at it */

    cw_keyspace_set_expiry_mode(keyspace, CW_EXPIRY_IGNORED);
    assert_non_null(peek_text(keyspace, "1", 1001));
    cw_keyspace_set_expiry_mode(keyspace, CW_EXPIRY_HIDES);
    assert_null(peek_text(keyspace, "1", 1001));
    struct cw_expire cycle = {0};
    assert_int_equal(cw_expire_cycle(&cycle, keyspace, 5000, 1000), 0);
    put_at(keyspace, 2000, 3000); /* a hidden key is replaced, not doubled */
    assert_int_equal(cw_keyspace_count(keyspace, 0), 1);
    assert_int_equal(cw_keyspace_count_expires(keyspace, 0), 1);
    cw_keyspace_set_expiry_mode(keyspace, CW_EXPIRY_DELETES);
    assert_non_null(peek_text(keyspace, "1", 3000));
    assert_null(peek_text(keyspace, "1", 3001));
    assert_int_equal(cw_keyspace_count(keyspace, 0), 0);
    assert_int_equal(cw_keyspace_stats(keyspace)->expired, 1);
    cw_keyspace_destroy(keyspace);
}

static void test_hits_misses_and_idle_time(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = plain_keyspace(1, 1);
    put_number(keyspace, 0, 1, CW_NO_EXPIRY);
    struct slice key = SLICE_LITERAL("1");
    uint64_t hash = cw_keyspace_hash(keyspace, key);
    assert_int_equal(cw_access_idle_s(peek_text(keyspace, "1", 9000)->access, 9000), 9);
    assert_non_null(cw_keyspace_read(keyspace, 0, key, hash, 5000));
    assert_int_equal(cw_access_idle_s(peek_text(keyspace, "1", 9000)->access, 9000), 4);
    assert_null(cw_keyspace_read(keyspace, 0, SLICE_LITERAL("2"), 7, 5000));
    assert_int_equal(cw_keyspace_stats(keyspace)->hits, 1);
    assert_int_equal(cw_keyspace_stats(keyspace)->misses, 1);
    cw_keyspace_destroy(keyspace);
}

static void count_visit(void *context, unsigned database, const struct cw_entry *entry)
{
    (void)entry;
    ((uint64_t *)context)[database]++;
}

/* A flushed database is still in the picture, under the number that it had, although others took its place. */
static void test_snapshot_outlives_flush_and_swap(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = plain_keyspace(2, 1);
    for (unsigned i = 0; i < 5000; i++)
        put_number(keyspace, i % 5 == 0, i, CW_NO_EXPIRY);
    uint64_t seen[2] = {0};
    cw_keyspace_snapshot_begin(keyspace, &(struct cw_snapshot_visitor){.context = seen, .entry = count_visit});
    assert_true(cw_keyspace_snapshot_step(keyspace, 10));
    cw_keyspace_swap_databases(keyspace, 0, 1);
    assert_int_equal(cw_keyspace_flush(keyspace, 1), 4000);
    put_number(keyspace, 1, 1, CW_NO_EXPIRY);
    while (cw_keyspace_snapshot_step(keyspace, 50))
        ;
    assert_int_equal(seen[0], 4000);
    assert_int_equal(seen[1], 1000);
    assert_int_equal(cw_keyspace_count(keyspace, 1), 1);
    while (cw_keyspace_free_step(keyspace, 100))
        ;
    cw_keyspace_destroy(keyspace);
}

/* No step frees much more than its budget says, what leads to the keys included. */
static void test_flushed_keys_go_in_steps(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = plain_keyspace(1, 1);
    size_t empty = cw_arena_used_bytes(cw_keyspace_arena(keyspace));
    for (unsigned i = 0; i < 50000; i++)
        put_number(keyspace, 0, i, CW_NO_EXPIRY);
    assert_int_equal(cw_keyspace_flush(keyspace, 0), 50000);
    assert_int_equal(cw_keyspace_to_free(keyspace), 50000);
    size_t before = cw_arena_used_bytes(cw_keyspace_arena(keyspace));
    uint64_t left = 50000;
    for (bool more = true; more;) {
        more = cw_keyspace_free_step(keyspace, 100);
        size_t after = cw_arena_used_bytes(cw_keyspace_arena(keyspace));
        assert_in_range(before - after, 0, 24000);
        assert_in_range(left - cw_keyspace_to_free(keyspace), 0, 120);
        before = after;
        left = cw_keyspace_to_free(keyspace);
    }
    assert_int_equal(left, 0);
    assert_int_equal(before, empty);
    assert_int_equal(cw_keyspace_stats(keyspace)->freed_later, 50000);
    cw_keyspace_destroy(keyspace);
}

/* A value of 8 MiB: each step gives the kernel a part of it. */
static void test_big_values_go_in_steps(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = plain_keyspace(1, 1);
    struct slice key = SLICE_LITERAL("key");
    for (unsigned round = 0; round < 2; round++) {
        struct cw_ref ref;
        cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, &ref);
        cw_keyspace_put(keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, SLICE_LITERAL("x"));
        assert_non_null(cw_keyspace_resize(keyspace, &ref, 8 << 20));
        if (round == 0)
            cw_keyspace_delete(keyspace, &ref);
        else
            cw_keyspace_put(keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, SLICE_LITERAL("x"));
        assert_int_equal(cw_keyspace_to_free(keyspace), 1);
        unsigned steps = 0;
        while (cw_keyspace_free_step(keyspace, 400))
            steps++;
        assert_in_range(steps, 2, 5);
        assert_int_equal(cw_keyspace_to_free(keyspace), 0);
    }
    cw_keyspace_destroy(keyspace);
}

static void test_snapshot_goes_with_its_data(void **state)
{
    (void)state;
    struct cw_keyspace *old = plain_keyspace(1, 1);
    struct cw_keyspace *fresh = plain_keyspace(1, 2);
    for (unsigned i = 0; i < 3000; i++)
        put_number(old, 0, i, CW_NO_EXPIRY);
    put_number(fresh, 0, 7, CW_NO_EXPIRY);
    uint64_t seen = 0;
    cw_keyspace_snapshot_begin(old, &(struct cw_snapshot_visitor){.context = &seen, .entry = count_visit});
    cw_keyspace_swap(old, fresh);
    assert_int_equal(cw_keyspace_count(old, 0), 1);
    assert_non_null(peek_text(old, "7", 0));
    assert_false(cw_keyspace_snapshot_is_active(old));
    put_number(fresh, 0, 5000, CW_NO_EXPIRY);
    while (cw_keyspace_snapshot_step(fresh, 1000))
        ;
    assert_int_equal(seen, 3000);
    cw_keyspace_destroy(fresh);
    cw_keyspace_destroy(old);
}

static const struct cw_entry *put_length(struct cw_keyspace *keyspace, size_t length)
{
    static char bytes[BIG_MAX];
    memset(bytes, 'v', sizeof(bytes));
    struct cw_ref ref;
    struct slice key = SLICE_LITERAL("1");
    cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, &ref);
    cw_keyspace_put(keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, slice_of(bytes, length));
    assert_true(slice_equal(cw_entry_value(ref.entry), slice_of(bytes, length)));
    return ref.entry;
}

/* Big values stay in their block while that fits, and leave one that is too small or much too big. */
static void test_big_values(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = plain_keyspace(1, 1);
    (void)put_length(keyspace, 2000);
    size_t used = cw_entry_used_bytes(put_length(keyspace, 1800));
    assert_int_equal(cw_entry_used_bytes(put_length(keyspace, 2000)), used);
    assert_in_range(cw_entry_used_bytes(put_length(keyspace, VALUE_MAX)), VALUE_MAX, VALUE_MAX + 200);
    assert_in_range(cw_entry_used_bytes(put_length(keyspace, 1100)), 1100, 1300);
    assert_in_range(cw_entry_used_bytes(put_length(keyspace, 10)), 10, 50);
    cw_keyspace_destroy(keyspace);
}

/* An entry that moves because its expiry comes or goes was not used by that. */
static void test_idle_time_survives_moves(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = plain_keyspace(1, 1);
    put_number(keyspace, 0, 1, CW_NO_EXPIRY);
    struct cw_key from = {0, SLICE_LITERAL("1"), cw_keyspace_hash(keyspace, SLICE_LITERAL("1"))};
    struct cw_key to = {0, SLICE_LITERAL("2"), cw_keyspace_hash(keyspace, SLICE_LITERAL("2"))};
    assert_non_null(cw_keyspace_read(keyspace, 0, from.name, from.hash, 5000));
    cw_keyspace_move(keyspace, &from, &to);
    assert_int_equal(cw_access_idle_s(peek_text(keyspace, "2", 9000)->access, 9000), 4);
    struct cw_ref ref;
    cw_keyspace_open(keyspace, 0, to.name, to.hash, 7000, &ref);
    cw_keyspace_expire(keyspace, &ref, 100000);
    assert_int_equal(cw_access_idle_s(peek_text(keyspace, "2", 9000)->access, 9000), 2);
    cw_keyspace_destroy(keyspace);
}

static void note_key(void *context, unsigned database, const struct cw_entry *entry)
{
    struct buf *seen = context;
    buf_add_format(seen, "%u %.*s;", database, (int)cw_entry_key(entry).length, cw_entry_key(entry).data);
}

/* A draft is nowhere until it is stored, and a snapshot does not show it even then. */
static void test_draft(void **state)
{
    (void)state;
    struct cw_keyspace *keyspace = plain_keyspace(2, 1);
    struct buf seen = {0};
    struct cw_ref draft;
    put_number(keyspace, 0, 1, CW_NO_EXPIRY);
    put_number(keyspace, 1, 1, 5000);
    cw_keyspace_snapshot_begin(keyspace, &(struct cw_snapshot_visitor){.context = &seen, .entry = note_key});
    cw_keyspace_open_draft(keyspace, 3000, &draft);
    const struct cw_entry *entry = peek_text(keyspace, "1", 0);
    cw_keyspace_put(keyspace, &draft, CW_TYPE_STRING, CW_ENCODING_PLAIN, SLICE_LITERAL("short"));
    char *bytes = cw_keyspace_resize(keyspace, &draft, 5000);
    assert_memory_equal(bytes, "short", 6);
    assert_int_equal(cw_keyspace_count(keyspace, 0), 1);
    assert_ptr_equal(peek_text(keyspace, "1", 0), entry);

    struct cw_key to = {1, SLICE_LITERAL("1"), cw_keyspace_hash(keyspace, SLICE_LITERAL("1"))};
    cw_keyspace_store_draft(keyspace, &draft, &to);
    assert_null(draft.entry);
    entry = cw_keyspace_peek(keyspace, 1, to.name, to.hash, 9000);
    assert_int_equal(cw_entry_value(entry).length, 5000);
    assert_int_equal(cw_access_idle_s(entry->access, 9000), 6);
    assert_int_equal(cw_keyspace_count_expires(keyspace, 1), 0);

    cw_keyspace_open_draft(keyspace, 0, &draft);
    cw_keyspace_put(keyspace, &draft, CW_TYPE_STRING, CW_ENCODING_PLAIN, SLICE_LITERAL("x"));
    cw_keyspace_delete(keyspace, &draft);
    while (cw_keyspace_snapshot_step(keyspace, 1))
        ;
    assert_true(slice_equal(buf_slice(&seen), SLICE_LITERAL("1 1;0 1;")));
    buf_free(&seen);
    cw_keyspace_destroy(keyspace);
}

/* Every key is drawn, and as often as any other, in segments of every depth. */
static void test_random_is_fair(void **state)
{
    (void)state;
    enum { COUNT = 1000, DRAWS = 1000 * COUNT };
    struct cw_keyspace *keyspace = plain_keyspace(1, 3);
    static unsigned drawn[COUNT];
    assert_null(cw_keyspace_random(keyspace, 0));
    for (unsigned i = 0; i < COUNT; i++)
        put_number(keyspace, 0, i, CW_NO_EXPIRY);
    for (unsigned i = 0; i < DRAWS; i++) {
        int64_t number = -1;
        assert_int_equal(number_parse_i64(cw_entry_key(cw_keyspace_random(keyspace, 0)), &number), 0);
        drawn[number]++;
    }
    for (unsigned i = 0; i < COUNT; i++)
        assert_in_range(drawn[i], 1000 - 170, 1000 + 170); /* five times the deviation, and more */
    cw_keyspace_destroy(keyspace);
}

/* Memory follows the data: small per key when full, and given back when the keys are gone. */
static void test_memory(void **state)
{
    (void)state;
    enum { COUNT = 200000 };
    struct cw_keyspace *keyspace = plain_keyspace(1, 4);
    size_t empty = cw_keyspace_used_bytes(keyspace);
    for (unsigned i = 0; i < COUNT; i++)
        put_number(keyspace, 0, 100000000 + i, CW_NO_EXPIRY);
    size_t full = cw_keyspace_used_bytes(keyspace);
    assert_true((full - empty) / COUNT < 56);
    for (unsigned i = 0; i < COUNT; i++) {
        char text[NUMBER_TEXT_MAX];
        struct slice key = slice_of(text, number_format_u64(text, 100000000 + i));
        struct cw_ref ref;
        assert_non_null(cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, &ref));
        cw_keyspace_delete(keyspace, &ref);
    }
    while (cw_keyspace_free_step(keyspace, 1000))
        ;
    assert_true(cw_keyspace_used_bytes(keyspace) < empty + full / 3);
    cw_keyspace_destroy(keyspace);
}

/* Active expiry reads only what is due: one segment of budget at a time it comes around, and more says that it did not.
 */
static void test_expire_cycle_is_bounded(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct cw_keyspace *keyspace = plain_keyspace(2, 5);
    for (unsigned i = 0; i < COUNT; i++)
        put_number(keyspace, 1, i, i % 2 ? 1000 : 100000);
    struct cw_expire cycle = {0};
    uint64_t deleted = cw_expire_cycle(&cycle, keyspace, 2000, 300);
    assert_true(deleted < COUNT / 2);
    assert_true(cycle.more);
    for (unsigned turns = 0; cycle.more && turns < COUNT; turns++)
        deleted += cw_expire_cycle(&cycle, keyspace, 2000, 300);
    assert_int_equal(deleted, COUNT / 2);
    assert_int_equal(cw_keyspace_count(keyspace, 1), COUNT / 2);
    assert_int_equal(cw_expire_cycle(&cycle, keyspace, 2000, UINT32_MAX), 0);
    cw_keyspace_destroy(keyspace);
}

/* After a round nothing is read again until something is due; what came in behind the round's back is not forgotten. */
static void test_rounds_of_expiry(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct cw_keyspace *keyspace = plain_keyspace(1, 6);
    for (unsigned i = 0; i < COUNT; i++)
        put_number(keyspace, 0, i, i % 2 ? 1000 : 100000);
    unsigned budget = UINT32_MAX;
    assert_int_equal(cw_keyspace_expire_step(keyspace, 0, &budget, 2000), COUNT / 2);
    budget = 1000;
    assert_int_equal(cw_keyspace_expire_step(keyspace, 0, &budget, 3000), 0);
    assert_int_equal(budget, 1000);

    put_number(keyspace, 0, COUNT, 3500);
    budget = 50;
    (void)cw_keyspace_expire_step(keyspace, 0, &budget, 4000);
    assert_int_equal(budget, 0);
    unsigned behind = 0; /* keys in the first eighth of the table, which that look was well past */
    for (unsigned i = COUNT + 1; behind < 100; i++) {
        char text[NUMBER_TEXT_MAX];
        if (cw_keyspace_hash(keyspace, slice_of(text, number_format_u64(text, i))) >> 61 != 0)
            continue;
        put_number(keyspace, 0, i, 5000);
        behind++;
    }
    budget = UINT32_MAX;
    (void)cw_keyspace_expire_step(keyspace, 0, &budget, 4000);
    budget = UINT32_MAX;
    (void)cw_keyspace_expire_step(keyspace, 0, &budget, 6000);
    assert_int_equal(cw_keyspace_count(keyspace, 0), COUNT / 2);
    cw_keyspace_destroy(keyspace);
}

/* ---- Compaction ---- */

static struct slice scattered_key(char *space, unsigned number)
{
    return slice_of(space, (size_t)snprintf(space, 64, "%s:%u", number % 3 ? "key" : "a longer name", number));
}

static void put_scattered(struct cw_keyspace *keyspace, unsigned number)
{
    char space[64], text[200];
    struct cw_ref ref;
    struct slice key = scattered_key(space, number);
    cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, &ref);
    memset(text, 'a' + (int)(number % 26), sizeof(text));
    cw_keyspace_put_expiring(keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, slice_of(text, number % 100),
                             number % 5 ? CW_NO_EXPIRY : 1000000 + (int64_t)number);
}

static void delete_scattered(struct cw_keyspace *keyspace, unsigned number)
{
    char space[64];
    struct cw_ref ref;
    struct slice key = scattered_key(space, number);
    assert_non_null(cw_keyspace_open(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0, &ref));
    cw_keyspace_delete(keyspace, &ref);
}

static void check_scattered(struct cw_keyspace *keyspace, unsigned number)
{
    char space[64];
    struct slice key = scattered_key(space, number);
    const struct cw_entry *entry = cw_keyspace_peek(keyspace, 0, key, cw_keyspace_hash(keyspace, key), 0);
    assert_non_null(entry);
    struct slice value = cw_entry_value(entry);
    assert_int_equal(value.length, number % 100);
    assert_true(value.length == 0 || value.data[value.length - 1] == (char)('a' + (int)(number % 26)));
    assert_true(cw_entry_expire_ms(entry) == (number % 5 ? CW_NO_EXPIRY : 1000000 + (int64_t)number));
}

/* After nine of ten keys are gone, the tenth takes about what it would in a new keyspace; while others come and go. */
static void test_compaction_gives_memory_back(void **state)
{
    (void)state;
    enum { COUNT = 300000, KEPT_EVERY = 10, LATER = COUNT + 3000 };
    struct cw_keyspace *keyspace = plain_keyspace(1, 11);
    struct cw_keyspace *fresh = plain_keyspace(1, 11);
    for (unsigned i = 0; i < COUNT; i++)
        put_scattered(keyspace, i);
    for (unsigned i = 0; i < COUNT; i++)
        if (i % KEPT_EVERY != 0)
            delete_scattered(keyspace, i);
        else
            put_scattered(fresh, i);
    size_t held = cw_keyspace_used_bytes(keyspace);
    assert_true(cw_keyspace_has_slack(keyspace));
    unsigned later = COUNT;
    while (cw_keyspace_compact_step(keyspace, 1000) && later < LATER)
        put_scattered(keyspace, later++);
    assert_true(later > COUNT + 10); /* it took many steps */
    for (unsigned i = COUNT; i < later; i++)
        delete_scattered(keyspace, i);
    while (cw_keyspace_compact_step(keyspace, 1000))
        ;
    while (cw_keyspace_free_step(keyspace, 1000))
        ;
    size_t left = cw_keyspace_used_bytes(keyspace);
    assert_true(left < held / 2);
    assert_true(left < cw_keyspace_used_bytes(fresh) * 3 / 2 + ((size_t)4 << 20)); /* its reserve of empty pages */
    assert_int_equal(cw_keyspace_count(keyspace, 0), COUNT / KEPT_EVERY);
    for (unsigned i = 0; i < COUNT; i += KEPT_EVERY)
        check_scattered(keyspace, i);
    cw_keyspace_destroy(keyspace);
    cw_keyspace_destroy(fresh);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_modes_of_expiry),
        cmocka_unit_test(test_hits_misses_and_idle_time),
        cmocka_unit_test(test_snapshot_outlives_flush_and_swap),
        cmocka_unit_test(test_flushed_keys_go_in_steps),
        cmocka_unit_test(test_big_values_go_in_steps),
        cmocka_unit_test(test_snapshot_goes_with_its_data),
        cmocka_unit_test(test_big_values),
        cmocka_unit_test(test_idle_time_survives_moves),
        cmocka_unit_test(test_draft),
        cmocka_unit_test(test_random_is_fair),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_expire_cycle_is_bounded),
        cmocka_unit_test(test_rounds_of_expiry),
        cmocka_unit_test(test_compaction_gives_memory_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
