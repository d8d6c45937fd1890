/* Fields that expire, against a naive model: in all modes of expiry, through active expiry in small steps, through
 * records and snapshots. Time is a number. */
#include "cacheworker/hash/field_expiry.h"

#include "cacheworker/engine/objects.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/keyspace/arena.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/rdb/rdb_load.h"
#include "common/base/errors.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { FIELDS = 60, TEXT_MAX = 100 };

struct model {
    bool exists[FIELDS];
    int values[FIELDS];
    int64_t dates[FIELDS];
};

struct world {
    struct cw_keyspace *keyspace;
    struct model model;
    struct rand rand;
    int64_t now_ms;
    uint64_t told; /* fields that the keyspace has removed */
    uint64_t largest;
    bool key_expired;
};

static struct slice field_name(char *space, int number)
{
    return slice_of(space, (size_t)snprintf(space, TEXT_MAX, number % 2 ? "%d" : "field:%d", number));
}

static int number_of(struct slice name)
{
    int number = -1;
    char text[TEXT_MAX] = "";
    memcpy(text, name.data, name.length);
    assert_int_equal(sscanf(text, strchr(text, ':') ? "field:%d" : "%d", &number), 1);
    return number;
}

static bool is_over(const struct world *world, int number)
{
    return world->model.dates[number] != CW_NO_EXPIRY && world->model.dates[number] < world->now_ms;
}

static void on_expired(void *context, unsigned database, struct slice key)
{
    struct world *world = context;
    (void)database, (void)key;
    world->key_expired = true;
    for (int i = 0; i < FIELDS; i++) {
        assert_true(!world->model.exists[i] || is_over(world, i));
        world->model.exists[i] = false;
    }
}

static void on_expired_parts(void *context, unsigned database, struct slice key, const struct slice *names,
                             size_t count)
{
    struct world *world = context;
    assert_int_equal(database, 0);
    assert_true(slice_equal(key, SLICE_LITERAL("hash")));
    world->told += count;
    if (count > world->largest)
        world->largest = count;
    for (size_t i = 0; i < count; i++) {
        int number = number_of(names[i]);
        if (number >= FIELDS)
            continue; /* of a hash that is too big for the model */
        assert_true(world->model.exists[number] && is_over(world, number));
        world->model.exists[number] = false;
    }
}

static void begin(struct world *world, enum cw_expiry_mode mode, uint64_t seed)
{
    static const struct cw_packing small = {.hash_max_listpack_entries = 20, .hash_max_listpack_value = 30};
    *world = (struct world){.now_ms = 1000};
    const struct cw_keyspace_config config = {.databases = 2,
                                              .seed = 3,
                                              .expiry_mode = mode,
                                              .objects = &cw_objects,
                                              .packing = &small,
                                              .expired = on_expired,
                                              .expired_parts = on_expired_parts,
                                              .context = world};
    world->keyspace = cw_keyspace_create(&config);
    rand_seed(&world->rand, seed);
}

static struct cw_entry *open_key(struct world *world, struct cw_ref *ref)
{
    struct slice key = SLICE_LITERAL("hash");
    return cw_keyspace_open(world->keyspace, 0, key, cw_keyspace_hash(world->keyspace, key), world->now_ms, ref);
}

static const struct cw_entry *read_key(struct world *world)
{
    struct slice key = SLICE_LITERAL("hash");
    return cw_keyspace_read(world->keyspace, 0, key, cw_keyspace_hash(world->keyspace, key), world->now_ms);
}

static int64_t from_of(const struct world *world)
{
    return cw_keyspace_expiry_mode(world->keyspace) == CW_EXPIRY_IGNORED ? CW_HASH_ALL : world->now_ms;
}

/* What a reader is to find. */
static bool is_there(const struct world *world, int number)
{
    bool hides = cw_keyspace_expiry_mode(world->keyspace) != CW_EXPIRY_IGNORED;
    return world->model.exists[number] && !(hides && is_over(world, number));
}

static void count_field(void *context, const struct cw_packed_value *field, const struct cw_packed_value *value)
{
    (void)field, (void)value;
    ++*(unsigned *)context;
}

