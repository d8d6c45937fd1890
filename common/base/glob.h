/* glob.h: the patterns of KEYS, SCAN, PSUBSCRIBE and CONFIG GET: * ? [abc] [^a] [a-z] and \ before what is literal. */
#ifndef COMMON_BASE_GLOB_H
#define COMMON_BASE_GLOB_H

#include "common/base/slice.h"

/* In time proportional to the product of the lengths, at worst: no pattern can be made that takes longer. */
bool glob_match(struct slice pattern, struct slice text, bool ignore_case);

#endif
