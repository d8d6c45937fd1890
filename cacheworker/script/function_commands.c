#include "cacheworker/script/function_commands.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/rdb/dump_payload.h"
#include "cacheworker/rdb/rdb.h"
#include "cacheworker/script/functions.h"
#include "cacheworker/script/keys_argument.h"
#include "cacheworker/script/scripting.h"
#include "common/base/glob.h"
#include "common/base/number.h"

static void reply_words(struct cw_call *call, const struct buf *words)
{
    struct buf text = {0};
    buf_add_text(&text, "ERR ");
    buf_add_slice(&text, buf_slice(words));
    resp_write_error(call->reply, buf_slice(&text));
    buf_free(&text);
}

/* The present set; NULL: there is no memory for one, and the reply says so. */
static struct cw_functions *functions_of(struct cw_call *call)
{
    struct cw_functions *functions = cw_scripting_functions(call->engine->scripting);
    if (functions == NULL)
        cw_reply_error(call, CW_ERROR_NO_MEMORY);
    return functions;
}

/* --- FCALL --- */

static bool read_keys(struct cw_call *call, size_t *ret_count)
{
    int64_t count;
    if (number_parse_i64(call->argv[2], &count) < 0) {
        cw_reply_error(call, "ERR Bad number of keys provided");
        return false;
    }
    return cw_read_key_count(call, ret_count) == 0;
}

static void call_function(struct cw_call *call, bool is_read_only)
{
    struct cw_scripting *scripting = call->engine->scripting;
    struct cw_function *function =
        scripting->functions != NULL ? cw_functions_find(scripting->functions, call->argv[1]) : NULL;
    size_t key_count;
    if (function == NULL) {
        cw_reply_error(call, "ERR Function not found");
        return;
    }
    if (!read_keys(call, &key_count))
        return;
    struct cw_script_start start = {
        .function = function->reference,
        .flags = function->flags,
        .name = function->name,
        .interpreter = scripting->library,
        .keys = call->argv + 3,
        .key_count = key_count,
        .arguments = call->argv + 3 + key_count,
        .argument_count = call->argc - 3 - key_count,
        .is_read_only = is_read_only,
    };
    cw_scripting_run(call, &start);
}

void cw_fcall_command(struct cw_call *call)
{
    call_function(call, false);
}

void cw_fcall_ro_command(struct cw_call *call)
{
    call_function(call, true);
}

/* --- FUNCTION LOAD, DELETE, FLUSH --- */

void cw_function_load_command(struct cw_call *call)
{
    bool may_replace = false;
    for (size_t i = 2; i + 1 < call->argc; i++) {
        if (!slice_equal_nocase(call->argv[i], "replace")) {
            resp_write_error_format(call->reply, "ERR Unknown option given: %.*s", (int)call->argv[i].length,
                                    call->argv[i].data);
            return;
        }
        may_replace = true;
    }
    struct cw_functions *functions = functions_of(call);
    if (functions == NULL)
        return;
    struct buf error = {0};
    struct cw_library *library = cw_functions_load(functions, call->argv[call->argc - 1], may_replace, &error);
    if (library == NULL) {
        reply_words(call, &error);
    } else {
        call->dirty++;
        resp_write_bulk_text(call->reply, library->name);
    }
    buf_free(&error);
}

void cw_function_delete_command(struct cw_call *call)
{
    struct cw_functions *functions = call->engine->scripting->functions;
    struct cw_library *library = functions != NULL ? cw_functions_library(functions, call->argv[2]) : NULL;
    if (library == NULL) {
        cw_reply_error(call, "ERR Library not found");
        return;
    }
    cw_functions_delete(functions, library);
    call->dirty++;
    resp_write_ok(call->reply);
}