static void check_field(const struct world *world, const struct cw_entry *entry, int number)
{
    char name[TEXT_MAX], space[NUMBER_TEXT_MAX], text[TEXT_MAX];
    struct cw_packed_value value;
    int64_t date_ms;
    bool found = entry && cw_hash_get(entry, from_of(world), field_name(name, number), &value);
    assert_int_equal(found, is_there(world, number));
    assert_int_equal(entry && cw_hash_expiry(entry, from_of(world), field_name(name, number), &date_ms), found);
    if (!found)
        return;
    snprintf(text, sizeof(text), "%d", world->model.values[number]);
    assert_true(slice_equal(cw_packed_value_text(&value, space), slice_text(text)));
    assert_true(date_ms == world->model.dates[number]);
}

static void check(struct world *world)
{
    const struct cw_entry *entry = read_key(world);
    unsigned count = 0, walked = 0, scanned = 0;
    for (int i = 0; i < FIELDS; i++) {
        check_field(world, entry, i);
        count += is_there(world, i);
    }
    assert_int_equal(entry != NULL, count > 0);
    if (!entry)
        return;
    assert_int_equal(cw_hash_count(entry, from_of(world)), count);
    struct cw_hash_walk walk = {.from_ms = from_of(world)};
    while (cw_hash_next(entry, &walk)) {
        char space[NUMBER_TEXT_MAX];
        int number = number_of(cw_packed_value_text(&walk.field, space));
        assert_true(is_there(world, number));
        assert_true(walk.expire_ms == world->model.dates[number]);
        walked++;
    }
    assert_int_equal(walked, count);
    uint64_t cursor = 0;
    do {
        cursor = cw_hash_scan(entry, from_of(world), cursor, count_field, &scanned);
    } while (cursor != 0);
    assert_int_equal(scanned, count);
    for (unsigned i = 0; i < 5; i++) {
        struct cw_hash_walk pick;
        char space[NUMBER_TEXT_MAX];
        cw_hash_random(entry, from_of(world), &world->rand, &pick);
        assert_true(is_there(world, number_of(cw_packed_value_text(&pick.field, space))));
    }
}

static int64_t draw_date(struct world *world)
{
    return world->now_ms + (int64_t)rand_below(&world->rand, 60);
}

static void set_field(struct world *world, struct cw_ref *ref, int number)
{
    char name[TEXT_MAX], text[TEXT_MAX];
    struct model *model = &world->model;
    int64_t date_ms = rand_below(&world->rand, 3) == 0   ? draw_date(world)
                      : rand_below(&world->rand, 2) == 0 ? CW_HASH_KEEPS_EXPIRY
                                                         : CW_NO_EXPIRY;
    int value = (int)rand_below(&world->rand, 100000);
    struct slice value_text = slice_of(text, (size_t)snprintf(text, sizeof(text), "%d", value));
    bool is_new = cw_hash_set_expiring(world->keyspace, ref, field_name(name, number), value_text, date_ms);
    assert_int_equal(is_new, !model->exists[number]);
    if (date_ms == CW_HASH_KEEPS_EXPIRY)
        date_ms = is_new ? CW_NO_EXPIRY : model->dates[number];
    model->exists[number] = true;
    model->values[number] = value;
    model->dates[number] = date_ms;
}

static void change(struct world *world)
{
    char name[TEXT_MAX];
    struct cw_ref ref;
    struct model *model = &world->model;
    int number = (int)rand_below(&world->rand, FIELDS);
    open_key(world, &ref);
    switch (rand_below(&world->rand, 4)) {
    case 0: {
        bool deleted = ref.entry && cw_hash_delete(world->keyspace, &ref, field_name(name, number));
        assert_int_equal(deleted, model->exists[number]);
        model->exists[number] = false;
        break;
    }
    case 1: {
        int64_t date_ms = rand_below(&world->rand, 4) == 0 ? CW_NO_EXPIRY : draw_date(world);
        bool exists = ref.entry && cw_hash_expire(world->keyspace, &ref, field_name(name, number), date_ms);
        assert_int_equal(exists, model->exists[number]);
        if (exists)
            model->dates[number] = date_ms;
        break;
    }
    default: set_field(world, &ref, number); break;
    }
}

/* A master: what is due is gone for whoever comes upon it, and said. */
static void a_master_deletes_what_is_due(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct world world;
        begin(&world, CW_EXPIRY_DELETES, seed);
        for (unsigned i = 0; i < 800; i++) {
            if (i % 5 == 0) { /* At times so long that all are due. */
                unsigned most = rand_below(&world.rand, 10) == 0 ? 100 : 8;
                world.now_ms += (int64_t)rand_below(&world.rand, most);
            }
            change(&world);
            check(&world);
            for (int j = 0; j < FIELDS; j++)
                assert_false(world.model.exists[j] && is_over(&world, j));
        }
        assert_true(world.told > 0);
        assert_int_equal(cw_keyspace_stats(world.keyspace)->expired_parts, world.told);
        cw_keyspace_destroy(world.keyspace);
    }
}

