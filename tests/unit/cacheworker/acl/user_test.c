#include "cacheworker/acl/user.h"

#include "common/base/errors.h"
#include "common/base/glob.h"
#include "common/base/rand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct cw_acl_user *user_with(const char *rules)
{
    struct cw_acl_user *user = cw_acl_user_create(SLICE_LITERAL("u"), false);
    struct slice words[64];
    size_t count = 0;
    for (const char *at = rules; *at != '\0';) {
        size_t length = strcspn(at, " ");
        words[count++] = slice_of(at, length);
        at += length + (at[length] == ' ');
    }
    struct buf reason = {0};
    if (cw_acl_user_apply_all(user, words, count, false, &reason) < 0)
        fail_msg("%s: %.*s", rules, (int)buf_length(&reason), reason.memory);
    return user;
}

static void assert_described(const char *rules, const char *expected)
{
    struct cw_acl_user *user = user_with(rules);
    struct buf text = {0};
    cw_acl_user_describe(user, &text);
    buf_add(&text, "", 1);
    assert_string_equal(text.memory, expected);
    buf_free(&text);
    cw_acl_user_destroy(user);
}

/* All of these were asked of redis-server 7.2. */
static void users_are_described(void **state)
{
    (void)state;
    assert_described("", "off sanitize-payload resetchannels -@all");
    assert_described("on nopass ~* &* +@all", "on nopass sanitize-payload ~* &* +@all");
    assert_described("+@all -@set +get +@read -get", "off sanitize-payload resetchannels +@all -@set +@read -get");
    assert_described("+config|get +config|set -config +config|get", "off sanitize-payload resetchannels -@all -config "
                                                                    "+config|get");
    assert_described("+select|0 +select|1 +SELECT|0", "off sanitize-payload resetchannels -@all +select|1 +select|0");
    assert_described("%R~a %W~a ~b %wR~c &x &y", "off sanitize-payload ~a ~b ~c resetchannels &x &y -@all");
    assert_described("(+get ~x*) on ( +set %R~y &* )",
                     "on sanitize-payload resetchannels -@all (~x* resetchannels -@all +get) (%R~y &* -@all +set)");
    assert_described("+get (+set) clearselectors", "off sanitize-payload resetchannels -@all +get");
    assert_described("skip-sanitize-payload >pass", "off skip-sanitize-payload "
                                                    "#d74ff0ee8da3b9806b18c877dbf29bbde50b5bd8e4dad7a3a725000feb82e8f1"
                                                    " resetchannels -@all");
    assert_described("on >pass +@all (+get) reset", "off sanitize-payload resetchannels -@all");
    assert_described("+@all +get", "off sanitize-payload resetchannels +@all +get");
    assert_described("~a %R~* %W~*", "off sanitize-payload ~* resetchannels -@all"); /* there: "~a ~*" */
    assert_described("()", "off sanitize-payload resetchannels -@all (resetchannels -@all)");
}

static void assert_refused(const char *before, const char *rule, const char *reason)
{
    struct cw_acl_user *user = user_with(before);
    struct buf old = {0}, new = {0};
    cw_acl_user_describe(user, &old);
    const char *why = cw_acl_user_apply(user, slice_text(rule), false);
    if (why == NULL)
        fail_msg("%s was accepted", rule);
    assert_non_null(strstr(why, reason));
    cw_acl_user_describe(user, &new);
    assert_true(slice_equal(buf_slice(&old), buf_slice(&new)));
    buf_free(&old);
    buf_free(&new);
    cw_acl_user_destroy(user);
}

