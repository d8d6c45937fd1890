/* COMMAND and its subcommands: the bytes that a server of version 7.0 answers (tests/golden/command_transcript.txt),
 * and what only concerns us: which rows are shown. */
#include "cacheworker/engine/command_commands.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { WORDS_MAX = 16, LINE_MAX_BYTES = 16 << 10 };

/* What the engine would have bound; a test may hide more. */
static bool only_strings;

bool cw_is_bound(const struct cw_engine *engine, const struct command *command)
{
    (void)engine;
    if (only_strings)
        return strcmp(command->group, "string") == 0 || command->id == COMMAND_ID_CONFIG ||
               command->id == COMMAND_ID_CONFIG_GET;
    return !(command->flags & COMMAND_ONLY_SENTINEL);
}

static int show_only_strings(void **state)
{
    (void)state;
    only_strings = true;
    return 0;
}

static int show_all(void **state)
{
    (void)state;
    only_strings = false;
    return 0;
}

static cw_command_function function_of(unsigned id)
{
    switch (id) {
    case COMMAND_ID_COMMAND:
    case COMMAND_ID_COMMAND_INFO: return cw_command_command;
    case COMMAND_ID_COMMAND_COUNT: return cw_command_count_command;
    case COMMAND_ID_COMMAND_DOCS: return cw_command_docs_command;
    case COMMAND_ID_COMMAND_GETKEYS: return cw_command_getkeys_command;
    case COMMAND_ID_COMMAND_GETKEYSANDFLAGS: return cw_command_getkeysandflags_command;
    case COMMAND_ID_COMMAND_HELP: return cw_command_help_command;
    case COMMAND_ID_COMMAND_LIST: return cw_command_list_command;
    default: return NULL;
    }
}

/* Executes words that are separated by single blanks; the reply has "\r\n" written out. The caller frees it. */
static char *ask(int protocol, const char *request)
{
    struct slice argv[WORDS_MAX];
    size_t argc = 0;
    for (const char *at = request; *at;) {
        size_t length = strcspn(at, " ");
        assert_true(argc < WORDS_MAX);
        argv[argc++] = slice_of(at, length);
        at += length + (at[length] == ' ');
    }
    struct buf reply = {0};
    struct cw_call call = {
        .command = command_resolve(argv, argc), .argv = argv, .argc = argc, .reply = &reply, .protocol = protocol};
    assert_true(command_arity_fits(call.command, argc));
    function_of(call.command->id)(&call);

    char *text = malloc(2 * buf_length(&reply) + 1);
    size_t length = 0;
    for (size_t i = 0; i < buf_length(&reply); i++) {
        char byte = buf_slice(&reply).data[i];
        if (byte == '\r' || byte == '\n') {
            text[length++] = '\\';
            text[length++] = byte == '\r' ? 'r' : 'n';
        } else {
            text[length++] = byte;
        }
    }
    text[length] = '\0';
    buf_free(&reply);
    return text;
}

static void assert_reply(int protocol, const char *request, const char *expected)
{
    char *reply = ask(protocol, request);
    if (strcmp(reply, expected) != 0)
        fail_msg("%s (RESP%d)\n%s\ninstead of\n%s", request, protocol, reply, expected);
    free(reply);
}

static void assert_reply_ends(int protocol, const char *request, const char *end)
{
    char *reply = ask(protocol, request);
    assert_true(strlen(reply) > strlen(end));
    assert_string_equal(reply + strlen(reply) - strlen(end), end);
    free(reply);
}

static void assert_begins(const char *text, const char *beginning)
{
    assert_int_equal(strncmp(text, beginning, strlen(beginning)), 0);
}