/* A replica: what is due is there, and shown to nobody. Promoted, it deletes. */
static void a_replica_hides_what_is_due(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct world world;
        begin(&world, CW_EXPIRY_HIDES, seed);
        for (unsigned i = 0; i < 300; i++) {
            cw_keyspace_set_expiry_mode(world.keyspace, CW_EXPIRY_IGNORED);
            change(&world);
            check(&world);
            cw_keyspace_set_expiry_mode(world.keyspace, CW_EXPIRY_HIDES);
            world.now_ms += (int64_t)rand_below(&world.rand, 8);
            check(&world);
        }
        world.now_ms += 100;
        check(&world);
        assert_int_equal(world.told, 0);
        assert_false(world.key_expired);
        cw_keyspace_set_expiry_mode(world.keyspace, CW_EXPIRY_DELETES);
        check(&world);
        assert_true(world.told > 0 || world.key_expired);
        cw_keyspace_destroy(world.keyspace);
    }
}

/* A key whose fields are all due is not there for anybody. */
static void a_key_goes_with_its_last_field(void **state)
{
    (void)state;
    for (int mode = CW_EXPIRY_DELETES; mode <= CW_EXPIRY_IGNORED; mode++) {
        struct world world;
        struct cw_ref ref;
        begin(&world, (enum cw_expiry_mode)mode, 1);
        open_key(&world, &ref);
        cw_hash_set_expiring(world.keyspace, &ref, SLICE_LITERAL("field:0"), SLICE_LITERAL("0"), 2000);
        cw_hash_set_expiring(world.keyspace, &ref, SLICE_LITERAL("1"), SLICE_LITERAL("0"), 2010);
        world.model.exists[0] = world.model.exists[1] = true;
        world.model.dates[0] = 2000;
        world.model.dates[1] = 2010;
        assert_string_equal(cw_entry_encoding_name(ref.entry), "hashtable");
        world.now_ms = 2010; /* The last moment of one that is due then. */
        const struct cw_entry *entry = read_key(&world);
        assert_int_equal(cw_hash_count(entry, from_of(&world)), mode == CW_EXPIRY_IGNORED ? 2 : 1);
        assert_false(cw_keyspace_is_due(world.keyspace, entry, world.now_ms));
        assert_true(cw_keyspace_expects_due(world.keyspace, 0));
        world.now_ms = 2011;
        assert_int_equal(cw_keyspace_is_due(world.keyspace, entry, world.now_ms), mode != CW_EXPIRY_IGNORED);
        assert_int_equal(read_key(&world) != NULL, mode == CW_EXPIRY_IGNORED);
        assert_int_equal(cw_keyspace_count(world.keyspace, 0), mode != CW_EXPIRY_DELETES);
        assert_int_equal(world.key_expired, mode == CW_EXPIRY_DELETES);
        if (mode == CW_EXPIRY_DELETES)
            assert_false(cw_keyspace_expects_due(world.keyspace, 0));
        cw_keyspace_destroy(world.keyspace);
    }
}

/* Active expiry deletes what is due, when nobody asks. */
static void the_cycle_finds_what_is_due(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct world world;
        begin(&world, CW_EXPIRY_DELETES, seed);
        for (unsigned round = 0; round < 40; round++) {
            for (unsigned i = 0; i < 30; i++)
                change(&world);
            world.now_ms += (int64_t)rand_below(&world.rand, 70);
            uint64_t deleted = 0, told = world.told;
            for (unsigned step = 0; step < 60; step++) {
                unsigned budget = 1 + (unsigned)rand_below(&world.rand, 400);
                deleted += cw_keyspace_expire_step(world.keyspace, 0, &budget, world.now_ms);
            }
            assert_int_equal(deleted, world.told - told);
            unsigned left = 0;
            for (int i = 0; i < FIELDS; i++) {
                assert_false(world.model.exists[i] && is_over(&world, i));
                left += world.model.exists[i];
            }
            assert_int_equal(cw_keyspace_count(world.keyspace, 0), left > 0);
            check(&world);
        }
        cw_keyspace_destroy(world.keyspace);
    }
}