static void bad_rules_change_nothing(void **state)
{
    (void)state;
    assert_refused("", "+nosuch", "Unknown command");
    assert_refused("", "-nosuch", "Unknown command");
    assert_refused("", "+@nosuch", "Unknown command");
    assert_refused("", "+@", "Unknown command");
    assert_refused("", "+", "Unknown command");
    assert_refused("", "-", "Unknown command");
    assert_refused("", "+config|nosuch", "Unknown command");
    assert_refused("", "-select|0", "Unknown command");
    assert_refused("", "+respite", "Unknown command");
    assert_refused("", "+config|get|x", "first-arg of a subcommand");
    assert_refused("", "+select|", "Syntax error");
    assert_refused("", "nosuch", "Syntax error");
    assert_refused("", ")", "Syntax error");
    assert_refused("", "(", "Syntax error");
    assert_refused("", "(+nosuch)", "Unknown command");
    assert_refused("", "(on)", "Syntax error");
    assert_refused("", "(~a) +get)", "Syntax error"); /* it would be read back as another one */
    assert_refused("", "(~a))", "Syntax error");
    assert_refused("", "(>secret)", "Syntax error");
    assert_refused("", "((+get))", "Syntax error");
    assert_refused("", "~a b", "Syntax error");
    assert_refused("", "&a\tb", "Syntax error");
    /* CVE-2024-31227, CVE-2024-51741: rights without letters, or without a pattern. 7.2.6 takes some of these. */
    assert_refused("", "%", "Syntax error");
    assert_refused("", "%~", "Syntax error");
    assert_refused("", "%~a", "Syntax error");
    assert_refused("", "%R", "Syntax error");
    assert_refused("", "%RW", "Syntax error");
    assert_refused("", "%RR~a", "Syntax error");
    assert_refused("", "%X~a", "Syntax error");
    assert_refused("", "(%)", "Syntax error");
    assert_refused("", "(%~ +get)", "Syntax error");
    assert_refused("~*", "~a", "after the * pattern (or the 'allkeys' flag)");
    assert_refused("~*", "%R~a", "after the * pattern (or the 'allkeys' flag)");
    assert_refused("&*", "&a", "after the * pattern (or the 'allchannels' flag)");
    assert_refused("", "#abc", "password hash must be exactly 64 characters");
    assert_refused("", "#D74FF0EE8DA3B9806B18C877DBF29BBDE50B5BD8E4DAD7A3A725000FEB82E8F1", "password hash");
    assert_refused("", "!xyz", "password hash must be exactly 64 characters");
    assert_refused(">other", "<pass", "does not exist");
    assert_refused("", "!d74ff0ee8da3b9806b18c877dbf29bbde50b5bd8e4dad7a3a725000feb82e8f1", "does not exist");
}

static void several_rules_are_all_or_none(void **state)
{
    (void)state;
    struct cw_acl_user *user = cw_acl_user_create(SLICE_LITERAL("u"), false);
    struct buf reason = {0};
    const struct slice late[] = {SLICE_LITERAL("on"), SLICE_LITERAL("+get"), SLICE_LITERAL("+nosuch")};
    assert_int_equal(cw_acl_user_apply_all(user, late, 3, false, &reason), ERR_INVALID);
    assert_true(slice_equal(buf_slice(&reason), SLICE_LITERAL("Error in ACL SETUSER modifier '+nosuch': Unknown "
                                                              "command or category name in ACL")));
    buf_clear(&reason);
    const struct slice open[] = {SLICE_LITERAL("+nosuch"), SLICE_LITERAL("(+get"), SLICE_LITERAL("~a")};
    assert_int_equal(cw_acl_user_apply_all(user, open, 3, false, &reason), ERR_INVALID);
    assert_true(
        slice_equal(buf_slice(&reason), SLICE_LITERAL("Unmatched parenthesis in acl selector starting at '(+get'.")));
    assert_false(user->enabled);
    assert_int_equal(user->selector_count, 1);
    buf_free(&reason);
    cw_acl_user_destroy(user);
}

static void passwords_admit(void **state)
{
    (void)state;
    struct cw_acl_user *user = user_with("on >one >two >one");
    assert_int_equal(user->password_count, 2);
    assert_true(cw_acl_user_admits(user, SLICE_LITERAL("one")));
    assert_true(cw_acl_user_admits(user, SLICE_LITERAL("two")));
    assert_false(cw_acl_user_admits(user, SLICE_LITERAL("three")));
    assert_false(cw_acl_user_admits(user, slice_of("", 0)));
    assert_null(cw_acl_user_apply(user, SLICE_LITERAL("<one"), false));
    assert_false(cw_acl_user_admits(user, SLICE_LITERAL("one")));
    assert_true(cw_acl_user_admits(user, SLICE_LITERAL("two")));
    assert_null(cw_acl_user_apply(user, SLICE_LITERAL("off"), false));
    assert_false(cw_acl_user_admits(user, SLICE_LITERAL("two")));
    assert_null(cw_acl_user_apply(user, SLICE_LITERAL("nopass"), false));
    assert_false(cw_acl_user_admits(user, SLICE_LITERAL("any")));
    assert_null(cw_acl_user_apply(user, SLICE_LITERAL("on"), false));
    assert_true(cw_acl_user_admits(user, SLICE_LITERAL("any")));
    assert_null(cw_acl_user_apply(user, SLICE_LITERAL("resetpass"), false));
    assert_false(cw_acl_user_admits(user, SLICE_LITERAL("any")));
    cw_acl_user_destroy(user);
}

