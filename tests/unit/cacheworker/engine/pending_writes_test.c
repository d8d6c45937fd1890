/* Which reads wait for which writes: the rule by itself, and against a model that remembers every key. */
#include "cacheworker/engine/pending_writes.h"

#include "cacheworker/keyspace/keyspace.h"
#include "common/base/check.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { WORDS_MAX = 16 };

struct stage {
    struct cw_keyspace *keyspace;
    struct cw_pending_writes pending;
};

static int open_stage(void **state)
{
    static struct stage stage;
    stage = (struct stage){0};
    const struct cw_keyspace_config config = {.databases = 16, .seed = 5};
    stage.keyspace = cw_keyspace_create(&config);
    cw_pending_writes_begin(&stage.pending, stage.keyspace, 100, false);
    *state = &stage;
    return 0;
}

static int close_stage(void **state)
{
    struct stage *stage = *state;
    cw_pending_writes_end(&stage->pending);
    cw_keyspace_destroy(stage->keyspace);
    return 0;
}

static size_t split(const char *line, struct slice *words)
{
    size_t count = 0;
    for (const char *word = line; *word != '\0'; word += *word == ' ') {
        size_t length = strcspn(word, " ");
        assert_true(count < WORDS_MAX);
        words[count++] = slice_of(word, length);
        word += length;
    }
    return count;
}

static void gather(struct stage *stage, const char *line)
{
    struct slice words[WORDS_MAX];
    size_t count = split(line, words);
    cw_pending_writes_gather(&stage->pending, words, count);
}

static void write_at(struct stage *stage, const char *line, uint64_t offset)
{
    gather(stage, line);
    cw_pending_writes_settle(&stage->pending, offset);
}

static uint64_t shown(const struct stage *stage, const char *line)
{
    struct slice words[WORDS_MAX];
    size_t count = split(line, words);
    const struct command *command = command_resolve(words, count);
    assert_non_null(command);
    assert_true(command_shows_its_keys(command));
    return cw_pending_writes_shown(&stage->pending, command, words, count);
}

static void a_read_waits_for_the_writes_of_its_keys(void **state)
{
    struct stage *stage = *state;
    write_at(stage, "SET apple 1", 150);
    write_at(stage, "RPUSH pear a b", 170);
    assert_int_equal(shown(stage, "GET apple"), 150);
    assert_int_equal(shown(stage, "LRANGE pear 0 -1"), 170);
    assert_int_equal(shown(stage, "GET plum"), 100);
    assert_int_equal(shown(stage, "MGET plum apple pear"), 170);
    assert_int_equal(shown(stage, "MGET plum apple"), 150);
    assert_int_equal(shown(stage, "OBJECT ENCODING pear"), 170);
    assert_int_equal(shown(stage, "ZUNION 2 apple plum"), 150);
}

static void both_keys_of_a_write_count(void **state)
{
    struct stage *stage = *state;
    write_at(stage, "RENAME apple pear", 150);
    write_at(stage, "LMOVE plum cherry LEFT RIGHT", 160);
    assert_int_equal(shown(stage, "EXISTS apple"), 150);
    assert_int_equal(shown(stage, "EXISTS pear"), 150);
    assert_int_equal(shown(stage, "LLEN plum"), 160);
    assert_int_equal(shown(stage, "LLEN cherry"), 160);
}

static void a_unit_counts_where_it_ends(void **state)
{
    struct stage *stage = *state;
    gather(stage, "SET apple 1");
    gather(stage, "SET pear 1");
    assert_int_equal(shown(stage, "GET apple"), 100); /* nobody is answered within it */
    cw_pending_writes_settle(&stage->pending, 190);
    assert_int_equal(shown(stage, "GET apple"), 190);
    assert_int_equal(shown(stage, "GET pear"), 190);
    write_at(stage, "SET plum 1", 210);
    assert_int_equal(shown(stage, "GET pear"), 190);
}

static void what_names_no_key_may_mean_any(void **state)
{
    struct stage *stage = *state;
    static const char *const lines[] = {"FLUSHALL",    "SWAPDB 0 1", "FUNCTION FLUSH",
                                        "NOSUCH word", "MSET a",     "PING aside"};
    uint64_t offset = 150;
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++, offset += 10) {
        write_at(stage, lines[i], offset);
        assert_int_equal(shown(stage, "GET plum"), offset);
    }
}

