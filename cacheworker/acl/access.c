#include "cacheworker/acl/access.h"

#include "cacheworker/acl/acl_file.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/pubsub/pubsub.h"
#include "common/base/errors.h"

/* --- who it is --- */

static void note_rights(struct cw_session *session)
{
    if (session->user->allows_all)
        session->flags &= ~(uint32_t)CW_SESSION_RESTRICTED;
    else
        session->flags |= CW_SESSION_RESTRICTED;
}

void cw_access_enter(struct cw_session *session, struct cw_acl_user *user)
{
    session->user = user;
    session->flags |= CW_SESSION_AUTHENTICATED | CW_SESSION_NAMED;
    note_rights(session);
}

/* Whether a session that has given no password needs none. */
static bool is_admitted(const struct cw_engine *engine, const struct cw_session *session)
{
    const struct cw_access *access = &engine->access;
    return cw_acl_admits_strangers(&access->acl) || ((session->flags & CW_SESSION_ATTACHED) && !access->is_shared);
}

void cw_access_begin(const struct cw_engine *engine, struct cw_session *session)
{
    session->user = engine->access.acl.nobody;
    note_rights(session);
    session->flags &= ~(uint32_t)(CW_SESSION_AUTHENTICATED | CW_SESSION_NAMED);
    if (is_admitted(engine, session))
        session->flags |= CW_SESSION_AUTHENTICATED;
}

/* --- what is told of denials --- */

static void note_denial(struct cw_engine *engine, const struct cw_session *session, enum cw_acl_reason reason,
                        enum cw_acl_context context, struct slice object, struct slice user)
{
    engine->statistics.denied[reason]++;
    struct buf client = {0};
    cw_session_describe(engine, session, session == engine->executing, &client);
    struct cw_acl_denial denial = {
        .reason = reason,
        .context = context,
        .object = object,
        .user = user,
        .client = slice_of(client.memory, buf_length(&client) - 1), /* without its newline */
        .now_ms = engine->wall_us / 1000,
    };
    cw_acl_log_add(&engine->access.log, &denial, (size_t)engine->settings.acllog_max_length);
    buf_free(&client);
}

#define WRONG_PASSWORD "WRONGPASS invalid username-password pair or user is disabled."

const char *cw_access_authenticate(struct cw_call *call, struct slice name, struct slice password)
{
    struct cw_engine *engine = call->engine;
    struct cw_session *session = call->session;
    struct cw_access *access = &engine->access;
    bool is_own = session->flags & CW_SESSION_ATTACHED;
    if (!is_own && throttle_refuses(&access->throttle, &session->peer, engine->now_ns))
        return THROTTLE_WORDS;
    struct cw_acl_user *user = cw_acl_authenticate(&access->acl, name, password);
    if (user != NULL) {
        cw_access_enter(session, user);
        return NULL;
    }
    if (!is_own)
        throttle_failed(&access->throttle, &session->peer, engine->now_ns);
    bool in_multi = call->flags & CW_CALL_IN_TRANSACTION;
    note_denial(engine, session, CW_ACL_REASON_AUTH, in_multi ? CW_ACL_MULTI : CW_ACL_TOPLEVEL, call->argv[0], name);
    return WRONG_PASSWORD;
}

void cw_access_answer_login(struct cw_engine *engine, struct cw_session *session, const struct slice *words,
                            size_t count)
{
    const struct cw_acl *acl = &engine->access.acl;
    struct buf *out = cw_session_out(engine, session);
    struct slice name = count == 2 ? words[0] : cw_acl_user_name(acl->nobody);
    if (count == 1 && acl->nobody->nopass) {
        resp_write_error(out, SLICE_LITERAL(CW_ACCESS_NO_PASSWORD));
    } else if (cw_acl_authenticate(acl, name, words[count - 1]) != NULL) {
        resp_write_ok(out);
    } else {
        note_denial(engine, session, CW_ACL_REASON_AUTH, CW_ACL_TOPLEVEL, SLICE_LITERAL("AUTH"), name);
        resp_write_error(out, SLICE_LITERAL(WRONG_PASSWORD));
    }
}

