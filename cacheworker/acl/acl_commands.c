#include "cacheworker/acl/acl_commands.h"

#include "cacheworker/acl/acl_file.h"
#include "cacheworker/acl/share.h"
#include "cacheworker/engine/gates.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/keyspace/lookup.h"
#include "common/base/errors.h"

enum { QUOTED_MAX = 128, GENPASS_BITS = 256, GENPASS_BITS_MAX = 4096, LOG_SHOWN = 10 };

static struct cw_acl *acl_of(struct cw_call *call)
{
    return &call->engine->access.acl;
}

static int quoted(struct slice text)
{
    return (int)(text.length < QUOTED_MAX ? text.length : QUOTED_MAX);
}

static void reply_reason(struct cw_call *call, struct buf *reason)
{
    buf_insert(reason, 0, SLICE_LITERAL("ERR "));
    resp_write_error(call->reply, buf_slice(reason));
}

/* What has a second form with one more word, and no third. */
static bool has_at_most(struct cw_call *call, size_t argc_max)
{
    if (call->argc <= argc_max)
        return true;
    cw_reply_subcommand_syntax_error(call);
    return false;
}

/* --- users --- */

/* In a group, the master's users are everybody's. */
static bool may_change_users(struct cw_call *call)
{
    const struct cw_engine *engine = call->engine;
    if (engine->config.standalone || engine->serving == CW_SERVING_MASTER)
        return true;
    cw_reply_error(call, engine->serving == CW_SERVING_MIGRATING
                             ? CW_ERROR_MIGRATING
                             : "READONLY You can't write against a read only replica.");
    return false;
}

void cw_acl_setuser_command(struct cw_call *call)
{
    if (!may_change_users(call))
        return;
    struct buf reason = {0};
    if (cw_acl_set(acl_of(call), call->argv[2], call->argv + 3, call->argc - 3, &reason) == 0) {
        resp_write_ok(call->reply);
        cw_share_user(call->engine, cw_acl_find(acl_of(call), call->argv[2]));
        cw_access_users_changed(call->engine);
    } else {
        reply_reason(call, &reason);
    }
    buf_free(&reason);
}

void cw_acl_deluser_command(struct cw_call *call)
{
    if (!may_change_users(call))
        return;
    for (size_t i = 2; i < call->argc; i++) {
        if (slice_equal(call->argv[i], SLICE_LITERAL("default"))) {
            cw_reply_error(call, "ERR The 'default' user cannot be removed");
            return;
        }
    }
    int64_t removed = 0;
    for (size_t i = 2; i < call->argc; i++) {
        if (!cw_acl_remove(acl_of(call), call->argv[i]))
            continue;
        cw_share_removal(call->engine, call->argv[i]);
        removed++;
    }
    resp_write_integer(call->reply, removed);
    if (removed > 0)
        cw_access_users_changed(call->engine);
}

static void write_flags(struct cw_call *call, const struct cw_acl_user *user)
{
    resp_write_bulk_text(call->reply, "flags");
    resp_write_set(call->reply, call->protocol, user->nopass ? 3 : 2);
    resp_write_bulk_text(call->reply, user->enabled ? "on" : "off");
    if (user->nopass)
        resp_write_bulk_text(call->reply, "nopass");
    resp_write_bulk_text(call->reply, user->skips_sanitizing ? "skip-sanitize-payload" : "sanitize-payload");
}

static void write_selector(struct cw_call *call, const struct cw_acl_selector *selector)
{
    static const struct {
        const char *name;
        void (*describe)(const struct cw_acl_selector *selector, struct buf *out);
    } parts[] = {
        {"commands", cw_acl_selector_describe_commands},
        {"keys", cw_acl_selector_describe_keys},
        {"channels", cw_acl_selector_describe_channels},
    };
    struct buf text = {0};
    for (size_t i = 0; i < ARRAY_LENGTH(parts); i++) {
        buf_clear(&text);
        parts[i].describe(selector, &text);
        resp_write_bulk_text(call->reply, parts[i].name);
        resp_write_bulk(call->reply, buf_slice(&text));
    }
    buf_free(&text);
}

