/* The notation of arguments, and what the command table says in it against what else it says of the same commands. */
#include "common/command/command_arguments.h"

#include "common/command/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct command_argument only(const char *text)
{
    struct slice rest = slice_text(text);
    struct command_argument argument, next;
    assert_true(command_argument_next(&rest, &argument));
    assert_false(command_argument_next(&rest, &next));
    return argument;
}

static void assert_text(struct slice found, const char *expected)
{
    if (!slice_equal(found, slice_text(expected)))
        fail_msg("\"%.*s\" instead of \"%s\"", (int)found.length, found.data, expected);
}

static void names_and_types(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *type;
    } cases[] = {
        {"value", "value", "string"},
        {"end:integer", "end", "integer"},
        {"score:double", "score", "double"},
        {"pattern:pattern", "pattern", "pattern"},
        {"at:unix-time", "at", "unix-time"},
        {"key#0", "key", "key"},
        {"shardchannel:string#0", "shardchannel", "string"},
        {"KEEPTTL", "keepttl", "pure-token"},
        {"help:token", "help", "pure-token"},
        {"data(a b)", "data", "block"},
        {"condition(NX|XX)", "condition", "oneof"},
        {"outer(inner(a|b) c)", "outer", "block"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct command_argument argument = only(cases[i].text);
        assert_string_equal(argument.name, cases[i].name);
        assert_string_equal(command_argument_type_name(argument.type), cases[i].type);
        assert_int_equal(argument.has_token, argument.type == ARGUMENT_TOKEN && *cases[i].text != 'h');
        assert_int_equal(argument.key_spec, strchr(cases[i].text, '#') ? 0 : -1);
    }
}

static void everything_at_once(void **state)
{
    (void)state;
    struct command_argument argument = only("[GET=get-pattern<pattern>:pattern#1&...@2.2.0~6.2.0]");
    assert_string_equal(argument.name, "get-pattern");
    assert_int_equal(argument.type, ARGUMENT_PATTERN);
    assert_text(argument.token, "GET");
    assert_text(argument.shown, "pattern");
    assert_text(argument.since, "2.2.0");
    assert_text(argument.deprecated, "6.2.0");
    assert_int_equal(argument.key_spec, 1);
    assert_true(argument.has_token && argument.is_optional && argument.is_repeated && argument.is_token_repeated);

    argument = only("data(score:double member)...");
    assert_text(argument.arguments, "score:double member");
    assert_true(argument.is_repeated && !argument.is_token_repeated && !argument.is_optional && !argument.has_token);
}

static void quoted_tokens_may_be_anything(void **state)
{
    (void)state;
    struct slice text = slice_text("[operator('='=equal:token|'~'=about:token)] ''=none:token|'('=open:token");
    assert_int_equal(command_argument_count(text), 3);
    struct command_argument argument;
    assert_true(command_argument_next(&text, &argument));
    assert_int_equal(argument.type, ARGUMENT_ONE_OF);
    struct slice choices = argument.arguments;
    assert_true(command_argument_next(&choices, &argument));
    assert_text(argument.token, "=");
    assert_string_equal(argument.name, "equal");
    assert_true(command_argument_next(&text, &argument));
    assert_true(argument.has_token && argument.token.length == 0);
    assert_true(command_argument_next(&text, &argument));
    assert_text(argument.token, "(");
}

/* --- the table --- */

enum { DEPTH_MAX = 6 };

/* What the arguments of one row come to. */
struct sum {
    unsigned least_words;
    bool is_exact;           /* no request has another number of words */
    uint32_t key_specs_seen; /* a bit each */
};

static bool is_version(struct slice text)
{
    unsigned dots = 0;
    for (size_t i = 0; i < text.length; i++) {
        dots += text.data[i] == '.';
        if (text.data[i] != '.' && (text.data[i] < '0' || text.data[i] > '9'))
            return false;
    }
    return dots == 2;
}

static struct sum sum_of(struct slice text, bool is_choice, unsigned depth);

