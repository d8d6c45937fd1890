#include "proxy/core/lanes.h"

static enum px_lane choose_freely(struct px_lanes *lanes, bool is_read, bool has_reads)
{
    if (!is_read || !has_reads)
        return PX_LANE_ALL;
    if (lanes->mixed_bursts == 0)
        return PX_LANE_READS;
    lanes->mixed_bursts--;
    return PX_LANE_ALL;
}

enum px_lane px_lanes_choose(struct px_lanes *lanes, bool is_read, bool has_reads, uint32_t outstanding)
{
    if (outstanding == 0) {
        lanes->lane = (uint8_t)choose_freely(lanes, is_read, has_reads);
        lanes->is_moving = false;
    }
    if (lanes->lane == PX_LANE_ALL)
        return PX_LANE_ALL;
    if (!is_read)
        lanes->mixed_bursts = PX_LANES_MIXED_BURSTS;
    return is_read && !lanes->is_moving ? PX_LANE_READS : PX_LANE_LATER;
}

bool px_lanes_move(struct px_lanes *lanes, bool is_refused)
{
    lanes->is_moving = lanes->is_moving || is_refused;
    return lanes->is_moving;
}

bool px_lanes_are_refused(struct slice frame)
{
    static const struct slice refused = SLICE_LITERAL("-HELD ");
    return frame.length > refused.length && memcmp(frame.data, refused.data, refused.length) == 0;
}

bool px_lanes_are_held(struct slice frame)
{
    return slice_equal(frame, SLICE_LITERAL(">1\r\n$12\r\nrespite-held\r\n"));
}