void cw_function_flush_command(struct cw_call *call)
{
    if (call->argc > 3) {
        cw_reply_subcommand_syntax_error(call);
        return;
    }
    if (call->argc == 3 && !slice_equal_nocase(call->argv[2], "sync") && !slice_equal_nocase(call->argv[2], "async")) {
        cw_reply_error(call, "ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
        return;
    }
    cw_scripting_flush_functions(call->engine->scripting);
    call->dirty++;
    resp_write_ok(call->reply);
}

/* --- FUNCTION LIST --- */

static void list_flags(struct cw_call *call, uint32_t flags)
{
    size_t before = buf_length(call->reply);
    uint64_t count = 0;
    for (unsigned bit = 0; cw_script_flag_name(bit) != NULL; bit++) {
        if ((flags & 1U << bit) == 0)
            continue;
        resp_write_simple(call->reply, slice_text(cw_script_flag_name(bit)));
        count++;
    }
    resp_insert_set(call->reply, call->protocol, before, count);
}

static void list_function(struct cw_call *call, const struct cw_function *function)
{
    resp_write_map(call->reply, call->protocol, 3);
    resp_write_bulk_text(call->reply, "name");
    resp_write_bulk_text(call->reply, function->name);
    resp_write_bulk_text(call->reply, "description");
    if (function->description != NULL)
        resp_write_bulk(call->reply, slice_of(function->description, function->description_length));
    else
        resp_write_null(call->reply, call->protocol);
    resp_write_bulk_text(call->reply, "flags");
    list_flags(call, function->flags);
}

static void list_library(struct cw_call *call, const struct cw_library *library, bool with_code)
{
    resp_write_map(call->reply, call->protocol, with_code ? 4 : 3);
    resp_write_bulk_text(call->reply, "library_name");
    resp_write_bulk_text(call->reply, library->name);
    resp_write_bulk_text(call->reply, "engine");
    resp_write_bulk_text(call->reply, "LUA");
    resp_write_bulk_text(call->reply, "functions");
    resp_write_array(call->reply, library->function_count);
    LIST_FOR_EACH(node, &library->functions)
    list_function(call, LIST_ENTRY(node, struct cw_function, of_library));
    if (with_code) {
        resp_write_bulk_text(call->reply, "library_code");
        resp_write_bulk(call->reply, slice_of(library->code, library->code_length));
    }
}

/* False: the reply says what is wrong. */
static bool read_list_options(struct cw_call *call, struct slice *ret_pattern, bool *ret_with_code)
{
    for (size_t i = 2; i < call->argc; i++) {
        if (!*ret_with_code && slice_equal_nocase(call->argv[i], "withcode")) {
            *ret_with_code = true;
        } else if (ret_pattern->data == NULL && slice_equal_nocase(call->argv[i], "libraryname")) {
            if (i + 1 == call->argc) {
                cw_reply_error(call, "ERR library name argument was not given");
                return false;
            }
            *ret_pattern = call->argv[++i];
        } else {
            resp_write_error_format(call->reply, "ERR Unknown argument %.*s", (int)call->argv[i].length,
                                    call->argv[i].data);
            return false;
        }
    }
    return true;
}

void cw_function_list_command(struct cw_call *call)
{
    struct slice pattern = {0};
    bool with_code = false;
    if (!read_list_options(call, &pattern, &with_code))
        return;
    const struct cw_functions *functions = call->engine->scripting->functions;
    size_t before = buf_length(call->reply);
    uint64_t count = 0;
    if (functions != NULL) {
        LIST_FOR_EACH(node, &functions->all)
        {
            const struct cw_library *library = LIST_ENTRY(node, struct cw_library, all);
            if (pattern.data != NULL && !glob_match(pattern, slice_text(library->name), true))
                continue;
            list_library(call, library, with_code);
            count++;
        }
    }
    resp_insert_array(call->reply, before, count);
}

/* --- FUNCTION DUMP, RESTORE --- */

void cw_function_dump_command(struct cw_call *call)
{
    struct buf payload = {0};
    const struct cw_functions *functions = call->engine->scripting->functions;
    if (functions != NULL)
        cw_functions_dump(functions, &payload);
    cw_dump_end(&payload, CW_RDB_VERSION);
    resp_write_bulk(call->reply, buf_slice(&payload));
    buf_free(&payload);
}

enum policy { POLICY_APPEND, POLICY_REPLACE, POLICY_FLUSH };

static bool read_policy(struct slice word, enum policy *ret_policy)
{
    static const char *const names[] = {
        [POLICY_APPEND] = "append", [POLICY_REPLACE] = "replace", [POLICY_FLUSH] = "flush"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        if (slice_equal_nocase(word, names[i])) {
            *ret_policy = (enum policy)i;
            return true;
        }
    }
    return false;
}

/* Takes `fresh` whether it succeeds or not. */
static bool install(struct cw_call *call, struct cw_functions *fresh, enum policy policy, struct buf *error)
{
    struct cw_scripting *scripting = call->engine->scripting;
    if (policy == POLICY_FLUSH || scripting->functions == NULL) {
        cw_scripting_set_functions(scripting, fresh);
        return true;
    }
    bool well = cw_functions_join(scripting->functions, fresh, policy == POLICY_REPLACE, error) == 0;
    cw_functions_destroy(fresh);
    return well;
}

static void restore(struct cw_call *call, struct slice items, enum policy policy)
{
    struct cw_functions *fresh = cw_scripting_new_functions(call->engine->scripting);
    if (fresh == NULL) {
        cw_reply_error(call, CW_ERROR_NO_MEMORY);
        return;
    }
    struct buf error = {0};
    bool well = cw_functions_restore(fresh, items, &error) == 0;
    if (!well)
        cw_functions_destroy(fresh);
    else
        well = install(call, fresh, policy, &error);
    if (well) {
        call->dirty++;
        resp_write_ok(call->reply);
    } else {
        reply_words(call, &error);
    }
    buf_free(&error);
}

void cw_function_restore_command(struct cw_call *call)
{
    enum policy policy = POLICY_APPEND;
    struct slice items;
    if (call->argc > 4)
        cw_reply_subcommand_syntax_error(call);
    else if (call->argc == 4 && !read_policy(call->argv[3], &policy))
        cw_reply_error(call, "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.");
    else if (!cw_dump_open(call->argv[2], call->settings->trusts_dumps, &items))
        cw_reply_error(call, CW_ERROR_BAD_DUMP);
    else
        restore(call, items, policy);
}

/* --- FUNCTION STATS, KILL, HELP --- */

static void write_running(struct cw_call *call)
{
    const struct cw_engine *engine = call->engine;
    const struct cw_long_command *running = &engine->long_command;
    if (engine->scripting->running == NULL || !running->is_left) {
        resp_write_null(call->reply, call->protocol);
        return;
    }
    resp_write_map(call->reply, call->protocol, 3);
    resp_write_bulk_text(call->reply, "name");
    resp_write_bulk_text(call->reply, engine->scripting->running);
    resp_write_bulk_text(call->reply, "command");
    resp_write_array(call->reply, running->argc);
    for (size_t i = 0; i < running->argc; i++)
        resp_write_bulk(call->reply, running->argv[i]);
    resp_write_bulk_text(call->reply, "duration_ms");
    resp_write_integer(call->reply, (engine->now_ns - running->began_ns) / NS_PER_MS);
}

void cw_function_stats_command(struct cw_call *call)
{
    const struct cw_scripting *scripting = call->engine->scripting;
    if (scripting->running != NULL && !scripting->runs_function) {
        cw_reply_error(call, cw_scripting_busy_words(scripting));
        return;
    }
    const struct cw_functions *functions = scripting->functions;
    resp_write_map(call->reply, call->protocol, 2);
    resp_write_bulk_text(call->reply, "running_script");
    write_running(call);
    resp_write_bulk_text(call->reply, "engines");
    resp_write_map(call->reply, call->protocol, 1);
    resp_write_bulk_text(call->reply, "LUA");
    resp_write_map(call->reply, call->protocol, 2);
    resp_write_bulk_text(call->reply, "libraries_count");
    resp_write_integer(call->reply, functions != NULL ? (int64_t)functions->libraries.count : 0);
    resp_write_bulk_text(call->reply, "functions_count");
    resp_write_integer(call->reply, functions != NULL ? (int64_t)functions->by_name.count : 0);
}

void cw_function_kill_command(struct cw_call *call)
{
    cw_scripting_kill(call, true);
}

void cw_function_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "FUNCTION <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LOAD [REPLACE] <FUNCTION CODE>",
        "    Create a new library with the given library name and code.",
        "DELETE <LIBRARY NAME>",
        "    Delete the given library.",
        "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
        "    Return general information on all the libraries:",
        "    * Library name",
        "    * The engine used to run the Library",
        "    * Library description",
        "    * Functions list",
        "    * Library code (if WITHCODE is given)",
        "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
        "STATS",
        "    Return information about the current function running:",
        "    * Function name",
        "    * Command used to run the function",
        "    * Duration in MS that the function is running",
        "    If no function is running, return nil",
        "    In addition, returns a list of available engines.",
        "KILL",
        "    Kill the current running function.",
        "FLUSH [ASYNC|SYNC]",
        "    Delete all the libraries.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the libraries.",
        "    * SYNC: Synchronously flush the libraries.",
        "DUMP",
        ("    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE "
         "command"),
        "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
        "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
        "    control how to handle existing libraries (default APPEND):",
        "    * FLUSH: delete all existing libraries.",
        "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
        "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
        "      libraries with the new libraries (notice that even on this option there is a chance of failure",
        "      in case of functions name collision with another library).",
        "HELP",
        "    Prints this help.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}
