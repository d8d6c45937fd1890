/* The rows and their lookup, and the rows against what a server of version 7.0 prints (tests/golden). */
#include "common/command/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <ctype.h>

#include <cmocka.h>

static const struct command *by_name(const char *name)
{
    return command_by_full_name(slice_text(name));
}

static void every_row_is_found_by_its_name_in_any_case(void **state)
{
    (void)state;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        const struct command *row = &command_table[id];
        char upper[64], mixed[64];
        size_t length = strlen(row->full_name);
        assert_true(length < sizeof(upper));
        for (size_t i = 0; i < length; i++) {
            upper[i] = (char)toupper(row->full_name[i]);
            mixed[i] = i % 2 ? upper[i] : row->full_name[i];
        }
        assert_ptr_equal(by_name(row->full_name), row);
        assert_ptr_equal(command_by_full_name(slice_of(upper, length)), row);
        assert_ptr_equal(command_by_full_name(slice_of(mixed, length)), row);
        assert_int_equal(row->name_length, strlen(row->name));
    }
}

static void what_is_not_a_name_is_not_found(void **state)
{
    (void)state;
    /* Near misses: the bit that makes letters small is not ignored where it is not a letter; and long names are
     * compared in their middle, which the words of the hash do not see. */
    static const char *const strangers[] = {
        "",
        "g",
        "ge",
        "gett",
        "get ",
        "restore\rasking",
        "BITFIELD\x7fRO",
        "config|",
        "config|nope",
        "|",
        "|get",
        "get|get",
        "georadiusXymember_ro",
        "nosuchcommand",
        "a-name-that-is-longer-than-any-command-could-be",
        "zrangebyscorf",
        "\xc7\x45T",
        "\xe7\x65t",
        "\x87\x45T",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(strangers); i++)
        assert_null(by_name(strangers[i]));
    assert_null(command_lookup(slice_of("get\0", 4)));
    assert_null(command_lookup((struct slice){NULL, 0}));
    assert_null(command_resolve(NULL, 0));
}

static void ids_are_dense_and_subcommands_stand_behind_their_container(void **state)
{
    (void)state;
    unsigned seen = 0;
    for (unsigned i = 0; i < command_rows(); i++) {
        const struct command *row = command_at(i);
        assert_int_equal(row->id, seen++);
        assert_ptr_equal(row, &command_table[row->id]);
        assert_null(row->container);
        for (unsigned j = 0; j < row->subcommand_count; j++) {
            assert_int_equal(row->subcommands[j].id, seen++);
            assert_ptr_equal(row->subcommands[j].container, row);
            assert_null(row->subcommands[j].subcommands);
            assert_string_equal(row->subcommands[j].group, row->group);
        }
    }
    assert_int_equal(seen, COMMAND_ID_COUNT);
    assert_string_equal(command_table[COMMAND_ID_CONFIG_GET].full_name, "config|get");
    assert_string_equal(command_table[COMMAND_ID_GET].full_name, "get");
}

static void rows_are_whole(void **state)
{
    (void)state;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        const struct command *row = &command_table[id];
        assert_int_not_equal(row->arity, 0);
        assert_true(row->since[0] != '\0');
        size_t length = strlen(row->summary);
        assert_true(length > 0 && row->summary[length - 1] == '.');
        assert_false(row->flags & COMMAND_WRITE && row->flags & COMMAND_READONLY);
        assert_int_equal(row->deprecated_since == NULL, row->replaced_by == NULL);
        assert_int_equal(row->key_specs == NULL, row->key_spec_count == 0);
        for (unsigned i = 0; i < row->key_spec_count; i++)
            if (row->key_specs[i].begin != KEY_BEGIN_UNKNOWN && id != COMMAND_ID_MIGRATE)
                assert_true(row->key_specs[i].begin_index > 0); /* command_keys.c searches forwards only */
        if (row->container)
            assert_true(row->arity >= 2 || row->arity <= -2);
    }
}

static void resolve_finds_subcommands(void **state)
{
    (void)state;
    struct slice argv[] = {SLICE_LITERAL("CONFIG"), SLICE_LITERAL("Get"), SLICE_LITERAL("*")};
    assert_ptr_equal(command_resolve(argv, 3), &command_table[COMMAND_ID_CONFIG_GET]);
    assert_ptr_equal(command_resolve(argv, 1), &command_table[COMMAND_ID_CONFIG]);
    argv[1] = SLICE_LITERAL("nope");
    assert_ptr_equal(command_resolve(argv, 3), &command_table[COMMAND_ID_CONFIG]);
    argv[0] = SLICE_LITERAL("get");
    assert_ptr_equal(command_resolve(argv, 2), &command_table[COMMAND_ID_GET]);
    argv[0] = SLICE_LITERAL("nope");
    assert_null(command_resolve(argv, 2));
}

