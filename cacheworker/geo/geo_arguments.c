#include "cacheworker/geo/geo_arguments.h"

#include "cacheworker/string/long_double.h"
#include "common/base/mem.h"
#include "common/base/number.h"

#include <math.h>
#include <stdio.h>

static bool parse_number(struct cw_call *call, size_t index, const char *error, double *ret_number)
{
    if (number_parse_double(call->argv[index], ret_number) == 0)
        return true;
    cw_reply_error(call, error);
    return false;
}

bool cw_geo_parse_point(struct cw_call *call, size_t index, struct cw_geo_point *ret_point)
{
    struct cw_geo_point point;
    if (!parse_number(call, index, CW_ERROR_NOT_FLOAT, &point.longitude) ||
        !parse_number(call, index + 1, CW_ERROR_NOT_FLOAT, &point.latitude))
        return false;
    if (!cw_geo_is_point(point)) {
        resp_write_error_format(call->reply, "ERR invalid longitude,latitude pair %f,%f", point.longitude,
                                point.latitude);
        return false;
    }
    *ret_point = point;
    return true;
}

bool cw_geo_parse_unit(struct cw_call *call, size_t index, double *ret_unit_m)
{
    static const struct {
        const char *name;
        double unit_m;
    } units[] = {{"m", 1}, {"km", 1000}, {"ft", 0.3048}, {"mi", 1609.34}};
    for (size_t i = 0; i < ARRAY_LENGTH(units); i++)
        if (slice_equal_nocase(call->argv[index], units[i].name)) {
            *ret_unit_m = units[i].unit_m;
            return true;
        }
    cw_reply_error(call, "ERR unsupported unit provided. please use M, KM, FT, MI");
    return false;
}

bool cw_geo_parse_circle(struct cw_call *call, size_t index, struct cw_geo_shape *shape, double *ret_unit_m)
{
    double radius;
    if (!parse_number(call, index, "ERR need numeric radius", &radius))
        return false;
    if (radius < 0) {
        cw_reply_error(call, "ERR radius cannot be negative");
        return false;
    }
    if (!cw_geo_parse_unit(call, index + 1, ret_unit_m))
        return false;
    shape->is_box = false;
    shape->radius_m = radius * *ret_unit_m;
    return true;
}

bool cw_geo_parse_box(struct cw_call *call, size_t index, struct cw_geo_shape *shape, double *ret_unit_m)
{
    double width;
    double height;
    if (!parse_number(call, index, "ERR need numeric width", &width) ||
        !parse_number(call, index + 1, "ERR need numeric height", &height))
        return false;
    if (width < 0 || height < 0) {
        cw_reply_error(call, "ERR height or width cannot be negative");
        return false;
    }
    if (!cw_geo_parse_unit(call, index + 2, ret_unit_m))
        return false;
    shape->is_box = true;
    shape->width_m = width * *ret_unit_m;
    shape->height_m = height * *ret_unit_m;
    return true;
}

/* Four digits behind the point, of what was rounded to an integer before, as the reference does. */
void cw_geo_reply_distance(struct cw_call *call, double distance)
{
    char text[NUMBER_TEXT_MAX + 8];
    uint64_t rounded = (uint64_t)nearbyint(distance * 1e4);
    int length = snprintf(text, sizeof(text), "%llu.%04llu", (unsigned long long)(rounded / 10000),
                          (unsigned long long)(rounded % 10000));
    resp_write_bulk(call->reply, slice_of(text, (size_t)length));
}

static void reply_degrees(struct cw_call *call, double degrees)
{
    char text[CW_LONG_DOUBLE_TEXT_MAX];
    struct slice written = slice_of(text, cw_long_double_format(text, degrees));
    if (call->protocol == 2) {
        resp_write_bulk(call->reply, written);
        return;
    }
    buf_add_text(call->reply, ",");
    buf_add_slice(call->reply, written);
    buf_add_text(call->reply, "\r\n");
}

void cw_geo_reply_point(struct cw_call *call, struct cw_geo_point point)
{
    resp_write_array(call->reply, 2);
    reply_degrees(call, point.longitude);
    reply_degrees(call, point.latitude);
}
