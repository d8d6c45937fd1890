/* slowlog.h: the commands that took long, newest first (redis.io/commands/slowlog-get). */
#ifndef CACHEWORKER_INFO_SLOWLOG_H
#define CACHEWORKER_INFO_SLOWLOG_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/slice.h"

#include <stdint.h>

struct command;
struct cw_engine;
struct cw_session;

struct cw_slowlog {
    struct list entries; /* newest first; owned */
    size_t count;
    uint64_t next_id;
};

void cw_slowlog_create(struct cw_slowlog *slowlog);
void cw_slowlog_destroy(struct cw_slowlog *slowlog);

/* Takes a command that was executed, if it took long enough by the settings and its row does not forbid it. Long
 * requests are kept in part; the oldest entries beyond slowlog-max-len go. */
void cw_slowlog_offer(struct cw_engine *engine, const struct cw_session *session, const struct command *command,
                      const struct slice *argv, size_t argc, int64_t duration_us);

void cw_slowlog_reset(struct cw_slowlog *slowlog);

/* The reply to SLOWLOG GET: the newest `limit` entries. */
void cw_slowlog_write(const struct cw_slowlog *slowlog, size_t limit, struct buf *out);

#endif