static void replies_equal_the_transcript(void **state)
{
    (void)state;
    FILE *file = fopen(GOLDEN_DIR "/command_transcript.txt", "r");
    assert_non_null(file);
    static char request[LINE_MAX_BYTES], expected[LINE_MAX_BYTES];
    unsigned count = 0;
    while (fgets(request, sizeof(request), file) && fgets(expected, sizeof(expected), file)) {
        request[strcspn(request, "\n")] = '\0';
        expected[strcspn(expected, "\n")] = '\0';
        assert_reply(request[0] - '0', request + 2, expected);
        count++;
    }
    fclose(file);
    assert_int_equal(count, 58);
}

static void docs_have_the_shape_of_the_reference(void **state)
{
    (void)state;
    assert_reply(
        3, "COMMAND DOCS getset nope",
        "%1\\r\\n$6\\r\\ngetset\\r\\n%8\\r\\n$7\\r\\nsummary\\r\\n$36\\r\\nSet a string and return the old "
        "one.\\r\\n$5\\r\\nsince\\r\\n$5\\r\\n1.0.0\\r\\n$5\\r\\ngroup\\r\\n$6\\r\\nstring\\r\\n$10\\r\\n"
        "complexity\\r\\n$4\\r\\nO(1)\\r\\n$9\\r\\ndoc_flags\\r\\n~1\\r\\n+deprecated\\r\\n$16\\r\\n"
        "deprecated_since\\r\\n$5\\r\\n6.2.0\\r\\n$11\\r\\nreplaced_by\\r\\n$30\\r\\n`SET` with the `!GET` "
        "argument\\r\\n$9\\r\\narguments\\r\\n*2\\r\\n%4\\r\\n$4\\r\\nname\\r\\n$3\\r\\nkey\\r\\n$4\\r\\ntype\\r\\n$"
        "3\\r\\nkey"
        "\\r\\n$12\\r\\ndisplay_text\\r\\n$3\\r\\nkey\\r\\n$14\\r\\nkey_spec_index\\r\\n:0\\r\\n%3\\r\\n$"
        "4\\r\\nname\\r\\n$5"
        "\\r\\nvalue\\r\\n$4\\r\\ntype\\r\\n$6\\r\\nstring\\r\\n$12\\r\\ndisplay_text\\r\\n$5\\r\\nvalue\\r\\n");
    assert_reply(2, "COMMAND DOCS pfselftest",
                 "*2\\r\\n$10\\r\\npfselftest\\r\\n*8\\r\\n$7\\r\\nsummary\\r\\n$26\\r\\nTest the HyperLogLog "
                 "code.\\r\\n$5\\r\\nsince\\r\\n$5\\r\\n2.8.9\\r\\n$5\\r\\ngroup\\r\\n$11\\r\\nhyperloglog\\r\\n$9"
                 "\\r\\ndoc_flags\\r\\n*1\\r\\n+syscmd\\r\\n");
}

