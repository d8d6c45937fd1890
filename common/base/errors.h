/* errors.h: the one list of errors.
 *
 * A function that can fail returns 0 or a negative code of this list, and fills its ret_ parameters only on success.
 * Cores report codes; shells log them. */
#ifndef COMMON_BASE_ERRORS_H
#define COMMON_BASE_ERRORS_H

#define ERROR_LIST(X)                                                                                                  \
    X(ERR_NO_MEMORY, 1, "out of memory")                                                                               \
    X(ERR_INVALID, 2, "invalid value")                                                                                 \
    X(ERR_RANGE, 3, "value is out of range")                                                                           \
    X(ERR_PROTOCOL, 4, "protocol error")                                                                               \
    X(ERR_TOO_BIG, 5, "limit exceeded")                                                                                \
    X(ERR_NOT_FOUND, 6, "not found")                                                                                   \
    X(ERR_EXISTS, 7, "exists already")                                                                                 \
    X(ERR_CORRUPT, 8, "corrupt data")                                                                                  \
    X(ERR_IO, 9, "input or output failed")                                                                             \
    X(ERR_DISK_FULL, 10, "no space left")                                                                              \
    X(ERR_BUSY, 11, "in use")                                                                                          \
    X(ERR_DENIED, 12, "permission denied")                                                                             \
    X(ERR_CONNECTION, 13, "connection failed")                                                                         \
    X(ERR_TIMEOUT, 14, "timed out")                                                                                    \
    X(ERR_STALE, 15, "superseded by something newer")                                                                  \
    X(ERR_UNSUPPORTED, 16, "not supported")                                                                            \
    X(ERR_TRUNCATED, 17, "incomplete data")

enum error_code {
#define X(name, number, text) name = -(number),
    ERROR_LIST(X)
#undef X
};

/* The text of a code; "ok" for 0, "unknown error" for what is not of the list. Static storage. */
const char *error_text(int code);

#endif