enum { MANY = 100000 };

static void fill(struct world *world, int64_t date_ms)
{
    struct cw_ref ref;
    open_key(world, &ref);
    for (int i = FIELDS; i < MANY + FIELDS; i++) {
        char name[TEXT_MAX];
        cw_hash_set_expiring(world->keyspace, &ref, field_name(name, i), SLICE_LITERAL("x"), date_ms);
    }
}

/* However many fields are due at once, a step takes no longer than its budget. */
static void a_step_is_bounded(void **state)
{
    (void)state;
    enum { BUDGET = 4000, COST = 28, AT_ONCE = 64 };
    for (int stays = 0; stays < 2; stays++) {
        struct world world;
        begin(&world, CW_EXPIRY_DELETES, 1);
        fill(&world, 5000);
        if (stays) {
            struct cw_ref ref;
            open_key(&world, &ref);
            cw_hash_set(world.keyspace, &ref, SLICE_LITERAL("1"), SLICE_LITERAL("stays"));
        }
        world.now_ms = 6000;
        unsigned steps = 0;
        uint64_t total = 0, deleted;
        do {
            unsigned budget = BUDGET;
            deleted = cw_keyspace_expire_step(world.keyspace, 0, &budget, world.now_ms);
            assert_true(deleted <= BUDGET / COST + AT_ONCE);
            total += deleted;
            steps++;
        } while (deleted > 0);
        assert_int_equal(total, MANY);
        assert_int_equal(world.told, MANY);
        assert_int_equal(world.largest, AT_ONCE);
        assert_true(steps > MANY / (BUDGET / COST + AT_ONCE));
        assert_int_equal(cw_keyspace_count(world.keyspace, 0), stays);
        if (stays)
            assert_int_equal(cw_hash_count(read_key(&world), CW_HASH_ALL), 1);
        cw_keyspace_destroy(world.keyspace);
    }
}

/* Who touches a hash in which many fields are due removes a few of them, and finds none of the others: counts, picks
 * and walks are those of what is left, and a field that is changed begins anew. */
static void a_touch_is_bounded(void **state)
{
    (void)state;
    enum { AT_ONCE = 64, LASTING = 3, LATER = 5 };
    struct world world;
    begin(&world, CW_EXPIRY_DELETES, 1);
    fill(&world, 5000);
    struct cw_ref ref;
    open_key(&world, &ref);
    for (int i = 0; i < LASTING + LATER; i++) {
        char name[TEXT_MAX];
        int64_t date_ms = i < LASTING ? CW_NO_EXPIRY : 9000 + i;
        cw_hash_set_expiring(world.keyspace, &ref, field_name(name, i), SLICE_LITERAL("x"), date_ms);
    }
    world.now_ms = 6000;
    unsigned seen[LASTING + LATER] = {0};
    for (unsigned touch = 1; touch <= 200; touch++) {
        const struct cw_entry *entry = read_key(&world);
        assert_int_equal(world.told, touch * AT_ONCE);
        assert_int_equal(cw_hash_count(entry, CW_HASH_ALL), MANY + LASTING + LATER - world.told);
        assert_int_equal(cw_hash_count(entry, world.now_ms), LASTING + LATER);
        struct cw_hash_walk pick;
        cw_hash_random(entry, world.now_ms, &world.rand, &pick);
        char space[NUMBER_TEXT_MAX];
        int64_t number;
        struct slice field = cw_packed_value_text(&pick.field, space);
        for (number = 0; number < LASTING + LATER; number++) {
            char name[TEXT_MAX];
            if (slice_equal(field, field_name(name, (int)number)))
                break;
        }
        assert_in_range(number, 0, LASTING + LATER - 1);
        seen[number]++;
    }
    for (unsigned i = 0; i < LASTING + LATER; i++)
        assert_true(seen[i] > 0);

    char name[TEXT_MAX];
    struct slice due = field_name(name, MANY - 1);
    struct cw_packed_value value;
    const struct cw_entry *entry = read_key(&world);
    if (!cw_hash_get(entry, CW_HASH_ALL, due, &value))
        fail_msg("it went among the first");
    assert_false(cw_hash_get(entry, world.now_ms, due, &value));
    open_key(&world, &ref);
    uint64_t told = world.told;
    assert_false(cw_hash_expire(world.keyspace, &ref, due, 7000));
    assert_int_equal(world.told, told + 1);
    due = field_name(name, MANY - 2);
    assert_false(cw_hash_delete(world.keyspace, &ref, due));
    due = field_name(name, MANY - 3);
    assert_true(cw_hash_set_expiring(world.keyspace, &ref, due, SLICE_LITERAL("y"), CW_HASH_KEEPS_EXPIRY));
    assert_int_equal(world.told, told + 3);
    assert_int_equal(cw_hash_count(ref.entry, world.now_ms), LASTING + LATER + 1);
    int64_t date_ms;
    assert_true(cw_hash_expiry(ref.entry, world.now_ms, due, &date_ms));
    assert_true(date_ms == CW_NO_EXPIRY);
    cw_keyspace_destroy(world.keyspace);
}

