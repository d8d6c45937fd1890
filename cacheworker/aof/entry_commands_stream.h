/* entry_commands_stream.h: of entry_commands.h, what streams need: entries, numbers, groups, consumers, and what those
 * have pending, each by a command of its own. */
#ifndef CACHEWORKER_AOF_ENTRY_COMMANDS_STREAM_H
#define CACHEWORKER_AOF_ENTRY_COMMANDS_STREAM_H

#include "cacheworker/aof/entry_commands.h"

void cw_stream_commands_begin(struct cw_entry_commands *commands);

/* Appends the next part; false: there is none. */
MUST_CHECK bool cw_stream_commands_next(struct cw_entry_commands *commands, struct buf *out);

/* Of entry_commands.c: appends a text, or has it follow the one that is being appended, behind which there is none. */
void cw_entry_commands_add(struct cw_entry_commands *commands, struct buf *out, const struct cw_packed_value *value);

#endif