/* A server of version 7.2 ends its reply so: tokens, one-of, blocks, flags and what is shown in a name's place. */
static void arguments_are_those_of_the_reference(void **state)
{
    (void)state;
    assert_reply_ends(
        2, "COMMAND DOCS sort_ro",
        "$9\\r\\narguments\\r\\n*6\\r\\n*8\\r\\n$4\\r\\nname\\r\\n$3\\r\\nkey\\r\\n$4\\r\\ntype\\r\\n$3\\r"
        "\\nkey\\r\\n$12\\r\\ndisplay_text\\r\\n$3\\r\\nkey\\r\\n$14\\r\\nkey_spec_index\\r\\n:0\\r\\n*12"
        "\\r\\n$4\\r\\nname\\r\\n$10\\r\\nby-pattern\\r\\n$4\\r\\ntype\\r\\n$7\\r\\npattern\\r\\n$12\\r\\nd"
        "isplay_text\\r\\n$7\\r\\npattern\\r\\n$14\\r\\nkey_spec_index\\r\\n:1\\r\\n$5\\r\\ntoken\\r\\n$2"
        "\\r\\nBY\\r\\n$5\\r\\nflags\\r\\n*1\\r\\n+optional\\r\\n*10\\r\\n$4\\r\\nname\\r\\n$5\\r\\nlimit"
        "\\r\\n$4\\r\\ntype\\r\\n$5\\r\\nblock\\r\\n$5\\r\\ntoken\\r\\n$5\\r\\nLIMIT\\r\\n$5\\r\\nflags\\r"
        "\\n*1\\r\\n+optional\\r\\n$9\\r\\narguments\\r\\n*2\\r\\n*6\\r\\n$4\\r\\nname\\r\\n$6\\r\\noffset"
        "\\r\\n$4\\r\\ntype\\r\\n$7\\r\\ninteger\\r\\n$12\\r\\ndisplay_text\\r\\n$6\\r\\noffset\\r\\n*6\\r"
        "\\n$4\\r\\nname\\r\\n$5\\r\\ncount\\r\\n$4\\r\\ntype\\r\\n$7\\r\\ninteger\\r\\n$12\\r\\ndisplay_te"
        "xt\\r\\n$5\\r\\ncount\\r\\n*12\\r\\n$4\\r\\nname\\r\\n$11\\r\\nget-pattern\\r\\n$4\\r\\ntype\\r\\n"
        "$7\\r\\npattern\\r\\n$12\\r\\ndisplay_text\\r\\n$7\\r\\npattern\\r\\n$14\\r\\nkey_spec_index\\r\\n"
        ":1\\r\\n$5\\r\\ntoken\\r\\n$3\\r\\nGET\\r\\n$5\\r\\nflags\\r\\n*3\\r\\n+optional\\r\\n+multiple\\r"
        "\\n+multiple_token\\r\\n*8\\r\\n$4\\r\\nname\\r\\n$5\\r\\norder\\r\\n$4\\r\\ntype\\r\\n$5\\r\\none"
        "of\\r\\n$5\\r\\nflags\\r\\n*1\\r\\n+optional\\r\\n$9\\r\\narguments\\r\\n*2\\r\\n*8\\r\\n$4\\r\\nn"
        "ame\\r\\n$3\\r\\nasc\\r\\n$4\\r\\ntype\\r\\n$10\\r\\npure-token\\r\\n$12\\r\\ndisplay_text\\r\\n$3"
        "\\r\\nasc\\r\\n$5\\r\\ntoken\\r\\n$3\\r\\nASC\\r\\n*8\\r\\n$4\\r\\nname\\r\\n$4\\r\\ndesc\\r\\n$4"
        "\\r\\ntype\\r\\n$10\\r\\npure-token\\r\\n$12\\r\\ndisplay_text\\r\\n$4\\r\\ndesc\\r\\n$5\\r\\ntoke"
        "n\\r\\n$4\\r\\nDESC\\r\\n*10\\r\\n$4\\r\\nname\\r\\n$7\\r\\nsorting\\r\\n$4\\r\\ntype\\r\\n$10\\r"
        "\\npure-token\\r\\n$12\\r\\ndisplay_text\\r\\n$7\\r\\nsorting\\r\\n$5\\r\\ntoken\\r\\n$5\\r\\nALPH"
        "A\\r\\n$5\\r\\nflags\\r\\n*1\\r\\n+optional\\r\\n");
    assert_reply_ends(
        3, "COMMAND DOCS sort_ro",
        "$9\\r\\narguments\\r\\n*6\\r\\n%4\\r\\n$4\\r\\nname\\r\\n$3\\r\\nkey\\r\\n$4\\r\\ntype\\r\\n$3\\r"
        "\\nkey\\r\\n$12\\r\\ndisplay_text\\r\\n$3\\r\\nkey\\r\\n$14\\r\\nkey_spec_index\\r\\n:0\\r\\n%6\\r"
        "\\n$4\\r\\nname\\r\\n$10\\r\\nby-pattern\\r\\n$4\\r\\ntype\\r\\n$7\\r\\npattern\\r\\n$12\\r\\ndisp"
        "lay_text\\r\\n$7\\r\\npattern\\r\\n$14\\r\\nkey_spec_index\\r\\n:1\\r\\n$5\\r\\ntoken\\r\\n$2\\r"
        "\\nBY\\r\\n$5\\r\\nflags\\r\\n~1\\r\\n+optional\\r\\n%5\\r\\n$4\\r\\nname\\r\\n$5\\r\\nlimit\\r\\n"
        "$4\\r\\ntype\\r\\n$5\\r\\nblock\\r\\n$5\\r\\ntoken\\r\\n$5\\r\\nLIMIT\\r\\n$5\\r\\nflags\\r\\n~1"
        "\\r\\n+optional\\r\\n$9\\r\\narguments\\r\\n*2\\r\\n%3\\r\\n$4\\r\\nname\\r\\n$6\\r\\noffset\\r\\n"
        "$4\\r\\ntype\\r\\n$7\\r\\ninteger\\r\\n$12\\r\\ndisplay_text\\r\\n$6\\r\\noffset\\r\\n%3\\r\\n$4"
        "\\r\\nname\\r\\n$5\\r\\ncount\\r\\n$4\\r\\ntype\\r\\n$7\\r\\ninteger\\r\\n$12\\r\\ndisplay_text\\r"
        "\\n$5\\r\\ncount\\r\\n%6\\r\\n$4\\r\\nname\\r\\n$11\\r\\nget-pattern\\r\\n$4\\r\\ntype\\r\\n$7\\r"
        "\\npattern\\r\\n$12\\r\\ndisplay_text\\r\\n$7\\r\\npattern\\r\\n$14\\r\\nkey_spec_index\\r\\n:1\\r"
        "\\n$5\\r\\ntoken\\r\\n$3\\r\\nGET\\r\\n$5\\r\\nflags\\r\\n~3\\r\\n+optional\\r\\n+multiple\\r\\n+m"
        "ultiple_token\\r\\n%4\\r\\n$4\\r\\nname\\r\\n$5\\r\\norder\\r\\n$4\\r\\ntype\\r\\n$5\\r\\noneof\\r"
        "\\n$5\\r\\nflags\\r\\n~1\\r\\n+optional\\r\\n$9\\r\\narguments\\r\\n*2\\r\\n%4\\r\\n$4\\r\\nname"
        "\\r\\n$3\\r\\nasc\\r\\n$4\\r\\ntype\\r\\n$10\\r\\npure-token\\r\\n$12\\r\\ndisplay_text\\r\\n$3\\r"
        "\\nasc\\r\\n$5\\r\\ntoken\\r\\n$3\\r\\nASC\\r\\n%4\\r\\n$4\\r\\nname\\r\\n$4\\r\\ndesc\\r\\n$4\\r"
        "\\ntype\\r\\n$10\\r\\npure-token\\r\\n$12\\r\\ndisplay_text\\r\\n$4\\r\\ndesc\\r\\n$5\\r\\ntoken"
        "\\r\\n$4\\r\\nDESC\\r\\n%5\\r\\n$4\\r\\nname\\r\\n$7\\r\\nsorting\\r\\n$4\\r\\ntype\\r\\n$10\\r\\n"
        "pure-token\\r\\n$12\\r\\ndisplay_text\\r\\n$7\\r\\nsorting\\r\\n$5\\r\\ntoken\\r\\n$5\\r\\nALPHA"
        "\\r\\n$5\\r\\nflags\\r\\n~1\\r\\n+optional\\r\\n");
}

