/* Positions: what the reference answers for some, and every point of a shape found against looking at all of them. */
#include "cacheworker/geo/geo.h"

#include "common/base/check.h"
#include "common/base/rand.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

enum { POINTS = 3000, SEARCHES = 3000 };

static void test_known_positions(void **state)
{
    (void)state;
    static const struct {
        struct cw_geo_point point;
        uint64_t score;
        const char *hash;
    } known[] = {/* ZRANGE and GEOHASH of redis-server 7.0 */
                 {{13.361389, 38.115556}, 3479099956230698, "sqc8b49rny0"},
                 {{15.087269, 37.502669}, 3479447370796909, "sqdtr74hyu0"},
                 {{180, 85.05112878}, 13510798882111488, "bp05b5048p0"},
                 {{-180, -85.05112878}, 0, "00bh0hbj200"}};
    for (size_t i = 0; i < ARRAY_LENGTH(known); i++) {
        char text[CW_GEO_HASH_LENGTH];
        assert_true(cw_geo_encode(known[i].point) == known[i].score);
        struct cw_geo_point decoded = cw_geo_decode((double)known[i].score);
        assert_true(fabs(decoded.longitude - known[i].point.longitude) < 6e-6);
        assert_true(fabs(decoded.latitude - known[i].point.latitude) < 6e-6);
        cw_geo_hash(decoded, text);
        assert_memory_equal(text, known[i].hash, sizeof(text));
    }
    struct cw_geo_point a = cw_geo_decode(3479099956230698);
    struct cw_geo_point b = cw_geo_decode(3479447370796909);
    assert_true(fabs(cw_geo_distance_m(a, b) - 166274.1516) < 0.0001);
}

static void test_limits(void **state)
{
    (void)state;
    assert_true(cw_geo_is_point((struct cw_geo_point){180, -85.05112878}));
    assert_false(cw_geo_is_point((struct cw_geo_point){180.1, 0}));
    assert_false(cw_geo_is_point((struct cw_geo_point){0, 85.06}));
    /* GEOPOS of scores that are no positions. */
    static const double scores[] = {-1, 1e19, -(double)INFINITY};
    for (size_t i = 0; i < ARRAY_LENGTH(scores); i++)
        assert_true(cw_geo_decode(scores[i]).longitude == 180);
    assert_true(cw_geo_decode((double)INFINITY).longitude < -179.99);
    assert_true(cw_geo_decode((double)INFINITY).latitude < -85.05);
}

/* ---- Covers ---- */

static double between(struct rand *rand, double low, double high)
{
    return low + (high - low) * (double)rand_below(rand, 1u << 30) / (double)(1u << 30);
}

/* Anywhere, or near the last meridian, or near a pole, or on an edge. */
static struct cw_geo_point draw_point(struct rand *rand)
{
    struct cw_geo_point point = {.longitude = between(rand, -180, 180),
                                 .latitude = between(rand, -CW_GEO_LATITUDE_MAX, CW_GEO_LATITUDE_MAX)};
    uint64_t kind = rand_below(rand, 16);
    double side = rand_below(rand, 2) == 0 ? 1 : -1;
    if (kind & 1)
        point.longitude = side * between(rand, 179, 180);
    if (kind & 2)
        point.latitude = side * between(rand, 80, CW_GEO_LATITUDE_MAX);
    if (kind == 4)
        point.longitude = side * CW_GEO_LONGITUDE_MAX;
    if (kind == 8)
        point.latitude = side * CW_GEO_LATITUDE_MAX;
    return point;
}

static double draw_length_m(struct rand *rand)
{
    switch (rand_below(rand, 40)) {
    case 0: return 0;
    case 1: return 1e300;
    case 2: return (double)INFINITY;
    default: return pow(10, between(rand, 3, 7.4));
    }
}

static struct cw_geo_shape draw_shape(struct rand *rand)
{
    return (struct cw_geo_shape){.centre = draw_point(rand),
                                 .is_box = rand_below(rand, 2) == 0,
                                 .radius_m = draw_length_m(rand),
                                 .width_m = draw_length_m(rand),
                                 .height_m = draw_length_m(rand)};
}

static int by_number(const void *a, const void *b)
{
    double first = *(const double *)a;
    double second = *(const double *)b;
    return first < second ? -1 : first > second;
}

static size_t count_found(const struct cw_geo_shape *shape, const double *scores, double *found)
{
    struct cw_geo_cover cover;
    struct cw_geo_cell cell;
    size_t count = 0;
    unsigned cells = 0;
    double distance_m;
    cw_geo_cover_begin(&cover, shape);
    while (cw_geo_cover_next(&cover, &cell)) {
        assert_true(cell.first < cell.end);
        assert_true(++cells <= 200);
        for (size_t i = 0; i < POINTS; i++)
            if (scores[i] >= (double)cell.first && scores[i] < (double)cell.end &&
                cw_geo_contains(shape, cw_geo_decode(scores[i]), &distance_m)) {
                assert_true(count < POINTS); /* none is found twice */
                found[count++] = scores[i];
            }
    }
    return count;
}

static void test_every_point_is_found_once(void **state)
{
    (void)state;
    static double scores[POINTS];
    static double found[POINTS];
    static double expected[POINTS];
    struct rand rand;
    size_t inside = 0;
    rand_seed(&rand, 1);
    for (size_t i = 0; i < POINTS; i++)
        scores[i] = (double)cw_geo_encode(draw_point(&rand));
    for (unsigned round = 0; round < SEARCHES; round++) {
        struct cw_geo_shape shape = draw_shape(&rand);
        double distance_m;
        size_t count = 0;
        for (size_t i = 0; i < POINTS; i++)
            if (cw_geo_contains(&shape, cw_geo_decode(scores[i]), &distance_m))
                expected[count++] = scores[i];
        assert_int_equal(count_found(&shape, scores, found), count);
        qsort(found, count, sizeof(double), by_number);
        qsort(expected, count, sizeof(double), by_number);
        for (size_t i = 0; i < count; i++)
            assert_true(found[i] == expected[i]);
        inside += count;
    }
    assert_true(inside > SEARCHES);
}

/* A small circle far from the edges takes few cells: the search does not look at the whole earth. */
static void test_covers_are_small(void **state)
{
    (void)state;
    struct rand rand;
    rand_seed(&rand, 2);
    for (unsigned round = 0; round < 1000; round++) {
        struct cw_geo_shape shape = {.centre = {between(&rand, -170, 170), between(&rand, -60, 60)},
                                     .radius_m = between(&rand, 1, 1e5)};
        struct cw_geo_cover cover;
        struct cw_geo_cell cell;
        double seen_m2 = 0; /* the share of the earth, as cells have it */
        cw_geo_cover_begin(&cover, &shape);
        while (cw_geo_cover_next(&cover, &cell))
            seen_m2 += (double)(cell.end - cell.first) / 0x1p52 * 4e7 * 4e7;
        assert_true(seen_m2 < 500 * shape.radius_m * shape.radius_m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known_positions),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_point_is_found_once),
        cmocka_unit_test(test_covers_are_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
