#include "proxy/core/proxy.h"

#include "common/base/errors.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"
#include "proxy/core/context.h"
#include "proxy/core/inspect.h"
#include "proxy/core/link.h"
#include "proxy/core/pool.h"
#include "proxy/core/session.h"
#include "proxy/core/wheel.h"

#define STOP_NS NS_PER_S /* for the commands that are under way */

enum { FIRST_PORTS = 64 };

/* ---- link numbers ---- */

link_id px_port_take(struct px_proxy *proxy, enum px_port_kind kind, void *object)
{
    if (proxy->first_free_port == LINK_NONE) {
        link_id count = proxy->port_count ? 2 * proxy->port_count : FIRST_PORTS;
        proxy->ports = mem_resize(proxy->ports, count * sizeof(struct px_port));
        for (link_id i = count; i-- > proxy->port_count;) {
            proxy->ports[i] = (struct px_port){.kind = PX_PORT_FREE, .next_free = proxy->first_free_port};
            proxy->first_free_port = i;
        }
        proxy->port_count = count;
    }
    link_id link = proxy->first_free_port;
    proxy->first_free_port = proxy->ports[link].next_free;
    proxy->ports[link] = (struct px_port){.kind = kind, .object = object};
    return link;
}

void px_port_give(struct px_proxy *proxy, link_id link)
{
    CHECK(link < proxy->port_count && proxy->ports[link].kind != PX_PORT_FREE);
    proxy->ports[link] = (struct px_port){.kind = PX_PORT_FREE, .next_free = proxy->first_free_port};
    proxy->first_free_port = link;
}

/* A number that nobody has: the world may still report a link that this step has closed. */
static struct px_port port_of(const struct px_proxy *proxy, link_id link)
{
    return link < proxy->port_count ? proxy->ports[link] : (struct px_port){.kind = PX_PORT_FREE};
}

/* ---- making and unmaking ---- */

void px_config_defaults(struct px_config *config)
{
    *config = (struct px_config){
        .group = "main",
        .databases = 5,
        .max_connections = 2000,
        .idle_timeout_ns = 150 * NS_PER_S,
        .hold_timeout_ns = 15 * NS_PER_S,
        .hold_commands_max = 100000,
        .hold_bytes_max = (size_t)64 << 20,
        .client_output_max = (size_t)64 << 20,
        .client_input_max = (size_t)1 << 30,
        .authentication_timeout_ns = 10 * NS_PER_S,
        .links_per_pool = 1,
    };
}

static bool is_valid(const struct px_config *config)
{
    return config->sentinel_count <= PX_SENTINELS_MAX && config->databases > 0 && config->links_per_pool > 0 &&
           config->max_connections > 0 && config->idle_timeout_ns >= 0 && config->hold_timeout_ns >= 0 &&
           config->client_output_max > 0 && config->client_input_max > 0 && config->authentication_timeout_ns > 0 &&
           config->thread < PX_THREADS_MAX && config->shared != NULL && config->group[0] != '\0' &&
           memchr(config->group, '\0', GROUP_NAME_MAX) != NULL;
}

static struct slice copy_slice(struct slice bytes)
{
    return slice_of(mem_copy_text(bytes.length ? bytes.data : "", bytes.length), bytes.length);
}

int px_proxy_create(const struct px_config *config, struct px_proxy **ret_proxy)
{
    if (!is_valid(config))
        return ERR_INVALID;
    struct px_proxy *proxy = mem_zero(sizeof(*proxy));
    proxy->config = *config;
    proxy->config.secret = copy_slice(config->secret);
    proxy->config.requirepass = copy_slice(config->requirepass);
    proxy->limits = RESP_LIMITS_DEFAULT;
    if (config->client_input_max < proxy->limits.request_length_max)
        proxy->limits.request_length_max = config->client_input_max;
    proxy->limits_unauthenticated = RESP_LIMITS_UNAUTHENTICATED;
    proxy->limits_control = RESP_LIMITS_DEFAULT;
    proxy->limits_control.request_length_max = 1 << 20;
    proxy->first_free_port = LINK_NONE;
    rand_seed(&proxy->rand, config->random_seed);
    proxy->message = mem_zero(sizeof(*proxy->message));
    struct list *lists[] = {&proxy->links,    &proxy->unready,        &proxy->dirty_links,
                            &proxy->sessions, &proxy->dirty_sessions, &proxy->runnable,
                            &proxy->doomed,   &proxy->ghosts,         &proxy->inquiries};
    for (size_t i = 0; i < ARRAY_LENGTH(lists); i++)
        list_init(lists[i]);
    px_wheel_init(proxy);
    px_pools_create(proxy);
    throttle_init(&proxy->throttle, (struct siphash_key){{rand_mix(config->random_seed), ~config->random_seed}});
    px_watch_init(proxy);
    *ret_proxy = proxy;
    return 0;
}

static void leave_session(struct px_proxy *proxy, struct px_session *session)
{
    if (session->refused) {
        proxy->refused_count--;
    } else {
        proxy->session_count--;
        proxy->config.shared->client_connections--;
    }
    px_session_destroy(session);
}

