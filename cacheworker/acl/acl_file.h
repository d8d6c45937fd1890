/* acl_file.h: users in a file, through struct storage: lines "user name rules...". */
#ifndef CACHEWORKER_ACL_ACL_FILE_H
#define CACHEWORKER_ACL_ACL_FILE_H

#include "cacheworker/acl/users.h"
#include "common/base/door.h"

/* Where a member of a group keeps the group's users. */
#define CW_ACL_GROUP_FILE "users.acl"

/* Replaces all users by those of the file, or none. ERR_NOT_FOUND, ERR_IO, ERR_TOO_BIG,
 * ERR_INVALID; `errors` says what is wrong. */
MUST_CHECK int cw_acl_load(struct cw_acl *acl, const struct storage *storage, const char *name, bool *ret_is_empty,
                           struct buf *errors);

/* Writes all users aside, fsyncs, renames; `acl` NULL: an empty file. ERR_IO, ERR_DISK_FULL; the old file stays then.
 */
MUST_CHECK int cw_acl_save(const struct cw_acl *acl, const struct storage *storage, const char *name);

#endif
