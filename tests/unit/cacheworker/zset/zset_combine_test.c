/* Unions, intersections and differences: replies and effects as a Redis 7.2 server has them, and random ones against a
 * naive model. */
#include "cacheworker/zset/zset.h"
#include "common/base/rand.h"
#include "tests/unit/cacheworker/call_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static int open_fixture(void **state)
{
    static struct call_fixture fixture;
    call_fixture_open(&fixture);
    call_fixture_run(&fixture, "ZADD a 1 x 2 y 3 z");
    call_fixture_run(&fixture, "ZADD b 10 y 20 z 30 w");
    *state = &fixture;
    return 0;
}

static int close_fixture(void **state)
{
    call_fixture_close(*state);
    return 0;
}

static void test_replies(void **state)
{
    struct call_fixture *fixture = *state;
    assert_effect(fixture, "ZUNION 2 a b", "*4 $1 x $1 y $1 z $1 w ", "");
    assert_reply(fixture, "ZUNION 2 a none WITHSCORES", "*6 $1 x $1 1 $1 y $1 2 $1 z $1 3 ");
    assert_reply(fixture, "ZINTER 2 a b WITHSCORES", "*4 $1 y $2 12 $1 z $2 23 ");
    assert_reply(fixture, "ZINTER 2 a b WEIGHTS 2 -1 AGGREGATE MIN WITHSCORES", "*4 $1 z $3 -20 $1 y $3 -10 ");
    assert_reply(fixture, "ZINTER 2 a b aggregate max", "*2 $1 y $1 z ");
    assert_reply(fixture, "ZINTER 2 a none", "*0 ");
    assert_reply(fixture, "ZDIFF 2 a b WITHSCORES", "*2 $1 x $1 1 ");
    assert_reply(fixture, "ZDIFF 2 a a", "*0 ");
    assert_reply(fixture, "ZDIFF 2 none a", "*0 ");
    assert_effect(fixture, "ZINTERCARD 2 a b", ":2 ", "");
    assert_reply(fixture, "ZINTERCARD 2 a b LIMIT 1", ":1 ");
    assert_reply(fixture, "ZINTERCARD 2 a b LIMIT 0", ":2 ");
    call_fixture_run(fixture, "SADD s y w 7");
    assert_reply(fixture, "ZUNION 2 s a WITHSCORES", "*10 $1 7 $1 1 $1 w $1 1 $1 x $1 1 $1 y $1 3 $1 z $1 3 ");
    assert_reply(fixture, "ZINTER 2 a s WEIGHTS 1 10 WITHSCORES", "*2 $1 y $2 12 ");
    assert_reply(fixture, "ZDIFF 2 s a WITHSCORES", "*4 $1 7 $1 1 $1 w $1 1 ");
    fixture->protocol = 3;
    assert_reply(fixture, "ZINTER 2 a b WITHSCORES", "*2 *2 $1 y ,12 *2 $1 z ,23 ");
}

static void test_refusals(void **state)
{
    struct call_fixture *fixture = *state;
    call_fixture_run(fixture, "SET text 1");
    assert_reply(fixture, "ZUNION 0 a", "-ERR at least 1 input key is needed for 'zunion' command ");
    assert_reply(fixture, "ZINTERCARD -1 a", "-ERR at least 1 input key is needed for 'zintercard' command ");
    assert_reply(fixture, "ZUNIONSTORE d x a", "-ERR value is not an integer or out of range ");
    assert_reply(fixture, "ZUNION 2 a", "-ERR syntax error ");
    assert_reply(fixture, "ZUNION 2 a b WEIGHTS 1", "-ERR syntax error ");
    assert_reply(fixture, "ZUNION 2 a b WEIGHTS 1 nan", "-ERR weight value is not a float ");
    assert_reply(fixture, "ZUNION 1 a AGGREGATE avg", "-ERR syntax error ");
    assert_reply(fixture, "ZUNION 2 a text WEIGHTS 1 nan",
                 "-WRONGTYPE Operation against a key holding the wrong kind of value ");
    assert_reply(fixture, "ZDIFF 1 a WEIGHTS 1", "-ERR syntax error ");
    assert_reply(fixture, "ZINTERCARD 1 a WITHSCORES", "-ERR syntax error ");
    assert_reply(fixture, "ZINTERCARD 1 a LIMIT -1", "-ERR LIMIT can't be negative ");
    assert_effect(fixture, "ZUNIONSTORE d 1 a WITHSCORES", "-ERR syntax error ", "");
    assert_reply(fixture, "ZRANGESTORE d a 0 -1 WITHSCORES", "-ERR syntax error ");
}