static void destroy(void *core)
{
    struct px_proxy *proxy = core;
    if (proxy == NULL)
        return;
    proxy->effects = NULL;
    proxy->stopping = true; /* links are not kept as spares */
    LIST_FOR_EACH(node, &proxy->sessions)
    leave_session(proxy, LIST_ENTRY(node, struct px_session, node));
    px_pools_free(proxy);
    CHECK(list_is_empty(&proxy->ghosts));
    px_watch_free(proxy);
    mem_free(proxy->ports);
    mem_free(proxy->message);
    resp_request_free(&proxy->request);
    buf_free(&proxy->scratch);
    buf_free(&proxy->discard);
    mem_free((void *)(size_t)proxy->config.secret.data);
    mem_free((void *)(size_t)proxy->config.requirepass.data);
    mem_free(proxy);
}

/* ---- events ---- */

static link_id accept_client(void *core, int listener, const struct address *peer, int64_t now_ns,
                             struct effects *effects)
{
    struct px_proxy *proxy = core;
    (void)listener;
    proxy->effects = effects;
    proxy->now_ns = now_ns;
    bool refused = ++proxy->config.shared->client_connections > proxy->config.max_connections;
    if (refused)
        proxy->config.shared->client_connections--;
    if (proxy->stopping || (refused && proxy->refused_count >= PX_REFUSED_MAX)) {
        if (!refused)
            proxy->config.shared->client_connections--;
        return LINK_NONE;
    }
    struct px_session *session = px_session_create(proxy, peer, refused);
    if (refused) {
        proxy->statistics.refused++;
        proxy->refused_count++;
        buf_add_text(&session->output, "-ERR max number of clients reached\r\n");
        px_session_drain(session);
        return session->id;
    }
    proxy->statistics.accepted++;
    proxy->session_count++;
    session->client_id = ++proxy->config.shared->last_client_id;
    px_wheel_add(proxy, session);
    return session->id;
}

static void received(struct px_proxy *proxy, const struct event *event)
{
    struct px_port port = port_of(proxy, event->link);
    switch (port.kind) {
    case PX_PORT_FREE: break;
    case PX_PORT_CLIENT: px_session_received(port.object, event->bytes); break;
    case PX_PORT_BACKEND: px_link_received(port.object, event->bytes); break;
    case PX_PORT_SENTINEL: px_watch_received(port.object, event->bytes); break;
    }
}

static void opened(struct px_proxy *proxy, link_id link)
{
    struct px_port port = port_of(proxy, link);
    if (port.kind == PX_PORT_BACKEND)
        px_link_opened(port.object);
    else if (port.kind == PX_PORT_SENTINEL)
        px_watch_opened(port.object);
}

static void ended(struct px_proxy *proxy, link_id link)
{
    struct px_port port = port_of(proxy, link);
    if (port.kind == PX_PORT_CLIENT)
        px_session_ended(port.object);
}

static void closed(struct px_proxy *proxy, link_id link)
{
    struct px_port port = port_of(proxy, link);
    switch (port.kind) {
    case PX_PORT_FREE: break;
    case PX_PORT_CLIENT: leave_session(proxy, port.object); break;
    case PX_PORT_BACKEND: px_link_closed(port.object); break;
    case PX_PORT_SENTINEL: px_watch_closed(port.object); break;
    }
}

static void close_doomed(struct px_proxy *proxy)
{
    while (!list_is_empty(&proxy->doomed)) {
        struct px_session *session = LIST_ENTRY(proxy->doomed.next, struct px_session, doomed);
        effect_close(proxy->effects, session->id);
        leave_session(proxy, session);
    }
}

/* Each session runs once per turn: what becomes runnable meanwhile waits for the next one, so that a turn ends. */
static void run_sessions(struct px_proxy *proxy)
{
    struct list now;
    list_init(&now);
    while (!list_is_empty(&proxy->runnable)) {
        struct list *node = proxy->runnable.next;
        list_remove(node);
        list_add_last(&now, node);
    }
    LIST_FOR_EACH(node, &now)
    {
        list_remove(node);
        px_session_run(LIST_ENTRY(node, struct px_session, runnable));
    }
}

/* One announcement per link and turn, however many commands or replies it carries. */
static void announce(struct px_proxy *proxy)
{
    LIST_FOR_EACH(node, &proxy->dirty_links)
    {
        list_remove(node);
        effect_flush(proxy->effects, LIST_ENTRY(node, struct px_link, dirty)->id);
    }
    LIST_FOR_EACH(node, &proxy->dirty_sessions)
    {
        list_remove(node);
        effect_flush(proxy->effects, LIST_ENTRY(node, struct px_session, dirty)->id);
    }
}

static void turn_stop(struct px_proxy *proxy)
{
    LIST_FOR_EACH(node, &proxy->sessions)
    {
        struct px_session *session = LIST_ENTRY(node, struct px_session, node);
        if (session->outstanding == 0)
            px_session_drain(session);
    }
    if (list_is_empty(&proxy->sessions) || proxy->now_ns >= proxy->stop_ns) {
        effect_exit(proxy->effects, 0);
        proxy->stop_ns = NEVER_NS;
    }
}

