/* client_memory.h: what the buffers of all clients take together. When that is beyond client_memory_max of the
 * configuration, or maxmemory-clients (redis.io/docs/reference/clients) if that is less, those that take most are
 * closed, until it is not.
 *
 * What a session takes is counted anew whenever it was given or sent something: at the end of a step, and at once where
 * its output is long. Replicas and the master's link are not counted, nor is who said CLIENT NO-EVICT closed. */
#ifndef CACHEWORKER_ENGINE_CLIENT_MEMORY_H
#define CACHEWORKER_ENGINE_CLIENT_MEMORY_H

#include "cacheworker/engine/state.h"

/* Bytes that the session takes: CLIENT LIST's tot-mem. */
size_t cw_session_memory(const struct cw_session *session);

/* What the configuration allows, in bytes; SIZE_MAX: any number. One reply alone must be shorter. */
size_t cw_client_memory_most(const struct cw_engine *engine);

/* Whether it is beyond the limit now: as long as nobody reads, no more should be written. */
bool cw_client_memory_exceeded(const struct cw_engine *engine);

/* The session may take another amount than before. */
void cw_client_memory_note(struct cw_engine *engine, struct cw_session *session);

/* The session ends. */
void cw_client_memory_forget(struct cw_engine *engine, struct cw_session *session);

/* At the beginning of a turn, when what could leave has left: closes whom it must. */
void cw_client_memory_turn(struct cw_engine *engine);

#endif