/* Other keys do not wait for a hash that has a million fields: each step goes on, and the databases take turns. */
static void keys_that_are_due_go_meanwhile(void **state)
{
    (void)state;
    struct world world;
    begin(&world, CW_EXPIRY_DELETES, 1);
    fill(&world, 5000);
    struct cw_ref ref;
    for (unsigned i = 0; i < 100; i++) {
        char text[TEXT_MAX];
        struct slice key = slice_of(text, (size_t)snprintf(text, sizeof(text), "key %u", i));
        cw_keyspace_open(world.keyspace, 1, key, cw_keyspace_hash(world.keyspace, key), world.now_ms, &ref);
        cw_keyspace_put_expiring(world.keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, SLICE_LITERAL("x"), 5000);
    }
    unsigned budget = 1000;
    (void)cw_keyspace_expire_step(world.keyspace, 0, &budget, 6000);
    assert_int_equal(budget, 0);
    budget = 1000;
    assert_int_equal(cw_keyspace_expire_step(world.keyspace, 1, &budget, 6000), 100);
    cw_keyspace_destroy(world.keyspace);
}

/* ---- Copies, other names ---- */

static void copies_and_moved_keys_expire_too(void **state)
{
    (void)state;
    struct world world;
    begin(&world, CW_EXPIRY_DELETES, 1);
    struct cw_keyspace *keyspace = world.keyspace;
    struct cw_ref ref;
    open_key(&world, &ref);
    cw_hash_set_expiring(keyspace, &ref, SLICE_LITERAL("1"), SLICE_LITERAL("a"), 5000);
    cw_hash_set(keyspace, &ref, SLICE_LITERAL("3"), SLICE_LITERAL("b"));
    cw_keyspace_expire(keyspace, &ref, 1000000);
    cw_keyspace_persist(keyspace, &ref);
    struct cw_key from = {0, SLICE_LITERAL("hash"), ref.hash};
    struct cw_key copy = {1, SLICE_LITERAL("copy"), cw_keyspace_hash(keyspace, SLICE_LITERAL("copy"))};
    struct cw_key moved = {1, SLICE_LITERAL("moved"), cw_keyspace_hash(keyspace, SLICE_LITERAL("moved"))};
    assert_true(cw_keyspace_copy(keyspace, &from, &copy));
    cw_keyspace_move(keyspace, &from, &moved);
    assert_false(cw_keyspace_expects_due(keyspace, 0));
    for (unsigned i = 0; i < 2; i++) {
        const struct cw_key *key = i == 0 ? &copy : &moved;
        const struct cw_entry *entry = cw_keyspace_peek(keyspace, 1, key->name, key->hash, 5000);
        assert_int_equal(cw_hash_count(entry, CW_HASH_ALL), 2);
    }
    cw_keyspace_set_expiry_mode(keyspace, CW_EXPIRY_HIDES);
    for (unsigned i = 0; i < 2; i++) {
        const struct cw_key *key = i == 0 ? &copy : &moved;
        const struct cw_entry *entry = cw_keyspace_peek(keyspace, 1, key->name, key->hash, 5001);
        assert_int_equal(cw_hash_count(entry, 5001), 1);
        assert_int_equal(cw_hash_count(entry, CW_HASH_ALL), 2);
    }
    cw_keyspace_destroy(keyspace);
}

