/* scripts.h: the clients' commands as scripts and functions, for some seeds.
 *
 * What they answer is what the commands would, so that the same is asked of them: executed once or never, and no half
 * of one is seen. Those that change values by chance or by the clock are looked at as changes.h says. */
#ifndef TESTS_SIM_SCRIPTS_H
#define TESTS_SIM_SCRIPTS_H

#include "common/base/buf.h"
#include "common/base/rand.h"

/* Appends, as RESP: one command by a script, with its value or NULL; a pair that is set to one value, sometimes with so
 * much in between that the script is left and gone on with; a change of any value. */
void scripts_command(struct buf *out, const char *name, const char *key, const char *value);
void scripts_pair(struct rand *rand, struct buf *out, const char *one, const char *other, const char *value);
void scripts_draw(struct rand *rand, struct buf *out);

/* Whether an error says only that the script or function was not known, as after a failover. */
bool scripts_unknown(struct slice reply);

#endif
