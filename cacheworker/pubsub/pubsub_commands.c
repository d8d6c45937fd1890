#include "cacheworker/pubsub/pubsub_commands.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/pubsub/pubsub.h"

/* Each subscription and each end of one is told by a push of its own, with the number that the session now has. */
static void write_change(struct cw_call *call, const char *what, struct slice name)
{
    call->session->flags |= CW_SESSION_PUSHED;
    resp_write_push(call->reply, call->protocol, 3);
    resp_write_bulk_text(call->reply, what);
    if (name.data != NULL)
        resp_write_bulk(call->reply, name);
    else
        resp_write_null(call->reply, call->protocol);
    resp_write_integer(call->reply,
                       (int64_t)(cw_pubsub_channels_of(call->session) + cw_pubsub_patterns_of(call->session)));
}

static void subscribe(struct cw_call *call, bool is_pattern)
{
    for (size_t i = 1; i < call->argc; i++) {
        cw_pubsub_subscribe(call->engine->pubsub, call->session, call->argv[i], is_pattern);
        write_change(call, is_pattern ? "psubscribe" : "subscribe", call->argv[i]);
    }
}

static void unsubscribe_all(struct cw_call *call, bool is_pattern, const char *what)
{
    size_t left = is_pattern ? cw_pubsub_patterns_of(call->session) : cw_pubsub_channels_of(call->session);
    if (left == 0) {
        write_change(call, what, slice_of(NULL, 0));
        return;
    }
    struct buf name = {0}; /* the topic's own name may end with the subscription */
    for (; left > 0; left--) {
        buf_clear(&name);
        buf_add_slice(&name, cw_pubsub_first_of(call->session, is_pattern));
        cw_pubsub_unsubscribe(call->engine->pubsub, call->session, buf_slice(&name), is_pattern);
        write_change(call, what, slice_of(name.memory ? name.memory : "", buf_length(&name)));
    }
    buf_free(&name);
}

static void unsubscribe(struct cw_call *call, bool is_pattern)
{
    const char *what = is_pattern ? "punsubscribe" : "unsubscribe";
    if (call->argc == 1) {
        unsubscribe_all(call, is_pattern, what);
        return;
    }
    for (size_t i = 1; i < call->argc; i++) {
        cw_pubsub_unsubscribe(call->engine->pubsub, call->session, call->argv[i], is_pattern);
        write_change(call, what, call->argv[i]);
    }
}

void cw_subscribe_command(struct cw_call *call)
{
    subscribe(call, false);
}

void cw_psubscribe_command(struct cw_call *call)
{
    subscribe(call, true);
}

void cw_unsubscribe_command(struct cw_call *call)
{
    unsubscribe(call, false);
}

void cw_punsubscribe_command(struct cw_call *call)
{
    unsubscribe(call, true);
}

void cw_publish_command(struct cw_call *call)
{
    struct buf own = {0};
    size_t receivers = cw_pubsub_publish(call->engine, call->session, call->argv[1], call->argv[2], &own);
    resp_write_integer(call->reply, (int64_t)receivers);
    buf_add_slice(call->reply, buf_slice(&own));
    buf_free(&own);
    if (call->session != NULL)
        cw_call_propagate(call, call->argv, call->argc); /* who listens at a replica hears it too */
}

void cw_pubsub_channels_command(struct cw_call *call)
{
    if (call->argc > 3) {
        cw_reply_error(call, "ERR unknown subcommand or wrong number of arguments for 'channels'. Try PUBSUB HELP.");
        return;
    }
    struct slice pattern = call->argc == 3 ? call->argv[2] : slice_of(NULL, 0);
    cw_pubsub_write_channels(call->engine->pubsub, pattern, call->argc == 2, call->reply);
}

void cw_pubsub_numsub_command(struct cw_call *call)
{
    resp_write_array(call->reply, 2 * (call->argc - 2));
    for (size_t i = 2; i < call->argc; i++) {
        resp_write_bulk(call->reply, call->argv[i]);
        resp_write_integer(call->reply, (int64_t)cw_pubsub_listeners(call->engine->pubsub, call->argv[i]));
    }
}

void cw_pubsub_numpat_command(struct cw_call *call)
{
    resp_write_integer(call->reply, (int64_t)cw_pubsub_pattern_count(call->engine->pubsub));
}

void cw_pubsub_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>] -- channels that somebody listens to.",
        "NUMPAT -- how many patterns are listened to.",
        "NUMSUB [<channel> ...] -- how many listen to each channel.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}
