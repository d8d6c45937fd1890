/* absent_commands.h: what clients and tools ask of a cluster and of modules, which there are not. They are answered as
 * a server of Redis 7.2 answers that is in no cluster and may load no modules: by that they tell what they speak to. */
#ifndef CACHEWORKER_ENGINE_ABSENT_COMMANDS_H
#define CACHEWORKER_ENGINE_ABSENT_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_cluster_command(struct cw_call *call); /* all of CLUSTER, ASKING, READONLY, READWRITE */
void cw_module_help_command(struct cw_call *call);
void cw_module_list_command(struct cw_call *call);
void cw_module_load_command(struct cw_call *call); /* LOADEX and UNLOAD, too */

#endif
