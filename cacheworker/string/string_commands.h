/* string_commands.h: the string commands of Redis 7.2 (redis.io/commands/?group=string), and of the newer ones those
 * that compare before they write: SET's IFEQ and others, DELEX, DIGEST and MSETEX of Redis 8.4, DELIFEQ of Valkey 9. */
#ifndef CACHEWORKER_STRING_STRING_COMMANDS_H
#define CACHEWORKER_STRING_STRING_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_append_command(struct cw_call *call);
void cw_decr_command(struct cw_call *call);
void cw_decrby_command(struct cw_call *call);
void cw_delex_command(struct cw_call *call);
void cw_delifeq_command(struct cw_call *call);
void cw_digest_command(struct cw_call *call);
void cw_get_command(struct cw_call *call);
void cw_getdel_command(struct cw_call *call);
void cw_getex_command(struct cw_call *call);
void cw_getrange_command(struct cw_call *call); /* also SUBSTR */
void cw_getset_command(struct cw_call *call);
void cw_incr_command(struct cw_call *call);
void cw_incrby_command(struct cw_call *call);
void cw_incrbyfloat_command(struct cw_call *call);
void cw_lcs_command(struct cw_call *call);
void cw_mget_command(struct cw_call *call);
void cw_mset_command(struct cw_call *call);
void cw_msetex_command(struct cw_call *call);
void cw_msetnx_command(struct cw_call *call);
void cw_psetex_command(struct cw_call *call);
void cw_set_command(struct cw_call *call);
void cw_setex_command(struct cw_call *call);
void cw_setnx_command(struct cw_call *call);
void cw_setrange_command(struct cw_call *call);
void cw_strlen_command(struct cw_call *call);

#endif
