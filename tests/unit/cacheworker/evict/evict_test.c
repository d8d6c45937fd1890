/* Eviction beside a naive model: which keys exist, and by how far the victims were the right ones. */
#include "cacheworker/evict/evict.h"

#include "common/base/errors.h"
#include "common/base/number.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { DATABASES = 3, KEYS = 5000, VALUE_MAX = 3000, UNLIMITED = 1 << 30, START_MS = 1000000000 };

struct world {
    struct cw_keyspace *keyspace;
    struct cw_evict *evict;
    struct cw_access_rules access;
    struct cw_evict_rules rules;
    struct rand rand;
    int64_t now_ms;
    bool exists[DATABASES][KEYS];
    bool expires[DATABASES][KEYS];
    uint64_t evictions;
    unsigned last_victim;
    uint64_t rank_sum; /* of victims, where the key's number is its rank */
};

static void on_evicted(void *context, unsigned database, struct slice key)
{
    struct world *world = context;
    uint64_t number;
    assert_int_equal(number_parse_u64(key, &number), 0);
    assert_true(database < DATABASES && number < KEYS);
    assert_true(world->exists[database][number]);
    if (cw_policy_is_volatile(world->rules.policy))
        assert_true(world->expires[database][number]);
    world->exists[database][number] = false;
    world->evictions++;
    world->last_victim = (unsigned)number;
    world->rank_sum += number;
}

static void open_world(struct world *world, enum cw_policy policy, uint64_t seed)
{
    *world = (struct world){.access = CW_ACCESS_RULES_DEFAULT, .now_ms = START_MS};
    world->access.counts_uses = cw_policy_is_lfu(policy);
    world->rules = (struct cw_evict_rules){.policy = policy, .samples = 5, .access = &world->access};
    struct cw_keyspace_config config = {
        .databases = DATABASES, .seed = seed, .expiry_mode = CW_EXPIRY_DELETES, .access = &world->access};
    world->keyspace = cw_keyspace_create(&config);
    world->evict = cw_evict_create(DATABASES, seed);
    rand_seed(&world->rand, seed);
}

static void close_world(struct world *world)
{
    cw_evict_destroy(world->evict);
    cw_keyspace_destroy(world->keyspace);
}

static struct cw_key key_of(const struct world *world, unsigned database, unsigned number, char *text)
{
    struct slice name = slice_of(text, number_format_u64(text, number));
    return (struct cw_key){database, name, cw_keyspace_hash(world->keyspace, name)};
}

static void put(struct world *world, unsigned database, unsigned number, size_t length, int64_t expire_ms)
{
    static const char bytes[VALUE_MAX];
    char text[NUMBER_TEXT_MAX];
    struct cw_key key = key_of(world, database, number, text);
    struct cw_ref ref;
    cw_keyspace_open(world->keyspace, database, key.name, key.hash, world->now_ms, &ref);
    cw_keyspace_put_expiring(world->keyspace, &ref, CW_TYPE_STRING, CW_ENCODING_PLAIN, slice_of(bytes, length),
                             expire_ms);
    world->exists[database][number] = true;
    world->expires[database][number] = expire_ms != CW_NO_EXPIRY;
}

static void use(struct world *world, unsigned database, unsigned number)
{
    char text[NUMBER_TEXT_MAX];
    struct cw_key key = key_of(world, database, number, text);
    bool found = cw_keyspace_read(world->keyspace, database, key.name, key.hash, world->now_ms) != NULL;
    assert_int_equal(found, world->exists[database][number]);
}

static void delete (struct world *world, unsigned database, unsigned number)
{
    char text[NUMBER_TEXT_MAX];
    struct cw_key key = key_of(world, database, number, text);
    struct cw_ref ref;
    bool found = cw_keyspace_open(world->keyspace, database, key.name, key.hash, world->now_ms, &ref) != NULL;
    assert_int_equal(found, world->exists[database][number]);
    if (found)
        cw_keyspace_delete(world->keyspace, &ref);
    world->exists[database][number] = false;
}

static enum cw_evict_result step(struct world *world, unsigned *budget)
{
    return cw_evict_step(world->evict, world->keyspace, &world->rules, world->now_ms, budget, on_evicted, world);
}

/* Evicts one key more. */
static unsigned evict_one(struct world *world)
{
    uint64_t before = world->evictions;
    unsigned budget = UNLIMITED;
    world->rules.limit_bytes = cw_keyspace_data_bytes(world->keyspace) - 1;
    assert_int_equal(step(world, &budget), CW_EVICT_DONE);
    assert_int_equal(world->evictions, before + 1);
    return world->last_victim;
}

