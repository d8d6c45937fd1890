/* owed.h: which commands wait for a snapshot. A value that a snapshot shows in slices must not change before the last
 * one (keyspace.h), so a command that would change it waits for a few turns, as all do while a picture on its way to
 * a file holds too much (rdb/picture.h).
 *
 * It is asked before a command begins: of its keys, of those that a script was given, of those of all that a
 * transaction has queued, of those of a unit of a master's stream. What cannot be known before has the rest of the
 * value shown at once, however long that takes: keys that a script was not given, keys that change because a client
 * that waited is served, the key of another database that COPY replaces, and what a transaction means after a SWAPDB.
 */
#ifndef CACHEWORKER_ENGINE_OWED_H
#define CACHEWORKER_ENGINE_OWED_H

#include "common/base/slice.h"
#include "common/command/command.h"

struct cw_engine;
struct cw_session;

/* Whether a client's command, which may write, has to wait. */
bool cw_owed_must_wait(struct cw_engine *engine, struct cw_session *session, const struct command *command,
                       const struct slice *argv, size_t argc);

/* Whether a key of the command, in that database, is owed. */
bool cw_owed_any(struct cw_engine *engine, unsigned database, const struct command *command, const struct slice *argv,
                 size_t argc);

#endif