static void test_storing(void **state)
{
    struct call_fixture *fixture = *state;
    call_fixture_run(fixture, "SET d text EX 100");
    assert_effect(fixture, "ZUNIONSTORE d 2 a b", ":4 ", "ZUNIONSTORE d 2 a b");
    assert_reply(fixture, "TTL d", ":-1 ");
    assert_reply(fixture, "OBJECT ENCODING d", "$8 listpack ");
    assert_effect(fixture, "ZINTERSTORE a 2 a b", ":2 ", "ZINTERSTORE a 2 a b");
    assert_reply(fixture, "ZRANGE a 0 -1 WITHSCORES", "*4 $1 y $2 12 $1 z $2 23 ");
    assert_effect(fixture, "ZDIFFSTORE d 2 a a", ":0 ", "ZDIFFSTORE d 2 a a");
    assert_reply(fixture, "EXISTS d", ":0 ");
    assert_effect(fixture, "ZDIFFSTORE d 1 none", ":0 ", "");
    assert_effect(fixture, "ZRANGESTORE d b 0 1", ":2 ", "ZRANGESTORE d b 0 1");
    assert_reply(fixture, "ZRANGESTORE d b (10 +inf BYSCORE LIMIT 0 1", ":1 ");
    assert_reply(fixture, "ZRANGE d 0 -1 WITHSCORES", "*2 $1 z $2 20 ");
    assert_reply(fixture, "ZRANGESTORE b b +inf -inf REV BYSCORE LIMIT 0 2", ":2 ");
    assert_reply(fixture, "ZRANGE b 0 -1", "*2 $1 z $1 w ");
    assert_effect(fixture, "ZRANGESTORE b b 5 9", ":0 ", "ZRANGESTORE b b 5 9");
    assert_effect(fixture, "ZRANGESTORE b b 5 9", ":0 ", "");
    assert_reply(fixture,
                 "ZADD long 1 " /* a member above 64 bytes */
                 "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm",
                 ":1 ");
    assert_reply(fixture, "ZUNIONSTORE d 2 a long", ":3 ");
    assert_reply(fixture, "OBJECT ENCODING d", "$8 skiplist ");
}

static void test_scores(void **state)
{
    struct call_fixture *fixture = *state;
    call_fixture_run(fixture, "ZADD high inf x 0 y");
    call_fixture_run(fixture, "ZADD low -inf x 5 y");
    assert_reply(fixture, "ZUNION 2 high low WITHSCORES", "*4 $1 x $1 0 $1 y $1 5 ");
    assert_reply(fixture, "ZINTER 2 high low WEIGHTS 0 1 WITHSCORES", "*4 $1 x $4 -inf $1 y $1 5 ");
    assert_reply(fixture, "ZUNION 1 high WEIGHTS -1 WITHSCORES", "*4 $1 x $4 -inf $1 y $2 -0 ");
    assert_reply(fixture, "ZUNIONSTORE d 1 high WEIGHTS -1", ":2 ");
    assert_reply(fixture, "ZRANGE d 0 -1 WITHSCORES", "*4 $1 x $4 -inf $1 y $1 0 ");
}

