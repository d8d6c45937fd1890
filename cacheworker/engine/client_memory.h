/* client_memory.h: maxmemory-clients (redis.io/docs/reference/clients): when what all clients' buffers take is beyond
 * it, those that take most are closed, until it is not.
 *
 * What a session takes is counted anew whenever it was given or sent something, while there is such a limit; without
 * one nothing is counted. Replicas and the master's link are not counted, nor is who said CLIENT NO-EVICT closed. */
#ifndef CACHEWORKER_ENGINE_CLIENT_MEMORY_H
#define CACHEWORKER_ENGINE_CLIENT_MEMORY_H

#include "cacheworker/engine/state.h"

/* Bytes that the session takes: CLIENT LIST's tot-mem. */
size_t cw_session_memory(const struct cw_session *session);

/* The limit in bytes; 0: none. */
size_t cw_client_memory_limit(const struct cw_settings *settings);

/* The session may take another amount than before: to be told while engine->counts_client_memory. */
void cw_client_memory_note(struct cw_engine *engine, struct cw_session *session);

/* The session ends. */
void cw_client_memory_forget(struct cw_engine *engine, struct cw_session *session);

/* Once per turn, when its input was kept: closes whom it must. */
void cw_client_memory_turn(struct cw_engine *engine);

#endif
