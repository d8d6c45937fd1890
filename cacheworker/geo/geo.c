#include "cacheworker/geo/geo.h"

#include <math.h>
#include <string.h>

#define EARTH_RADIUS_M    6372797.560856
#define HALF_MERIDIAN_M   20037726.37 /* as the reference has it; only to choose the size of cells */
#define RADIANS           (M_PI / 180.0)
#define LATITUDE_STANDARD 90.0 /* of the standard geohash */

/* ---- Bits ---- */

/* Puts 32 bits on the even places. */
static uint64_t spread(uint32_t number)
{
    uint64_t bits = number;
    bits = (bits | bits << 16) & 0x0000ffff0000ffffu;
    bits = (bits | bits << 8) & 0x00ff00ff00ff00ffu;
    bits = (bits | bits << 4) & 0x0f0f0f0f0f0f0f0fu;
    bits = (bits | bits << 2) & 0x3333333333333333u;
    return (bits | bits << 1) & 0x5555555555555555u;
}

static uint32_t gather(uint64_t bits)
{
    bits &= 0x5555555555555555u;
    bits = (bits | bits >> 1) & 0x3333333333333333u;
    bits = (bits | bits >> 2) & 0x0f0f0f0f0f0f0f0fu;
    bits = (bits | bits >> 4) & 0x00ff00ff00ff00ffu;
    bits = (bits | bits >> 8) & 0x0000ffff0000ffffu;
    return (uint32_t)(bits | bits >> 16);
}

static uint64_t interleaved(struct cw_geo_grid_cell cell)
{
    return spread(cell.column) << 1 | spread(cell.row);
}

/* ---- Positions ---- */

bool cw_geo_is_point(struct cw_geo_point point)
{
    return point.longitude >= -CW_GEO_LONGITUDE_MAX && point.longitude <= CW_GEO_LONGITUDE_MAX &&
           point.latitude >= -CW_GEO_LATITUDE_MAX && point.latitude <= CW_GEO_LATITUDE_MAX;
}

static uint32_t index_of(double degrees, double most, unsigned steps)
{
    double part = (degrees - -most) / (most - -most);
    return (uint32_t)(part * (double)(UINT64_C(1) << steps));
}

static struct cw_geo_grid_cell grid_cell(struct cw_geo_point point, double latitude_max, unsigned steps)
{
    return (struct cw_geo_grid_cell){.column = index_of(point.longitude, CW_GEO_LONGITUDE_MAX, steps),
                                     .row = index_of(point.latitude, latitude_max, steps)};
}

uint64_t cw_geo_encode(struct cw_geo_point point)
{
    return interleaved(grid_cell(point, CW_GEO_LATITUDE_MAX, CW_GEO_STEPS_MAX));
}

/* Where the column or row begins; the one behind it is where it ends. */
static double degrees_of(uint32_t index, double most, unsigned steps)
{
    return -most + (index * 1.0 / (double)(UINT64_C(1) << steps)) * (most - -most);
}

static double middle_of(uint32_t index, double most)
{
    double middle = (degrees_of(index, most, CW_GEO_STEPS_MAX) + degrees_of(index + 1, most, CW_GEO_STEPS_MAX)) / 2;
    return middle > most ? most : middle < -most ? -most : middle;
}

/* The bits of a score that is no position, too, are those that the reference's processor makes of it. */
static uint64_t bits_of(double score)
{
    if (score > -0x1p63 && score < 0x1p63)
        return (uint64_t)(int64_t)score;
    if (score >= 0x1p63 && score < 0x1p64)
        return (uint64_t)score;
    return score > 0 ? 0 : UINT64_C(1) << 63;
}

struct cw_geo_point cw_geo_decode(double score)
{
    uint64_t bits = bits_of(score);
    return (struct cw_geo_point){.longitude = middle_of(gather(bits >> 1), CW_GEO_LONGITUDE_MAX),
                                 .latitude = middle_of(gather(bits), CW_GEO_LATITUDE_MAX)};
}