static enum cw_acl_verdict ask(const struct cw_acl_user *user, const char *request, size_t *ret_index)
{
    struct slice argv[16];
    size_t argc = 0;
    for (const char *at = request; *at != '\0';) {
        size_t length = strcspn(at, " ");
        argv[argc++] = slice_of(at, length);
        at += length + (at[length] == ' ');
    }
    const struct command *command = command_resolve(argv, argc);
    assert_non_null(command);
    return cw_acl_user_check(user, command, argv, argc, ret_index);
}

static void assert_verdict(const char *rules, const char *request, enum cw_acl_verdict expected, size_t expected_index)
{
    struct cw_acl_user *user = user_with(rules);
    size_t index;
    enum cw_acl_verdict verdict = ask(user, request, &index);
    if (verdict != expected || (verdict != CW_ACL_ALLOWED && index != expected_index))
        fail_msg("%s: %s: %d at %zu", rules, request, (int)verdict, index);
    cw_acl_user_destroy(user);
}

static void requests_are_judged(void **state)
{
    (void)state;
    assert_verdict("+@all ~* &*", "GET a", CW_ACL_ALLOWED, 0);
    assert_verdict("", "GET a", CW_ACL_DENIED_COMMAND, 0);
    assert_verdict("", "AUTH a", CW_ACL_ALLOWED, 0);
    assert_verdict("+get", "GET a", CW_ACL_DENIED_KEY, 1);
    assert_verdict("+get ~b* ~a*", "GET abc", CW_ACL_ALLOWED, 0);
    assert_verdict("+get ~a[bc]", "GET ab", CW_ACL_ALLOWED, 0);
    assert_verdict("+get ~a[bc]", "GET ad", CW_ACL_DENIED_KEY, 1);
    assert_verdict("+get ~ab*", "GET a", CW_ACL_DENIED_KEY, 1);
    assert_verdict("+mset ~a*", "MSET a 1 b 2 c 3", CW_ACL_DENIED_KEY, 3);
    assert_verdict("+set %R~a*", "SET a 1", CW_ACL_DENIED_KEY, 1);
    assert_verdict("+set %W~a*", "SET a 1", CW_ACL_ALLOWED, 0);
    assert_verdict("+set %W~a*", "SET a 1 GET", CW_ACL_DENIED_KEY, 1);
    assert_verdict("+set %R~a* %W~*", "SET a 1 GET", CW_ACL_DENIED_KEY, 1);
    assert_verdict("+exists %W~a", "EXISTS a", CW_ACL_ALLOWED, 0);
    assert_verdict("+copy %R~a %W~b", "COPY a b", CW_ACL_ALLOWED, 0);
    assert_verdict("+copy %R~a %W~b", "COPY b a", CW_ACL_DENIED_KEY, 1);
    assert_verdict("+@all -config +config|get", "CONFIG GET a", CW_ACL_ALLOWED, 0);
    assert_verdict("+@all -config +config|get", "CONFIG SET a b", CW_ACL_DENIED_COMMAND, 0);
    assert_verdict("+@all -config|set", "CONFIG GET a", CW_ACL_ALLOWED, 0);
    assert_verdict("+select|0", "SELECT 0", CW_ACL_ALLOWED, 0);
    assert_verdict("+select|0", "SELECT 1", CW_ACL_DENIED_COMMAND, 0);
    assert_verdict("+select|0 -select", "SELECT 0", CW_ACL_DENIED_COMMAND, 0);
    assert_verdict("+sort_ro ~a", "SORT_RO b", CW_ACL_DENIED_KEY, 1); /* CVE-2023-41053 */
    /* All of a request has to be allowed by one selector. */
    assert_verdict("(+get ~a) (+set ~b)", "GET b", CW_ACL_DENIED_KEY, 1);
    assert_verdict("(+get ~a) (+set ~b)", "SET b 1", CW_ACL_ALLOWED, 0);
    assert_verdict("+mget (~a +mget) (~b +mget)", "MGET a b", CW_ACL_DENIED_KEY, 2);
    /* Patterns must be allowed to the letter; who ends a subscription needs no right. */
    assert_verdict("+@all &a*", "SUBSCRIBE a ab", CW_ACL_ALLOWED, 0);
    assert_verdict("+@all &a*", "SUBSCRIBE a b", CW_ACL_DENIED_CHANNEL, 2);
    assert_verdict("+@all &a*", "PUBLISH b a", CW_ACL_DENIED_CHANNEL, 1);
    assert_verdict("+@all &a*", "PUBLISH a b", CW_ACL_ALLOWED, 0);
    assert_verdict("+@all &a*", "PSUBSCRIBE a*", CW_ACL_ALLOWED, 0);
    assert_verdict("+@all &a*", "PSUBSCRIBE ab*", CW_ACL_DENIED_CHANNEL, 1);
    assert_verdict("+@all &a*", "UNSUBSCRIBE b", CW_ACL_ALLOWED, 0);
    assert_verdict("+@all &a*", "SSUBSCRIBE b", CW_ACL_DENIED_CHANNEL, 1);
    assert_verdict("+@all &a*", "SPUBLISH b a", CW_ACL_DENIED_CHANNEL, 1);
}

