/* wheel.h: when to look at a session again: idle and authentication timeouts, and buffers that nobody uses.
 *
 * A wheel of buckets; a session is not moved when it is active, but looked at when its bucket comes, and put on again
 * by what is true then. So the hot path writes one number, and a look costs the same at any count of sessions. */
#ifndef PROXY_CORE_WHEEL_H
#define PROXY_CORE_WHEEL_H

#include <stdint.h>

struct px_proxy;
struct px_session;

void px_wheel_init(struct px_proxy *proxy);
void px_wheel_add(struct px_proxy *proxy, struct px_session *session);
void px_wheel_turn(struct px_proxy *proxy);
int64_t px_wheel_deadline(const struct px_proxy *proxy);

#endif
