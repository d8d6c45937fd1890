/* share.h: the users of a group are its master's: every change goes into the stream, every full sync begins with all of
 * them, and every member keeps them on its disk, so that neither a failover nor a restart forgets one.
 *
 * Stock servers know nothing of this, so a change stands aside (engine/aside.h), as a few lines:
 *
 *   user <name> <rules>     this user is now like that
 *   deluser <name>          there is none of that name
 *   all                     first line: who is not named below does not exist
 *   none                    the group has no users of its own
 *
 * It has none until one is set. Until then, and again where a member learns so, each goes by its own configuration.
 *
 * A server by itself shares nothing: its users are its own, as the reference's. */
#ifndef CACHEWORKER_ACL_SHARE_H
#define CACHEWORKER_ACL_SHARE_H

#include "common/base/buf.h"

struct cw_acl_user;
struct cw_engine;

/* Has the group and the disk know what has just been changed here. */
void cw_share_user(struct cw_engine *engine, const struct cw_acl_user *user);
void cw_share_removal(struct cw_engine *engine, struct slice name);
void cw_share_all(struct cw_engine *engine);

/* Does what a record of the stream says. ERR_CORRUPT. */
MUST_CHECK int cw_share_apply(struct cw_engine *engine, struct slice record);

/* All users, or that there are none, for a full sync. */
void cw_share_write(const struct cw_engine *engine, struct buf *out);

#endif
