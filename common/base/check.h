/* check.h: asserts that stay on in production, and attributes.
 *
 * CHECK guards invariants of our own code; it never judges what a client, a peer or a disk sent. */
#ifndef COMMON_BASE_CHECK_H
#define COMMON_BASE_CHECK_H

#include <stddef.h>

#define MUST_CHECK   __attribute__((warn_unused_result))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define LIKELY(x)    __builtin_expect(!!(x), 1)
#define UNLIKELY(x)  __builtin_expect(!!(x), 0)
#define FALLTHROUGH  __attribute__((fallthrough))

#define ARRAY_LENGTH(array) (sizeof(array) / sizeof((array)[0]))

/* The struct that holds `member` at `pointer`. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (UNLIKELY(!(condition)))                                                                                    \
            check_failed(__FILE__, __LINE__, #condition);                                                              \
    } while (0)

/* Writes the broken invariant to standard error and aborts. */
__attribute__((noreturn, cold)) void check_failed(const char *file, int line, const char *condition);

#endif
