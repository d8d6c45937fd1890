#include "proxy/core/watch.h"

#include "common/ha/messages.h"
#include "proxy/core/context.h"
#include "proxy/core/link.h"
#include "proxy/core/session.h"

#define POLL_NS    NS_PER_S
#define RETRY_NS   (NS_PER_S / 2)
#define SILENCE_NS (5 * NS_PER_S) /* a sentinel answers every poll; behind a dead link it does not */

void px_watch_init(struct px_proxy *proxy)
{
    struct px_watch *watch = &proxy->watch;
    watch->count = proxy->config.sentinel_count;
    for (uint32_t i = 0; i < watch->count; i++)
        watch->links[i] = (struct px_watch_link){
            .proxy = proxy, .address = proxy->config.sentinels[i], .link = LINK_NONE, .retry_ns = INT64_MIN};
}

static void forget_connection(struct px_watch_link *watch)
{
    if (watch->link != LINK_NONE)
        px_port_give(watch->proxy, watch->link);
    watch->link = LINK_NONE;
    watch->opened = false;
    watch->retry_ns = watch->proxy->now_ns + RETRY_NS;
    buf_free(&watch->input);
    buf_free(&watch->output);
    resp_request_free(&watch->request);
    watch->request = (struct resp_request){0};
}

void px_watch_free(struct px_proxy *proxy)
{
    for (uint32_t i = 0; i < proxy->watch.count; i++)
        forget_connection(&proxy->watch.links[i]);
}

static void close_connection(struct px_watch_link *watch)
{
    effect_close(watch->proxy->effects, watch->link);
    forget_connection(watch);
}

static void subscribe(struct px_watch_link *watch)
{
    struct px_proxy *proxy = watch->proxy;
    memset(proxy->message, 0, sizeof(*proxy->message)); /* too big for a literal on the stack */
    proxy->message->kind = MESSAGE_SUBSCRIBE;
    proxy->message->subscribe.version = proxy->topology.version;
    memcpy(proxy->message->group, proxy->config.group, GROUP_NAME_MAX);
    message_encode(proxy->message, &watch->output);
    effect_flush(proxy->effects, watch->link);
}

void px_watch_opened(struct px_watch_link *watch)
{
    struct px_proxy *proxy = watch->proxy;
    watch->opened = true;
    watch->heard_ns = proxy->now_ns;
    memset(proxy->message, 0, sizeof(*proxy->message));
    proxy->message->kind = MESSAGE_HELLO;
    proxy->message->hello.kind = PEER_PROXY;
    proxy->message->hello.sender = proxy->config.identity;
    proxy->message->hello.secret = proxy->config.secret;
    proxy->message->hello.protocol = CONTROL_PROTOCOL;
    message_encode(proxy->message, &watch->output);
    subscribe(watch);
}

/* A master chosen again in the very next epoch keeps its connections; any other change of epoch ends them. */
static bool keeps_connections(const struct topology *known, const struct topology *learned)
{
    if (!life_equal(&known->master, &learned->master))
        return false;
    return learned->epoch == known->epoch || learned->epoch == known->epoch + 1;
}

static void learn(struct px_proxy *proxy, const struct topology *learned)
{
    if (strcmp(learned->group, proxy->config.group) != 0 || learned->version == proxy->topology.version)
        return;
    if (learned->version < proxy->topology.version && !(proxy->config.mutants & PX_MUTANT_TAKE_LOWER_VERSION))
        return;
    bool keep = keeps_connections(&proxy->topology, learned);
    if (learned->epoch != proxy->topology.epoch)
        effect_log(proxy->effects, LOG_LEVEL_NOTICE, "topology version %llu, epoch %llu: %s",
                   (unsigned long long)learned->version, (unsigned long long)learned->epoch, learned->reason);
    proxy->topology = *learned;
    const struct member *master = topology_member(learned, &learned->master.node);
    proxy->has_master = learned->epoch > 0 && master != NULL && !life_is_nobody(&learned->master);
    if (proxy->has_master)
        proxy->master_address = master->data;
    if (keep)
        return;
    px_sessions_switch(proxy);
    px_links_switch(proxy);
}

void px_watch_received(struct px_watch_link *watch, struct slice bytes)
{
    struct px_proxy *proxy = watch->proxy;
    watch->heard_ns = proxy->now_ns;
    buf_add_slice(&watch->input, bytes);
    while (buf_length(&watch->input) > 0) {
        int64_t used = resp_request_read(&watch->request, buf_slice(&watch->input), &proxy->limits_control);
        if (used == 0)
            return;
        if (used < 0) {
            effect_log(proxy->effects, LOG_LEVEL_WARNING, "a sentinel does not speak the protocol; link closed");
            close_connection(watch);
            return;
        }
        if (message_decode(watch->request.argv, watch->request.argc, proxy->message) == 0 &&
            proxy->message->kind == MESSAGE_TOPOLOGY)
            learn(proxy, &proxy->message->learn.topology);
        buf_consume(&watch->input, (size_t)used);
    }
    buf_shrink(&watch->input, 4096);
}

void px_watch_closed(struct px_watch_link *watch)
{
    forget_connection(watch);
}

void px_watch_turn(struct px_proxy *proxy)
{
    struct px_watch *watch = &proxy->watch;
    bool poll = proxy->now_ns >= watch->next_poll_ns;
    if (poll)
        watch->next_poll_ns = proxy->now_ns + POLL_NS;
    for (uint32_t i = 0; i < watch->count; i++) {
        struct px_watch_link *link = &watch->links[i];
        if (link->opened && proxy->now_ns - link->heard_ns >= SILENCE_NS)
            close_connection(link);
        if (link->opened && poll)
            subscribe(link);
        if (link->link == LINK_NONE && proxy->now_ns >= link->retry_ns) {
            link->link = px_port_take(proxy, PX_PORT_SENTINEL, link);
            effect_connect(proxy->effects, link->link, &link->address);
        }
    }
}

int64_t px_watch_deadline(const struct px_proxy *proxy)
{
    int64_t deadline = proxy->watch.next_poll_ns;
    for (uint32_t i = 0; i < proxy->watch.count; i++) {
        const struct px_watch_link *link = &proxy->watch.links[i];
        if (link->link == LINK_NONE && link->retry_ns < deadline)
            deadline = link->retry_ns;
    }
    return deadline;
}
