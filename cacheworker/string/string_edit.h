/* string_edit.h: what every command that writes inside a string begins with. */
#ifndef CACHEWORKER_STRING_STRING_EDIT_H
#define CACHEWORKER_STRING_STRING_EDIT_H

#include "cacheworker/engine/call.h"
#include "cacheworker/keyspace/keyspace.h"
#include "common/resp/resp_limits.h"

#define CW_STRING_LENGTH_MAX RESP_LIMITS_DEFAULT.bulk_length_max

/* How long this command may make a string: proto-max-bulk-len, but never more than CW_STRING_LENGTH_MAX, which files
 * take. What comes from a stream was allowed where it comes from. */
size_t cw_string_length_max(const struct cw_call *call);

/* Makes a string, which exists or not, `length` bytes long, new bytes being zero, and shows it as "raw" from now on.
 * Returns the bytes for writing, borrowed until the next change of the keyspace; or NULL, and the error was replied. */
char *cw_string_edit(struct cw_call *call, struct cw_ref *ref, size_t length);

#endif