static void history_is_a_set_of_pairs(void **state)
{
    (void)state;
    char *reply = ask(3, "COMMAND DOCS renamenx");
    assert_non_null(strstr(reply,
                           "$7\\r\\nhistory\\r\\n~1\\r\\n*2\\r\\n$5\\r\\n3.2.0\\r\\n$27\\r\\nBoth names may be the "
                           "same.\\r\\n$9\\r\\narguments\\r\\n*2\\r\\n"));
    free(reply);
    reply = ask(2, "COMMAND DOCS restore");
    assert_non_null(strstr(reply, "$7\\r\\nhistory\\r\\n*3\\r\\n*2\\r\\n$5\\r\\n3.0.0\\r\\n"));
    free(reply);
}

/* What is not bound is unknown everywhere; a container shows only what is bound of it; RESPITE is never shown. */
static void only_bound_rows_are_shown(void **state)
{
    (void)state;
    assert_reply(2, "COMMAND COUNT", ":29\\r\\n");
    assert_reply(2, "COMMAND INFO del respite", "*2\\r\\n$-1\\r\\n$-1\\r\\n");
    assert_reply(2, "COMMAND GETKEYS DEL a", "-ERR Invalid command specified\\r\\n");
    assert_reply(2, "COMMAND LIST FILTERBY PATTERN config*", "*2\\r\\n$6\\r\\nconfig\\r\\n$10\\r\\nconfig|get\\r\\n");
    assert_reply(
        3, "COMMAND INFO config",
        "*1\\r\\n*10\\r\\n$6\\r\\nconfig\\r\\n:-2\\r\\n~0\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n~1\\r\\n+@slow\\r\\n~0"
        "\\r\\n~0\\r\\n*1\\r\\n*10\\r\\n$10\\r\\nconfig|get\\r\\n:-3\\r\\n~4\\r\\n+admin\\r\\n+noscript\\r\\n"
        "+loading\\r\\n+stale\\r\\n:0\\r\\n:0\\r\\n:0\\r\\n~3\\r\\n+@admin\\r\\n+@slow\\r\\n+@dangerous\\r\\n~0"
        "\\r\\n~0\\r\\n~0\\r\\n");
    char *all = ask(2, "COMMAND"), *info = ask(2, "COMMAND INFO"), *docs = ask(2, "COMMAND DOCS");
    assert_begins(all, "*29\\r\\n*10\\r\\n$6\\r\\nappend\\r\\n");
    assert_string_equal(all, info);
    assert_begins(docs, "*58\\r\\n$6\\r\\nappend\\r\\n");
    assert_non_null(strstr(docs, "$11\\r\\nsubcommands\\r\\n*2\\r\\n$10\\r\\nconfig|get\\r\\n"));
    free(all);
    free(info);
    free(docs);
}

