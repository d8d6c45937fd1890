#include "cacheworker/engine/command_commands.h"

#include "common/base/glob.h"
#include "common/base/mem.h"
#include "common/command/command_arguments.h"

static bool is_shown(const struct cw_call *call, const struct command *row)
{
    return !(row->flags & COMMAND_IS_RESPITE) && cw_is_bound(call->engine, row);
}

static unsigned count_shown_commands(const struct cw_call *call)
{
    unsigned count = 0;
    for (unsigned i = 0; i < command_rows(); i++)
        count += is_shown(call, command_at(i));
    return count;
}

static unsigned count_shown_subcommands(const struct cw_call *call, const struct command *container)
{
    unsigned count = 0;
    for (unsigned i = 0; i < container->subcommand_count; i++)
        count += is_shown(call, &container->subcommands[i]);
    return count;
}

static const struct command *find_shown(const struct cw_call *call, struct slice full_name)
{
    const struct command *row = command_by_full_name(full_name);
    return row && is_shown(call, row) ? row : NULL;
}

/* Bits as a set of simple strings; bits without a name are not shown. */
static void write_names(struct cw_call *call, uint32_t bits, const char *(*name_of)(unsigned bit), const char *prefix)
{
    unsigned count = 0;
    for (unsigned bit = 0; bit < 32; bit++)
        count += bits >> bit & 1 && name_of(bit);
    resp_write_set(call->reply, call->protocol, count);
    for (unsigned bit = 0; bit < 32; bit++)
        if (bits >> bit & 1 && name_of(bit))
            buf_add_format(call->reply, "+%s%s\r\n", prefix, name_of(bit));
}

static void write_field(struct cw_call *call, const char *name, const char *value)
{
    resp_write_bulk_text(call->reply, name);
    resp_write_bulk_text(call->reply, value);
}

static void write_number_field(struct cw_call *call, const char *name, int64_t number)
{
    resp_write_bulk_text(call->reply, name);
    resp_write_integer(call->reply, number);
}

/* --- key specs --- */

/* The common head of begin_search and find_keys: {type: ..., spec: {fields that follow}}. */
static void write_spec_head(struct cw_call *call, const char *name, const char *type, unsigned fields)
{
    resp_write_bulk_text(call->reply, name);
    resp_write_map(call->reply, call->protocol, 2);
    write_field(call, "type", type);
    resp_write_bulk_text(call->reply, "spec");
    resp_write_map(call->reply, call->protocol, fields);
}

static void write_begin_search(struct cw_call *call, const struct command_key_spec *spec)
{
    switch (spec->begin) {
    case KEY_BEGIN_INDEX:
        write_spec_head(call, "begin_search", "index", 1);
        write_number_field(call, "index", spec->begin_index);
        break;
    case KEY_BEGIN_KEYWORD:
        write_spec_head(call, "begin_search", "keyword", 2);
        write_field(call, "keyword", spec->keyword);
        write_number_field(call, "startfrom", spec->begin_index);
        break;
    case KEY_BEGIN_UNKNOWN: write_spec_head(call, "begin_search", "unknown", 0); break;
    }
}

static void write_find_keys(struct cw_call *call, const struct command_key_spec *spec)
{
    switch (spec->find) {
    case KEY_FIND_RANGE:
        write_spec_head(call, "find_keys", "range", 3);
        write_number_field(call, "lastkey", spec->last_key);
        write_number_field(call, "keystep", spec->key_step);
        write_number_field(call, "limit", spec->limit);
        break;
    case KEY_FIND_KEYNUM:
        write_spec_head(call, "find_keys", "keynum", 3);
        write_number_field(call, "keynumidx", spec->keynum_index);
        write_number_field(call, "firstkey", spec->first_key);
        write_number_field(call, "keystep", spec->keynum_step);
        break;
    case KEY_FIND_UNKNOWN: write_spec_head(call, "find_keys", "unknown", 0); break;
    }
}

static void write_key_spec(struct cw_call *call, const struct command_key_spec *spec)
{
    resp_write_map(call->reply, call->protocol, spec->note ? 4 : 3);
    if (spec->note)
        write_field(call, "notes", spec->note);
    resp_write_bulk_text(call->reply, "flags");
    write_names(call, spec->flags, command_key_flag_name, "");
    write_begin_search(call, spec);
    write_find_keys(call, spec);
}

/* --- COMMAND, COMMAND INFO --- */

