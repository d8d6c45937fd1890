/* Watched keys, against a model that remembers who saw what; no session in sight. */
#include "cacheworker/txn/watch.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { TRANSACTIONS = 12, KEYS = 5, DATABASES = 2, STEPS = 50000 };

struct world {
    struct rand rand;
    struct cw_keyspace *keyspace;
    struct cw_changes changes;
    struct cw_watches watches;
    struct cw_transaction *transactions[TRANSACTIONS];
    bool exists[DATABASES][KEYS];
    bool watched[TRANSACTIONS][DATABASES][KEYS];
    bool existed[TRANSACTIONS][DATABASES][KEYS];
    bool spoiled[TRANSACTIONS];
};

static struct slice name_of(unsigned key)
{
    static const char names[] = "abcde";
    return slice_of(&names[key], 1);
}

static bool is_visible(void *context, unsigned database, struct slice key)
{
    const struct world *world = context;
    return world->exists[database][key.data[0] - 'a'];
}

static void note_change(struct world *world, unsigned database, unsigned key)
{
    for (unsigned i = 0; i < TRANSACTIONS; i++)
        if (world->watched[i][database][key] && (world->existed[i][database][key] || world->exists[database][key]))
            world->spoiled[i] = true;
}

static void change(struct world *world)
{
    unsigned database = (unsigned)rand_below(&world->rand, DATABASES);
    unsigned key = (unsigned)rand_below(&world->rand, KEYS);
    world->exists[database][key] = rand_chance(&world->rand, 500000);
    cw_changes_tell(&world->changes, database, name_of(key), world->exists[database][key], CW_CHANGED_BY_COMMAND);
    note_change(world, database, key);
}

static void upheave(struct world *world)
{
    unsigned database = (unsigned)rand_below(&world->rand, DATABASES);
    for (unsigned key = 0; key < KEYS; key++)
        world->exists[database][key] = rand_chance(&world->rand, 100000);
    world->watches.listener.upheaved(&world->watches, database, CW_UPHEAVAL_SWAP, NULL);
    for (unsigned key = 0; key < KEYS; key++)
        note_change(world, database, key);
}

static void watch(struct world *world)
{
    unsigned i = (unsigned)rand_below(&world->rand, TRANSACTIONS);
    unsigned database = (unsigned)rand_below(&world->rand, DATABASES);
    unsigned key = (unsigned)rand_below(&world->rand, KEYS);
    cw_watch(&world->watches, world->transactions[i], database, name_of(key));
    if (!world->watched[i][database][key])
        world->existed[i][database][key] = world->exists[database][key];
    world->watched[i][database][key] = true;
}

static void end_one(struct world *world, unsigned i)
{
    assert_int_equal(world->transactions[i]->is_spoiled, world->spoiled[i]);
    cw_unwatch_all(&world->watches, world->transactions[i]);
    cw_transaction_clear(world->transactions[i]);
    memset(world->watched[i], 0, sizeof(world->watched[i]));
    world->spoiled[i] = false;
}

static void check(const struct world *world)
{
    size_t keys = 0;
    for (unsigned database = 0; database < DATABASES; database++) {
        for (unsigned key = 0; key < KEYS; key++) {
            bool any = false;
            for (unsigned i = 0; i < TRANSACTIONS; i++)
                any |= world->watched[i][database][key];
            keys += any;
        }
    }
    assert_int_equal(world->watches.keys.count, keys);
    assert_int_equal(cw_changes_are_heard(&world->changes), keys > 0);
}

