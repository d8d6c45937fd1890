/* What the commands on sets put into the stream: results, never chance. Their replies are in tests/golden/engine, and
 * compared with the reference's in tests/system. */
#include "cacheworker/set/set.h"
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORDS_MAX = 2 + 1024 };

static void run(struct call_fixture *fixture, const char *line)
{
    call_fixture_run(fixture, line);
}

/* Members 0 to count - 1, with these words around the number. */
static void fill(struct call_fixture *fixture, const char *before, unsigned count, const char *behind)
{
    for (unsigned i = 0; i < count; i++) {
        char line[200];
        snprintf(line, sizeof(line), "sadd s %s%u%s", before, i, behind);
        run(fixture, line);
    }
}

static void test_changes(void **state)
{
    (void)state;
    struct call_fixture fixture;
    call_fixture_open(&fixture);
    assert_effect(&fixture, "sadd s 1 2 2", ":2 ", "sadd s 1 2 2");
    assert_effect(&fixture, "sadd s 1", ":0 ", "");
    assert_effect(&fixture, "srem s 7", ":0 ", "");
    assert_effect(&fixture, "smove s s 1", ":1 ", "");
    assert_effect(&fixture, "smove s t 7", ":0 ", "");
    assert_effect(&fixture, "smove s t 1", ":1 ", "smove s t 1");
    assert_effect(&fixture, "srem s 2 3", ":1 ", "srem s 2 3");
    assert_effect(&fixture, "exists s t", ":1 ", "");
    assert_effect(&fixture, "sinterstore t none s", ":0 ", "sinterstore t none s");
    assert_effect(&fixture, "sinterstore t none s", ":0 ", "");
    run(&fixture, "sadd a 1 2 3");
    assert_effect(&fixture, "sdiffstore a a none", ":3 ", "sdiffstore a a none");
    assert_effect(&fixture, "sunionstore t a", ":3 ", "sunionstore t a");
    call_fixture_close(&fixture);
}

static void test_pops_go_as_what_was_popped(void **state)
{
    (void)state;
    struct call_fixture fixture;
    call_fixture_open(&fixture);
    run(&fixture, "sadd s one");
    assert_effect(&fixture, "spop s", "$3 one ", "SREM s one");
    assert_effect(&fixture, "spop s", "$-1 ", "");
    assert_effect(&fixture, "spop s 5", "*0 ", "");
    run(&fixture, "sadd s 1 2 3");
    assert_effect(&fixture, "spop s 0", "*0 ", "");
    assert_effect(&fixture, "spop s 3", "*3 $1 1 $1 2 $1 3 ", "DEL s");
    assert_effect(&fixture, "exists s", ":0 ", "");
    call_fixture_close(&fixture);
}

static uint64_t count_of(struct call_fixture *fixture)
{
    int64_t count;
    run(fixture, "scard s");
    struct slice digits = slice_of(buf_slice(&fixture->reply).data + 1, buf_length(&fixture->reply) - 3);
    assert_int_equal(number_parse_i64(digits, &count), 0);
    return (uint64_t)count;
}

/* Executes what the last command put into the stream on a keyspace beside. */
static void replicate(const struct call_fixture *master, struct call_fixture *replica)
{
    static struct slice argv[WORDS_MAX];
    size_t argc = 0;
    struct slice stream = buf_slice(&master->propagated);
    while (stream.length > 0) {
        const char *end = memchr(stream.data, ' ', stream.length);
        size_t length = end ? (size_t)(end - stream.data) : stream.length;
        bool is_last = !end || stream.data[length - 1] == ';';
        assert_true(argc < WORDS_MAX);
        argv[argc++] = slice_of(stream.data, end && is_last ? length - 1 : length);
        stream = slice_skip(stream, end ? length + 1 : length);
        if (is_last) {
            call_fixture_execute(replica, argv, argc);
            argc = 0;
        }
    }
}

static const struct cw_entry *set_of(const struct call_fixture *fixture)
{
    struct slice key = SLICE_LITERAL("s");
    return cw_keyspace_peek(fixture->keyspace, 0, key, cw_keyspace_hash(fixture->keyspace, key), fixture->now_ms);
}