static void write_tips(struct cw_call *call, const struct command *row)
{
    unsigned count = 0;
    while (row->tips && row->tips[count])
        count++;
    resp_write_set(call->reply, call->protocol, count);
    for (unsigned i = 0; i < count; i++)
        resp_write_bulk_text(call->reply, row->tips[i]);
}

/* All of a row but its subcommands. */
static void write_row_info(struct cw_call *call, const struct command *row)
{
    resp_write_array(call->reply, 10);
    resp_write_bulk_text(call->reply, row->full_name);
    resp_write_integer(call->reply, row->arity);
    write_names(call, row->flags, command_flag_name, "");
    resp_write_integer(call->reply, row->first_key);
    resp_write_integer(call->reply, row->last_key);
    resp_write_integer(call->reply, row->key_step);
    write_names(call, row->categories, command_category_name, "@");
    write_tips(call, row);
    resp_write_set(call->reply, call->protocol, row->key_spec_count);
    for (unsigned i = 0; i < row->key_spec_count; i++)
        write_key_spec(call, &row->key_specs[i]);
}

static void write_info(struct cw_call *call, const struct command *row)
{
    write_row_info(call, row);
    if (!row->subcommands) {
        resp_write_set(call->reply, call->protocol, 0);
        return;
    }
    resp_write_array(call->reply, count_shown_subcommands(call, row));
    for (unsigned i = 0; i < row->subcommand_count; i++)
        if (is_shown(call, &row->subcommands[i])) {
            write_row_info(call, &row->subcommands[i]);
            resp_write_set(call->reply, call->protocol, 0);
        }
}

void cw_command_command(struct cw_call *call)
{
    if (call->argc <= 2) {
        resp_write_array(call->reply, count_shown_commands(call));
        for (unsigned i = 0; i < command_rows(); i++)
            if (is_shown(call, command_at(i)))
                write_info(call, command_at(i));
        return;
    }
    resp_write_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++) {
        const struct command *row = find_shown(call, call->argv[i]);
        if (row)
            write_info(call, row);
        else
            resp_write_null(call->reply, call->protocol);
    }
}

void cw_command_count_command(struct cw_call *call)
{
    resp_write_integer(call->reply, count_shown_commands(call));
}

/* --- COMMAND DOCS --- */

static void write_slice_field(struct cw_call *call, const char *name, struct slice value)
{
    resp_write_bulk_text(call->reply, name);
    resp_write_bulk(call->reply, value);
}

static bool has_arguments(const struct command_argument *argument)
{
    return argument->type == ARGUMENT_ONE_OF || argument->type == ARGUMENT_BLOCK;
}

static void write_argument_flags(struct cw_call *call, const struct command_argument *argument)
{
    resp_write_bulk_text(call->reply, "flags");
    resp_write_set(call->reply, call->protocol,
                   (size_t)argument->is_optional + argument->is_repeated + argument->is_token_repeated);
    if (argument->is_optional)
        resp_write_simple(call->reply, SLICE_LITERAL("optional"));
    if (argument->is_repeated)
        resp_write_simple(call->reply, SLICE_LITERAL("multiple"));
    if (argument->is_token_repeated)
        resp_write_simple(call->reply, SLICE_LITERAL("multiple_token"));
}

/* All of an argument but the arguments in it. */
static void write_argument(struct cw_call *call, const struct command_argument *argument)
{
    bool has_flags = argument->is_optional || argument->is_repeated;
    resp_write_map(call->reply, call->protocol,
                   3u + (argument->key_spec >= 0) + argument->has_token + (argument->since.length > 0) +
                       (argument->deprecated.length > 0) + has_flags);
    write_field(call, "name", argument->name);
    write_field(call, "type", command_argument_type_name(argument->type));
    if (!has_arguments(argument))
        write_slice_field(call, "display_text",
                          argument->shown.length > 0 ? argument->shown : slice_text(argument->name));
    if (argument->key_spec >= 0)
        write_number_field(call, "key_spec_index", argument->key_spec);
    if (argument->has_token)
        write_slice_field(call, "token", argument->token);
    if (argument->since.length > 0)
        write_slice_field(call, "since", argument->since);
    if (argument->deprecated.length > 0)
        write_slice_field(call, "deprecated_since", argument->deprecated);
    if (has_flags)
        write_argument_flags(call, argument);
}