/* Every element that a reply announces is there, and no more: over the whole table, in both protocols. */
static const char *skip_value(const char *at)
{
    const char *end = strstr(at, "\\r\\n");
    assert_non_null(end);
    long number = strtol(at + 1, NULL, 10);
    char type = *at;
    at = end + 4;
    if (type == '$')
        return number < 0 ? at : at + number + 4;
    long values = type == '*' || type == '~' ? number : type == '%' ? 2 * number : 0;
    for (long i = 0; i < values; i++)
        at = skip_value(at);
    return at;
}

static void whole_replies_are_well_formed(void **state)
{
    (void)state;
    static const char *const requests[] = {"COMMAND", "COMMAND INFO", "COMMAND DOCS", "COMMAND LIST", "COMMAND HELP"};
    for (int protocol = 2; protocol <= 3; protocol++)
        for (size_t i = 0; i < ARRAY_LENGTH(requests); i++) {
            char *reply = ask(protocol, requests[i]);
            assert_int_equal(*skip_value(reply), '\0');
            assert_null(strstr(reply, "respite"));
            free(reply);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_equal_the_transcript),
        cmocka_unit_test(docs_have_the_shape_of_the_reference),
        cmocka_unit_test(arguments_are_those_of_the_reference),
        cmocka_unit_test(history_is_a_set_of_pairs),
        cmocka_unit_test_setup_teardown(only_bound_rows_are_shown, show_only_strings, show_all),
        cmocka_unit_test(whole_replies_are_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
