#include "proxy/core/wheel.h"

#include "proxy/core/session.h"

#define TICK_MIN_NS NS_PER_MS
#define TICK_MAX_NS NS_PER_S
#define TRIM_NS     (2 * NS_PER_S) /* a session that did nothing for so long gives its empty buffers back */

enum { TICKS_PER_TIMEOUT = 200 };

void px_wheel_init(struct px_proxy *proxy)
{
    int64_t shortest = TICK_MAX_NS * TICKS_PER_TIMEOUT;
    if (proxy->config.idle_timeout_ns > 0 && proxy->config.idle_timeout_ns < shortest)
        shortest = proxy->config.idle_timeout_ns;
    if (proxy->config.requirepass.length > 0 && proxy->config.authentication_timeout_ns < shortest)
        shortest = proxy->config.authentication_timeout_ns;
    proxy->wheel_tick_ns = shortest / TICKS_PER_TIMEOUT;
    if (proxy->wheel_tick_ns < TICK_MIN_NS)
        proxy->wheel_tick_ns = TICK_MIN_NS;
    for (int i = 0; i < PX_WHEEL_BUCKETS; i++)
        list_init(&proxy->wheel[i]);
}

static void put(struct px_proxy *proxy, struct px_session *session, int64_t at_ns)
{
    int64_t tick = at_ns / proxy->wheel_tick_ns + 1; /* never before its time */
    if (tick <= proxy->wheel_now)
        tick = proxy->wheel_now + 1;
    if (tick >= proxy->wheel_now + PX_WHEEL_BUCKETS)
        tick = proxy->wheel_now + PX_WHEEL_BUCKETS - 1;
    list_remove(&session->wheel);
    list_add_last(&proxy->wheel[tick % PX_WHEEL_BUCKETS], &session->wheel);
}

static int64_t close_time(const struct px_session *session)
{
    const struct px_config *config = &session->proxy->config;
    if (session->state == PX_SESSION_AUTHENTICATE)
        return session->connected_ns + config->authentication_timeout_ns;
    if (config->idle_timeout_ns == 0 || px_session_is_exempt_from_idle(session))
        return NEVER_NS;
    return session->active_ns + config->idle_timeout_ns;
}

void px_wheel_add(struct px_proxy *proxy, struct px_session *session)
{
    put(proxy, session, proxy->now_ns + TRIM_NS);
}

static void visit(struct px_proxy *proxy, struct px_session *session)
{
    if (session->state == PX_SESSION_DRAINING) {
        list_remove(&session->wheel);
        return;
    }
    int64_t close_ns = close_time(session);
    if (close_ns <= proxy->now_ns) {
        proxy->statistics.idle_closed++;
        list_remove(&session->wheel);
        px_session_doom(session, session->state == PX_SESSION_AUTHENTICATE ? "it did not authenticate" : "it was idle");
        return;
    }
    if (session->active_ns + TRIM_NS <= proxy->now_ns) {
        buf_shrink(&session->input, 0);
        buf_shrink(&session->output, 0);
        put(proxy, session, close_ns == NEVER_NS ? proxy->now_ns + PX_WHEEL_BUCKETS * proxy->wheel_tick_ns : close_ns);
    } else {
        int64_t next = proxy->now_ns + TRIM_NS;
        put(proxy, session, next < close_ns ? next : close_ns);
    }
}

void px_wheel_turn(struct px_proxy *proxy)
{
    int64_t now = proxy->now_ns / proxy->wheel_tick_ns;
    if (now - proxy->wheel_now > PX_WHEEL_BUCKETS)
        proxy->wheel_now = now - PX_WHEEL_BUCKETS;
    while (proxy->wheel_now < now) {
        proxy->wheel_now++;
        LIST_FOR_EACH(node, &proxy->wheel[proxy->wheel_now % PX_WHEEL_BUCKETS])
        visit(proxy, LIST_ENTRY(node, struct px_session, wheel));
    }
}

int64_t px_wheel_deadline(const struct px_proxy *proxy)
{
    return proxy->session_count == 0 ? NEVER_NS : (proxy->wheel_now + 1) * proxy->wheel_tick_ns;
}