/* --- what it may do --- */

void cw_access_explain(const struct cw_acl_user *user, enum cw_acl_verdict verdict, const struct command *command,
                       struct slice object, bool names, struct buf *out)
{
    const char *what = verdict == CW_ACL_DENIED_KEY ? "key" : "channel";
    if (verdict != CW_ACL_DENIED_COMMAND && !names) {
        buf_add_format(out, "No permissions to access a %s", what);
        return;
    }
    buf_add_text(out, "User ");
    buf_add_slice(out, cw_acl_user_name(user));
    if (verdict == CW_ACL_DENIED_COMMAND) {
        buf_add_format(out, " has no permissions to run the '%s' command", command->full_name);
        return;
    }
    buf_add_text(out, " has no permissions to access the '");
    buf_add_slice(out, object);
    buf_add_format(out, "' %s", what);
}

static void explain_in_exec(enum cw_acl_verdict verdict, struct buf *out)
{
    static const char *const reasons[] = {
        [CW_ACL_DENIED_COMMAND] = "no permission to execute the command or subcommand",
        [CW_ACL_DENIED_KEY] = "no permission to touch the specified keys",
        [CW_ACL_DENIED_CHANNEL] = "no permission to access one of the channels used as argument to the command",
    };
    buf_add_format(out,
                   "NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC call. "
                   "This command is no longer allowed for the following reason: %s",
                   reasons[verdict]);
}

static enum cw_acl_context context_of(const struct cw_session *session, enum cw_access_manner manner)
{
    if (manner == CW_ACCESS_SCRIPT)
        return CW_ACL_LUA;
    return manner == CW_ACCESS_EXEC || (session->flags & CW_SESSION_IN_MULTI) ? CW_ACL_MULTI : CW_ACL_TOPLEVEL;
}

bool cw_access_refuses(struct cw_engine *engine, const struct cw_session *session, enum cw_access_manner manner,
                       const struct command *command, const struct slice *argv, size_t argc, struct buf *reply)
{
    static const enum cw_acl_reason reasons[] = {
        [CW_ACL_DENIED_COMMAND] = CW_ACL_REASON_COMMAND,
        [CW_ACL_DENIED_KEY] = CW_ACL_REASON_KEY,
        [CW_ACL_DENIED_CHANNEL] = CW_ACL_REASON_CHANNEL,
    };
    size_t index;
    enum cw_acl_verdict verdict = cw_acl_user_check(session->user, command, argv, argc, &index);
    if (verdict == CW_ACL_ALLOWED)
        return false;
    struct slice object = verdict == CW_ACL_DENIED_COMMAND ? slice_text(command->full_name) : argv[index];
    note_denial(engine, session, reasons[verdict], context_of(session, manner), object,
                cw_acl_user_name(session->user));
    struct buf words = {0};
    if (manner == CW_ACCESS_EXEC) {
        explain_in_exec(verdict, &words);
    } else {
        buf_add_text(&words, manner == CW_ACCESS_SCRIPT ? "ERR ACL failure in script: " : "NOPERM ");
        cw_access_explain(session->user, verdict, command, object, false, &words);
    }
    resp_write_error(reply, buf_slice(&words));
    buf_free(&words);
    return true;
}

bool cw_access_may_read_every_key(const struct cw_call *call)
{
    const struct cw_session *session = call->session;
    return session == NULL || !(session->flags & CW_SESSION_RESTRICTED) ||
           cw_acl_user_may_touch_every_key(session->user, call->command, call->argv, call->argc, CW_ACL_READ);
}

/* --- changes --- */

static bool may_hear(void *context, struct slice name, enum cw_topic_kind kind)
{
    const struct cw_acl_user *user = context;
    return cw_acl_user_allows_channel(user, name, kind == CW_TOPIC_PATTERN);
}

