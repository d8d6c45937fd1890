/* histogram.h: how often something took how long, in buckets that are log-linear: 128 of the same width in each power
 * of two, so that a figure is told with an error below one percent. From 1 ns to 1 s; what is beyond counts as that.
 * The scale of HdrHistogram with two significant digits (hdrhistogram.org), in which the reference keeps latencies. */
#ifndef CACHEWORKER_INFO_HISTOGRAM_H
#define CACHEWORKER_INFO_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#define CW_HISTOGRAM_MOST_NS ((int64_t)1000000000)

enum { CW_HISTOGRAM_BUCKETS = 3072 };

struct cw_histogram {
    uint64_t total;
    uint64_t counts[CW_HISTOGRAM_BUCKETS];
};

/* The bucket of a duration from 0 to CW_HISTOGRAM_MOST_NS. */
static inline size_t cw_histogram_bucket(int64_t ns)
{
    uint64_t value = (uint64_t)ns;
    if (value < 256)
        return value;
    unsigned power = 63 - (unsigned)__builtin_clzll(value);
    return 256 + (power - 8) * (size_t)128 + (size_t)((value >> (power - 7)) - 128);
}

static inline void cw_histogram_add(struct cw_histogram *histogram, int64_t ns)
{
    if (ns < 1)
        ns = 1;
    if (ns > CW_HISTOGRAM_MOST_NS)
        ns = CW_HISTOGRAM_MOST_NS;
    histogram->total++;
    histogram->counts[cw_histogram_bucket(ns)]++;
}

/* The longest duration that falls into the bucket. */
int64_t cw_histogram_upper_ns(size_t bucket);

/* The duration that so many percent of all did not exceed; 0 of an empty one. */
int64_t cw_histogram_percentile_ns(const struct cw_histogram *histogram, double percent);

/* How many were no longer than a power of two of 1,024 ns, rank 0 being that itself: with the bucket that begins there,
 * as HdrHistogram counts. ret_upper_ns is that bucket's end. */
uint64_t cw_histogram_cumulative(const struct cw_histogram *histogram, unsigned rank, int64_t *ret_upper_ns);

#endif
