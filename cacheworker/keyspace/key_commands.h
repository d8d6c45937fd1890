/* key_commands.h: commands on keys of any type, and on databases (redis.io/commands/?group=generic). */
#ifndef CACHEWORKER_KEYSPACE_KEY_COMMANDS_H
#define CACHEWORKER_KEYSPACE_KEY_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_copy_command(struct cw_call *call);
void cw_dbsize_command(struct cw_call *call);
void cw_del_command(struct cw_call *call);
void cw_exists_command(struct cw_call *call);
void cw_flushall_command(struct cw_call *call);
void cw_flushdb_command(struct cw_call *call);
void cw_keys_command(struct cw_call *call);
void cw_memory_usage_command(struct cw_call *call);
void cw_move_command(struct cw_call *call);
void cw_object_encoding_command(struct cw_call *call);
void cw_object_freq_command(struct cw_call *call);
void cw_object_help_command(struct cw_call *call);
void cw_object_idletime_command(struct cw_call *call);
void cw_object_refcount_command(struct cw_call *call);
void cw_randomkey_command(struct cw_call *call);
void cw_rename_command(struct cw_call *call);
void cw_renamenx_command(struct cw_call *call);
void cw_scan_command(struct cw_call *call);
void cw_swapdb_command(struct cw_call *call);
void cw_touch_command(struct cw_call *call);
void cw_type_command(struct cw_call *call);
void cw_unlink_command(struct cw_call *call);

#endif
