/* No key that a user has no right to is touched, wherever it stands in whichever command. */
#include "cacheworker/engine/bind.h"
#include "cacheworker/engine/digest.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/keyspace.h"
#include "tests/unit/cacheworker/acl/samples.h"
#include "tests/unit/cacheworker/engine/bench.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORDS_MAX = 24 };

struct sample {
    char text[256];
    struct slice words[WORDS_MAX];
    unsigned rights[WORDS_MAX]; /* of a key; CW_ACL_ bits */
    bool is_key[WORDS_MAX];
    size_t count;
};

/* The marks behind keys are taken off. */
static void parse_mark(struct sample *sample, size_t i)
{
    static const struct {
        const char *mark;
        unsigned rights;
    } marks[] = {{"=RW", CW_ACL_READ_WRITE}, {"=R", CW_ACL_READ}, {"=W", CW_ACL_WRITE}, {"=-", 0}};
    struct slice *word = &sample->words[i];
    for (size_t m = 0; m < ARRAY_LENGTH(marks) && !sample->is_key[i]; m++) {
        size_t length = strlen(marks[m].mark);
        if (word->length <= length || memcmp(word->data + word->length - length, marks[m].mark, length) != 0)
            continue;
        word->length -= length;
        sample->is_key[i] = true;
        sample->rights[i] = marks[m].rights;
    }
}

static void parse_sample(const char *text, struct sample *sample)
{
    *sample = (struct sample){.count = 0};
    snprintf(sample->text, sizeof(sample->text), "%s", text);
    for (const char *at = sample->text; *at != '\0';) {
        size_t length = strcspn(at, " ");
        bool is_empty = length == 2 && memcmp(at, "\"\"", 2) == 0;
        sample->words[sample->count] = slice_of(at, is_empty ? 0 : length);
        parse_mark(sample, sample->count++);
        at += length + (at[length] == ' ');
    }
}

static void apply(struct cw_acl_user *user, struct slice rule)
{
    assert_null(cw_acl_user_apply(user, rule, false));
}

/* All rights to all keys of the samples; to "secret" only what is said. */
static void give_rights(struct cw_acl_user *user, const char *rights_to_secret)
{
    static const char *const rules[] = {"reset", "on", "nopass", "+@all",    "&*",     "~k",    "~l",
                                        "~m",    "~d", "~e",     "~STREAMS", "~STORE", "~key:*"};
    for (size_t i = 0; i < ARRAY_LENGTH(rules); i++)
        apply(user, slice_text(rules[i]));
    if (rights_to_secret[0] != '\0')
        apply(user, slice_text(rights_to_secret));
}

static void every_key_is_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        unsigned rights;
        bool any;
    } given[] = {{"", 0, false}, {"%R~secret", CW_ACL_READ, true}, {"%W~secret", CW_ACL_WRITE, true}, {"~s*", 3, true}};
    struct cw_acl_user *user = cw_acl_user_create(SLICE_LITERAL("u"), false);
    for (size_t g = 0; g < ARRAY_LENGTH(given); g++) {
        give_rights(user, given[g].rule);
        for (size_t i = 0; i < ARRAY_LENGTH(samples); i++) {
            struct sample sample;
            parse_sample(samples[i], &sample);
            const struct command *command = command_resolve(sample.words, sample.count);
            assert_non_null(command);
            for (size_t k = 0; k < sample.count; k++) {
                if (!sample.is_key[k])
                    continue;
                struct slice name = sample.words[k];
                sample.words[k] = SLICE_LITERAL("secret");
                size_t index;
                bool allowed = cw_acl_user_check(user, command, sample.words, sample.count, &index) == CW_ACL_ALLOWED;
                bool expected = given[g].any && (given[g].rights & sample.rights[k]) == sample.rights[k];
                if (allowed != expected || (!allowed && index != k))
                    fail_msg("%s: word %zu with '%s': %d", samples[i], k, given[g].rule, allowed);
                sample.words[k] = name;
            }
        }
    }
    cw_acl_user_destroy(user);
}

static void every_command_with_keys_has_a_sample(void **state)
{
    (void)state;
    bool seen[COMMAND_ID_COUNT] = {false};
    for (size_t i = 0; i < ARRAY_LENGTH(samples); i++) {
        struct sample sample;
        parse_sample(samples[i], &sample);
        seen[command_resolve(sample.words, sample.count)->id] = true;
    }
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++)
        if (command_has_keys(&command_table[id]) && !seen[id])
            fail_msg("no sample of %s", command_table[id].full_name);
}

/* --- the worker itself --- */

struct scene {
    struct bench bench;
    struct cw_engine *engine;
    link_id admin, client;
    struct buf request;
};

static void open_scene(struct scene *scene)
{
    *scene = (struct scene){.request = {0}};
    bench_start_standalone(&scene->bench);
    scene->engine = &scene->bench.worker->engine;
    scene->admin = bench_connect(&scene->bench);
    bench_ask(&scene->bench, scene->admin,
              "SET secret v\r\nRPUSH key:list v\r\nSADD key:set v\r\nZADD key:zset 1 v\r\nHSET key:hash f v\r\n"
              "XADD key:stream 1-1 f v\r\nACL SETUSER u on nopass\r\n");
    scene->client = bench_connect(&scene->bench);
    bench_ask(&scene->bench, scene->client, "AUTH u x\r\n");
}

