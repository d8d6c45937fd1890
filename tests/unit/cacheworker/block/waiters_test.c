/* Who waits for what, against a model that looks through a plain array; no session in sight. */
#include "cacheworker/block/waiters.h"

#include "common/base/door.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WAITERS = 40, KEYS = 6, KEYS_MAX = 5, DATABASES = 2, STEPS = 20000, READY_MAX = DATABASES * KEYS };

struct one {
    struct cw_waiter waiter;
    bool waits;
    unsigned database;
    unsigned keys; /* bits */
    uint64_t came; /* in which order */
    int64_t deadline_ns;
};

struct world {
    struct rand rand;
    struct cw_keyspace *keyspace;
    struct cw_changes changes;
    struct cw_waiters waiters;
    struct one all[WAITERS];
    uint64_t count;
    unsigned ready[READY_MAX]; /* the model's: database * KEYS + key, oldest first */
    size_t ready_count;
};

static struct slice name_of(unsigned key)
{
    static const char *const names[KEYS] = {"a", "b", "c", "", "long-name-of-a-key", "e"};
    return slice_text(names[key]);
}

static bool waits_for(const struct one *one, unsigned database, unsigned key)
{
    return one->waits && one->database == database && (one->keys >> key & 1);
}

static bool is_wanted(const struct world *world, unsigned database, unsigned key, bool exists)
{
    for (unsigned i = 0; i < WAITERS; i++)
        if (waits_for(&world->all[i], database, key) && (exists || world->all[i].waiter.ends_without_key))
            return true;
    return false;
}

static void note_ready(struct world *world, unsigned database, unsigned key, bool exists)
{
    unsigned number = database * KEYS + key;
    for (size_t i = 0; i < world->ready_count; i++)
        if (world->ready[i] == number)
            return;
    if (is_wanted(world, database, key, exists))
        world->ready[world->ready_count++] = number;
}

/* A key that nobody waits for any more is not ready. */
static void forget_unwanted(struct world *world)
{
    size_t kept = 0;
    for (size_t i = 0; i < world->ready_count; i++)
        if (is_wanted(world, world->ready[i] / KEYS, world->ready[i] % KEYS, true))
            world->ready[kept++] = world->ready[i];
    world->ready_count = kept;
}

static void add_one(struct world *world)
{
    struct one *one = &world->all[rand_below(&world->rand, WAITERS)];
    if (one->waits)
        return;
    struct slice keys[KEYS_MAX];
    size_t count = 1 + (size_t)rand_below(&world->rand, KEYS_MAX);
    *one = (struct one){.waits = true, .database = (unsigned)rand_below(&world->rand, DATABASES)};
    one->waiter.ends_without_key = rand_chance(&world->rand, 200000);
    one->came = ++world->count;
    one->deadline_ns = rand_chance(&world->rand, 500000) ? NEVER_NS : (int64_t)rand_below(&world->rand, 1000);
    for (size_t i = 0; i < count; i++) {
        unsigned key = (unsigned)rand_below(&world->rand, KEYS);
        keys[i] = name_of(key);
        one->keys |= 1u << key;
    }
    cw_waiters_add(&world->waiters, &one->waiter, one->database, keys, count, one->deadline_ns);
}

static void remove_one(struct world *world, struct one *one)
{
    cw_waiters_remove(&world->waiters, &one->waiter);
    one->waits = false;
    forget_unwanted(world);
}

/* The one that came first of those who came after `after`. */
static struct one *next_of(struct world *world, unsigned number, uint64_t after)
{
    struct one *next = NULL;
    for (unsigned i = 0; i < WAITERS; i++) {
        struct one *one = &world->all[i];
        if (waits_for(one, number / KEYS, number % KEYS) && one->came > after && (!next || one->came < next->came))
            next = one;
    }
    return next;
}

/* Some of them are served, and some of these change other keys; anybody may leave meanwhile. */
static void take_turns(struct world *world)
{
    if (world->ready_count == 0)
        return;
    unsigned number = world->ready[0];
    memmove(world->ready, world->ready + 1, --world->ready_count * sizeof(world->ready[0]));
    struct cw_turns turns;
    struct cw_waiter *waiter;
    uint64_t came = 0;
    cw_turns_begin(&world->waiters, &turns);
    assert_true(slice_equal(cw_interest_key(&turns.key->interest), name_of(number % KEYS)));
    assert_int_equal(turns.key->interest.database, number / KEYS);
    while ((waiter = cw_turns_next(&turns)) != NULL) {
        struct one *expected = next_of(world, number, came);
        assert_ptr_equal(waiter, &expected->waiter);
        came = expected->came;
        if (rand_chance(&world->rand, 700000))
            remove_one(world, expected);
        struct one *other = &world->all[rand_below(&world->rand, WAITERS)];
        if (other->waits && rand_chance(&world->rand, 100000))
            remove_one(world, other);
    }
    assert_null(next_of(world, number, came));
    cw_turns_end(&world->waiters, &turns);
    forget_unwanted(world);
}