static void arity_is_exact_or_a_minimum(void **state)
{
    (void)state;
    const struct command *get = by_name("get"), *set = by_name("set"), *ping = by_name("ping");
    assert_false(command_arity_fits(get, 1));
    assert_true(command_arity_fits(get, 2));
    assert_false(command_arity_fits(get, 3));
    assert_false(command_arity_fits(set, 2));
    assert_true(command_arity_fits(set, 3));
    assert_true(command_arity_fits(set, 1000));
    assert_true(command_arity_fits(ping, 1));
    assert_true(command_arity_fits(by_name("config|get"), 3));
    assert_false(command_arity_fits(by_name("config|get"), 2));
}

static void flags_and_categories_have_names(void **state)
{
    (void)state;
    assert_string_equal(command_flag_name(0), "write");
    assert_string_equal(command_flag_name(19), "allow_busy");
    assert_null(command_flag_name(14));
    assert_null(command_flag_name(22));
    assert_string_equal(command_category_name(COMMAND_CATEGORY_KEYSPACE), "keyspace");
    assert_string_equal(command_category_name(COMMAND_CATEGORY_SCRIPTING), "scripting");
    assert_null(command_category_name(COMMAND_CATEGORY_COUNT));
    assert_string_equal(command_key_flag_name(10), "variable_flags");
    assert_null(command_key_flag_name(11));
}

/* The legacy triple says the same as the key specs, wherever it can: one range from a fixed index. */
static void legacy_triples_agree_with_the_specs(void **state)
{
    (void)state;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        const struct command *row = &command_table[id];
        int first = 0, last = 0, step = 0;
        for (unsigned i = 0; i < row->key_spec_count; i++) {
            const struct command_key_spec *spec = &row->key_specs[i];
            if (spec->begin != KEY_BEGIN_INDEX || spec->find != KEY_FIND_RANGE)
                continue;
            if (first && spec->begin_index != last + 1)
                continue;
            if (!first)
                first = spec->begin_index;
            last = spec->last_key < 0 ? spec->last_key : spec->begin_index + spec->last_key;
            step = spec->key_step;
        }
        assert_int_equal(row->first_key, first);
        assert_int_equal(row->last_key, last);
        assert_int_equal(row->key_step, step);
    }
}

/* One row as the golden file prints it: name arity [flags] first last step [categories]. */
static void print_row(const struct command *row, char *text, size_t size)
{
    int length = snprintf(text, size, "%s %d [", row->full_name, row->arity);
    const char *gap = "";
    for (unsigned bit = 0; bit < 32; bit++)
        if (row->flags >> bit & 1 && command_flag_name(bit)) {
            length += snprintf(text + length, size - (size_t)length, "%s%s", gap, command_flag_name(bit));
            gap = " ";
        }
    length +=
        snprintf(text + length, size - (size_t)length, "] %d %d %d [", row->first_key, row->last_key, row->key_step);
    gap = "";
    for (unsigned bit = 0; bit < COMMAND_CATEGORY_COUNT; bit++)
        if (row->categories >> bit & 1) {
            length += snprintf(text + length, size - (size_t)length, "%s@%s", gap, command_category_name(bit));
            gap = " ";
        }
    snprintf(text + length, size - (size_t)length, "]");
}