static void test_against_a_model(void **state)
{
    (void)state;
    struct world world = {0};
    rand_seed(&world.rand, 1);
    struct cw_keyspace_config config = {.databases = DATABASES, .seed = 7};
    world.keyspace = cw_keyspace_create(&config);
    cw_changes_create(&world.changes, world.keyspace);
    cw_watches_create(&world.watches, &world.changes, DATABASES, (struct siphash_key){{1, 2}});
    world.watches.is_visible = is_visible;
    world.watches.context = &world;
    for (unsigned i = 0; i < TRANSACTIONS; i++)
        world.transactions[i] = cw_transaction_create();
    for (unsigned step = 0; step < STEPS; step++) {
        switch (rand_below(&world.rand, 8)) {
        case 0:
        case 1: change(&world); break;
        case 2:
        case 3:
        case 4: end_one(&world, (unsigned)rand_below(&world.rand, TRANSACTIONS)); break;
        case 5:
            if (rand_chance(&world.rand, 50000))
                upheave(&world);
            break;
        default: watch(&world); break;
        }
        check(&world);
    }
    for (unsigned i = 0; i < TRANSACTIONS; i++) {
        end_one(&world, i);
        cw_transaction_destroy(world.transactions[i]);
    }
    cw_watches_destroy(&world.watches);
    cw_changes_destroy(&world.changes);
    cw_keyspace_destroy(world.keyspace);
}

/* A key that is not there any more, though nobody was told: a replica hides what has expired. */
static void test_expired_meanwhile(void **state)
{
    (void)state;
    struct world world = {0};
    struct cw_keyspace_config config = {.databases = DATABASES, .seed = 7};
    world.keyspace = cw_keyspace_create(&config);
    cw_changes_create(&world.changes, world.keyspace);
    cw_watches_create(&world.watches, &world.changes, DATABASES, (struct siphash_key){{1, 2}});
    world.watches.is_visible = is_visible;
    world.watches.context = &world;
    struct cw_transaction *transaction = cw_transaction_create();
    world.exists[0][0] = true;
    cw_watch(&world.watches, transaction, 0, name_of(0));
    cw_watch(&world.watches, transaction, 0, name_of(1));
    cw_watches_look_for_expired(&world.watches, transaction);
    assert_false(transaction->is_spoiled);
    world.exists[0][0] = false;
    cw_watches_look_for_expired(&world.watches, transaction);
    assert_true(transaction->is_spoiled);
    cw_unwatch_all(&world.watches, transaction);
    cw_transaction_destroy(transaction);
    cw_watches_destroy(&world.watches);
    cw_changes_destroy(&world.changes);
    cw_keyspace_destroy(world.keyspace);
}

static void test_queue(void **state)
{
    (void)state;
    enum { COMMANDS = 500 };
    struct cw_transaction *transaction = cw_transaction_create();
    const struct command *command = command_lookup(SLICE_LITERAL("set"));
    struct slice argv[COMMANDS];
    char text[COMMANDS];
    memset(text, 'x', sizeof(text));
    for (size_t i = 0; i < COMMANDS; i++)
        argv[i] = slice_of(text, i);
    for (size_t i = 0; i < COMMANDS; i++)
        cw_transaction_add(transaction, command, command->flags, argv, i + 1, i);
    assert_int_equal(transaction->count, COMMANDS);
    for (size_t i = 0; i < COMMANDS; i++) {
        const struct cw_queued *queued = &transaction->commands[i];
        const struct slice *words = cw_transaction_words(transaction, queued);
        assert_int_equal(queued->argc, i + 1);
        assert_int_equal(queued->first_key_hash, i);
        for (size_t j = 0; j <= i; j++)
            assert_true(slice_equal(words[j], argv[j]));
    }
    assert_true(transaction->any_flags & COMMAND_WRITE);
    assert_true(transaction->lacking & COMMAND_STALE);
    assert_true(cw_transaction_memory(transaction) >= cw_transaction_queued_bytes(transaction));
    cw_transaction_clear(transaction);
    assert_int_equal(cw_transaction_queued_bytes(transaction), 0);
    cw_transaction_destroy(transaction);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_a_model),
        cmocka_unit_test(test_expired_meanwhile),
        cmocka_unit_test(test_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