static void whole_keyspaces_are_asked_for(void **state)
{
    (void)state;
    static const struct {
        const char *rules;
        bool reads, writes;
    } cases[] = {
        {"+@all ~*", true, true},        {"+sort ~l (+sort %R~*)", true, false},
        {"+sort ~l* %W~*", false, true}, {"+sort ~l*", false, false},
        {"~* +get", false, false},
    };
    const struct slice argv[] = {SLICE_LITERAL("sort"), SLICE_LITERAL("list")};
    const struct command *sort = command_resolve(argv, 2);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct cw_acl_user *user = user_with(cases[i].rules);
        assert_int_equal(cw_acl_user_may_touch_every_key(user, sort, argv, 2, CW_ACL_READ), cases[i].reads);
        assert_int_equal(cw_acl_user_may_touch_every_key(user, sort, argv, 2, CW_ACL_WRITE), cases[i].writes);
        cw_acl_user_destroy(user);
    }
}

/* --- a naive model: all rules that were ever accepted, gone through from the first --- */

enum { RULES_MAX = 40 };

struct model {
    const char *rules[RULES_MAX];
    size_t count;
};

static bool names_command(const char *name, const struct command *command)
{
    bool is_own = strcasecmp(name, command->full_name) == 0;
    return is_own || (command->container != NULL && strcasecmp(name, command->container->full_name) == 0);
}

static bool names_category(const char *name, const struct command *command)
{
    for (unsigned bit = 0; bit < COMMAND_CATEGORY_COUNT; bit++) {
        if (strcasecmp(name, command_category_name(bit)) != 0)
            continue;
        uint32_t categories = command->categories | (command->container ? command->container->categories : 0);
        return categories >> bit & 1;
    }
    return false;
}

static bool model_allows_command(const struct model *model, const struct command *command, const char *argument)
{
    bool allowed = false, by_argument = false;
    for (size_t i = 0; i < model->count; i++) {
        const char *rule = model->rules[i];
        if (rule[0] != '+' && rule[0] != '-')
            continue;
        const char *bar = strrchr(rule, '|');
        bool is_all = strcasecmp(rule + 1, "@all") == 0;
        if (is_all || names_command(rule + 1, command) || (rule[1] == '@' && names_category(rule + 2, command))) {
            allowed = rule[0] == '+';
            by_argument = false;
        } else if (bar != NULL && rule[0] == '+' && (size_t)(bar - rule - 1) == strlen(command->full_name) &&
                   strncasecmp(rule + 1, command->full_name, strlen(command->full_name)) == 0 &&
                   strcasecmp(bar + 1, argument) == 0) {
            by_argument = true;
        }
    }
    return allowed || by_argument;
}

static bool model_allows_key(const struct model *model, const char *key, unsigned rights)
{
    bool all = false;
    size_t first = 0;
    for (size_t i = 0; i < model->count; i++) {
        bool resets = strcmp(model->rules[i], "resetkeys") == 0;
        if (!resets && strcmp(model->rules[i], "~*") != 0)
            continue;
        all = !resets;
        first = i + 1;
    }
    for (size_t i = first; i < model->count && !all; i++) {
        const char *pattern = strchr(model->rules[i], '~');
        if (pattern == NULL || !glob_match(slice_text(pattern + 1), slice_text(key), false))
            continue;
        unsigned given = 0; /* of that pattern, by all rules together */
        for (size_t j = first; j < model->count; j++) {
            const char *other = strchr(model->rules[j], '~');
            if (other == NULL || strcmp(other, pattern) != 0)
                continue;
            bool is_plain = model->rules[j][0] == '~';
            size_t letters = (size_t)(other - model->rules[j]);
            given |= is_plain || memchr(model->rules[j], 'R', letters) ? CW_ACL_READ : 0;
            given |= is_plain || memchr(model->rules[j], 'W', letters) ? CW_ACL_WRITE : 0;
        }
        all = (given & rights) == rights;
    }
    return all;
}

