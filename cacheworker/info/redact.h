/* redact.h: which words of a request are nobody's business: passwords, in the slow log and for who uses MONITOR. */
#ifndef CACHEWORKER_INFO_REDACT_H
#define CACHEWORKER_INFO_REDACT_H

#include "common/command/command.h"

#include <stdbool.h>

#define CW_REDACTED SLICE_LITERAL("(redacted)")

/* Whether argv[index] must not be shown; false for most commands at once. */
bool cw_is_secret(const struct command *command, const struct slice *argv, size_t argc, size_t index);

#endif