static void what_concerns_no_key_means_none(void **state)
{
    struct stage *stage = *state;
    write_at(stage, "SELECT 3", 150);
    write_at(stage, "PUBLISH channel word", 160);
    write_at(stage, "MULTI", 170);
    write_at(stage, "EXEC", 180);
    assert_int_equal(shown(stage, "GET plum"), 100);
}

static void too_many_keys_of_a_unit_mean_all(void **state)
{
    struct stage *stage = *state;
    char line[32];
    for (unsigned i = 0; i <= CW_PENDING_GATHERED_MAX; i++) {
        snprintf(line, sizeof(line), "SET key%u 1", i);
        gather(stage, line);
    }
    cw_pending_writes_settle(&stage->pending, 500);
    assert_int_equal(shown(stage, "GET plum"), 500);
}

static void a_unit_that_began_before_means_all(void **state)
{
    struct stage *stage = *state;
    cw_pending_writes_end(&stage->pending);
    assert_false(cw_pending_writes_are_noted(&stage->pending));
    cw_pending_writes_begin(&stage->pending, stage->keyspace, 300, true);
    write_at(stage, "SET apple 1", 350); /* there may have been others in it */
    assert_int_equal(shown(stage, "GET plum"), 350);
    write_at(stage, "SET apple 1", 370);
    assert_int_equal(shown(stage, "GET plum"), 350);
}

static void data_of_elsewhere_mean_any_key_and_leave_an_open_unit(void **state)
{
    struct stage *stage = *state;
    gather(stage, "SET apple 1");
    cw_pending_writes_settle_all(&stage->pending, 400);
    assert_int_equal(shown(stage, "GET plum"), 400);
    cw_pending_writes_settle(&stage->pending, 420);
    assert_int_equal(shown(stage, "GET apple"), 420);
    assert_int_equal(shown(stage, "GET plum"), 400);
}

static void a_read_without_keys_cannot_be_told(void **state)
{
    struct stage *stage = *state;
    struct slice words[WORDS_MAX];
    size_t count = split("MGET", words);
    assert_true(cw_pending_writes_shown(&stage->pending, command_lookup(words[0]), words, count) == UINT64_MAX);
}

/* Never less than what the model remembers of the keys, and seldom more. */
static void nothing_is_shown_before_its_time(void **state)
{
    struct stage *stage = *state;
    enum { KEYS = 200, ROUNDS = 20000 };
    uint64_t latest[KEYS], offset = 100, later = 0;
    for (size_t i = 0; i < KEYS; i++)
        latest[i] = 100;
    struct rand rand;
    rand_seed(&rand, 1);
    char line[64];
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t a = rand_below(&rand, KEYS), b = rand_below(&rand, KEYS);
        offset += 1 + rand_below(&rand, 100);
        snprintf(line, sizeof(line), "MSET k%u 1 k%u 2", (unsigned)a, (unsigned)b);
        write_at(stage, line, offset);
        latest[a] = latest[b] = offset;
        uint64_t c = rand_below(&rand, KEYS);
        snprintf(line, sizeof(line), "GET k%u", (unsigned)c);
        assert_true(shown(stage, line) >= latest[c]);
        later += shown(stage, line) > latest[c];
    }
    assert_true(later < ROUNDS / 20);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, open_stage, close_stage)
    const struct CMUnitTest tests[] = {
        TEST(a_read_waits_for_the_writes_of_its_keys),
        TEST(both_keys_of_a_write_count),
        TEST(a_unit_counts_where_it_ends),
        TEST(what_names_no_key_may_mean_any),
        TEST(what_concerns_no_key_means_none),
        TEST(too_many_keys_of_a_unit_mean_all),
        TEST(a_unit_that_began_before_means_all),
        TEST(data_of_elsewhere_mean_any_key_and_leave_an_open_unit),
        TEST(a_read_without_keys_cannot_be_told),
        TEST(nothing_is_shown_before_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