/* Whoever follows the stream has what the master has, and what was shown is what went. */
static void pop_and_compare(struct call_fixture *fixtures, unsigned pops)
{
    char line[100];
    uint64_t before = count_of(&fixtures[0]);
    snprintf(line, sizeof(line), "spop s %u", pops);
    run(&fixtures[0], line);
    replicate(&fixtures[0], &fixtures[1]);
    const struct cw_entry *ours = set_of(&fixtures[0]);
    const struct cw_entry *theirs = set_of(&fixtures[1]);
    assert_int_equal(cw_set_count(ours), before - pops);
    assert_int_equal(cw_set_count(theirs), before - pops);
    struct cw_set_walk walk = {0};
    while (cw_set_next(ours, &walk))
        assert_true(cw_set_contains(theirs, &walk.member));
}

static void test_replicas_pop_the_same(void **state)
{
    (void)state;
    static const char *const befores[] = {"", "m", "a-very-long-name-indeed-which-is-more-than-sixty-four-bytes-long-"};
    static const unsigned counts[] = {5, 100, 4000};
    for (size_t form = 0; form < ARRAY_LENGTH(befores) * ARRAY_LENGTH(counts); form++) {
        unsigned count = counts[form % ARRAY_LENGTH(counts)];
        struct call_fixture fixtures[2];
        for (size_t i = 0; i < 2; i++) {
            call_fixture_open(&fixtures[i]);
            fill(&fixtures[i], befores[form / ARRAY_LENGTH(counts)], count, "");
            run(&fixtures[i], "pexpire s 100000");
        }
        pop_and_compare(fixtures, 1);
        pop_and_compare(fixtures, count / 2);       /* fewer than stay */
        pop_and_compare(fixtures, (count - 1) / 3); /* most */
        assert_reply(&fixtures[0], "pttl s", ":100000 ");
        for (size_t i = 0; i < 2; i++)
            call_fixture_close(&fixtures[i]);
    }
}

/* How the reference keeps what stays when most of a set is popped: as a new set. */
static void test_what_stays_is_small_again(void **state)
{
    (void)state;
    struct call_fixture fixture;
    call_fixture_open(&fixture);
    fill(&fixture, "m", 1000, "");
    assert_reply(&fixture, "object encoding s", "$9 hashtable ");
    run(&fixture, "spop s 820"); /* 180 are more than a fifth */
    assert_reply(&fixture, "object encoding s", "$9 hashtable ");
    run(&fixture, "spop s 150"); /* 30 are a fifth */
    assert_reply(&fixture, "object encoding s", "$8 listpack ");
    assert_reply(&fixture, "scard s", ":30 ");
    call_fixture_close(&fixture);
}

/* A sample of some of the members shows each with the same chance. */
static void test_samples_are_fair(void **state)
{
    (void)state;
    enum { COUNT = 200, ROUNDS = 8000 };
    static const unsigned sizes[] = {10, 100, 150}; /* drawn, walked */
    for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
        unsigned drawn[COUNT] = {0};
        char line[100];
        struct call_fixture fixture;
        call_fixture_open(&fixture);
        fill(&fixture, "", COUNT, ".");
        snprintf(line, sizeof(line), "srandmember s %u", sizes[i]);
        for (unsigned round = 0; round < ROUNDS; round++) {
            run(&fixture, line);
            const char *bulk = buf_slice(&fixture.reply).data;
            for (unsigned member = 0; member < sizes[i]; member++) {
                bulk = strchr(bulk + 1, '$');
                drawn[atoi(strchr(bulk, '\n') + 1)]++;
            }
        }
        unsigned expected = ROUNDS * sizes[i] / COUNT;
        for (unsigned member = 0; member < COUNT; member++)
            assert_in_range(drawn[member], expected * 3 / 4, expected * 5 / 4);
        call_fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_pops_go_as_what_was_popped),
        cmocka_unit_test(test_replicas_pop_the_same),
        cmocka_unit_test(test_what_stays_is_small_again),
        cmocka_unit_test(test_samples_are_fair),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
