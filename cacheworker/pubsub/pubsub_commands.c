#include "cacheworker/pubsub/pubsub_commands.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/pubsub/pubsub.h"

/* What sessions are told of their subscriptions, by kind. */
static const char *const subscribed[CW_TOPIC_KINDS] = {"subscribe", "psubscribe", "ssubscribe"};
static const char *const unsubscribed[CW_TOPIC_KINDS] = {"unsubscribe", "punsubscribe", "sunsubscribe"};

/* Channels and patterns are counted together, shard channels alone. */
static size_t count_shown(const struct cw_session *session, enum cw_topic_kind kind)
{
    if (kind == CW_TOPIC_SHARD_CHANNEL)
        return cw_pubsub_count_of(session, kind);
    return cw_pubsub_count_of(session, CW_TOPIC_CHANNEL) + cw_pubsub_count_of(session, CW_TOPIC_PATTERN);
}

/* Each subscription and each end of one is told by a push of its own, with the number that the session now has. */
static void write_change(struct cw_call *call, enum cw_topic_kind kind, const char *what, struct slice name)
{
    call->session->flags |= CW_SESSION_PUSHED;
    resp_write_push(call->reply, call->protocol, 3);
    resp_write_bulk_text(call->reply, what);
    if (name.data != NULL)
        resp_write_bulk(call->reply, name);
    else
        resp_write_null(call->reply, call->protocol);
    resp_write_integer(call->reply, (int64_t)count_shown(call->session, kind));
}

static void subscribe(struct cw_call *call, enum cw_topic_kind kind)
{
    for (size_t i = 1; i < call->argc; i++) {
        cw_pubsub_subscribe(call->engine->pubsub, call->session, kind, call->argv[i]);
        write_change(call, kind, subscribed[kind], call->argv[i]);
    }
}

static void unsubscribe_all(struct cw_call *call, enum cw_topic_kind kind)
{
    size_t left = cw_pubsub_count_of(call->session, kind);
    if (left == 0) {
        write_change(call, kind, unsubscribed[kind], slice_of(NULL, 0));
        return;
    }
    struct buf name = {0}; /* the topic's own name may end with the subscription */
    for (; left > 0; left--) {
        buf_clear(&name);
        buf_add_slice(&name, cw_pubsub_first_of(call->session, kind));
        cw_pubsub_unsubscribe(call->engine->pubsub, call->session, kind, buf_slice(&name));
        write_change(call, kind, unsubscribed[kind], slice_of(name.memory ? name.memory : "", buf_length(&name)));
    }
    buf_free(&name);
}

static void unsubscribe(struct cw_call *call, enum cw_topic_kind kind)
{
    if (call->argc == 1) {
        unsubscribe_all(call, kind);
        return;
    }
    for (size_t i = 1; i < call->argc; i++) {
        cw_pubsub_unsubscribe(call->engine->pubsub, call->session, kind, call->argv[i]);
        write_change(call, kind, unsubscribed[kind], call->argv[i]);
    }
}

void cw_subscribe_command(struct cw_call *call)
{
    subscribe(call, CW_TOPIC_CHANNEL);
}

void cw_psubscribe_command(struct cw_call *call)
{
    subscribe(call, CW_TOPIC_PATTERN);
}

void cw_ssubscribe_command(struct cw_call *call)
{
    subscribe(call, CW_TOPIC_SHARD_CHANNEL);
}

void cw_unsubscribe_command(struct cw_call *call)
{
    unsubscribe(call, CW_TOPIC_CHANNEL);
}

void cw_punsubscribe_command(struct cw_call *call)
{
    unsubscribe(call, CW_TOPIC_PATTERN);
}

void cw_sunsubscribe_command(struct cw_call *call)
{
    unsubscribe(call, CW_TOPIC_SHARD_CHANNEL);
}

static void publish(struct cw_call *call, enum cw_topic_kind kind)
{
    resp_write_integer(call->reply, (int64_t)cw_pubsub_publish(call->engine, kind, call->argv[1], call->argv[2]));
    if (call->session != NULL)
        cw_call_propagate(call, call->argv, call->argc); /* who listens at a replica hears it too */
}

void cw_publish_command(struct cw_call *call)
{
    publish(call, CW_TOPIC_CHANNEL);
}

void cw_spublish_command(struct cw_call *call)
{
    publish(call, CW_TOPIC_SHARD_CHANNEL);
}

/* --- PUBSUB --- */

static void reply_topics(struct cw_call *call, enum cw_topic_kind kind)
{
    if (call->argc > 3) {
        cw_reply_subcommand_syntax_error(call);
        return;
    }
    struct slice pattern = call->argc == 3 ? call->argv[2] : slice_of(NULL, 0);
    cw_pubsub_write_topics(call->engine->pubsub, kind, pattern, call->argc == 2, call->reply);
}

void cw_pubsub_channels_command(struct cw_call *call)
{
    reply_topics(call, CW_TOPIC_CHANNEL);
}

void cw_pubsub_shardchannels_command(struct cw_call *call)
{
    reply_topics(call, CW_TOPIC_SHARD_CHANNEL);
}

static void reply_listeners(struct cw_call *call, enum cw_topic_kind kind)
{
    resp_write_array(call->reply, 2 * (call->argc - 2));
    for (size_t i = 2; i < call->argc; i++) {
        resp_write_bulk(call->reply, call->argv[i]);
        resp_write_integer(call->reply, (int64_t)cw_pubsub_listeners(call->engine->pubsub, kind, call->argv[i]));
    }
}

void cw_pubsub_numsub_command(struct cw_call *call)
{
    reply_listeners(call, CW_TOPIC_CHANNEL);
}

void cw_pubsub_shardnumsub_command(struct cw_call *call)
{
    reply_listeners(call, CW_TOPIC_SHARD_CHANNEL);
}

void cw_pubsub_numpat_command(struct cw_call *call)
{
    resp_write_integer(call->reply, (int64_t)cw_pubsub_topics(call->engine->pubsub, CW_TOPIC_PATTERN));
}

void cw_pubsub_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "PUBSUB <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "CHANNELS [<pattern>]",
        "    Channels that somebody listens to.",
        "NUMPAT",
        "    How many patterns are listened to.",
        "NUMSUB [<channel> ...]",
        "    How many listen to each channel.",
        "SHARDCHANNELS [<pattern>]",
        "    Shard channels that somebody listens to.",
        "SHARDNUMSUB [<shardchannel> ...]",
        "    How many listen to each shard channel.",
        "HELP",
        "    These lines.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}