static unsigned evict_all(struct world *world)
{
    unsigned budget = UNLIMITED;
    world->rules.limit_bytes = 1;
    assert_int_equal(step(world, &budget), CW_EVICT_STUCK);
    return UNLIMITED - budget;
}

/* ---- The keyspace beside the model ---- */

static void flush(struct world *world, unsigned database)
{
    cw_keyspace_flush(world->keyspace, database);
    for (unsigned i = 0; i < KEYS; i++)
        world->exists[database][i] = false;
}

static void swap_databases(struct world *world)
{
    cw_keyspace_swap_databases(world->keyspace, 0, 1);
    for (unsigned i = 0; i < KEYS; i++) {
        bool exists = world->exists[0][i];
        bool expires = world->expires[0][i];
        world->exists[0][i] = world->exists[1][i];
        world->expires[0][i] = world->expires[1][i];
        world->exists[1][i] = exists;
        world->expires[1][i] = expires;
    }
}

static void act(struct world *world)
{
    unsigned database = (unsigned)rand_below(&world->rand, DATABASES);
    unsigned number = (unsigned)rand_below(&world->rand, KEYS);
    uint64_t drawn = rand_below(&world->rand, 1000);
    int64_t expire_ms = rand_chance(&world->rand, 300000)
                            ? world->now_ms + rand_between(&world->rand, 1, 1000) * 1000000
                            : CW_NO_EXPIRY;
    world->now_ms += rand_between(&world->rand, 0, 200);
    if (drawn < 500)
        put(world, database, number, rand_below(&world->rand, rand_chance(&world->rand, 50000) ? VALUE_MAX : 100),
            expire_ms);
    else if (drawn < 800)
        use(world, database, number);
    else if (drawn < 998)
        delete (world, database, number);
    else if (drawn < 999)
        flush(world, database);
    else
        swap_databases(world);
}

static void count_visit(void *context, unsigned database, const struct cw_entry *entry)
{
    (void)database, (void)entry;
    ++*(uint64_t *)context;
}

static uint64_t count_keys(const struct world *world)
{
    uint64_t count = 0;
    for (unsigned database = 0; database < DATABASES; database++)
        count += cw_keyspace_count(world->keyspace, database);
    return count;
}

static void check_model(struct world *world)
{
    uint64_t expected = 0;
    for (unsigned database = 0; database < DATABASES; database++)
        for (unsigned i = 0; i < KEYS; i++) {
            expected += world->exists[database][i];
            char text[NUMBER_TEXT_MAX];
            struct cw_key key = key_of(world, database, i, text);
            const struct cw_entry *entry =
                cw_keyspace_peek(world->keyspace, database, key.name, key.hash, world->now_ms);
            assert_int_equal(entry != NULL, world->exists[database][i]);
        }
    assert_int_equal(count_keys(world), expected);
}

/* Random work in several databases, with snapshots and changes of the policy under way: memory stays below the limit
 * where there is a key that may go, whoever is evicted is told once, and was there. */
static void test_memory_stays_below_the_limit(void **state)
{
    (void)state;
    static struct world world;
    enum { STEPS = 40000, LIMIT = 150000 };
    for (uint64_t seed = 1; seed <= 3; seed++) {
        open_world(&world, CW_POLICY_ALLKEYS_LRU, seed);
        uint64_t shown = 0, expected = 0;
        for (unsigned i = 0; i < STEPS; i++) {
            if (i % 2000 == 0) {
                world.rules.policy = (enum cw_policy)rand_below(&world.rand, CW_POLICY_COUNT);
                world.access.counts_uses = cw_policy_is_lfu(world.rules.policy);
            }
            act(&world);
            unsigned budget = UNLIMITED;
            world.rules.limit_bytes = LIMIT;
            enum cw_evict_result result = step(&world, &budget);
            assert_int_not_equal(result, CW_EVICT_MORE);
            assert_int_equal(result == CW_EVICT_DONE, cw_keyspace_data_bytes(world.keyspace) <= LIMIT);
            if (world.rules.policy >= CW_POLICY_ALLKEYS_LRU && world.rules.policy < CW_POLICY_NOEVICTION)
                assert_int_equal(result, CW_EVICT_DONE);

            if (i % 5000 == 4000) {
                shown = 0;
                expected = count_keys(&world);
                cw_keyspace_snapshot_begin(world.keyspace,
                                           &(struct cw_snapshot_visitor){.context = &shown, .entry = count_visit});
            } else if (cw_keyspace_snapshot_is_active(world.keyspace) &&
                       !cw_keyspace_snapshot_step(world.keyspace, 5)) {
                assert_int_equal(shown, expected);
            }
        }
        cw_keyspace_snapshot_cancel(world.keyspace);
        assert_true(world.evictions > 1000);
        check_model(&world);
        close_world(&world);
    }
}

