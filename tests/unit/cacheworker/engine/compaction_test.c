/* Values of every type, while memory is compacted: they stay what they are, whatever is done to them meanwhile, and
 * what they lost returns. Each keyspace has a twin that is given the same commands and never compacted. */
#include "cacheworker/engine/digest.h"
#include "cacheworker/keyspace/arena.h"
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { LINE_MAX_BYTES = 512, ROUNDS = 4000 };

struct twins {
    struct call_fixture fixtures[2]; /* the first is compacted */
    struct rand rand;
};

static void run(struct twins *twins, const char *line)
{
    for (unsigned i = 0; i < 2; i++)
        call_fixture_run(&twins->fixtures[i], line);
    assert_true(slice_equal(buf_slice(&twins->fixtures[0].reply), buf_slice(&twins->fixtures[1].reply)));
}

/* What is written to a key: members of a big value, or a value. %1$u is the key, %2$u the member. */
struct kind {
    const char *name;
    unsigned keys;
    unsigned members; /* of each key at first */
    const char *add;
    const char *remove;
};

static const struct kind kinds[] = {
    {"strings", 8000, 2, "APPEND k%1$u %2$0700u", "GETRANGE k%1$u %2$u 20"},
    {"hashes", 500, 600, "HSET k%1$u field:%2$u value:%2$u", "HDEL k%1$u field:%2$u"},
    {"hashes with fields that expire", 800, 300, "HSET k%1$u field:%2$u v:%2$u other:%2$u v",
     "HPEXPIREAT k%1$u 1%2$07u000000 FIELDS 1 field:%2$u"},
    {"sets", 800, 300, "SADD k%1$u member:%2$u", "SREM k%1$u member:%2$u"},
    {"sorted sets", 800, 300, "ZADD k%1$u %2$u member:%2$u", "ZREM k%1$u member:%2$u"},
    {"lists", 800, 600, "RPUSH k%1$u element:%2$040u", "LREM k%1$u 1 element:%2$040u"},
    {"streams", 800, 300, "XADD k%1$u %2$u-1 field value:%2$u", "XDEL k%1$u %2$u-1"},
};

static void write_to(struct twins *twins, const struct kind *kind, bool removes, unsigned key, unsigned member)
{
    char line[LINE_MAX_BYTES * 2];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(line, sizeof(line), removes ? kind->remove : kind->add, key, member);
#pragma GCC diagnostic pop
    run(twins, line);
}

static void read_pending(struct twins *twins, unsigned key)
{
    char line[LINE_MAX_BYTES];
    snprintf(line, sizeof(line), "XGROUP CREATE k%u group 0", key);
    run(twins, line);
    for (unsigned consumer = 0; consumer < 3; consumer++) {
        snprintf(line, sizeof(line), "XREADGROUP GROUP group c%u COUNT 80 STREAMS k%u >", consumer, key);
        run(twins, line);
    }
}

static void assert_same(const struct twins *twins)
{
    struct cw_digest digests[2] = {{{0}}, {{0}}};
    for (unsigned i = 0; i < 2; i++)
        assert_true(cw_digest_keyspace(twins->fixtures[i].keyspace, twins->fixtures[i].now_ms, &digests[i]));
    assert_memory_equal(&digests[0], &digests[1], sizeof(digests[0]));
}

static void compact(struct cw_keyspace *keyspace)
{
    while (cw_keyspace_compact_step(keyspace, 100000) || cw_keyspace_free_step(keyspace, 100000))
        ;
}

static void values_stay_what_they_are(void **state)
{
    const struct kind *kind = *state;
    struct twins twins;
    rand_seed(&twins.rand, 1);
    call_fixture_open(&twins.fixtures[0]);
    call_fixture_open(&twins.fixtures[1]);
    struct cw_keyspace *keyspace = twins.fixtures[0].keyspace;
    for (unsigned key = 0; key < kind->keys; key++) {
        for (unsigned member = 1; member <= kind->members; member++)
            write_to(&twins, kind, false, key, member);
        if (kind->add[0] == 'X')
            read_pending(&twins, key);
    }
    char line[LINE_MAX_BYTES];
    for (unsigned key = 0; key < kind->keys; key++)
        if (key % 10 != 0) {
            snprintf(line, sizeof(line), "DEL k%u", key);
            run(&twins, line);
        }
    for (unsigned i = 0; i < 2; i++)
        while (cw_keyspace_free_step(twins.fixtures[i].keyspace, 100000))
            ;
    size_t held = cw_keyspace_used_bytes(keyspace);
    unsigned steps = 0;
    bool more = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        if (more && (more = cw_keyspace_compact_step(keyspace, 1 + (unsigned)rand_below(&twins.rand, 200))))
            steps++;
        unsigned key = 10 * (unsigned)rand_below(&twins.rand, kind->keys / 10);
        write_to(&twins, kind, rand_below(&twins.rand, 2), key,
                 1 + (unsigned)rand_below(&twins.rand, 2 * kind->members));
        if (round % 500 == 0)
            assert_same(&twins);
    }
    assert_true(steps > 4);
    compact(keyspace);
    assert_same(&twins);
    size_t used = cw_keyspace_data_bytes(keyspace);
    size_t left = cw_keyspace_used_bytes(keyspace);
    assert_true(left < held * 3 / 4);
    assert_true(left < used * 5 / 4 + ((size_t)5 << 20)); /* what is kept in reserve, and pages that are not worth it */
    run(&twins, "FLUSHALL");
    compact(keyspace);
    call_fixture_close(&twins.fixtures[0]);
    call_fixture_close(&twins.fixtures[1]);
}

int main(void)
{
    struct CMUnitTest tests[sizeof(kinds) / sizeof(kinds[0])];
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        tests[i] =
            (struct CMUnitTest){kinds[i].name, values_stay_what_they_are, NULL, NULL, (void *)(uintptr_t)&kinds[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