/* Where the rows differ from the golden file, which is of version 7.0, and why. */
static const struct {
    const char *row;
    const char *reason;
} changes[] = {
    {"blmove 6 [write denyoom blocking] 1 2 1 [@write @list @slow @blocking]", "blocking commands run in scripts"},
    {"blpop -3 [write blocking] 1 -2 1 [@write @list @slow @blocking]", "blocking commands run in scripts"},
    {"brpop -3 [write blocking] 1 -2 1 [@write @list @slow @blocking]", "blocking commands run in scripts"},
    {"brpoplpush 4 [write denyoom blocking] 1 2 1 [@write @list @slow @blocking]", "blocking commands run in scripts"},
    {"bzpopmax -3 [write blocking fast] 1 -2 1 [@write @sortedset @fast @blocking]",
     "blocking commands run in scripts"},
    {"bzpopmin -3 [write blocking fast] 1 -2 1 [@write @sortedset @fast @blocking]",
     "blocking commands run in scripts"},
    {"wait 3 [] 0 0 0 [@slow @connection]", "blocking commands run in scripts"},
    {"waitaof 4 [noscript] 0 0 0 [@slow @connection]", "new"},
    {"client|no-touch 3 [noscript loading stale] 0 0 0 [@slow @connection]", "new"},
    {"client|setinfo 4 [noscript loading stale] 0 0 0 [@slow @connection]", "new"},
    {"cluster|myshardid 2 [stale] 0 0 0 [@slow]", "new"},
    {"cluster|shards 2 [loading stale] 0 0 0 [@slow]", "answers while loading"},
    {"cluster|slots 2 [loading stale] 0 0 0 [@slow]", "answers while loading"},
    {"command|getkeys -3 [loading stale] 0 0 0 [@slow @connection]", "requests of one word are allowed"},
    {"command|getkeysandflags -3 [loading stale] 0 0 0 [@slow @connection]", "requests of one word are allowed"},
    {"cl.throttle -5 [write denyoom fast] 1 1 1 [@write @string @fast]", "of a module"},
    {"delex -2 [write fast] 1 1 1 [@write @string @fast]", "new in 8.4"},
    {"delifeq 3 [write fast] 1 1 1 [@write @string @fast]", "Valkey's, new in 9.0"},
    {"digest 2 [readonly fast] 1 1 1 [@read @string @fast]", "new in 8.4"},
    {"hexpire -6 [write denyoom fast] 1 1 1 [@write @hash @fast]", "new in 7.4"},
    {"hexpireat -6 [write denyoom fast] 1 1 1 [@write @hash @fast]", "new in 7.4"},
    {"hexpiretime -5 [readonly fast] 1 1 1 [@read @hash @fast]", "new in 7.4"},
    {"hgetdel -5 [write fast] 1 1 1 [@write @hash @fast]", "new in 8.0"},
    {"hgetex -5 [write fast] 1 1 1 [@write @hash @fast]", "new in 8.0"},
    {"hpersist -5 [write fast] 1 1 1 [@write @hash @fast]", "new in 7.4"},
    {"hpexpire -6 [write denyoom fast] 1 1 1 [@write @hash @fast]", "new in 7.4"},
    {"hpexpireat -6 [write denyoom fast] 1 1 1 [@write @hash @fast]", "new in 7.4"},
    {"hpexpiretime -5 [readonly fast] 1 1 1 [@read @hash @fast]", "new in 7.4"},
    {"hpttl -5 [readonly fast] 1 1 1 [@read @hash @fast]", "new in 7.4"},
    {"hsetex -6 [write denyoom fast] 1 1 1 [@write @hash @fast]", "new in 8.0"},
    {"httl -5 [readonly fast] 1 1 1 [@read @hash @fast]", "new in 7.4"},
    {"msetex -4 [write denyoom movablekeys] 0 0 0 [@write @string @slow]", "new in 8.4"},
    {"ratelimit.window -4 [write denyoom fast] 1 1 1 [@write @string @fast]", "ours"},
    {"zrank -3 [readonly fast] 1 1 1 [@read @sortedset @fast]", "WITHSCORE"},
    {"zrevrank -3 [readonly fast] 1 1 1 [@read @sortedset @fast]", "WITHSCORE"},
};

static bool is_a_change(const char *line)
{
    for (size_t i = 0; i < ARRAY_LENGTH(changes); i++)
        if (strcmp(changes[i].row, line) == 0)
            return true;
    return false;
}

static void rows_equal_the_reference(void **state)
{
    (void)state;
    static char *golden[COMMAND_ID_COUNT]; /* by our id */
    FILE *file = fopen(GOLDEN_DIR "/command_reference.txt", "r");
    assert_non_null(file);
    char line[512];
    unsigned count = 0;
    while (fgets(line, sizeof(line), file)) {
        line[strcspn(line, "\n")] = '\0';
        const struct command *row = command_by_full_name(slice_of(line, strcspn(line, " ")));
        if (!row)
            fail_msg("the reference has, and we have not: %s", line);
        assert_null(golden[row->id]);
        golden[row->id] = strdup(line);
        count++;
    }
    fclose(file);
    assert_int_equal(count, 366);

    unsigned changed = 0;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        const struct command *row = &command_table[id];
        char ours[512];
        print_row(row, ours, sizeof(ours));
        if (row->flags & (COMMAND_IS_RESPITE | COMMAND_ONLY_SENTINEL))
            assert_null(golden[id]);
        else if (is_a_change(ours))
            changed++;
        else if (!golden[id])
            fail_msg("not in the reference, and not known as new: %s", ours);
        else
            assert_string_equal(ours, golden[id]);
        free(golden[id]);
        golden[id] = NULL;
    }
    assert_int_equal(changed, ARRAY_LENGTH(changes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found_by_its_name_in_any_case),
        cmocka_unit_test(what_is_not_a_name_is_not_found),
        cmocka_unit_test(ids_are_dense_and_subcommands_stand_behind_their_container),
        cmocka_unit_test(rows_are_whole),
        cmocka_unit_test(resolve_finds_subcommands),
        cmocka_unit_test(arity_is_exact_or_a_minimum),
        cmocka_unit_test(flags_and_categories_have_names),
        cmocka_unit_test(legacy_triples_agree_with_the_specs),
        cmocka_unit_test(rows_equal_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