static void test_nothing_may_go(void **state)
{
    (void)state;
    static struct world world;
    unsigned budget = 1000;
    open_world(&world, CW_POLICY_NOEVICTION, 1);
    put(&world, 0, 1, 10, CW_NO_EXPIRY);
    assert_int_equal(step(&world, &budget), CW_EVICT_DONE); /* no limit */
    world.rules.limit_bytes = 1;
    assert_int_equal(step(&world, &budget), CW_EVICT_STUCK);
    world.rules.policy = CW_POLICY_VOLATILE_LFU;
    assert_int_equal(step(&world, &budget), CW_EVICT_STUCK);
    put(&world, 1, 2, 10, world.now_ms + 1000);
    world.rules.limit_bytes = cw_keyspace_data_bytes(world.keyspace);
    assert_int_equal(step(&world, &budget), CW_EVICT_DONE); /* at the limit is not above it */
    assert_int_equal(world.evictions, 0);
    put(&world, 1, 3, 10, CW_NO_EXPIRY);
    assert_int_equal(step(&world, &budget), CW_EVICT_DONE);
    assert_int_equal(world.evictions, 1);
    assert_int_equal(world.last_victim, 2);
    close_world(&world);
}

/* What a flush left to be freed goes before any key does. */
static void test_garbage_goes_first(void **state)
{
    (void)state;
    static struct world world;
    open_world(&world, CW_POLICY_ALLKEYS_LRU, 1);
    for (unsigned i = 0; i < KEYS; i++)
        put(&world, 0, i, 50, CW_NO_EXPIRY);
    size_t full = cw_keyspace_data_bytes(world.keyspace);
    flush(&world, 0);
    for (unsigned i = 0; i < KEYS / 10; i++)
        put(&world, 1, i, 50, CW_NO_EXPIRY);
    world.rules.limit_bytes = full / 2;
    unsigned budget = 0;
    assert_int_equal(step(&world, &budget), CW_EVICT_MORE);
    budget = UNLIMITED;
    assert_int_equal(step(&world, &budget), CW_EVICT_DONE);
    assert_int_equal(world.evictions, 0);
    assert_int_equal(cw_keyspace_count(world.keyspace, 1), KEYS / 10);
    close_world(&world);
}

/* ---- The right victims ---- */

/* Keys whose number is their rank: 0 should go first. */
static void fill_ranked(struct world *world, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        put(world, 0, i, 10, START_MS * INT64_C(10) + i);
        world->now_ms += 2000;
    }
}

static void test_with_enough_samples_the_order_is_exact(void **state)
{
    (void)state;
    enum { COUNT = 300 };
    static const enum cw_policy policies[] = {CW_POLICY_ALLKEYS_LRU, CW_POLICY_VOLATILE_LRU, CW_POLICY_VOLATILE_TTL};
    static struct world world;
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        open_world(&world, policies[i], 5);
        fill_ranked(&world, COUNT);
        world.rules.samples = 100 * COUNT;
        for (unsigned expected = 0; expected < COUNT; expected++)
            assert_int_equal(evict_one(&world), expected);
        close_world(&world);
    }
}

/* The reference's way without its pool: the best of some keys picked at random. */
static uint64_t naive_rank_sum(unsigned count, unsigned evictions, unsigned samples, uint64_t seed)
{
    static bool gone[KEYS];
    memset(gone, 0, sizeof(gone));
    struct rand rand;
    rand_seed(&rand, seed);
    uint64_t sum = 0;
    for (unsigned i = 0; i < evictions; i++) {
        unsigned best = UINT32_MAX;
        for (unsigned seen = 0; seen < samples;) {
            unsigned picked = (unsigned)rand_below(&rand, count);
            if (gone[picked])
                continue;
            seen++;
            if (picked < best)
                best = picked;
        }
        gone[best] = true;
        sum += best;
    }
    return sum;
}

