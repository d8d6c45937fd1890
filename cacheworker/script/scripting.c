#include "cacheworker/script/scripting.h"

#include "cacheworker/engine/gates.h"
#include "cacheworker/engine/nested.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/rdb/rdb_cursor.h"
#include "cacheworker/rdb/rdb_emit.h"
#include "cacheworker/rdb/rdb_format.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"
#include "common/base/mem.h"

/* --- what is known --- */

struct cw_scripting *cw_scripting_create(struct cw_engine *engine)
{
    struct cw_scripting *scripting = mem_zero(sizeof(*scripting));
    scripting->engine = engine;
    scripting->random = CW_SCRIPT_RANDOM;
    hashmap_init(&scripting->scripts, (struct siphash_key){{engine->config.random_seed, 1}});
    list_init(&scripting->recent);
    return scripting;
}

static void forget(struct cw_scripting *scripting, struct cw_script *script)
{
    hashmap_remove(&scripting->scripts, &script->node);
    if (scripting->newest == script)
        scripting->newest = NULL;
    if (!list_is_empty(&script->recent)) {
        list_remove(&script->recent);
        scripting->recent_count--;
    }
    scripting->source_bytes -= script->length;
    if (scripting->eval != NULL)
        cw_interpreter_forget(scripting->eval, script->function);
    mem_free(script);
}

void cw_scripting_flush(struct cw_scripting *scripting)
{
    cw_interpreter_destroy(scripting->eval);
    scripting->eval = NULL;
    HASHMAP_FOR_EACH(node, &scripting->scripts)
    forget(scripting, CONTAINER_OF(node, struct cw_script, node));
}

void cw_scripting_destroy(struct cw_scripting *scripting)
{
    if (scripting == NULL)
        return;
    cw_scripting_flush(scripting);
    cw_scripting_flush_functions(scripting);
    hashmap_free(&scripting->scripts);
    buf_free(&scripting->dump);
    mem_free(scripting);
}

static struct cw_interpreter *create_interpreter(struct cw_scripting *scripting, enum cw_script_kind kind)
{
    struct cw_interpreter_config config = {.kind = kind,
                                           .limit_bytes = CW_SCRIPT_HEAP_BYTES,
                                           .fiber = cw_long_fiber(scripting->engine),
                                           .random = &scripting->random};
    return config.fiber != NULL ? cw_interpreter_create(&config) : NULL;
}

struct cw_interpreter *cw_scripting_eval(struct cw_scripting *scripting)
{
    if (scripting->eval == NULL)
        scripting->eval = create_interpreter(scripting, CW_SCRIPT_EVAL);
    return scripting->eval;
}

struct cw_functions *cw_scripting_new_functions(struct cw_scripting *scripting)
{
    if (scripting->library == NULL)
        scripting->library = create_interpreter(scripting, CW_SCRIPT_FUNCTION);
    struct siphash_key seed = {{scripting->engine->config.random_seed, 2}};
    return scripting->library != NULL ? cw_functions_create(scripting->library, seed) : NULL;
}

struct cw_functions *cw_scripting_functions(struct cw_scripting *scripting)
{
    if (scripting->functions == NULL)
        scripting->functions = cw_scripting_new_functions(scripting);
    return scripting->functions;
}

void cw_scripting_set_functions(struct cw_scripting *scripting, struct cw_functions *functions)
{
    cw_functions_destroy(scripting->functions);
    scripting->functions = functions;
}

void cw_scripting_flush_functions(struct cw_scripting *scripting)
{
    cw_scripting_set_functions(scripting, NULL);
    cw_interpreter_destroy(scripting->library);
    scripting->library = NULL;
}