/* A value of another kind takes the place of the object, and nothing of it stays. */
static void another_value_forgets_the_fields(void **state)
{
    (void)state;
    struct world world;
    begin(&world, CW_EXPIRY_DELETES, 1);
    struct cw_ref ref;
    open_key(&world, &ref);
    cw_hash_set_expiring(world.keyspace, &ref, SLICE_LITERAL("1"), SLICE_LITERAL("a"), 5000);
    cw_keyspace_put(world.keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, SLICE_LITERAL("text"));
    assert_false(cw_keyspace_expects_due(world.keyspace, 0));
    unsigned budget = 1000;
    assert_int_equal(cw_keyspace_expire_step(world.keyspace, 0, &budget, 6000), 0);
    world.now_ms = 6000;
    assert_true(slice_equal(cw_entry_value(read_key(&world)), SLICE_LITERAL("text")));
    cw_keyspace_destroy(world.keyspace);
}

/* ---- Snapshots and records ---- */

static void show(void *context, unsigned database, const struct cw_entry *entry)
{
    (void)database;
    *(uint64_t *)context += cw_hash_count(entry, CW_HASH_ALL);
}

/* A picture shows what was there when it was begun, whatever active expiry does meanwhile. */
static void a_running_snapshot_sees_fields_before_they_go(void **state)
{
    (void)state;
    struct world world;
    begin(&world, CW_EXPIRY_DELETES, 1);
    fill(&world, 5000);
    uint64_t shown = 0;
    cw_keyspace_snapshot_begin(world.keyspace, &(struct cw_snapshot_visitor){.context = &shown, .entry = show});
    unsigned budget = 1000;
    (void)cw_keyspace_expire_step(world.keyspace, 0, &budget, 6000);
    while (cw_keyspace_snapshot_step(world.keyspace, 10))
        ;
    assert_int_equal(shown, MANY);
    cw_keyspace_destroy(world.keyspace);
}

static void write_snapshot(struct world *world, struct buf *out)
{
    struct cw_ref ref;
    struct cw_rdb_writer writer = {.out = out};
    struct cw_rdb_origin origin = {.stream_database = 0};
    cw_rdb_write_preamble(&writer, &origin, 0, 0);
    if (open_key(world, &ref))
        cw_rdb_write_entry(&writer, 0, ref.entry);
    cw_rdb_write_end(&writer);
}

/* In pieces of `piece` bytes. */
static int read_snapshot(struct slice bytes, size_t piece, struct cw_keyspace *keyspace)
{
    struct cw_rdb_load load;
    cw_rdb_load_init(&load, keyspace);
    int result = 0;
    while (result == 0 && bytes.length > 0) {
        size_t used, length = bytes.length < piece ? bytes.length : piece;
        result = cw_rdb_read(&load.reader, slice_of(bytes.data, length), &used);
        bytes = slice_skip(bytes, length);
    }
    cw_rdb_load_free(&load);
    return result;
}

static void a_snapshot_brings_every_date_back(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct world world, other;
        struct buf bytes = {0};
        begin(&world, CW_EXPIRY_IGNORED, seed);
        begin(&other, CW_EXPIRY_IGNORED, seed);
        for (unsigned i = 0; i < seed * 4; i++)
            change(&world);
        write_snapshot(&world, &bytes);
        assert_int_equal(read_snapshot(buf_slice(&bytes), 1 + seed * 3, other.keyspace), 1);
        other.model = world.model;
        check(&other);
        cw_keyspace_set_expiry_mode(other.keyspace, CW_EXPIRY_DELETES);
        other.now_ms += 50;
        check(&other);
        buf_free(&bytes);
        cw_keyspace_destroy(world.keyspace);
        cw_keyspace_destroy(other.keyspace);
    }
}

static void emit(void *context, struct slice record)
{
    struct buf *records = context; /* an array; an empty one ends it */
    while (buf_length(records) > 0)
        records++;
    buf_add_slice(records, record);
}

/* Records are cut where they grow long, and all together say everything. */
static void records_are_of_a_bounded_length(void **state)
{
    (void)state;
    enum { RECORDS = 200 };
    static struct buf records[RECORDS];
    struct world world;
    begin(&world, CW_EXPIRY_IGNORED, 1);
    fill(&world, CW_NO_EXPIRY);
    struct cw_field_expiry writer = {.database = 0, .key = SLICE_LITERAL("hash"), .emit = emit, .context = records};
    for (int i = FIELDS; i < MANY + FIELDS; i++) {
        char name[TEXT_MAX];
        cw_field_expiry_add(&writer, field_name(name, i), 7000 + i);
    }
    cw_field_expiry_end(&writer);
    unsigned count = 0;
    for (; count < RECORDS && buf_length(&records[count]) > 0; count++) {
        assert_true(buf_length(&records[count]) < 70000);
        assert_int_equal(cw_field_expiry_apply(world.keyspace, buf_slice(&records[count])), 0);
        buf_free(&records[count]);
    }
    assert_in_range(count, 10, RECORDS - 1);
    struct cw_hash_walk walk = {0};
    unsigned walked = 0;
    for (; cw_hash_next(read_key(&world), &walk); walked++) {
        char space[NUMBER_TEXT_MAX];
        assert_true(walk.expire_ms == 7000 + number_of(cw_packed_value_text(&walk.field, space)));
    }
    assert_int_equal(walked, MANY);
    cw_keyspace_destroy(world.keyspace);
}

