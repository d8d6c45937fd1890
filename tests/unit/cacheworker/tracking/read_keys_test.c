#include "cacheworker/tracking/read_keys.h"

#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { KEYS = 300, READERS = 40, STEPS = 200000 };

enum reads { NO, YES, PERHAPS }; /* whoever died meanwhile may be forgotten or not */

/* The naive model: a matrix, and the order in which keys came. */
struct model {
    enum reads reads[KEYS][READERS];
    bool is_there[KEYS]; /* a key that was read, though perhaps by the dead only */
    bool is_dead[READERS];
    unsigned order[KEYS];
    unsigned count;
};

static struct model model;

static bool is_alive(void *context, uint64_t reader)
{
    (void)context;
    return !model.is_dead[reader];
}

static struct slice key_name(char name[16], unsigned key)
{
    return slice_of(name, (size_t)snprintf(name, 16, "k%u", key));
}

struct heard {
    bool readers[READERS];
    uint64_t last;
};

static void hear(void *context, uint64_t reader)
{
    struct heard *heard = context;
    assert_true(reader > heard->last || heard->last == UINT64_MAX); /* ascending, each once */
    heard->last = reader;
    heard->readers[reader] = true;
}

static void forget(unsigned key)
{
    unsigned at = 0;
    while (model.order[at] != key)
        at++;
    memmove(&model.order[at], &model.order[at + 1], (model.count - at - 1) * sizeof(unsigned));
    model.count--;
    model.is_there[key] = false;
    memset(model.reads[key], 0, sizeof(model.reads[key]));
}

static void add(struct cw_read_keys *keys, unsigned key, unsigned reader)
{
    char name[16];
    cw_read_keys_add(keys, key_name(name, key), reader);
    model.reads[key][reader] = YES;
    if (!model.is_there[key])
        model.order[model.count++] = key;
    model.is_there[key] = true;
}

static void take(struct cw_read_keys *keys, unsigned key)
{
    char name[16];
    struct heard heard = {.last = UINT64_MAX};
    cw_read_keys_take(keys, key_name(name, key), hear, &heard);
    for (unsigned i = 0; i < READERS; i++) {
        assert_true(!heard.readers[i] || model.reads[key][i] != NO);
        assert_true(heard.readers[i] || model.reads[key][i] != YES);
    }
    if (model.is_there[key])
        forget(key);
}

static void die_or_live(unsigned reader)
{
    model.is_dead[reader] = !model.is_dead[reader];
    for (unsigned i = 0; i < KEYS; i++)
        model.reads[i][reader] = model.reads[i][reader] == NO ? NO : PERHAPS;
}

static void clear(struct cw_read_keys *keys)
{
    cw_read_keys_clear(keys);
    memset(model.reads, 0, sizeof(model.reads));
    memset(model.is_there, 0, sizeof(model.is_there));
    model.count = 0;
}

static void test_model(void **state)
{
    (void)state;
    struct rand rand;
    struct cw_read_keys *keys = cw_read_keys_create(7, is_alive, NULL);
    char name[16];
    rand_seed(&rand, 1);
    memset(&model, 0, sizeof(model));
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned key = (unsigned)rand_below(&rand, KEYS);
        unsigned reader = (unsigned)rand_below(&rand, READERS);
        switch (rand_below(&rand, 100)) {
        case 0: die_or_live(reader); break;
        case 1: (void)cw_read_keys_free_step(keys, (unsigned)rand_below(&rand, 10)); break;
        case 2:
            if (step % 50 == 0)
                clear(keys);
            break;
        default:
            if (rand_below(&rand, 5) == 0)
                take(keys, key);
            else if (!model.is_dead[reader])
                add(keys, key, reader);
        }
        assert_int_equal(cw_read_keys_count(keys), model.count);
        if (model.count > 0)
            assert_true(slice_equal(cw_read_keys_oldest(keys), key_name(name, model.order[0])));
    }
    cw_read_keys_destroy(keys);
}

static void ignore(void *context, uint64_t reader)
{
    (void)context;
    (void)reader;
}

static bool is_high(void *context, uint64_t reader)
{
    return reader + 10 > *(uint64_t *)context;
}

/* Readers that come and go leave no more behind than there are. */
static void test_dead_readers_are_bounded(void **state)
{
    (void)state;
    uint64_t next = 0;
    struct cw_read_keys *keys = cw_read_keys_create(7, is_high, &next);
    for (; next < 100000; next++) {
        cw_read_keys_add(keys, SLICE_LITERAL("hot"), next);
        assert_true(cw_read_keys_readers(keys) <= 32);
    }
    cw_read_keys_take(keys, SLICE_LITERAL("hot"), ignore, NULL);
    assert_int_equal(cw_read_keys_readers(keys), 0);
    cw_read_keys_destroy(keys);
}

static void test_many_keys(void **state)
{
    (void)state;
    memset(&model, 0, sizeof(model));
    struct cw_read_keys *keys = cw_read_keys_create(3, is_alive, NULL);
    char name[16];
    for (unsigned i = 0; i < 100000; i++)
        cw_read_keys_add(keys, key_name(name, i), i % READERS);
    assert_int_equal(cw_read_keys_count(keys), 100000);
    for (unsigned i = 0; i < 100000; i += 2)
        cw_read_keys_take(keys, key_name(name, i), ignore, NULL);
    assert_int_equal(cw_read_keys_count(keys), 50000);
    assert_int_equal(cw_read_keys_readers(keys), 50000);
    cw_read_keys_clear(keys);
    assert_int_equal(cw_read_keys_count(keys), 0);
    cw_read_keys_add(keys, SLICE_LITERAL(""), 1);
    unsigned steps = 0;
    while (cw_read_keys_free_step(keys, 1000))
        steps++;
    assert_in_range(steps, 40, 50);
    assert_int_equal(cw_read_keys_count(keys), 1);
    cw_read_keys_destroy(keys);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_model),
        cmocka_unit_test(test_dead_readers_are_bounded),
        cmocka_unit_test(test_many_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