struct cw_script *cw_scripting_find(const struct cw_scripting *scripting, struct slice sha)
{
    if (sha.length != SHA1_HEX)
        return NULL;
    if (scripting->newest != NULL && memcmp(scripting->newest->sha, sha.data, SHA1_HEX) == 0)
        return scripting->newest;
    char lower[SHA1_HEX];
    for (size_t i = 0; i < SHA1_HEX; i++)
        lower[i] = sha.data[i] >= 'A' && sha.data[i] <= 'Z' ? (char)(sha.data[i] - 'A' + 'a') : sha.data[i];
    struct hashmap_node *node = hashmap_find(&scripting->scripts, slice_of(lower, SHA1_HEX));
    return node != NULL ? CONTAINER_OF(node, struct cw_script, node) : NULL;
}

void cw_scripting_touch(struct cw_scripting *scripting, struct cw_script *script)
{
    scripting->newest = script;
    if (list_is_empty(&script->recent) || scripting->recent.previous == &script->recent)
        return;
    list_remove(&script->recent);
    list_add_last(&scripting->recent, &script->recent);
}

static void keep(struct cw_scripting *scripting, struct cw_script *script, bool stays)
{
    if (stays && !list_is_empty(&script->recent)) {
        list_remove(&script->recent);
        scripting->recent_count--;
    }
}

static void keep_for_eval(struct cw_scripting *scripting, struct cw_script *script)
{
    if (scripting->recent_count >= CW_EVAL_SCRIPTS_MAX)
        forget(scripting, LIST_ENTRY(scripting->recent.next, struct cw_script, recent));
    list_add_last(&scripting->recent, &script->recent);
    scripting->recent_count++;
}

struct cw_script *cw_scripting_add(struct cw_scripting *scripting, struct slice source, bool stays, struct buf *error)
{
    char sha[SHA1_HEX];
    sha1_hex(source, sha);
    struct cw_script *known = cw_scripting_find(scripting, slice_of(sha, SHA1_HEX));
    if (known != NULL) {
        keep(scripting, known, stays);
        return known;
    }
    uint32_t flags;
    size_t shebang_length;
    struct cw_interpreter *interpreter = cw_scripting_eval(scripting);
    if (interpreter == NULL) {
        buf_add_text(error, CW_ERROR_NO_MEMORY);
        return NULL;
    }
    buf_add_text(error, "ERR ");
    if (cw_script_read_shebang(source, &flags, &shebang_length, error) < 0)
        return NULL;
    buf_add_text(error, "Error compiling script (new function): ");
    int function;
    if (cw_interpreter_compile(interpreter, slice_skip(source, shebang_length), "@user_script", &function, error) < 0)
        return NULL;
    struct cw_script *script = mem_zero(sizeof(*script) + source.length);
    memcpy(script->sha, sha, SHA1_HEX);
    memcpy(script->source, source.data, source.length);
    script->length = source.length;
    script->flags = flags;
    script->function = function;
    script->is_new = true;
    list_init(&script->recent);
    scripting->source_bytes += source.length;
    hashmap_add(&scripting->scripts, &script->node, slice_of(script->sha, SHA1_HEX));
    if (!stays)
        keep_for_eval(scripting, script);
    return script;
}

/* --- beside the data --- */

struct slice cw_scripting_dump(struct cw_scripting *scripting)
{
    buf_clear(&scripting->dump);
    if (scripting->functions != NULL)
        cw_functions_dump(scripting->functions, &scripting->dump);
    HASHMAP_FOR_EACH(node, &scripting->scripts)
    {
        const struct cw_script *script = CONTAINER_OF(node, struct cw_script, node);
        cw_rdb_add_script(&scripting->dump, slice_of(script->source, script->length));
    }
    return buf_slice(&scripting->dump);
}

static int restore_one(struct cw_scripting *scripting, struct cw_rdb_cursor *cursor, struct buf *unpacked,
                       struct buf *error)
{
    const unsigned char *type;
    struct slice text;
    if (cw_rdb_take(cursor, 1, &type) <= 0 || cw_rdb_take_string(cursor, unpacked, &text) <= 0)
        return ERR_CORRUPT;
    if (*type == RDB_OPCODE_FUNCTION) {
        struct cw_functions *functions = cw_scripting_functions(scripting);
        return functions != NULL && cw_functions_load(functions, text, false, error) != NULL ? 0 : ERR_INVALID;
    }
    if (*type != RDB_OPCODE_AUX || cw_rdb_take_string(cursor, unpacked, &text) <= 0)
        return ERR_CORRUPT;
    return cw_scripting_add(scripting, text, true, error) != NULL ? 0 : ERR_INVALID;
}