/* An array of maps, which hold arrays in turn; as deep as the command table is, which is five. */
static void write_arguments(struct cw_call *call, struct slice text)
{
    resp_write_bulk_text(call->reply, "arguments");
    resp_write_array(call->reply, command_argument_count(text));
    struct command_argument argument;
    while (command_argument_next(&text, &argument)) {
        write_argument(call, &argument);
        if (has_arguments(&argument))
            write_arguments(call, argument.arguments);
    }
}

static void write_history(struct cw_call *call, const struct command *row)
{
    size_t count = 0;
    while (row->history[2 * count])
        count++;
    resp_write_bulk_text(call->reply, "history");
    resp_write_set(call->reply, call->protocol, count);
    for (const char *const *change = row->history; *change; change += 2) {
        resp_write_array(call->reply, 2);
        resp_write_bulk_text(call->reply, change[0]);
        resp_write_bulk_text(call->reply, change[1]);
    }
}

/* The fields of a row; the caller has announced as many, see count_docs_fields. */
static void write_docs_fields(struct cw_call *call, const struct command *row)
{
    write_field(call, "summary", row->summary);
    write_field(call, "since", row->since);
    write_field(call, "group", row->group);
    if (row->complexity)
        write_field(call, "complexity", row->complexity);
    if (row->deprecated_since || row->is_system) {
        resp_write_bulk_text(call->reply, "doc_flags");
        resp_write_set(call->reply, call->protocol, 1);
        resp_write_simple(call->reply, slice_text(row->is_system ? "syscmd" : "deprecated"));
    }
    if (row->deprecated_since) {
        write_field(call, "deprecated_since", row->deprecated_since);
        write_field(call, "replaced_by", row->replaced_by);
    }
    if (row->history)
        write_history(call, row);
    if (row->arguments)
        write_arguments(call, slice_text(row->arguments));
}

static unsigned count_docs_fields(const struct command *row)
{
    unsigned fields = 3;
    if (row->complexity)
        fields++;
    if (row->deprecated_since || row->is_system)
        fields++;
    return fields + (row->deprecated_since ? 2u : 0u) + (row->history != NULL) + (row->arguments != NULL);
}

/* "name" {summary: ..., subcommands: {...}} */
static void write_docs(struct cw_call *call, const struct command *row)
{
    resp_write_bulk_text(call->reply, row->full_name);
    resp_write_map(call->reply, call->protocol, count_docs_fields(row) + (row->subcommands != NULL));
    write_docs_fields(call, row);
    if (!row->subcommands)
        return;
    resp_write_bulk_text(call->reply, "subcommands");
    resp_write_map(call->reply, call->protocol, count_shown_subcommands(call, row));
    for (unsigned i = 0; i < row->subcommand_count; i++) {
        const struct command *subcommand = &row->subcommands[i];
        if (!is_shown(call, subcommand))
            continue;
        resp_write_bulk_text(call->reply, subcommand->full_name);
        resp_write_map(call->reply, call->protocol, count_docs_fields(subcommand));
        write_docs_fields(call, subcommand);
    }
}

void cw_command_docs_command(struct cw_call *call)
{
    if (call->argc == 2) {
        resp_write_map(call->reply, call->protocol, count_shown_commands(call));
        for (unsigned i = 0; i < command_rows(); i++)
            if (is_shown(call, command_at(i)))
                write_docs(call, command_at(i));
        return;
    }
    unsigned count = 0;
    for (size_t i = 2; i < call->argc; i++)
        count += find_shown(call, call->argv[i]) != NULL;
    resp_write_map(call->reply, call->protocol, count);
    for (size_t i = 2; i < call->argc; i++) {
        const struct command *row = find_shown(call, call->argv[i]);
        if (row)
            write_docs(call, row);
    }
}

/* --- COMMAND GETKEYS, COMMAND GETKEYSANDFLAGS --- */

static void write_keys(struct cw_call *call, const struct command_key *keys, size_t count, bool with_flags)
{
    resp_write_array(call->reply, count);
    for (size_t i = 0; i < count; i++) {
        if (with_flags)
            resp_write_array(call->reply, 2);
        resp_write_bulk(call->reply, call->argv[2 + keys[i].index]);
        if (with_flags)
            write_names(call, keys[i].flags, command_key_flag_name, "");
    }
}

