#include "cacheworker/acl/share.h"

#include "cacheworker/acl/acl_file.h"
#include "cacheworker/engine/aside.h"
#include "cacheworker/engine/state.h"
#include "cacheworker/repl/repl.h"
#include "common/base/errors.h"

static const struct slice all_line = SLICE_LITERAL("all\n");
static const struct slice none_line = SLICE_LITERAL("none\n");
static const struct slice removal_word = SLICE_LITERAL("deluser ");

/* A member that cannot write its users down goes on, and says so: what the stream has is not lost with it. */
static void keep(struct cw_engine *engine)
{
    const struct storage *storage = engine->config.storage;
    const struct cw_acl *acl = engine->access.is_shared ? &engine->access.acl : NULL;
    int error = storage != NULL ? cw_acl_save(acl, storage, CW_ACL_GROUP_FILE) : 0;
    if (error < 0)
        effect_log(engine->effects, LOG_LEVEL_ERROR, CW_ACL_GROUP_FILE " cannot be written: %s", error_text(error));
}

static void share(struct cw_engine *engine, const struct buf *record)
{
    struct cw_session *session = engine->executing;
    engine->access.is_shared = true;
    keep(engine);
    if (!cw_repl_is_feeding(engine->repl))
        return;
    struct buf message = {0};
    cw_aside_write_users(buf_slice(record), &message);
    const struct slice argv[] = {SLICE_LITERAL("PING"), buf_slice(&message)};
    cw_repl_append(engine->repl, session != NULL ? session->database : 0, argv, ARRAY_LENGTH(argv));
    buf_free(&message);
    if (session != NULL)
        session->stream_offset = cw_repl_offset(engine->repl);
}

static void write_all(const struct cw_engine *engine, struct buf *out)
{
    buf_add_slice(out, all_line);
    cw_acl_write(&engine->access.acl, out);
}

void cw_share_write(const struct cw_engine *engine, struct buf *out)
{
    if (engine->access.is_shared)
        write_all(engine, out);
    else
        buf_add_slice(out, none_line);
}

void cw_share_all(struct cw_engine *engine)
{
    if (engine->config.standalone)
        return;
    struct buf record = {0};
    write_all(engine, &record);
    share(engine, &record);
    buf_free(&record);
}

void cw_share_user(struct cw_engine *engine, const struct cw_acl_user *user)
{
    if (engine->config.standalone)
        return;
    if (!engine->access.is_shared) {
        cw_share_all(engine); /* the first of the group's own: those of this member's configuration come with it */
        return;
    }
    struct buf record = {0};
    cw_acl_write_user(user, &record);
    share(engine, &record);
    buf_free(&record);
}

void cw_share_removal(struct cw_engine *engine, struct slice name)
{
    if (engine->config.standalone)
        return;
    if (!engine->access.is_shared) {
        cw_share_all(engine);
        return;
    }
    struct buf record = {0};
    buf_add_slice(&record, removal_word);
    buf_add_slice(&record, name);
    share(engine, &record);
    buf_free(&record);
}

static bool begins_with(struct slice text, struct slice beginning)
{
    return text.length >= beginning.length && memcmp(text.data, beginning.data, beginning.length) == 0;
}

/* Nothing is written where nothing was, so that a group without users of its own leaves no trace of them. */
static void forget_group(struct cw_engine *engine)
{
    if (!engine->access.is_shared)
        return;
    cw_access_return_to_configuration(engine);
    cw_access_users_changed(engine);
    keep(engine);
}

int cw_share_apply(struct cw_engine *engine, struct slice record)
{
    struct cw_acl *acl = &engine->access.acl;
    struct buf errors = {0};
    int result = 0;
    if (slice_equal(record, none_line)) {
        forget_group(engine);
        return 0;
    }
    engine->access.is_shared = true;
    if (begins_with(record, removal_word))
        cw_acl_remove(acl, slice_skip(record, removal_word.length));
    else if (begins_with(record, all_line))
        result = cw_acl_take_all(acl, slice_skip(record, all_line.length), &errors);
    else
        result = cw_acl_take_user(acl, record, &errors);
    if (buf_length(&errors) > 0)
        effect_log(engine->effects, LOG_LEVEL_WARNING, "users that this worker does not understand are off: %.*s",
                   (int)(buf_length(&errors) < 512 ? buf_length(&errors) : 512), buf_slice(&errors).data);
    buf_free(&errors);
    cw_access_users_changed(engine);
    keep(engine);
    return result;
}
