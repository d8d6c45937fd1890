#include "cacheworker/info/histogram.h"

int64_t cw_histogram_upper_ns(size_t bucket)
{
    if (bucket < 256)
        return (int64_t)bucket;
    unsigned power = 8 + (unsigned)((bucket - 256) / 128);
    int64_t step = 128 + (int64_t)((bucket - 256) % 128);
    return ((step + 1) << (power - 7)) - 1;
}

int64_t cw_histogram_percentile_ns(const struct cw_histogram *histogram, double percent)
{
    uint64_t wanted = (uint64_t)(percent / 100 * (double)histogram->total + 0.5);
    uint64_t seen = 0;
    if (wanted < 1)
        wanted = 1;
    for (size_t bucket = 0; bucket < CW_HISTOGRAM_BUCKETS; bucket++) {
        seen += histogram->counts[bucket];
        if (seen >= wanted)
            return cw_histogram_upper_ns(bucket);
    }
    return 0;
}

uint64_t cw_histogram_cumulative(const struct cw_histogram *histogram, unsigned rank, int64_t *ret_upper_ns)
{
    int64_t level_ns = (int64_t)1024 << rank;
    size_t last = cw_histogram_bucket(level_ns < CW_HISTOGRAM_MOST_NS ? level_ns : CW_HISTOGRAM_MOST_NS);
    uint64_t count = 0;
    for (size_t bucket = 0; bucket <= last; bucket++)
        count += histogram->counts[bucket];
    *ret_upper_ns = cw_histogram_upper_ns(last);
    return count;
}