static void close_scene(struct scene *scene)
{
    buf_free(&scene->request);
    bench_end(&scene->bench);
}

static struct slice say(struct scene *scene, const struct sample *sample)
{
    buf_clear(&scene->request);
    resp_write_array(&scene->request, sample->count);
    for (size_t i = 0; i < sample->count; i++)
        resp_write_bulk(&scene->request, sample->words[i]);
    bench_receive(&scene->bench, scene->client, buf_slice(&scene->request));
    bench_turn(&scene->bench);
    return bench_take(&scene->bench, scene->client);
}

struct look {
    uint64_t hits, misses;
    struct cw_digest digest;
};

static struct look look_at(const struct scene *scene)
{
    struct cw_keyspace *keyspace = scene->engine->keyspace;
    const struct cw_keyspace_stats *figures = cw_keyspace_stats(keyspace);
    struct look look = {.hits = figures->hits, .misses = figures->misses};
    assert_true(cw_digest_keyspace(keyspace, scene->engine->wall_us / 1000, &look.digest));
    return look;
}

static bool is_untouched(const struct scene *scene, const struct look *before)
{
    struct look now = look_at(scene);
    return now.hits == before->hits && now.misses == before->misses &&
           memcmp(&now.digest, &before->digest, sizeof(now.digest)) == 0;
}

static void denied_keys_are_not_touched(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        [0] = "", [CW_ACL_READ] = "%W~secret", [CW_ACL_WRITE] = "%R~secret", [CW_ACL_READ_WRITE] = "%R~secret"};
    struct scene scene;
    open_scene(&scene);
    struct cw_acl_user *user = cw_acl_find(&scene.engine->access.acl, SLICE_LITERAL("u"));
    for (size_t i = 0; i < ARRAY_LENGTH(samples); i++) {
        struct sample sample;
        parse_sample(samples[i], &sample);
        if (cw_functions[command_resolve(sample.words, sample.count)->id] == NULL)
            continue;
        for (size_t k = 0; k < sample.count; k++) {
            if (!sample.is_key[k])
                continue;
            struct slice name = sample.words[k];
            sample.words[k] = SLICE_LITERAL("secret");
            give_rights(user, wrong[sample.rights[k]]);
            struct look before = look_at(&scene);
            struct slice reply = say(&scene, &sample);
            static const char expected[] = "-NOPERM No permissions to access a key\r\n";
            if (!slice_equal(reply, SLICE_LITERAL(expected)) || !is_untouched(&scene, &before))
                fail_msg("%s: word %zu: %.*s", samples[i], k, (int)reply.length, reply.data);
            sample.words[k] = name;
        }
    }
    close_scene(&scene);
}

/* Requests that are wrong in any way must not reach keys that the check did not see. */
static void broken_requests_touch_nothing(void **state)
{
    (void)state;
    static const char *const strange[] = {"secret",
                                          "key:list",
                                          "key:set",
                                          "key:zset",
                                          "key:hash",
                                          "key:stream",
                                          "0",
                                          "1",
                                          "2",
                                          "-1",
                                          "3",
                                          "01",
                                          " 1",
                                          "1e0",
                                          "STREAMS",
                                          "GROUP",
                                          "STORE",
                                          "GET",
                                          "BY",
                                          "LIMIT",
                                          "COUNT",
                                          "KEYS",
                                          "STOREDIST",
                                          "NOACK",
                                          "BLOCK",
                                          "",
                                          "*",
                                          "#",
                                          "DB",
                                          "REPLACE",
                                          "nosort",
                                          "9999999999999999999",
                                          "18446744073709551617"};
    struct scene scene;
    open_scene(&scene);
    struct rand rand;
    rand_seed(&rand, 1);
    struct cw_acl_user *user = cw_acl_find(&scene.engine->access.acl, SLICE_LITERAL("u"));
    apply(user, SLICE_LITERAL("+@all"));
    size_t passed = 0;
    for (unsigned round = 0; round < 40000; round++) {
        const char *text = samples[rand_below(&rand, ARRAY_LENGTH(samples))];
        struct sample sample;
        parse_sample(text, &sample);
        if (cw_functions[command_resolve(sample.words, sample.count)->id] == NULL)
            continue;
        for (uint64_t changes = rand_below(&rand, 4); changes > 0; changes--) {
            size_t at = 1 + (size_t)rand_below(&rand, sample.count);
            struct slice word = slice_text(strange[rand_below(&rand, ARRAY_LENGTH(strange))]);
            if (at < sample.count && rand_below(&rand, 3) > 0)
                sample.words[at] = word;
            else if (at < sample.count && rand_below(&rand, 2) > 0)
                sample.count = at; /* cut */
            else if (sample.count < WORDS_MAX)
                sample.words[sample.count++] = word;
        }
        struct look before = look_at(&scene);
        struct slice reply = say(&scene, &sample);
        if (!is_untouched(&scene, &before))
            fail_msg("from %s: %.*s: %.*s", text, (int)buf_length(&scene.request), scene.request.memory,
                     (int)reply.length, reply.data);
        passed += reply.length > 0 && memcmp(reply.data, "-NOPERM", 7) != 0 ? 1 : 0;
    }
    assert_true(passed > 1000); /* most of them by an error of their own */
    close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_asked_for),
        cmocka_unit_test(every_command_with_keys_has_a_sample),
        cmocka_unit_test(denied_keys_are_not_touched),
        cmocka_unit_test(broken_requests_touch_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
