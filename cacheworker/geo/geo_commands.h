/* geo_commands.h: commands on positions (redis.io/commands/?group=geo). */
#ifndef CACHEWORKER_GEO_GEO_COMMANDS_H
#define CACHEWORKER_GEO_GEO_COMMANDS_H

#include "cacheworker/engine/call.h"

void cw_geoadd_command(struct cw_call *call);
void cw_geodist_command(struct cw_call *call);
void cw_geohash_command(struct cw_call *call);
void cw_geopos_command(struct cw_call *call);
void cw_georadius_command(struct cw_call *call);
void cw_georadius_ro_command(struct cw_call *call);
void cw_georadiusbymember_command(struct cw_call *call);
void cw_georadiusbymember_ro_command(struct cw_call *call);
void cw_geosearch_command(struct cw_call *call);
void cw_geosearchstore_command(struct cw_call *call);

#endif
