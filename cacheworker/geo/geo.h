/* geo.h: positions on the earth as scores of a sorted set, and what lies within a circle or a box.
 *
 * A position is a cell of a grid: 2^26 columns of longitude, 2^26 rows of latitude up to +-85.05112878 degrees (the
 * square of EPSG:3857), their bits interleaved, longitude first (Morton 1966; geohash, Niemeyer 2008), so that a
 * coarser cell is a range of scores. The last meridian and the last parallel are a column and a row of their own. All
 * numbers are computed as the reference does, to the last bit, for they are seen: scores, positions, distances.
 *
 * Degrees; longitude to the east, latitude to the north. */
#ifndef CACHEWORKER_GEO_GEO_H
#define CACHEWORKER_GEO_GEO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CW_GEO_LATITUDE_MAX  85.05112878
#define CW_GEO_LONGITUDE_MAX 180.0

enum {
    CW_GEO_STEPS_MAX = 26,
    CW_GEO_HASH_LENGTH = 11,
};

struct cw_geo_point {
    double longitude;
    double latitude;
};

/* Whether it can be kept. */
bool cw_geo_is_point(struct cw_geo_point point);

/* The score of a position, and the middle of the cell that a score names. Any number is a score. */
uint64_t cw_geo_encode(struct cw_geo_point point);
struct cw_geo_point cw_geo_decode(double score);

/* The standard geohash, without a NUL. Its last digit is always 0: there are bits for ten. */
void cw_geo_hash(struct cw_geo_point point, char text[CW_GEO_HASH_LENGTH]);

/* Along the great circle, by haversines, on a sphere. */
double cw_geo_distance_m(struct cw_geo_point a, struct cw_geo_point b);

/* ---- Shapes ---- */

struct cw_geo_shape {
    struct cw_geo_point centre;
    bool is_box;
    double radius_m; /* of a circle */
    double width_m;  /* of a box: along the parallel of each of its points, not of its centre */
    double height_m;
};

/* Fills in the distance from the centre of a point that is inside. */
bool cw_geo_contains(const struct cw_geo_shape *shape, struct cw_geo_point point, double *ret_distance_m);

/* ---- Covers ----
 *
 * Cells that together have every point of a shape, and points outside. First come those that the reference looks at, in
 * its order, which its replies show: the centre's cell and its eight neighbours, less those that cannot matter. Then
 * come those that it misses: around a pole, at the last meridian, and where the parallels are short. */

struct cw_geo_cell { /* scores from `first` to below `end` */
    uint64_t first;
    uint64_t end;
};

struct cw_geo_grid_cell {
    uint32_t column;
    uint32_t row;
};

struct cw_geo_cover { /* private */
    unsigned steps;
    struct cw_geo_grid_cell near[9];
    unsigned near_count;
    unsigned next_near;

    int64_t first_column; /* may lie beyond either end, and is counted modulo their number */
    int64_t column_count;
    bool has_meridian; /* the last one: a column more */
    int64_t last_row;
    int64_t next_column, next_row; /* `next_column` counts from first_column */
};

void cw_geo_cover_begin(struct cw_geo_cover *cover, const struct cw_geo_shape *shape);
/* No cell comes twice. False: there are no more. */
bool cw_geo_cover_next(struct cw_geo_cover *cover, struct cw_geo_cell *ret_cell);

#endif