/* Scripts that are not known any more can be sent again; libraries cannot. */
int cw_scripting_check(struct cw_scripting *scripting, struct slice items, struct buf *error)
{
    struct cw_rdb_cursor cursor = {.bytes = items};
    struct buf unpacked = {0};
    cw_scripting_flush(scripting);
    cw_scripting_flush_functions(scripting);
    int result = 0;
    while (cursor.position < items.length && result == 0) {
        bool is_library = (unsigned char)items.data[cursor.position] == RDB_OPCODE_FUNCTION;
        result = restore_one(scripting, &cursor, &unpacked, error);
        if (result < 0 && !is_library) {
            buf_clear(error);
            result = 0;
        }
    }
    cw_scripting_flush(scripting);
    cw_scripting_flush_functions(scripting);
    buf_free(&unpacked);
    return result == ERR_INVALID ? ERR_CORRUPT : result;
}

void cw_scripting_restore(struct cw_scripting *scripting, struct slice items)
{
    struct cw_rdb_cursor cursor = {.bytes = items};
    struct buf unpacked = {0};
    struct buf error = {0};
    cw_scripting_flush(scripting);
    cw_scripting_flush_functions(scripting);
    int result = 0;
    while (cursor.position < items.length && result != ERR_CORRUPT) {
        buf_clear(&error);
        result = restore_one(scripting, &cursor, &unpacked, &error);
        if (result == ERR_INVALID && scripting->engine->effects != NULL)
            effect_log(scripting->engine->effects, LOG_LEVEL_WARNING,
                       "a script or library of a snapshot is left out: %.*s", (int)buf_length(&error),
                       buf_length(&error) > 0 ? buf_slice(&error).data : "");
    }
    buf_free(&unpacked);
    buf_free(&error);
}

/* Tells the replicas of a group, which may be masters tomorrow. A stock one takes it too, but expects no such thing. */
static void tell(struct cw_scripting *scripting, struct slice word, const struct cw_script *script)
{
    struct cw_engine *engine = scripting->engine;
    if (engine->config.standalone || !cw_repl_is_feeding(engine->repl))
        return;
    const struct slice argv[] = {SLICE_LITERAL("SCRIPT"), word,
                                 script != NULL ? slice_of(script->source, script->length) : word};
    cw_repl_append(engine->repl, 0, argv, script != NULL ? 3 : 2);
}

void cw_scripting_tell_load(struct cw_scripting *scripting, const struct cw_script *script)
{
    tell(scripting, SLICE_LITERAL("LOAD"), script);
}

void cw_scripting_tell_flush(struct cw_scripting *scripting)
{
    tell(scripting, SLICE_LITERAL("FLUSH"), NULL);
}

/* --- the first line --- */

static const char *const flag_names[] = {"no-writes", "allow-oom", "allow-stale", "no-cluster",
                                         "allow-cross-slot-keys"};

const char *cw_script_flag_name(unsigned bit)
{
    return bit < ARRAY_LENGTH(flag_names) ? flag_names[bit] : NULL;
}

int cw_script_read_flag(struct slice word, uint32_t *ret_flag)
{
    for (unsigned bit = 0; bit < ARRAY_LENGTH(flag_names); bit++) {
        if (slice_equal(word, slice_text(flag_names[bit]))) {
            *ret_flag = 1U << bit;
            return 0;
        }
    }
    return ERR_INVALID;
}

