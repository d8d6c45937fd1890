/* Subscriptions: SUBSCRIBE and PSUBSCRIBE of events, and the topologies that are pushed to control links. */
#include "common/base/glob.h"
#include "common/resp/resp_writer.h"
#include "sentinel/core/api.h"
#include "sentinel/core/core.h"

static bool is_pattern_command(struct slice name)
{
    return name.data[0] == 'p' || name.data[0] == 'P';
}

static uint32_t find_channel(const struct sn_client *client, struct slice name, bool is_pattern)
{
    for (uint32_t i = 0; i < client->channel_count; i++) {
        if (client->channels[i].is_pattern == is_pattern && slice_equal(slice_text(client->channels[i].name), name))
            return i;
    }
    return SN_CHANNELS_MAX;
}

static void confirm(struct sn_sentinel *sentinel, struct sn_link *link, const char *kind, struct slice name)
{
    struct buf *out = sn_link_output(sentinel, link);
    resp_write_push(out, link->client->protocol, 3);
    resp_write_bulk_text(out, kind);
    if (name.data)
        resp_write_bulk(out, name);
    else
        resp_write_null(out, link->client->protocol);
    resp_write_integer(out, link->client->channel_count);
}

void sn_api_subscribe(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct sn_client *client = link->client;
    bool is_pattern = is_pattern_command(argv[0]);
    const char *kind = is_pattern ? "psubscribe" : "subscribe";
    if (argc < 2) {
        sn_api_wrong_arity(sn_link_output(sentinel, link), kind);
        return;
    }
    for (size_t i = 1; i < argc; i++) {
        bool is_new = find_channel(client, argv[i], is_pattern) == SN_CHANNELS_MAX;
        bool fits = argv[i].length < SN_CHANNEL_LENGTH_MAX && !memchr(argv[i].data, 0, argv[i].length);
        if (is_new && (!fits || client->channel_count == SN_CHANNELS_MAX)) {
            resp_write_error(sn_link_output(sentinel, link),
                             SLICE_LITERAL("ERR too many channels, or too long a name"));
            return;
        }
        if (is_new) {
            struct sn_channel *channel = &client->channels[client->channel_count++];
            *channel = (struct sn_channel){.is_pattern = is_pattern};
            memcpy(channel->name, argv[i].data, argv[i].length);
        }
        confirm(sentinel, link, kind, argv[i]);
    }
}

static void leave(struct sn_client *client, uint32_t index)
{
    client->channels[index] = client->channels[--client->channel_count];
}

void sn_api_unsubscribe(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc)
{
    struct sn_client *client = link->client;
    bool is_pattern = is_pattern_command(argv[0]);
    const char *kind = is_pattern ? "punsubscribe" : "unsubscribe";
    bool had_any = false;
    for (size_t i = 1; i < argc; i++) {
        uint32_t index = find_channel(client, argv[i], is_pattern);
        if (index < SN_CHANNELS_MAX)
            leave(client, index);
        confirm(sentinel, link, kind, argv[i]);
    }
    for (uint32_t i = client->channel_count; argc == 1 && i > 0; i--) {
        if (client->channels[i - 1].is_pattern != is_pattern)
            continue;
        char name[SN_CHANNEL_LENGTH_MAX];
        memcpy(name, client->channels[i - 1].name, sizeof(name));
        leave(client, i - 1);
        confirm(sentinel, link, kind, slice_text(name));
        had_any = true;
    }
    if (argc == 1 && !had_any)
        confirm(sentinel, link, kind, (struct slice){0});
}

static void publish_to(struct sn_sentinel *sentinel, struct sn_link *link, struct slice channel, struct slice text)
{
    const struct sn_client *client = link->client;
    for (uint32_t i = 0; i < client->channel_count; i++) {
        const struct sn_channel *wanted = &client->channels[i];
        struct slice name = slice_text(wanted->name);
        if (wanted->is_pattern ? !glob_match(name, channel, false) : !slice_equal(name, channel))
            continue;
        struct buf *out = sn_link_output(sentinel, link);
        resp_write_push(out, client->protocol, wanted->is_pattern ? 4 : 3);
        resp_write_bulk_text(out, wanted->is_pattern ? "pmessage" : "message");
        if (wanted->is_pattern)
            resp_write_bulk(out, name);
        resp_write_bulk(out, channel);
        resp_write_bulk(out, text);
    }
}

static void publish(struct sn_sentinel *sentinel, const char *channel, struct slice text)
{
    for (link_id id = 0; id < sentinel->links.count; id++) {
        struct sn_link *link = sentinel->links.items[id];
        if (link && link->client && !link->is_condemned && !link->is_draining)
            publish_to(sentinel, link, slice_text(channel), text);
    }
}

/* "master name host port", as Redis Sentinel words its events. */
void sn_api_publish_state(struct sn_sentinel *sentinel, const struct sn_group *group, const char *channel)
{
    struct address address = {0};
    struct buf text = {0};
    if (!sn_api_endpoint(sentinel, group, &address))
        return;
    buf_add_format(&text, "master %s %s %u", group->name, address.host, address.port);
    if (strcmp(channel, "+odown") == 0)
        buf_add_format(&text, " #quorum %u/%u", sn_failover_downs(sentinel, group),
                       group->learned.sentinels.count / 2 + 1);
    publish(sentinel, channel, buf_slice(&text));
    buf_free(&text);
}

/* "name old-host old-port new-host new-port". Behind the proxy the address stays what it was. */
void sn_api_publish_switch(struct sn_sentinel *sentinel, const struct sn_group *group, const struct topology *before)
{
    struct address now = {0};
    struct buf text = {0};
    if (!sn_api_endpoint(sentinel, group, &now))
        return;
    const struct member *old = topology_member(before, &before->master.node);
    struct address was = old && sentinel->config.endpoint == SN_ENDPOINT_MASTER ? old->data : now;
    buf_add_format(&text, "%s %s %u %s %u", group->name, was.host, was.port, now.host, now.port);
    sn_api_publish_state(sentinel, group, "+failover-end");
    publish(sentinel, "+switch-master", buf_slice(&text));
    buf_free(&text);
}

void sn_api_publish_topology(struct sn_sentinel *sentinel, const struct sn_group *group)
{
    struct message *message = &sentinel->outgoing;
    message->kind = MESSAGE_TOPOLOGY;
    memcpy(message->group, group->name, GROUP_NAME_MAX);
    message->learn.ballot = group->learned_ballot;
    message->learn.topology = group->learned;
    for (link_id id = 0; id < sentinel->links.count; id++) {
        struct sn_link *link = sentinel->links.items[id];
        if (link && link->client && strcmp(link->client->group, group->name) == 0)
            sn_link_send(sentinel, link, message);
    }
}