/* With the usual five samples the victims are much better than those, and near the best possible. */
static void test_few_samples_are_good(void **state)
{
    (void)state;
    enum { EVICTIONS = KEYS / 5 };
    static const enum cw_policy policies[] = {CW_POLICY_ALLKEYS_LRU, CW_POLICY_VOLATILE_LRU, CW_POLICY_VOLATILE_TTL};
    static struct world world;
    const uint64_t perfect = (uint64_t)EVICTIONS * (EVICTIONS - 1) / 2;
    for (size_t i = 0; i < ARRAY_LENGTH(policies); i++) {
        open_world(&world, policies[i], 5);
        fill_ranked(&world, KEYS);
        for (unsigned k = 0; k < EVICTIONS; k++)
            evict_one(&world);
        uint64_t naive = naive_rank_sum(KEYS, EVICTIONS, 5, 5);
        assert_true(world.rank_sum < naive * 3 / 4);
        assert_true(world.rank_sum < perfect * 3 / 2);
        close_world(&world);
    }
}

static void expect_victims(struct world *world, unsigned first, unsigned last)
{
    for (unsigned i = first; i <= last; i++)
        assert_in_range(evict_one(world), first, last);
}

/* What is used least goes; where counters have come to the same, what counted more before stays. */
static void test_frequency(void **state)
{
    (void)state;
    enum { OFTEN = 100, ONCE = 200, NEVER = 300, NEW = 400, USES = 1000 };
    static struct world world;
    open_world(&world, CW_POLICY_ALLKEYS_LFU, 5);
    world.rules.samples = 100 * NEW;
    for (unsigned i = 0; i < NEVER; i++)
        put(&world, 0, i, 10, CW_NO_EXPIRY);
    for (unsigned i = 0; i < ONCE; i++)
        for (unsigned k = 0; k < (i < OFTEN ? USES : 1); k++)
            use(&world, 0, i);
    world.now_ms += 60000;
    for (unsigned i = NEVER; i < NEW; i++)
        put(&world, 0, i, 10, CW_NO_EXPIRY);
    expect_victims(&world, ONCE, NEVER - 1);
    expect_victims(&world, NEVER, NEW - 1);
    expect_victims(&world, OFTEN, ONCE - 1);
    expect_victims(&world, 0, OFTEN - 1);
    close_world(&world);
}

/* How often each of some keys is drawn, when it comes back each time. */
static void draw_victims(enum cw_policy policy, unsigned count, unsigned rounds, unsigned *ret_drawn)
{
    static struct world world;
    open_world(&world, policy, 5);
    for (unsigned i = 0; i < count; i++)
        put(&world, i % DATABASES, i, 10, START_MS * INT64_C(10));
    for (unsigned round = 0; round < rounds; round++) {
        unsigned victim = evict_one(&world);
        ret_drawn[victim]++;
        put(&world, victim % DATABASES, victim, 10, START_MS * INT64_C(10));
    }
    close_world(&world);
}

/* Of keys with an expiry, one with few neighbours is drawn more often; but none is spared. */
static void test_random(void **state)
{
    (void)state;
    enum { COUNT = 50, ROUNDS = 2000 };
    unsigned of_all[COUNT] = {0};
    unsigned of_volatile[COUNT] = {0};
    draw_victims(CW_POLICY_ALLKEYS_RANDOM, COUNT, ROUNDS, of_all);
    draw_victims(CW_POLICY_VOLATILE_RANDOM, COUNT, ROUNDS, of_volatile);
    for (unsigned i = 0; i < COUNT; i++) {
        assert_in_range(of_all[i], 15, 75);
        assert_in_range(of_volatile[i], 4, 400);
    }
}

/* A key that was looked at and then used, deleted, or made to stay, is not the next victim. */
static void test_candidates_are_judged_anew(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    static struct world world;
    open_world(&world, CW_POLICY_VOLATILE_LRU, 5);
    world.rules.samples = 100;
    for (unsigned i = 0; i < COUNT; i++) {
        world.now_ms += 5000;
        put(&world, 0, i, 10, START_MS * INT64_C(10));
    }
    assert_int_equal(evict_one(&world), 0); /* all others are in the pool now */
    world.now_ms += 5000;
    world.rules.samples = 1;
    use(&world, 0, 1);
    delete (&world, 0, 2);
    put(&world, 0, 3, 10, CW_NO_EXPIRY);
    put(&world, 0, 2, 10, START_MS * INT64_C(10)); /* may well be where a candidate was */
    for (unsigned expected = 4; expected < COUNT; expected++)
        assert_int_equal(evict_one(&world), expected);
    close_world(&world);
}