static const char *const vocabulary[] = {
    "+get",        "-get",      "+set",      "-set",        "+config",      "-config",    "+config|get", "-config|get",
    "+config|set", "+select|0", "+select|1", "-select",     "+select",      "+@read",     "-@read",      "+@write",
    "-@string",    "+@all",     "-@all",     "+@dangerous", "-@admin",      "+@slow",     "-@slow",      "+CLIENT|id",
    "-client",     "~*",        "~a*",       "~b",          "%R~a*",        "%W~a*",      "%RW~c?",      "resetkeys",
    "%R~b",        "~[ab]",     "+nosuch",   "%~a",         "+@connection", "-@keyspace", "+acl|whoami", "-acl",
};

static const char *const tried_commands[] = {"get",    "set",       "select", "config",     "config|get", "config|set",
                                             "client", "client|id", "acl",    "acl|whoami", "sort",       "flushall",
                                             "hget",   "keys",      "type",   "ping"};

static void compare(const struct cw_acl_selector *selector, const struct model *model)
{
    static const char *const keys[] = {"a", "ab", "b", "cx", "d", ""};
    for (size_t i = 0; i < ARRAY_LENGTH(tried_commands); i++) {
        const struct command *command = command_by_full_name(slice_text(tried_commands[i]));
        for (unsigned argument = 0; argument < 3; argument++) {
            char text[2] = {(char)('0' + argument), '\0'};
            const struct slice argv[] = {slice_text(command->name), slice_of(text, 1), slice_of(text, 1)};
            bool allowed = cw_acl_selector_allows_command(selector, command, argv, 3);
            if (allowed != model_allows_command(model, command, text))
                fail_msg("%s %s: %d", tried_commands[i], text, allowed);
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(keys); i++)
        for (unsigned rights = 0; rights <= CW_ACL_READ_WRITE; rights++)
            if (cw_acl_selector_allows_key(selector, slice_text(keys[i]), rights) !=
                model_allows_key(model, keys[i], rights))
                fail_msg("key %s, %u", keys[i], rights);
}

/* What the description makes of a new selector must be the same in every bit. */
static void compare_with_described(const struct cw_acl_selector *selector)
{
    struct buf text = {0}, again = {0};
    cw_acl_selector_describe(selector, &text);
    struct cw_acl_selector other;
    cw_acl_selector_init(&other, true);
    struct slice rest = buf_slice(&text);
    while (rest.length > 0) {
        const char *blank = memchr(rest.data, ' ', rest.length);
        size_t length = blank ? (size_t)(blank - rest.data) : rest.length;
        assert_null(cw_acl_selector_apply(&other, slice_of(rest.data, length)));
        rest = slice_skip(rest, blank ? length + 1 : length);
    }
    cw_acl_selector_describe(&other, &again);
    assert_true(slice_equal(buf_slice(&text), buf_slice(&again)));
    assert_memory_equal(selector->commands, other.commands, sizeof(other.commands));
    cw_acl_selector_free(&other);
    buf_free(&text);
    buf_free(&again);
}

static void random_rules_mean_what_the_model_says(void **state)
{
    (void)state;
    struct rand rand;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        rand_seed(&rand, seed);
        struct cw_acl_selector selector, copy;
        cw_acl_selector_init(&selector, false);
        struct model model = {.count = 0};
        size_t length = rand_below(&rand, RULES_MAX);
        for (size_t i = 0; i < length; i++) {
            const char *rule = vocabulary[rand_below(&rand, ARRAY_LENGTH(vocabulary))];
            if (cw_acl_selector_apply(&selector, slice_text(rule)) == NULL)
                model.rules[model.count++] = rule;
        }
        compare(&selector, &model);
        compare_with_described(&selector);
        cw_acl_selector_copy(&copy, &selector);
        cw_acl_selector_free(&selector);
        compare(&copy, &model);
        compare_with_described(&copy);
        cw_acl_selector_free(&copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(users_are_described),
        cmocka_unit_test(bad_rules_change_nothing),
        cmocka_unit_test(several_rules_are_all_or_none),
        cmocka_unit_test(passwords_admit),
        cmocka_unit_test(requests_are_judged),
        cmocka_unit_test(whole_keyspaces_are_asked_for),
        cmocka_unit_test(random_rules_mean_what_the_model_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