void cw_acl_getuser_command(struct cw_call *call)
{
    const struct cw_acl_user *user = cw_acl_find(acl_of(call), call->argv[2]);
    if (user == NULL) {
        resp_write_null(call->reply, call->protocol);
        return;
    }
    resp_write_map(call->reply, call->protocol, 6);
    write_flags(call, user);
    resp_write_bulk_text(call->reply, "passwords");
    resp_write_array(call->reply, user->password_count);
    for (size_t i = 0; i < user->password_count; i++)
        resp_write_bulk(call->reply, slice_of(user->passwords[i], SHA256_TEXT_LENGTH));
    write_selector(call, &user->selectors[0]);
    resp_write_bulk_text(call->reply, "selectors");
    resp_write_array(call->reply, user->selector_count - 1);
    for (size_t i = 1; i < user->selector_count; i++) {
        resp_write_map(call->reply, call->protocol, 3);
        write_selector(call, &user->selectors[i]);
    }
}

void cw_acl_list_command(struct cw_call *call)
{
    const struct cw_acl *acl = acl_of(call);
    struct buf line = {0};
    resp_write_array(call->reply, acl->count);
    for (size_t i = 0; i < acl->count; i++) {
        buf_clear(&line);
        cw_acl_write_user(acl->users[i], &line);
        resp_write_bulk(call->reply, buf_slice(&line));
    }
    buf_free(&line);
}

void cw_acl_users_command(struct cw_call *call)
{
    const struct cw_acl *acl = acl_of(call);
    resp_write_array(call->reply, acl->count);
    for (size_t i = 0; i < acl->count; i++)
        resp_write_bulk(call->reply, cw_acl_user_name(acl->users[i]));
}

void cw_acl_whoami_command(struct cw_call *call)
{
    resp_write_bulk(call->reply, cw_acl_user_name(call->session->user));
}

/* --- files --- */

#define NO_FILE                                                                                                        \
    "ERR This Redis instance is not configured to use an ACL file. You may want to specify users via the ACL SETUSER " \
    "command and then issue a CONFIG REWRITE (assuming you have a Redis configuration file set) in order to store "    \
    "users in the Redis configuration."

static bool has_file(struct cw_call *call)
{
    const struct cw_config *config = &call->engine->config;
    if (config->storage != NULL && config->acl_file[0] != '\0')
        return true;
    cw_reply_error(call, NO_FILE);
    return false;
}

void cw_acl_load_command(struct cw_call *call)
{
    const struct cw_config *config = &call->engine->config;
    struct buf errors = {0};
    bool is_empty;
    if (!has_file(call) || !may_change_users(call))
        return;
    if (cw_acl_load(acl_of(call), config->storage, config->acl_file, &is_empty, &errors) == 0) {
        resp_write_ok(call->reply);
        cw_share_all(call->engine);
        cw_access_users_changed(call->engine);
    } else {
        reply_reason(call, &errors);
    }
    buf_free(&errors);
}

void cw_acl_save_command(struct cw_call *call)
{
    const struct cw_config *config = &call->engine->config;
    if (!has_file(call))
        return;
    int error = cw_acl_save(acl_of(call), config->storage, config->acl_file);
    if (error == 0) {
        resp_write_ok(call->reply);
        return;
    }
    effect_log(call->engine->effects, LOG_LEVEL_WARNING, "%s cannot be written: %s", config->acl_file,
               error_text(error));
    cw_reply_error(call, "ERR There was an error trying to save the ACLs. Please check the server logs for more "
                         "information");
}

/* --- questions --- */

static void write_categories(struct cw_call *call)
{
    resp_write_array(call->reply, COMMAND_CATEGORY_COUNT);
    for (unsigned i = 0; i < COMMAND_CATEGORY_COUNT; i++)
        resp_write_bulk_text(call->reply, command_category_name(i));
}

static bool is_in(const struct command *command, unsigned category)
{
    return (command->categories >> category & 1) && !(command->flags & (COMMAND_ONLY_SENTINEL | COMMAND_IS_RESPITE));
}

static void write_category(struct cw_call *call, unsigned category)
{
    size_t count = 0;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++)
        count += is_in(&command_table[id], category) ? 1 : 0;
    resp_write_array(call->reply, count);
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++)
        if (is_in(&command_table[id], category))
            resp_write_bulk_text(call->reply, command_table[id].full_name);
}

