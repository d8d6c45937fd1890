/* acl_log.h: what was denied to whom, newest first (redis.io/commands/acl-log). Denials that are alike and follow one
 * another within a minute are one entry with a count. */
#ifndef CACHEWORKER_ACL_ACL_LOG_H
#define CACHEWORKER_ACL_ACL_LOG_H

#include "common/base/buf.h"
#include "common/base/list.h"
#include "common/base/slice.h"

#include <stdint.h>

enum cw_acl_reason { CW_ACL_REASON_AUTH, CW_ACL_REASON_COMMAND, CW_ACL_REASON_KEY, CW_ACL_REASON_CHANNEL };
enum cw_acl_context { CW_ACL_TOPLEVEL, CW_ACL_MULTI, CW_ACL_LUA };

struct cw_acl_denial { /* borrowed for the call */
    enum cw_acl_reason reason;
    enum cw_acl_context context;
    struct slice object; /* the command, key or channel; with REASON_AUTH the word AUTH or HELLO */
    struct slice user;
    struct slice client; /* its line of CLIENT LIST */
    int64_t now_ms;      /* wall clock */
};

struct cw_acl_log {
    struct list entries; /* newest first; owned */
    size_t count;
    int64_t next_id;
};

void cw_acl_log_init(struct cw_acl_log *log);
void cw_acl_log_reset(struct cw_acl_log *log); /* forgets all entries */

/* Keeps at most `limit` entries; the oldest go. */
void cw_acl_log_add(struct cw_acl_log *log, const struct cw_acl_denial *denial, size_t limit);

/* The reply to ACL LOG: the newest `limit` entries. */
void cw_acl_log_write(const struct cw_acl_log *log, size_t limit, int64_t now_ms, int protocol, struct buf *out);

#endif