/* Who did it to itself hears the answer. */
static void expel(struct cw_engine *engine, struct cw_session *session)
{
    if (session == engine->executing) {
        cw_session_flush(engine, session);
        cw_session_drain(engine, session);
    } else {
        cw_session_close(engine, session);
    }
}

static void look_at(struct cw_engine *engine, struct cw_session *session)
{
    const struct cw_acl *acl = &engine->access.acl;
    if (cw_acl_is_removed(acl, session->user)) {
        session->user = acl->nobody;
        note_rights(session);
        session->flags &= ~(uint32_t)CW_SESSION_AUTHENTICATED;
        expel(engine, session);
        return;
    }
    note_rights(session);
    if (is_admitted(engine, session))
        session->flags |= CW_SESSION_AUTHENTICATED;
    else if ((session->flags & CW_SESSION_ATTACHED) && !(session->flags & CW_SESSION_NAMED))
        session->flags &= ~(uint32_t)CW_SESSION_AUTHENTICATED; /* of many clients, also of those that come later */
    if (session->subscriber != NULL && !cw_pubsub_all(session, may_hear, session->user))
        expel(engine, session);
}

void cw_access_users_changed(struct cw_engine *engine)
{
    LIST_FOR_EACH(node, &engine->sessions)
    {
        struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        if (session->kind == CW_LINK_CLIENT)
            look_at(engine, session);
        else
            session->user = engine->access.acl.nobody;
    }
}

void cw_access_end_step(struct cw_engine *engine)
{
    if (UNLIKELY(engine->access.acl.removed_count > 0))
        cw_acl_bury(&engine->access.acl);
}

/* --- life --- */

void cw_access_create(struct cw_engine *engine)
{
    struct cw_access *access = &engine->access;
    cw_acl_init(&access->acl);
    cw_acl_log_init(&access->log);
    uint64_t seed = ~engine->config.random_seed; /* nothing is drawn, so that other draws stay as they are */
    throttle_init(&access->throttle, (struct siphash_key){{rand_mix(seed), rand_mix(seed + 1)}});
    access->acl.all_channels = engine->settings.pubsub_default == 0;
    if (engine->settings.requirepass.length > 0)
        cw_acl_set_default_password(&access->acl, engine->settings.requirepass);
}

static int read_lines(struct cw_engine *engine, struct slice lines)
{
    struct buf errors = {0};
    int result = cw_acl_read(&engine->access.acl, lines, "users", &errors);
    buf_free(&errors);
    return result;
}

int cw_access_configure(struct cw_engine *engine)
{
    struct slice lines = engine->config.users;
    int result = lines.length > 0 ? read_lines(engine, lines) : 0;
    cw_acl_bury(&engine->access.acl);
    return result;
}

void cw_access_return_to_configuration(struct cw_engine *engine)
{
    CHECK(read_lines(engine, buf_slice(&engine->access.configured)) == 0);
    engine->access.is_shared = false;
}

/* A group's file that is empty is none. */
int cw_access_read_file(struct cw_engine *engine)
{
    const struct cw_config *config = &engine->config;
    struct cw_access *access = &engine->access;
    cw_acl_write(&access->acl, &access->configured);
    if (config->storage == NULL || config->acl_file[0] == '\0')
        return 0;
    bool is_empty;
    struct buf errors = {0};
    int result = cw_acl_load(&access->acl, config->storage, config->acl_file, &is_empty, &errors);
    buf_free(&errors);
    if (!config->standalone && (result == 0 || result == ERR_NOT_FOUND)) {
        access->is_shared = result == 0 && !is_empty;
        if (!access->is_shared)
            cw_access_return_to_configuration(engine);
        result = 0;
    }
    cw_acl_bury(&access->acl);
    return result < 0 ? ERR_INVALID : 0;
}

void cw_access_destroy(struct cw_engine *engine)
{
    cw_acl_free(&engine->access.acl);
    buf_free(&engine->access.configured);
    cw_acl_log_reset(&engine->access.log);
}
