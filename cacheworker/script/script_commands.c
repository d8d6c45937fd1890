#include "cacheworker/script/script_commands.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/script/keys_argument.h"
#include "cacheworker/script/scripting.h"
#include "common/base/number.h"

int cw_read_key_count(struct cw_call *call, size_t *ret_count)
{
    int64_t count;
    if (number_parse_i64(call->argv[2], &count) < 0)
        cw_reply_error(call, CW_ERROR_NOT_INTEGER);
    else if (count > (int64_t)call->argc - 3)
        cw_reply_error(call, "ERR Number of keys can't be greater than number of args");
    else if (count < 0)
        cw_reply_error(call, "ERR Number of keys can't be negative");
    else {
        *ret_count = (size_t)count;
        return 0;
    }
    return -1;
}

static void evaluate(struct cw_call *call, bool by_sha, bool is_read_only)
{
    struct cw_scripting *scripting = call->engine->scripting;
    if (by_sha && call->argv[1].length != SHA1_HEX) {
        cw_reply_error(call, "NOSCRIPT No matching script. Please use EVAL.");
        return;
    }
    size_t key_count;
    if (cw_read_key_count(call, &key_count) < 0)
        return;
    struct buf error = {0};
    struct cw_script *script = by_sha ? cw_scripting_find(scripting, call->argv[1])
                                      : cw_scripting_add(scripting, call->argv[1], false, &error);
    if (script != NULL && script->is_new) {
        script->is_new = false;
        cw_scripting_tell_load(scripting, script);
    }
    if (script == NULL && by_sha)
        cw_reply_error(call, "NOSCRIPT No matching script. Please use EVAL.");
    else if (script == NULL)
        resp_write_error(call->reply, buf_slice(&error));
    buf_free(&error);
    if (script == NULL)
        return;
    cw_scripting_touch(scripting, script);
    struct cw_script_start start = {
        .function = script->function,
        .flags = script->flags,
        .name = script->sha,
        .interpreter = scripting->eval,
        .keys = call->argv + 3,
        .key_count = key_count,
        .arguments = call->argv + 3 + key_count,
        .argument_count = call->argc - 3 - key_count,
        .is_read_only = is_read_only,
    };
    cw_scripting_run(call, &start);
}

void cw_eval_command(struct cw_call *call)
{
    evaluate(call, false, false);
}

void cw_eval_ro_command(struct cw_call *call)
{
    evaluate(call, false, true);
}

void cw_evalsha_command(struct cw_call *call)
{
    evaluate(call, true, false);
}

void cw_evalsha_ro_command(struct cw_call *call)
{
    evaluate(call, true, true);
}

void cw_script_exists_command(struct cw_call *call)
{
    resp_write_array(call->reply, call->argc - 2);
    for (size_t i = 2; i < call->argc; i++)
        resp_write_integer(call->reply, cw_scripting_find(call->engine->scripting, call->argv[i]) != NULL);
}

void cw_script_flush_command(struct cw_call *call)
{
    bool is_known =
        call->argc == 2 ||
        (call->argc == 3 && (slice_equal_nocase(call->argv[2], "sync") || slice_equal_nocase(call->argv[2], "async")));
    if (!is_known) {
        cw_reply_error(call, "ERR SCRIPT FLUSH only support SYNC|ASYNC option");
        return;
    }
    cw_scripting_flush(call->engine->scripting);
    cw_scripting_tell_flush(call->engine->scripting);
    resp_write_ok(call->reply);
}

void cw_script_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "SCRIPT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DEBUG (YES|SYNC|NO)",
        "    Set the debug mode for subsequent scripts executed.",
        "EXISTS <sha1> [<sha1> ...]",
        "    Return information about the existence of the scripts in the script cache.",
        "FLUSH [ASYNC|SYNC]",
        "    Flush the Lua scripts cache. Very dangerous on replicas.",
        "    When called without the optional mode argument, the behavior is determined by the",
        "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
        "    * ASYNC: Asynchronously flush the scripts cache.",
        "    * SYNC: Synchronously flush the scripts cache.",
        "KILL",
        "    Kill the currently executing Lua script.",
        "LOAD <script>",
        "    Load a script into the scripts cache without executing it.",
        "HELP",
        "    Prints this help.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}

void cw_script_kill_command(struct cw_call *call)
{
    cw_scripting_kill(call, false);
}

void cw_script_load_command(struct cw_call *call)
{
    struct buf error = {0};
    struct cw_script *script = cw_scripting_add(call->engine->scripting, call->argv[2], true, &error);
    if (script != NULL) {
        cw_scripting_tell_load(call->engine->scripting, script);
        script->is_new = false;
        resp_write_bulk(call->reply, slice_of(script->sha, SHA1_HEX));
    } else {
        resp_write_error(call->reply, buf_slice(&error));
    }
    buf_free(&error);
}