static void a_damaged_record_is_refused(void **state)
{
    (void)state;
    struct world world;
    struct cw_ref ref;
    struct buf record = {0};
    begin(&world, CW_EXPIRY_IGNORED, 1);
    open_key(&world, &ref);
    cw_hash_set(world.keyspace, &ref, SLICE_LITERAL("1"), SLICE_LITERAL("a"));
    cw_rdb_add_length(&record, 0);
    cw_rdb_add_string(&record, SLICE_LITERAL("hash"));
    size_t head = buf_length(&record);
    cw_rdb_add_string(&record, SLICE_LITERAL("1"));
    cw_rdb_add_little_endian(&record, 5000, 8);
    for (size_t length = 0; length < buf_length(&record); length++)
        assert_int_equal(cw_field_expiry_apply(world.keyspace, slice_of(buf_slice(&record).data, length)),
                         length == head ? 0 : ERR_CORRUPT);
    assert_false(cw_hash_has_expiry(read_key(&world)));

    record.memory[record.start] = 2; /* a database that is not there */
    assert_int_equal(cw_field_expiry_apply(world.keyspace, buf_slice(&record)), ERR_CORRUPT);
    record.memory[record.start] = 1; /* where the key is not */
    assert_int_equal(cw_field_expiry_apply(world.keyspace, buf_slice(&record)), 0);
    record.memory[record.start] = 0;
    record.memory[record.end - 1] = '\xff'; /* a date before 1970 */
    assert_int_equal(cw_field_expiry_apply(world.keyspace, buf_slice(&record)), ERR_CORRUPT);
    record.memory[record.end - 1] = '\0';
    assert_int_equal(cw_field_expiry_apply(world.keyspace, buf_slice(&record)), 0);
    int64_t date_ms;
    assert_true(cw_hash_expiry(read_key(&world), CW_HASH_ALL, SLICE_LITERAL("1"), &date_ms) && date_ms == 5000);
    buf_free(&record);
    cw_keyspace_destroy(world.keyspace);
}

/* ---- The types of version 12 ---- */

static int read_value(struct world *world, unsigned type, struct slice bytes, size_t piece)
{
    struct cw_ref ref;
    open_key(world, &ref);
    struct cw_rdb_value value = {.keyspace = world->keyspace, .ref = &ref, .type = type};
    int result = 0;
    size_t at = 0, held = piece;
    while (result == 0 && at < bytes.length) {
        struct cw_rdb_cursor cursor = {
            .bytes = slice_of(bytes.data + at, held < bytes.length ? held - at : bytes.length - at)};
        result = cw_rdb_value_read(&value, &cursor);
        if (result == 0 && held >= bytes.length)
            break;
        at += result == 0 ? cursor.position : 0;
        held += piece;
    }
    cw_rdb_value_free(&value);
    return result;
}

/* earliest date 5000; "field:0" = 7 at 5000, "1" = 8 at 5999, "field:2" = 9 for ever. */
static void add_fields(struct buf *out, bool is_release)
{
    if (is_release)
        cw_rdb_add_little_endian(out, 5000, 8);
    cw_rdb_add_length(out, 3);
    cw_rdb_add_length(out, is_release ? 1 : 5000);
    cw_rdb_add_string(out, SLICE_LITERAL("field:0"));
    cw_rdb_add_string(out, SLICE_LITERAL("7"));
    cw_rdb_add_length(out, is_release ? 1000 : 5999);
    cw_rdb_add_string(out, SLICE_LITERAL("1"));
    cw_rdb_add_string(out, SLICE_LITERAL("8"));
    cw_rdb_add_length(out, 0);
    cw_rdb_add_string(out, SLICE_LITERAL("field:2"));
    cw_rdb_add_string(out, SLICE_LITERAL("9"));
}