void cw_geo_hash(struct cw_geo_point point, char text[CW_GEO_HASH_LENGTH])
{
    static const char digits[] = "0123456789bcdefghjkmnpqrstuvwxyz";
    uint64_t bits = interleaved(grid_cell(point, LATITUDE_STANDARD, CW_GEO_STEPS_MAX));
    for (unsigned i = 0; i + 1 < CW_GEO_HASH_LENGTH; i++)
        text[i] = digits[bits >> (2 * CW_GEO_STEPS_MAX - 5 * (i + 1)) & 31];
    text[CW_GEO_HASH_LENGTH - 1] = digits[0];
}

/* ---- Distances ---- */

static double latitude_distance_m(double a, double b)
{
    return EARTH_RADIUS_M * fabs(b * RADIANS - a * RADIANS);
}

double cw_geo_distance_m(struct cw_geo_point a, struct cw_geo_point b)
{
    double east = sin((b.longitude * RADIANS - a.longitude * RADIANS) / 2);
    if (east == 0)
        return latitude_distance_m(a.latitude, b.latitude);
    double a_latitude = a.latitude * RADIANS;
    double b_latitude = b.latitude * RADIANS;
    double north = sin((b_latitude - a_latitude) / 2);
    double chord = sqrt(north * north + cos(a_latitude) * cos(b_latitude) * east * east);
    return 2.0 * EARTH_RADIUS_M * asin(chord < 1 ? chord : 1); /* opposite points may come out a bit above 1 */
}

bool cw_geo_contains(const struct cw_geo_shape *shape, struct cw_geo_point point, double *ret_distance_m)
{
    if (shape->is_box) {
        struct cw_geo_point abeam = {.longitude = shape->centre.longitude, .latitude = point.latitude};
        if (latitude_distance_m(point.latitude, shape->centre.latitude) > shape->height_m / 2 ||
            cw_geo_distance_m(point, abeam) > shape->width_m / 2)
            return false;
    }
    double distance_m = cw_geo_distance_m(shape->centre, point);
    if (!shape->is_box && distance_m > shape->radius_m)
        return false;
    *ret_distance_m = distance_m;
    return true;
}

/* ---- Covers: what the reference looks at ---- */

struct bounds { /* degrees */
    double west, east;
    double south, north;
};

/* As the reference reckons them: wrong where a pole is inside, and not cut off anywhere. */
static struct bounds reckoned_bounds(const struct cw_geo_shape *shape)
{
    double height_m = shape->is_box ? shape->height_m / 2 : shape->radius_m;
    double width_m = shape->is_box ? shape->width_m / 2 : shape->radius_m;
    double latitude = shape->centre.latitude;
    double north = height_m / EARTH_RADIUS_M / RADIANS;
    double parallel = cos((latitude < 0 ? latitude - north : latitude + north) * RADIANS);
    double east = width_m / EARTH_RADIUS_M / parallel / RADIANS;
    return (struct bounds){.west = shape->centre.longitude - east,
                           .east = shape->centre.longitude + east,
                           .south = latitude - north,
                           .north = latitude + north};
}

/* So that a cell is not much smaller than the shape; near the poles, where cells are narrow, they are bigger. */
static unsigned choose_steps(const struct cw_geo_shape *shape)
{
    double reach_m = shape->radius_m;
    double latitude = fabs(shape->centre.latitude);
    if (shape->is_box)
        reach_m = sqrt((shape->width_m / 2) * (shape->width_m / 2) + (shape->height_m / 2) * (shape->height_m / 2));
    if (reach_m == 0)
        return CW_GEO_STEPS_MAX;
    int steps = -1;
    for (; reach_m < HALF_MERIDIAN_M; reach_m *= 2)
        steps++;
    steps -= (latitude > 66) + (latitude > 80);
    return steps < 1 ? 1 : steps > CW_GEO_STEPS_MAX ? CW_GEO_STEPS_MAX : (unsigned)steps;
}