/* The piece in front of the first `end`, and the rest behind it. */
static struct slice take_until(struct slice *rest, char end)
{
    const char *found = rest->length > 0 ? memchr(rest->data, end, rest->length) : NULL;
    struct slice piece = slice_of(rest->data, found != NULL ? (size_t)(found - rest->data) : rest->length);
    *rest = slice_skip(*rest, piece.length + (found != NULL ? 1 : 0));
    return piece;
}

struct slice cw_script_next_word(struct slice *line)
{
    struct slice word = take_until(line, ' ');
    while (word.length == 0 && line->length > 0)
        word = take_until(line, ' ');
    return word;
}

static int read_flags(struct slice list, uint32_t *flags, struct buf *error)
{
    while (list.length > 0) {
        struct slice word = take_until(&list, ',');
        uint32_t flag;
        if (cw_script_read_flag(word, &flag) < 0) {
            buf_add_text(error, "Unexpected flag in script shebang: ");
            buf_add_slice(error, word);
            return ERR_INVALID;
        }
        *flags |= flag;
    }
    return 0;
}

int cw_script_read_shebang(struct slice source, uint32_t *ret_flags, size_t *ret_length, struct buf *error)
{
    *ret_flags = CW_SCRIPT_WITHOUT_FLAGS;
    *ret_length = 0;
    if (source.length < 2 || memcmp(source.data, "#!", 2) != 0)
        return 0;
    const char *end = memchr(source.data, '\n', source.length);
    if (end == NULL) {
        buf_add_text(error, "Invalid script shebang");
        return ERR_INVALID;
    }
    struct slice line = slice_of(source.data, (size_t)(end - source.data));
    *ret_length = line.length;
    struct slice engine = cw_script_next_word(&line);
    if (!slice_equal(engine, SLICE_LITERAL("#!lua"))) {
        buf_add_text(error, "Unexpected engine in script shebang: ");
        buf_add_slice(error, engine);
        return ERR_INVALID;
    }
    *ret_flags = 0;
    struct slice option;
    while ((option = cw_script_next_word(&line)).length > 0) {
        if (option.length < 6 || memcmp(option.data, "flags=", 6) != 0) {
            buf_add_text(error, "Unknown lua shebang option: ");
            buf_add_slice(error, option);
            return ERR_INVALID;
        }
        if (read_flags(slice_skip(option, 6), ret_flags, error) < 0)
            return ERR_INVALID;
    }
    return 0;
}

static uint32_t flags_of_source(struct slice source)
{
    struct buf error = {0};
    uint32_t flags;
    size_t length;
    if (cw_script_read_shebang(source, &flags, &length, &error) < 0)
        flags = CW_SCRIPT_WITHOUT_FLAGS;
    buf_free(&error);
    return flags;
}

/* What a command's script says of itself; nothing when there is none. */
static uint32_t flags_named_by(const struct cw_scripting *scripting, const struct command *command, struct slice name)
{
    const struct cw_script *script;
    const struct cw_function *function;
    switch (command->id) {
    case COMMAND_ID_EVAL:
    case COMMAND_ID_EVAL_RO: return flags_of_source(name);
    case COMMAND_ID_EVALSHA:
    case COMMAND_ID_EVALSHA_RO:
        script = cw_scripting_find(scripting, name);
        return script != NULL ? script->flags : CW_SCRIPT_WITHOUT_FLAGS;
    case COMMAND_ID_FCALL:
    case COMMAND_ID_FCALL_RO:
        function = scripting->functions != NULL ? cw_functions_find(scripting->functions, name) : NULL;
        return function != NULL ? function->flags : CW_SCRIPT_WITHOUT_FLAGS;
    default: return CW_SCRIPT_WITHOUT_FLAGS;
    }
}