static void set_deadline(struct px_proxy *proxy)
{
    int64_t deadlines[] = {px_watch_deadline(proxy), px_links_deadline(proxy), px_wheel_deadline(proxy),
                           px_inquiries_deadline(proxy), proxy->stopping ? proxy->stop_ns : NEVER_NS};
    proxy->deadline_ns = NEVER_NS;
    for (size_t i = 0; i < ARRAY_LENGTH(deadlines); i++)
        if (deadlines[i] < proxy->deadline_ns)
            proxy->deadline_ns = deadlines[i];
}

static void turn(struct px_proxy *proxy)
{
    if (!proxy->started)
        return;
    px_watch_turn(proxy);
    px_inquiries_turn(proxy);
    run_sessions(proxy);
    px_links_turn(proxy);
    px_wheel_turn(proxy);
    if (proxy->stopping)
        turn_stop(proxy);
    announce(proxy);
    close_doomed(proxy);
    px_users_reap(proxy);
    set_deadline(proxy);
}

static void step(void *core, const struct event *event, struct effects *effects)
{
    struct px_proxy *proxy = core;
    proxy->effects = effects;
    proxy->now_ns = event->now_ns;
    switch (event->kind) {
    case EVENT_START:
        proxy->started = true;
        proxy->wheel_now = proxy->now_ns / proxy->wheel_tick_ns;
        effect_listen(effects);
        turn(proxy);
        break;
    case EVENT_OPENED: opened(proxy, event->link); break;
    case EVENT_RECEIVED: received(proxy, event); break;
    case EVENT_ENDED: ended(proxy, event->link); break;
    case EVENT_CLOSED:
        closed(proxy, event->link);
        if (proxy->stopping)
            proxy->deadline_ns = proxy->now_ns; /* it may have been the last */
        break;
    case EVENT_PERSISTED:
    case EVENT_FILE: break;
    case EVENT_TURN: turn(proxy); break;
    case EVENT_STOP:
        proxy->stopping = true;
        proxy->stop_ns = proxy->now_ns + STOP_NS;
        turn(proxy);
        break;
    }
}

static struct slice output(void *core, link_id link, int64_t now_ns)
{
    const struct px_proxy *proxy = core;
    struct px_port port = port_of(proxy, link);
    (void)now_ns;
    switch (port.kind) {
    case PX_PORT_FREE: break;
    case PX_PORT_CLIENT: return buf_slice(&((const struct px_session *)port.object)->output);
    case PX_PORT_BACKEND: return px_link_output(port.object);
    case PX_PORT_SENTINEL: return buf_slice(&((const struct px_watch_link *)port.object)->output);
    }
    return slice_of(NULL, 0);
}

static void sent(void *core, link_id link, size_t count, struct effects *effects)
{
    struct px_proxy *proxy = core;
    struct px_port port = port_of(proxy, link);
    proxy->effects = effects;
    switch (port.kind) {
    case PX_PORT_FREE: break;
    case PX_PORT_CLIENT: px_session_sent(port.object, count); break;
    case PX_PORT_BACKEND: px_link_sent(port.object, count); break;
    case PX_PORT_SENTINEL: buf_consume(&((struct px_watch_link *)port.object)->output, count); break;
    }
}

static int64_t deadline(const void *core)
{
    const struct px_proxy *proxy = core;
    return list_is_empty(&proxy->runnable) && list_is_empty(&proxy->doomed) ? proxy->deadline_ns : INT64_MIN;
}

const struct door px_proxy_door = {
    .accept = accept_client,
    .step = step,
    .output = output,
    .sent = sent,
    .deadline = deadline,
    .destroy = destroy,
    .hears_ends = true,
};

/* ---- what others may look at ---- */

static uint32_t length_of(const struct list *list)
{
    uint32_t count = 0;
    LIST_FOR_EACH(node, list)
    count++;
    return count;
}

struct px_inspection px_proxy_inspect(const struct px_proxy *proxy)
{
    return (struct px_inspection){
        .topology = &proxy->topology,
        .epoch = proxy->topology.epoch,
        .version = proxy->topology.version,
        .master = proxy->topology.master,
        .connections = proxy->session_count,
        .ghosts = length_of(&proxy->ghosts),
        .links = length_of(&proxy->links),
        .held_commands = proxy->held_commands,
        .held_bytes = proxy->held_bytes,
        .uncertain = proxy->statistics.uncertain,
        .repeated = proxy->statistics.repeated,
        .hold_limit = proxy->statistics.hold_limit,
        .idle_closed = proxy->statistics.idle_closed,
        .refused = proxy->statistics.refused,
    };
}

uint64_t px_proxy_link_epoch(const struct px_proxy *proxy, link_id link)
{
    struct px_port port = port_of(proxy, link);
    if (port.kind != PX_PORT_BACKEND)
        return 0;
    const struct px_link *backend = port.object;
    return backend->state == PX_LINK_READY || backend->state == PX_LINK_REFUSED ? backend->epoch : 0;
}