/* A column or row further, around the world; the ones that only the last meridian and parallel have are left. */
static uint32_t moved(uint32_t index, int by, unsigned steps)
{
    return by == 0 ? index : (index + (uint32_t)by) & ((UINT32_C(1) << steps) - 1);
}

static struct bounds cell_bounds(struct cw_geo_grid_cell cell, unsigned steps)
{
    return (struct bounds){.west = degrees_of(cell.column, CW_GEO_LONGITUDE_MAX, steps),
                           .east = degrees_of(cell.column + 1, CW_GEO_LONGITUDE_MAX, steps),
                           .south = degrees_of(cell.row, CW_GEO_LATITUDE_MAX, steps),
                           .north = degrees_of(cell.row + 1, CW_GEO_LATITUDE_MAX, steps)};
}

static bool neighbours_suffice(struct cw_geo_grid_cell centre, const struct bounds *bounds, unsigned steps)
{
    struct cw_geo_grid_cell north_east = {moved(centre.column, 1, steps), moved(centre.row, 1, steps)};
    struct cw_geo_grid_cell south_west = {moved(centre.column, -1, steps), moved(centre.row, -1, steps)};
    struct bounds high = cell_bounds(north_east, steps);
    struct bounds low = cell_bounds(south_west, steps);
    return !(high.north < bounds->north || high.east < bounds->east || low.south > bounds->south ||
             low.west > bounds->west);
}

static bool is_near(const struct cw_geo_cover *cover, struct cw_geo_grid_cell cell)
{
    for (unsigned i = 0; i < cover->near_count; i++)
        if (cover->near[i].column == cell.column && cover->near[i].row == cell.row)
            return true;
    return false;
}

/* Leaves out the neighbours on a side where the centre's cell is enough. */
static void find_near(struct cw_geo_cover *cover, const struct cw_geo_shape *shape, const struct bounds *bounds)
{
    static const struct {
        int east, north;
    } moves[9] = {{0, 0}, {0, 1}, {0, -1}, {1, 0}, {-1, 0}, {1, 1}, {-1, 1}, {1, -1}, {-1, -1}};
    struct cw_geo_grid_cell centre = grid_cell(shape->centre, CW_GEO_LATITUDE_MAX, cover->steps);
    struct bounds cell = cell_bounds(centre, cover->steps);
    bool chooses = cover->steps >= 2;
    for (unsigned i = 0; i < 9; i++) {
        int east = moves[i].east;
        int north = moves[i].north;
        if (chooses && ((north < 0 && cell.south < bounds->south) || (north > 0 && cell.north > bounds->north) ||
                        (east < 0 && cell.west < bounds->west) || (east > 0 && cell.east > bounds->east)))
            continue;
        struct cw_geo_grid_cell neighbour = {moved(centre.column, east, cover->steps),
                                             moved(centre.row, north, cover->steps)};
        if (!is_near(cover, neighbour)) /* of a few big cells, neighbours on both sides are the same */
            cover->near[cover->near_count++] = neighbour;
    }
}

/* ---- Covers: what has to be looked at ---- */

/* How far to the east, and to the west, a circle goes, in radians; pi: all around. */
static double circle_reach(const struct cw_geo_shape *shape)
{
    double latitude = fabs(shape->centre.latitude) * RADIANS;
    double radius = shape->radius_m / EARTH_RADIUS_M;
    if (!(latitude + radius < M_PI / 2)) /* a pole is inside */
        return M_PI;
    double reach = sin(radius) / cos(latitude); /* where the circle touches a meridian */
    return reach < 1 ? asin(reach) : M_PI;
}