static void reply_keys(struct cw_call *call, bool with_flags)
{
    const struct slice *argv = call->argv + 2;
    size_t argc = call->argc - 2;
    const struct command *row = command_resolve(argv, argc);
    bool is_unknown_subcommand = row && row->subcommands && argc > 1;
    if (!row || is_unknown_subcommand || !is_shown(call, row)) {
        cw_reply_error(call, "ERR Invalid command specified");
        return;
    }
    if (!command_has_keys(row)) {
        cw_reply_error(call, "ERR The command has no key arguments");
        return;
    }
    if (!command_arity_fits(row, argc)) {
        cw_reply_error(call, "ERR Invalid number of arguments specified for command");
        return;
    }
    size_t count = 0;
    if (command_keys(row, argv, argc, NULL, 0, &count) != 0 && !(row->flags & COMMAND_NO_MANDATORY_KEYS)) {
        cw_reply_error(call, "ERR Invalid arguments specified for command");
        return;
    }
    struct command_key *keys = count > 0 ? mem_alloc(count * sizeof(*keys)) : NULL;
    if (count > 0)
        CHECK(command_keys(row, argv, argc, keys, count, &count) == 0);
    write_keys(call, keys, count, with_flags);
    mem_free(keys);
}

void cw_command_getkeys_command(struct cw_call *call)
{
    reply_keys(call, false);
}

void cw_command_getkeysandflags_command(struct cw_call *call)
{
    reply_keys(call, true);
}

/* --- COMMAND LIST --- */

enum list_filter { LIST_ALL, LIST_NONE, LIST_CATEGORY, LIST_PATTERN };

struct list_request {
    enum list_filter filter;
    uint32_t category; /* one bit, or none when the name is no category */
    struct slice pattern;
};

static uint32_t category_by_name(struct slice name)
{
    for (unsigned bit = 0; command_category_name(bit); bit++)
        if (slice_equal_nocase(name, command_category_name(bit)))
            return (uint32_t)1 << bit;
    return 0;
}

/* [FILTERBY MODULE name | ACLCAT category | PATTERN pattern]; false: a syntax error. */
static bool parse_list_request(const struct cw_call *call, struct list_request *ret_request)
{
    *ret_request = (struct list_request){.filter = LIST_ALL};
    if (call->argc == 2)
        return true;
    if (call->argc != 5 || !slice_equal_nocase(call->argv[2], "filterby"))
        return false;
    if (slice_equal_nocase(call->argv[3], "module"))
        ret_request->filter = LIST_NONE; /* there are no modules */
    else if (slice_equal_nocase(call->argv[3], "aclcat"))
        *ret_request = (struct list_request){.filter = LIST_CATEGORY, .category = category_by_name(call->argv[4])};
    else if (slice_equal_nocase(call->argv[3], "pattern"))
        *ret_request = (struct list_request){.filter = LIST_PATTERN, .pattern = call->argv[4]};
    else
        return false;
    return true;
}

static bool is_listed(const struct cw_call *call, const struct list_request *request, const struct command *row)
{
    if (!is_shown(call, row))
        return false;
    switch (request->filter) {
    case LIST_ALL: return true;
    case LIST_NONE: return false;
    case LIST_CATEGORY: return row->categories & request->category;
    case LIST_PATTERN: return glob_match(request->pattern, slice_text(row->full_name), true);
    }
    return false;
}

void cw_command_list_command(struct cw_call *call)
{
    struct list_request request;
    if (!parse_list_request(call, &request)) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    bool listed[COMMAND_ID_COUNT];
    unsigned count = 0;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++) {
        listed[id] = is_listed(call, &request, &command_table[id]);
        count += listed[id];
    }
    resp_write_array(call->reply, count);
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++)
        if (listed[id])
            resp_write_bulk_text(call->reply, command_table[id].full_name);
}

/* --- COMMAND HELP --- */

void cw_command_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "(no subcommand)",
        "    Describe all commands.",
        "COUNT",
        "    Count the commands.",
        "DOCS [<command-name> ...]",
        "    Return the documentation of the given commands, or of all.",
        "GETKEYS <full-command>",
        "    Return the keys of a request.",
        "GETKEYSANDFLAGS <full-command>",
        "    Return the keys of a request and what is done with them.",
        "INFO [<command-name> ...]",
        "    Describe the given commands, or all.",
        "LIST [FILTERBY MODULE <name>|ACLCAT <category>|PATTERN <pattern>]",
        "    List the names of the commands.",
        "HELP",
        "    Print this help.",
    };
    resp_write_array(call->reply, ARRAY_LENGTH(lines));
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++)
        resp_write_simple(call->reply, slice_text(lines[i]));
}
