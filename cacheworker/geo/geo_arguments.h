/* geo_arguments.h: positions, units and distances as arguments, and as replies. Those that return false have replied
 * the error. */
#ifndef CACHEWORKER_GEO_GEO_ARGUMENTS_H
#define CACHEWORKER_GEO_GEO_ARGUMENTS_H

#include "cacheworker/engine/call.h"
#include "cacheworker/geo/geo.h"

/* argv[index] and the one behind it. */
bool cw_geo_parse_point(struct cw_call *call, size_t index, struct cw_geo_point *ret_point);

/* "m", "km", "ft", "mi". */
bool cw_geo_parse_unit(struct cw_call *call, size_t index, double *ret_unit_m);

/* A radius and its unit; width, height and their unit. */
bool cw_geo_parse_circle(struct cw_call *call, size_t index, struct cw_geo_shape *shape, double *ret_unit_m);
bool cw_geo_parse_box(struct cw_call *call, size_t index, struct cw_geo_shape *shape, double *ret_unit_m);

void cw_geo_reply_distance(struct cw_call *call, double distance);
void cw_geo_reply_point(struct cw_call *call, struct cw_geo_point point);

#endif