uint32_t cw_script_command_flags(const struct cw_scripting *scripting, const struct command *command,
                                 const struct slice *argv, size_t argc)
{
    const uint32_t said_by_script = COMMAND_STALE | COMMAND_DENYOOM | COMMAND_WRITE | COMMAND_MAY_REPLICATE;
    if (!(command->flags & COMMAND_RUNS_SCRIPTS) || argc < 2)
        return command->flags;
    uint32_t script_flags = flags_named_by(scripting, command, argv[1]);
    if (script_flags & CW_SCRIPT_WITHOUT_FLAGS)
        return command->flags;
    uint32_t flags = command->flags & ~said_by_script;
    if (!(script_flags & (CW_SCRIPT_ALLOW_OOM | CW_SCRIPT_NO_WRITES)))
        flags |= COMMAND_DENYOOM;
    if (!(script_flags & CW_SCRIPT_NO_WRITES))
        flags |= COMMAND_WRITE;
    if (script_flags & CW_SCRIPT_ALLOW_STALE)
        flags |= COMMAND_STALE;
    return flags;
}

/* --- the one that runs --- */

struct run { /* context of the host */
    struct cw_engine *engine;
    struct cw_nested nested;
    int replicates; /* CW_REPLICATE_ bits */
};

static void execute_command(void *context, const struct slice *argv, size_t argc, int protocol, struct buf *reply)
{
    struct run *run = context;
    run->nested.reply = reply;
    run->nested.protocol = protocol;
    bool is_told = run->replicates & CW_REPLICATE_REPLICAS;
    if (UNLIKELY(!is_told))
        cw_repl_mute(run->engine->repl, true);
    (void)cw_nested_execute(&run->nested, argv, argc);
    if (UNLIKELY(!is_told))
        cw_repl_mute(run->engine->repl, false);
    run->engine->scripting->has_written = run->nested.has_written;
}

static int may_execute(void *context, const struct slice *argv, size_t argc)
{
    const struct run *run = context;
    const struct command *command = command_resolve(argv, argc);
    size_t index;
    if (command == NULL)
        return -1;
    return cw_acl_user_check(run->nested.session->user, command, argv, argc, &index) == CW_ACL_ALLOWED;
}

static void choose_replication(void *context, int where)
{
    struct run *run = context;
    run->replicates = where;
}

static void log_line(void *context, int level, struct slice text)
{
    static const enum log_level levels[] = {LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING};
    const struct run *run = context;
    int length = text.length < 1024 ? (int)text.length : 1024;
    effect_log(run->engine->effects, levels[level], "script: %.*s", length, length > 0 ? text.data : "");
}

static const char *interrupt(void *context)
{
    const struct run *run = context;
    return cw_long_pause(run->engine);
}

static double cpu_seconds(void *context)
{
    const struct run *run = context;
    int64_t (*stopwatch_ns)(void) = run->engine->config.stopwatch_ns;
    return stopwatch_ns != NULL ? (double)stopwatch_ns() / (double)NS_PER_S : 0;
}

static const struct cw_script_host script_host = {
    .command = execute_command,
    .may = may_execute,
    .replicate = choose_replication,
    .log = log_line,
    .interrupt = interrupt,
    .cpu_seconds = cpu_seconds,
};

/* Why a script may not be run that passed the gates by what it says of itself (cw_script_command_flags), or NULL. */
static const char *refusal(const struct cw_call *call, const struct cw_script_start *start)
{
    const struct cw_engine *engine = call->engine;
    if (start->flags & CW_SCRIPT_WITHOUT_FLAGS) {
        bool is_stale = engine->serving == CW_SERVING_STALE || engine->serving == CW_SERVING_UNADOPTED;
        return is_stale ? CW_ERROR_MASTER_DOWN : NULL;
    }
    if (!(start->flags & CW_SCRIPT_NO_WRITES) && start->is_read_only)
        return "ERR Can not execute a script with write flag using *_ro command.";
    return NULL;
}

static uint32_t call_flags(const struct cw_call *call, const struct cw_script_start *start)
{
    bool has_flags = !(start->flags & CW_SCRIPT_WITHOUT_FLAGS);
    uint32_t flags = CW_CALL_FROM_SCRIPT | CW_CALL_DENY_BLOCKING | (call->flags & CW_CALL_IN_TRANSACTION);
    if (start->is_read_only || (has_flags && (start->flags & CW_SCRIPT_NO_WRITES)))
        flags |= CW_CALL_READ_ONLY;
    if (has_flags && (start->flags & CW_SCRIPT_ALLOW_OOM))
        flags |= CW_CALL_ALLOW_OOM;
    return flags;
}

