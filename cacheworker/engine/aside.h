/* aside.h: what the stream says to our own replicas alone: which fields expire when (cacheworker/hash/field_expiry.h),
 * what became of the group's users (cacheworker/acl/share.h), and whether its data come from another server
 * (cacheworker/repl/migration.h).
 *
 * A stock server executes all that its master sends, and knows nothing of this. So it stands in the message of a PING,
 * which has no effect on a replica and is counted like every other command (docs/adr/0005-field-expiry.md):
 *
 *   PING "respite-field-expiry <record>"            done where it stands
 *   PING "respite-field-expiry-of-next <record>"    done right behind the command that follows
 *   PING "respite-users <record>"                   done where it stands
 *   PING "respite-migration <record>"               the same
 *
 * Of the second form, PING and command count as one: a stream that ends between them ends before both. */
#ifndef CACHEWORKER_ENGINE_ASIDE_H
#define CACHEWORKER_ENGINE_ASIDE_H

#include "cacheworker/engine/call.h"

enum cw_aside {
    CW_ASIDE_NONE, /* a command as any other */
    CW_ASIDE_NOW,
    CW_ASIDE_OF_NEXT,
    CW_ASIDE_USERS,
    CW_ASIDE_MIGRATION,
};

void cw_aside_propagate(struct cw_call *call, enum cw_aside when, struct slice record);

/* The message of a PING that tells when fields expire, and is done where it stands. */
void cw_aside_write_field_expiry(struct slice record, struct buf *out);

/* The message of a PING that tells of users. */
void cw_aside_write_users(struct slice record, struct buf *out);

/* The same of one that tells of a migration. */
void cw_aside_write_migration(struct slice record, struct buf *out);

/* What a command of the stream is; of an aside, its record, borrowed from argv. */
enum cw_aside cw_aside_read(const struct slice *argv, size_t argc, struct slice *ret_record);

#endif