/* What the pool knows by one policy does not count by another. */
static void test_policy_changes(void **state)
{
    (void)state;
    enum { COUNT = 12 };
    static struct world world;
    open_world(&world, CW_POLICY_VOLATILE_LRU, 5);
    world.rules.samples = 100;
    for (unsigned i = 0; i < COUNT; i++) {
        world.now_ms += 5000;
        put(&world, 0, i, 10, START_MS * INT64_C(10) - i);
    }
    assert_int_equal(evict_one(&world), 0);
    world.rules.policy = CW_POLICY_VOLATILE_TTL;
    assert_int_equal(evict_one(&world), COUNT - 1);
    world.rules.policy = CW_POLICY_ALLKEYS_LRU;
    assert_int_equal(evict_one(&world), 1);
    close_world(&world);
}

/* ---- The budget ---- */

static void test_budget_bounds_each_step(void **state)
{
    (void)state;
    static struct world world;
    open_world(&world, CW_POLICY_ALLKEYS_LRU, 5);
    for (unsigned i = 0; i < KEYS; i++)
        put(&world, 0, i, 10, CW_NO_EXPIRY);
    unsigned budget = 0;
    world.rules.limit_bytes = 1;
    assert_int_equal(step(&world, &budget), CW_EVICT_MORE);
    assert_int_equal(world.evictions, 0);
    for (unsigned i = 1; i <= 10; i++) {
        uint64_t before = world.evictions;
        budget = 1000;
        assert_int_equal(step(&world, &budget), CW_EVICT_MORE);
        assert_int_equal(budget, 0);
        assert_in_range(world.evictions - before, 10, 60);
    }
    close_world(&world);
}

/* Ten keys that may go among thousands that may not are found without reading those. */
static void test_few_that_may_go(void **state)
{
    (void)state;
    static struct world world;
    open_world(&world, CW_POLICY_VOLATILE_TTL, 5);
    for (unsigned i = 0; i < KEYS; i++)
        put(&world, 0, i, 10, i % 500 == 0 ? START_MS * INT64_C(10) + i : CW_NO_EXPIRY);
    assert_true(evict_all(&world) < KEYS);
    assert_int_equal(world.evictions, 10);
    assert_int_equal(cw_keyspace_count(world.keyspace, 0), KEYS - 10);
    close_world(&world);
}

/* Nor is it remembered for ever which of them once might go. */
static void test_most_may_go_no_more(void **state)
{
    (void)state;
    static struct world world;
    open_world(&world, CW_POLICY_VOLATILE_LRU, 5);
    for (unsigned i = 0; i < KEYS; i++)
        put(&world, 0, i, 10, START_MS * INT64_C(10));
    for (unsigned i = 0; i < KEYS; i++)
        if (i % 500 != 0)
            put(&world, 0, i, 10, CW_NO_EXPIRY);
    assert_true(evict_all(&world) < 12 * KEYS);
    assert_int_equal(world.evictions, 10);
    close_world(&world);
}

static void test_names(void **state)
{
    (void)state;
    enum cw_policy policy;
    for (unsigned i = 0; i < CW_POLICY_COUNT; i++) {
        assert_int_equal(cw_policy_parse(slice_text(cw_policy_name((enum cw_policy)i)), &policy), 0);
        assert_int_equal(policy, i);
    }
    assert_int_equal(cw_policy_parse(SLICE_LITERAL("AllKeys-LRU"), &policy), 0);
    assert_int_equal(policy, CW_POLICY_ALLKEYS_LRU);
    assert_int_equal(cw_policy_parse(SLICE_LITERAL("lru"), &policy), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_stays_below_the_limit),
        cmocka_unit_test(test_nothing_may_go),
        cmocka_unit_test(test_garbage_goes_first),
        cmocka_unit_test(test_with_enough_samples_the_order_is_exact),
        cmocka_unit_test(test_few_samples_are_good),
        cmocka_unit_test(test_frequency),
        cmocka_unit_test(test_random),
        cmocka_unit_test(test_candidates_are_judged_anew),
        cmocka_unit_test(test_policy_changes),
        cmocka_unit_test(test_budget_bounds_each_step),
        cmocka_unit_test(test_few_that_may_go),
        cmocka_unit_test(test_most_may_go_no_more),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