static void run_script(struct cw_call *call, const struct cw_script_start *start)
{
    struct cw_engine *engine = call->engine;
    struct cw_scripting *scripting = engine->scripting;
    struct run run = {
        .engine = engine,
        .nested = {.engine = engine,
                   .session = call->session,
                   .flags = call_flags(call, start),
                   .database = call->database},
        .replicates = CW_REPLICATE_ALL,
    };
    struct cw_script_run script_run = {
        .host = &script_host,
        .context = &run,
        .function = start->function,
        .name = start->name,
        .keys = start->keys,
        .key_count = start->key_count,
        .arguments = start->arguments,
        .argument_count = start->argument_count,
        .reply = call->reply,
        .protocol = call->protocol,
        .reply_max = cw_session_output_most(engine, call->session),
    };
    scripting->running = start->name;
    scripting->runs_function = start->interpreter->kind == CW_SCRIPT_FUNCTION;
    scripting->has_written = false;
    size_t before = buf_length(call->reply);
    cw_interpreter_run(start->interpreter, &script_run);
    scripting->running = NULL;
    struct slice reply = slice_skip(buf_slice(call->reply), before);
    engine->error_is_counted = start->interpreter->error_is_counted && reply.length > 0 && reply.data[0] == '-';
}

void cw_scripting_run(struct cw_call *call, const struct cw_script_start *start)
{
    cw_unit_begin(call->engine, call->session);
    const char *words = refusal(call, start);
    if (words != NULL)
        cw_reply_error(call, words);
    else
        run_script(call, start);
    cw_unit_end(call->engine);
    cw_call_propagate_nothing(call);
}

/* --- others, meanwhile --- */

const char *cw_scripting_busy_words(const struct cw_scripting *scripting)
{
    return scripting->runs_function
               ? "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE."
               : "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
}

const char *cw_scripting_busy_refusal(const struct cw_engine *engine, uint32_t flags)
{
    return flags & COMMAND_ALLOW_BUSY ? NULL : cw_scripting_busy_words(engine->scripting);
}

void cw_scripting_kill(struct cw_call *call, bool of_function)
{
    struct cw_scripting *scripting = call->engine->scripting;
    if (scripting->running == NULL)
        cw_reply_error(call, "NOTBUSY No scripts in execution right now.");
    else if (scripting->has_written)
        cw_reply_error(call, "UNKILLABLE Sorry the script already executed write commands against the dataset. You can "
                             "either wait the script termination or kill the server in a hard way using the SHUTDOWN "
                             "NOSAVE command.");
    else if (of_function != scripting->runs_function)
        cw_reply_error(call, cw_scripting_busy_words(scripting));
    else {
        cw_long_ask_to_end(call->engine, "Script killed by user with SCRIPT KILL...");
        resp_write_ok(call->reply);
    }
}

void cw_scripting_figures(const struct cw_scripting *scripting, struct cw_scripting_figures *ret_figures)
{
    struct cw_scripting_figures figures = {
        .eval_bytes = scripting->eval != NULL ? scripting->eval->used_bytes : 0,
        .library_bytes = scripting->library != NULL ? scripting->library->used_bytes : 0,
        .scripts = scripting->scripts.count,
        .script_bytes = scripting->source_bytes + scripting->scripts.count * sizeof(struct cw_script),
    };
    if (scripting->functions != NULL) {
        LIST_FOR_EACH(node, &scripting->functions->all)
        {
            const struct cw_library *library = LIST_ENTRY(node, struct cw_library, all);
            figures.libraries++;
            figures.functions += library->function_count;
            figures.function_bytes +=
                sizeof(*library) + library->code_length + library->function_count * sizeof(struct cw_function);
        }
    }
    *ret_figures = figures;
}
