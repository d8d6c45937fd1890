/* expect_abort.h: whether a call ends the process by CHECK. It is made in a child, whose standard error is thrown away,
 * so that the test goes on. */
#ifndef TESTS_LIB_EXPECT_ABORT_H
#define TESTS_LIB_EXPECT_ABORT_H

#include <stdbool.h>

bool ends_by_check(void (*call)(void *context), void *context);

#endif
