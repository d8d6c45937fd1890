/* keys_argument.h: "numkeys", which EVAL and FCALL have as their second argument. */
#ifndef CACHEWORKER_SCRIPT_KEYS_ARGUMENT_H
#define CACHEWORKER_SCRIPT_KEYS_ARGUMENT_H

#include "cacheworker/engine/call.h"

/* How many keys follow it. Else -1, and the reply says what is wrong. */
MUST_CHECK int cw_read_key_count(struct cw_call *call, size_t *ret_count);

#endif
