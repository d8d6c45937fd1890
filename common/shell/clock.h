/* clock.h: the clocks of door.h. */
#ifndef COMMON_SHELL_CLOCK_H
#define COMMON_SHELL_CLOCK_H

#include "common/base/door.h"

#include <time.h>

/* CLOCK_BOOTTIME counts time asleep too, so a suspended master finds its lease expired when it wakes. */
static inline int64_t clock_boot_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

static inline int64_t clock_wall_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * 1000000 + time.tv_nsec / NS_PER_US;
}

/* Of the calling thread. A call into the kernel, unlike the other two: 0.1 us. */
static inline int64_t clock_cpu_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * NS_PER_S + time.tv_nsec;
}

#endif