void cw_acl_cat_command(struct cw_call *call)
{
    if (!has_at_most(call, 3))
        return;
    if (call->argc == 2) {
        write_categories(call);
        return;
    }
    struct slice name = call->argv[2];
    for (unsigned category = 0; category < COMMAND_CATEGORY_COUNT; category++) {
        if (slice_equal_nocase(name, command_category_name(category))) {
            write_category(call, category);
            return;
        }
    }
    resp_write_error_format(call->reply, "ERR Unknown category '%.*s'", quoted(name), name.data);
}

/* Random bytes are the world's; without such a world (in tests) they are drawn. */
static void draw(struct cw_engine *engine, char *bytes, size_t length)
{
    if (engine->config.random_bytes != NULL) {
        engine->config.random_bytes(bytes, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)rand_u64(&engine->rand);
}

void cw_acl_genpass_command(struct cw_call *call)
{
    int64_t bits = GENPASS_BITS;
    if (!has_at_most(call, 3))
        return;
    if (call->argc == 3 && !cw_call_integer(call, 2, &bits))
        return;
    if (bits <= 0 || bits > GENPASS_BITS_MAX) {
        cw_reply_error(call, "ERR ACL GENPASS argument must be the number of bits for the output password, a positive "
                             "number up to 4096");
        return;
    }
    static const char digits[] = "0123456789abcdef";
    char text[GENPASS_BITS_MAX / 4];
    size_t length = (size_t)(bits + 3) / 4;
    draw(call->engine, text, length);
    for (size_t i = 0; i < length; i++)
        text[i] = digits[text[i] & 15];
    resp_write_bulk(call->reply, slice_of(text, length));
}

void cw_acl_log_command(struct cw_call *call)
{
    struct cw_acl_log *log = &call->engine->access.log;
    int64_t limit = LOG_SHOWN;
    if (!has_at_most(call, 3))
        return;
    if (call->argc == 3 && slice_equal_nocase(call->argv[2], "reset")) {
        cw_acl_log_reset(log);
        resp_write_ok(call->reply);
        return;
    }
    if (call->argc == 3 && !cw_call_integer(call, 2, &limit))
        return;
    cw_acl_log_write(log, limit > 0 ? (size_t)limit : 0, call->now_ms, call->protocol, call->reply);
}

/* The command that DRYRUN is asked about; NULL: the error was replied. */
static const struct command *command_tried(struct cw_call *call)
{
    struct slice name = call->argv[3];
    const struct command *command = command_resolve(call->argv + 3, call->argc - 3);
    if (command == NULL || (command->subcommands != NULL && call->argc > 4)) {
        resp_write_error_format(call->reply, "ERR Command '%.*s' not found", quoted(name), name.data);
        return NULL;
    }
    if (!command_arity_fits(command, call->argc - 3)) {
        resp_write_error_format(call->reply, "ERR wrong number of arguments for '%s' command", command->full_name);
        return NULL;
    }
    return command;
}

void cw_acl_dryrun_command(struct cw_call *call)
{
    struct slice name = call->argv[2];
    const struct cw_acl_user *user = cw_acl_find(acl_of(call), name);
    if (user == NULL) {
        resp_write_error_format(call->reply, "ERR User '%.*s' not found", quoted(name), name.data);
        return;
    }
    const struct command *command = command_tried(call);
    if (command == NULL)
        return;
    size_t index;
    enum cw_acl_verdict verdict = cw_acl_user_check(user, command, call->argv + 3, call->argc - 3, &index);
    if (verdict == CW_ACL_ALLOWED) {
        resp_write_ok(call->reply);
        return;
    }
    struct buf words = {0};
    cw_access_explain(user, verdict, command, call->argv[3 + index], true, &words);
    resp_write_bulk(call->reply, buf_slice(&words));
    buf_free(&words);
}

void cw_acl_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "ACL <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CAT [<category>] -- all categories, or the commands of one.",
        "DELUSER <user> [<user> ...] -- removes users and closes their connections.",
        "DRYRUN <user> <command> [<arg> ...] -- whether that user may say this; it is not executed.",
        "GENPASS [<bits>] -- a random password of so many bits, 256 unless told.",
        "GETUSER <user> -- what a user may do.",
        "LIST -- all users, as lines of an ACL file.",
        "LOAD -- replaces all users by those of the ACL file.",
        "LOG [<count> | RESET] -- what was denied, newest first; or forgets it.",
        "SAVE -- writes all users to the ACL file.",
        "SETUSER <user> [<rule> ...] -- creates or changes a user.",
        "USERS -- the names of all users.",
        "WHOAMI -- the user of this connection.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}