/* The same of a box, which is the widest where the parallels are the shortest. */
static double box_reach(const struct cw_geo_shape *shape)
{
    double north = shape->height_m / 2 / EARTH_RADIUS_M / RADIANS;
    double highest = fmin(fabs(shape->centre.latitude) + north, CW_GEO_LATITUDE_MAX);
    double width = shape->width_m / 2 / EARTH_RADIUS_M;
    if (!(width < M_PI))
        return M_PI;
    double reach = sin(width / 2) / cos(highest * RADIANS);
    return reach < 1 ? 2 * asin(reach) : M_PI;
}

static int64_t place_of(double degrees, double most, unsigned steps)
{
    return (int64_t)floor((degrees + most) / (2 * most) * (double)(UINT64_C(1) << steps));
}

static void find_all(struct cw_geo_cover *cover, const struct cw_geo_shape *shape)
{
    const double margin = 1e-6; /* degrees: far more than rounding errors, and less than a cell */
    int64_t count = INT64_C(1) << cover->steps;
    double north = (shape->is_box ? shape->height_m / 2 : shape->radius_m) / EARTH_RADIUS_M / RADIANS + margin;
    double east = (shape->is_box ? box_reach(shape) : circle_reach(shape)) / RADIANS + margin;
    double south_end = fmax(shape->centre.latitude - north, -CW_GEO_LATITUDE_MAX);
    double north_end = fmin(shape->centre.latitude + north, CW_GEO_LATITUDE_MAX);
    cover->next_row = place_of(south_end, CW_GEO_LATITUDE_MAX, cover->steps);
    cover->last_row = place_of(north_end, CW_GEO_LATITUDE_MAX, cover->steps);
    cover->first_column = place_of(shape->centre.longitude - east, CW_GEO_LONGITUDE_MAX, cover->steps);
    int64_t last_column = place_of(shape->centre.longitude + east, CW_GEO_LONGITUDE_MAX, cover->steps);
    cover->column_count = last_column - cover->first_column + 1;
    if (cover->column_count > count)
        cover->column_count = count;
    cover->has_meridian = ((count - 1 - cover->first_column) & (count - 1)) < cover->column_count;
}

void cw_geo_cover_begin(struct cw_geo_cover *cover, const struct cw_geo_shape *shape)
{
    struct bounds bounds = reckoned_bounds(shape);
    *cover = (struct cw_geo_cover){.steps = choose_steps(shape)};
    struct cw_geo_grid_cell centre = grid_cell(shape->centre, CW_GEO_LATITUDE_MAX, cover->steps);
    if (cover->steps > 1 && !neighbours_suffice(centre, &bounds, cover->steps))
        cover->steps--;
    find_near(cover, shape, &bounds);
    find_all(cover, shape);
}

/* The next cell of the rows and columns; the last column is followed by that of the last meridian. */
static bool next_far(struct cw_geo_cover *cover, struct cw_geo_grid_cell *ret_cell)
{
    int64_t count = INT64_C(1) << cover->steps;
    if (cover->next_row > cover->last_row)
        return false;
    bool is_meridian = cover->next_column == cover->column_count;
    int64_t column = is_meridian ? count : (cover->first_column + cover->next_column) & (count - 1);
    *ret_cell = (struct cw_geo_grid_cell){.column = (uint32_t)column, .row = (uint32_t)cover->next_row};
    cover->next_column++;
    if (cover->next_column == cover->column_count + cover->has_meridian) {
        cover->next_column = 0;
        cover->next_row++;
    }
    return true;
}

bool cw_geo_cover_next(struct cw_geo_cover *cover, struct cw_geo_cell *ret_cell)
{
    struct cw_geo_grid_cell cell;
    if (cover->next_near < cover->near_count) {
        cell = cover->near[cover->next_near++];
    } else {
        do
            if (!next_far(cover, &cell))
                return false;
        while (is_near(cover, cell));
    }
    unsigned shift = 2 * (CW_GEO_STEPS_MAX - cover->steps);
    ret_cell->first = interleaved(cell) << shift;
    ret_cell->end = (interleaved(cell) + 1) << shift;
    return true;
}