static struct sum sum_of_one(const struct command_argument *argument, unsigned depth)
{
    struct sum sum = {.is_exact = true};
    bool is_group = argument->type == ARGUMENT_BLOCK || argument->type == ARGUMENT_ONE_OF;
    assert_int_equal(is_group, argument->arguments.length > 0);
    assert_true(!is_group || command_argument_count(argument->arguments) > 1);
    assert_true(argument->since.length == 0 || is_version(argument->since));
    assert_true(argument->deprecated.length == 0 || is_version(argument->deprecated));
    assert_true(!argument->is_token_repeated || (argument->is_repeated && argument->has_token));
    assert_true(argument->type != ARGUMENT_KEY || argument->key_spec >= 0);
    if (is_group)
        sum = sum_of(argument->arguments, argument->type == ARGUMENT_ONE_OF, depth + 1);
    else if (argument->type != ARGUMENT_TOKEN)
        sum.least_words = 1;
    sum.least_words += argument->has_token || argument->type == ARGUMENT_TOKEN;
    if (argument->key_spec >= 0)
        sum.key_specs_seen |= (uint32_t)1 << argument->key_spec;
    if (argument->is_optional)
        sum.least_words = 0;
    sum.is_exact = sum.is_exact && !argument->is_optional && !argument->is_repeated;
    return sum;
}

static struct sum sum_of(struct slice text, bool is_choice, unsigned depth)
{
    assert_true(depth < DEPTH_MAX);
    struct sum total = {.is_exact = true};
    struct command_argument argument;
    for (unsigned i = 0; command_argument_next(&text, &argument); i++) {
        struct sum sum = sum_of_one(&argument, depth);
        total.key_specs_seen |= sum.key_specs_seen;
        total.is_exact =
            total.is_exact && sum.is_exact && (!is_choice || i == 0 || sum.least_words == total.least_words);
        if (!is_choice)
            total.least_words += sum.least_words;
        else if (i == 0 || sum.least_words < total.least_words)
            total.least_words = sum.least_words;
    }
    return total;
}

/* A filter of CLIENT KILL may be left out by what is said of it, all of them not; PSYNC takes more words than two from
 * later replicas; the arguments of SENTINEL SIMULATE-FAILURE and DEBUG are said to be what they are not. */
static bool is_said_otherwise(const struct command *row)
{
    return row->id == COMMAND_ID_CLIENT_KILL || row->id == COMMAND_ID_PSYNC ||
           row->container == &command_table[COMMAND_ID_SENTINEL];
}

static void arguments_agree_with_arity_and_key_specs(void **state)
{
    (void)state;
    unsigned with_arguments = 0;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        const struct command *row = &command_table[id];
        if (!row->arguments) {
            assert_int_equal(row->key_spec_count, 0);
            continue;
        }
        with_arguments++;
        assert_true(!row->subcommands);
        struct sum sum = sum_of(slice_text(row->arguments), false, 1);
        unsigned words = sum.least_words + (row->container ? 2 : 1);
        if (!is_said_otherwise(row) && (words != (unsigned)abs(row->arity) || sum.is_exact != (row->arity > 0)))
            fail_msg("%s: arity %d, but %s%u words", row->full_name, row->arity, sum.is_exact ? "" : "at least ",
                     words);
        uint32_t specs = 0; /* a channel may be said to be where a key would be, or not */
        for (unsigned i = 0; i < row->key_spec_count; i++)
            specs |= row->key_specs[i].flags & KEY_NOT_KEY ? sum.key_specs_seen & (uint32_t)1 << i : (uint32_t)1 << i;
        if (sum.key_specs_seen != specs)
            fail_msg("%s: not each of its %u key specs has an argument", row->full_name, row->key_spec_count);
    }
    assert_true(with_arguments > 300);
}

static int compare_versions(const char *a, const char *b)
{
    int left[3], right[3];
    assert_int_equal(sscanf(a, "%d.%d.%d", &left[0], &left[1], &left[2]), 3);
    assert_int_equal(sscanf(b, "%d.%d.%d", &right[0], &right[1], &right[2]), 3);
    return memcmp(left, right, sizeof(left)) == 0 ? 0
           : left[0] != right[0]                  ? left[0] - right[0]
           : left[1] != right[1]                  ? left[1] - right[1]
                                                  : left[2] - right[2];
}

static void history_goes_forward(void **state)
{
    (void)state;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        const struct command *row = &command_table[id];
        const char *last = "0.0.0";
        for (const char *const *change = row->history; change && *change; change += 2) {
            assert_true(is_version(slice_text(change[0])));
            assert_true(compare_versions(last, change[0]) <= 0);
            assert_true(change[1] && change[1][strlen(change[1]) - 1] == '.');
            last = change[0];
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_types),
        cmocka_unit_test(everything_at_once),
        cmocka_unit_test(quoted_tokens_may_be_anything),
        cmocka_unit_test(arguments_agree_with_arity_and_key_specs),
        cmocka_unit_test(history_goes_forward),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