static void change_one(struct world *world)
{
    unsigned database = (unsigned)rand_below(&world->rand, DATABASES);
    unsigned key = (unsigned)rand_below(&world->rand, KEYS);
    bool exists = rand_chance(&world->rand, 600000);
    cw_changes_tell(&world->changes, database, name_of(key), exists, CW_CHANGED_BY_COMMAND);
    note_ready(world, database, key, exists);
}

static void check(struct world *world)
{
    unsigned keys = 0;
    int64_t earliest_ns = NEVER_NS;
    for (unsigned number = 0; number < READY_MAX; number++)
        keys += is_wanted(world, number / KEYS, number % KEYS, true);
    for (unsigned i = 0; i < WAITERS; i++)
        if (world->all[i].waits && world->all[i].deadline_ns < earliest_ns)
            earliest_ns = world->all[i].deadline_ns;
    assert_int_equal(world->waiters.keys.count, keys);
    assert_int_equal(cw_changes_are_heard(&world->changes), keys > 0);
    assert_int_equal(cw_waiters_deadline(&world->waiters), earliest_ns);
    assert_int_equal(cw_waiters_have_ready(&world->waiters), world->ready_count > 0);
    if (earliest_ns == NEVER_NS)
        return;
    assert_null(cw_waiters_due(&world->waiters, earliest_ns - 1));
    assert_non_null(cw_waiters_due(&world->waiters, earliest_ns));
}

static void open_world(struct world *world, uint64_t seed)
{
    *world = (struct world){0};
    rand_seed(&world->rand, seed);
    struct cw_keyspace_config config = {.databases = DATABASES, .seed = 7};
    world->keyspace = cw_keyspace_create(&config);
    cw_changes_create(&world->changes, world->keyspace);
    cw_waiters_create(&world->waiters, &world->changes, DATABASES, (struct siphash_key){{seed, 1}});
}

static void close_world(struct world *world)
{
    for (unsigned i = 0; i < WAITERS; i++)
        if (world->all[i].waits)
            remove_one(world, &world->all[i]);
    check(world);
    cw_waiters_destroy(&world->waiters);
    cw_changes_destroy(&world->changes);
    cw_keyspace_destroy(world->keyspace);
}

static void test_against_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world world;
        open_world(&world, seed);
        for (unsigned step = 0; step < STEPS; step++) {
            struct one *one = &world.all[rand_below(&world.rand, WAITERS)];
            switch (rand_below(&world.rand, 5)) {
            case 0:
            case 1: add_one(&world); break;
            case 2: change_one(&world); break;
            case 3: take_turns(&world); break;
            default:
                if (one->waits && rand_chance(&world.rand, 300000))
                    remove_one(&world, one);
                break;
            }
            check(&world);
        }
        close_world(&world);
    }
}

/* A flush concerns those only who end without their key; anything else may have brought keys. */
static void test_upheavals(void **state)
{
    (void)state;
    struct world world;
    struct cw_waiter patient = {0}, ending = {.ends_without_key = true};
    open_world(&world, 1);
    cw_waiters_add(&world.waiters, &patient, 1, &(struct slice){"a", 1}, 1, NEVER_NS);
    world.waiters.listener.upheaved(&world.waiters, 1, CW_UPHEAVAL_FLUSH, NULL);
    assert_false(cw_waiters_have_ready(&world.waiters));
    world.waiters.listener.upheaved(&world.waiters, 0, CW_UPHEAVAL_SWAP, NULL);
    assert_false(cw_waiters_have_ready(&world.waiters));
    cw_waiters_add(&world.waiters, &ending, 1, &(struct slice){"b", 1}, 1, NEVER_NS);
    assert_int_equal(world.waiters.ending, 1);
    world.waiters.listener.upheaved(&world.waiters, 1, CW_UPHEAVAL_FLUSH, NULL);
    struct cw_turns turns;
    cw_turns_begin(&world.waiters, &turns);
    assert_ptr_equal(cw_turns_next(&turns), &ending);
    cw_turns_end(&world.waiters, &turns);
    assert_false(cw_waiters_have_ready(&world.waiters));
    world.waiters.listener.upheaved(&world.waiters, 1, CW_UPHEAVAL_SWAP, NULL);
    assert_true(cw_waiters_have_ready(&world.waiters));
    cw_waiters_remove(&world.waiters, &patient);
    cw_waiters_remove(&world.waiters, &ending);
    assert_false(cw_waiters_have_ready(&world.waiters));
    assert_int_equal(world.waiters.ending, 0);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_upheavals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