/* The same as a listpack of triples, as 7.4 keeps it: sorted by date, those without one last. */
static void add_triples(struct buf *out, bool is_release)
{
    static const char *const texts[] = {"field:0", "7", "5000", "1", "8", "5999", "field:2", "9", "0"};
    struct buf listpack = {0};
    char empty[CW_LISTPACK_EMPTY_BYTES];
    cw_listpack_init(empty);
    buf_add(&listpack, empty, sizeof(empty));
    struct cw_packed packed = cw_packed_of_buf(&listpack);
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        cw_listpack_append(&packed, slice_text(texts[i]));
    if (is_release)
        cw_rdb_add_little_endian(out, 5000, 8);
    cw_rdb_add_string(out, cw_packed_slice(&packed));
    buf_free(&listpack);
}

static void the_dated_types_are_read(void **state)
{
    (void)state;
    for (unsigned type = RDB_TYPE_HASH_FIELDS_PRE_GA; type <= RDB_TYPE_HASH_TRIPLES; type++) {
        bool is_release = type >= RDB_TYPE_HASH_FIELDS;
        struct buf bytes = {0};
        if (type == RDB_TYPE_HASH_FIELDS || type == RDB_TYPE_HASH_FIELDS_PRE_GA)
            add_fields(&bytes, is_release);
        else
            add_triples(&bytes, is_release);
        for (size_t piece = 1; piece < buf_length(&bytes) + 5; piece += 3) {
            struct world world;
            begin(&world, CW_EXPIRY_IGNORED, 1);
            assert_int_equal(read_value(&world, type, buf_slice(&bytes), piece), 1);
            world.model = (struct model){.exists = {true, true, true}, .values = {7, 8, 9}};
            world.model.dates[0] = 5000;
            world.model.dates[1] = 5999;
            world.model.dates[2] = CW_NO_EXPIRY;
            check(&world);
            cw_keyspace_destroy(world.keyspace);
        }
        buf_free(&bytes);
    }
}

static void a_dated_type_that_is_damaged_is_refused(void **state)
{
    (void)state;
    for (unsigned type = RDB_TYPE_HASH_FIELDS_PRE_GA; type <= RDB_TYPE_HASH_TRIPLES; type++) {
        bool is_release = type >= RDB_TYPE_HASH_FIELDS;
        struct buf bytes = {0};
        struct rand rand;
        rand_seed(&rand, type);
        for (unsigned i = 0; i < 2000; i++) {
            buf_clear(&bytes);
            if (type == RDB_TYPE_HASH_FIELDS || type == RDB_TYPE_HASH_FIELDS_PRE_GA)
                add_fields(&bytes, is_release);
            else
                add_triples(&bytes, is_release);
            for (unsigned flips = 0; flips <= i % 3; flips++)
                bytes.memory[bytes.start + rand_below(&rand, buf_length(&bytes))] ^= (char)(1 << rand_below(&rand, 8));
            struct world world;
            begin(&world, CW_EXPIRY_IGNORED, 1);
            if (read_value(&world, type, buf_slice(&bytes), 1000) > 0 && read_key(&world)) {
                struct cw_hash_walk walk = {0};
                while (cw_hash_next(read_key(&world), &walk))
                    assert_true(walk.expire_ms == CW_NO_EXPIRY || walk.expire_ms >= 0);
            }
            cw_keyspace_destroy(world.keyspace);
        }
        buf_free(&bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_master_deletes_what_is_due),
        cmocka_unit_test(a_replica_hides_what_is_due),
        cmocka_unit_test(a_key_goes_with_its_last_field),
        cmocka_unit_test(the_cycle_finds_what_is_due),
        cmocka_unit_test(a_step_is_bounded),
        cmocka_unit_test(a_touch_is_bounded),
        cmocka_unit_test(keys_that_are_due_go_meanwhile),
        cmocka_unit_test(copies_and_moved_keys_expire_too),
        cmocka_unit_test(another_value_forgets_the_fields),
        cmocka_unit_test(a_running_snapshot_sees_fields_before_they_go),
        cmocka_unit_test(a_snapshot_brings_every_date_back),
        cmocka_unit_test(records_are_of_a_bounded_length),
        cmocka_unit_test(a_damaged_record_is_refused),
        cmocka_unit_test(the_dated_types_are_read),
        cmocka_unit_test(a_dated_type_that_is_damaged_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