/* A source that is due is deleted while another one has been found. */
static void test_due(void **state)
{
    struct call_fixture *fixture = *state;
    call_fixture_run(fixture, "PEXPIRE b 10");
    fixture->now_ms += 20;
    assert_reply(fixture, "ZUNIONSTORE d 3 a b a", ":3 ");
    assert_reply(fixture, "EXISTS b", ":0 ");
}

/* ---- Random ones ---- */

enum { MEMBERS = 400, KEYS = 4, SCORES = 10 };

struct model {
    double scores[KEYS][MEMBERS];
    bool exists[KEYS][MEMBERS];
};

static void fill(struct call_fixture *fixture, struct rand *rand, struct model *model)
{
    char line[64];
    *model = (struct model){.scores = {{0}}};
    for (int key = 0; key < KEYS; key++) {
        snprintf(line, sizeof(line), "DEL k%d", key);
        call_fixture_run(fixture, line);
        uint64_t count = rand_below(rand, 3) == 0 ? rand_below(rand, MEMBERS) : rand_below(rand, 20);
        while (count-- > 0) {
            size_t member = (size_t)rand_below(rand, MEMBERS);
            double score = (double)rand_below(rand, SCORES);
            model->exists[key][member] = true;
            model->scores[key][member] = score;
            snprintf(line, sizeof(line), "ZADD k%d %.0f m%zu", key, score, member);
            call_fixture_run(fixture, line);
        }
    }
}

/* Whether the member is in the combination of the first `count` keys, and with which sum. */
static bool expected(const struct model *model, char operation, int count, size_t member, double *ret_sum)
{
    int found = 0;
    double sum = 0;
    for (int key = 0; key < count; key++) {
        found += model->exists[key][member];
        sum += model->scores[key][member];
    }
    *ret_sum = operation == 'D' ? model->scores[0][member] : sum;
    switch (operation) {
    case 'U': return found > 0;
    case 'I': return found == count;
    default: return found == 1 && model->exists[0][member];
    }
}

static void compare(struct call_fixture *fixture, const struct model *model, char operation, int count)
{
    struct slice key = SLICE_LITERAL("d");
    uint64_t hash = cw_keyspace_hash(fixture->keyspace, key);
    const struct cw_entry *entry = cw_keyspace_peek(fixture->keyspace, 0, key, hash, fixture->now_ms);
    uint64_t members = 0;
    for (size_t member = 0; member < MEMBERS; member++) {
        char name[16];
        int length = snprintf(name, sizeof(name), "m%zu", member);
        double sum = 0;
        double score = 0;
        bool is_expected = expected(model, operation, count, member, &sum);
        bool is_there = entry && cw_zset_score(entry, slice_of(name, (size_t)length), &score);
        assert_int_equal(is_there, is_expected);
        assert_true(!is_there || score == sum);
        members += is_there;
    }
    assert_int_equal(entry ? cw_zset_count(entry) : 0, members);
    if (entry)
        assert_string_equal(cw_entry_encoding_name(entry), members <= 128 ? "listpack" : "skiplist");
}

static void test_random(void **state)
{
    static const char *const names[] = {"UNIONSTORE", "INTERSTORE", "DIFFSTORE"};
    static struct model model;
    struct call_fixture *fixture = *state;
    struct rand rand;
    rand_seed(&rand, 11);
    for (int round = 0; round < 60; round++) {
        fill(fixture, &rand, &model);
        for (int count = 1; count <= KEYS; count++)
            for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
                char line[64];
                int length = snprintf(line, sizeof(line), "Z%s d %d", names[i], count);
                for (int key = 0; key < count; key++)
                    length += snprintf(line + length, sizeof(line) - (size_t)length, " k%d", key);
                call_fixture_run(fixture, line);
                compare(fixture, &model, names[i][0], count);
            }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_replies, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_refusals, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_storing, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_scores, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_due, open_fixture, close_fixture),
        cmocka_unit_test_setup_teardown(test_random, open_fixture, close_fixture),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
