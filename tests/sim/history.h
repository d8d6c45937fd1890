/* history.h: what the clients' operations, put side by side at the end, must not show.
 *
 *   S7  a write is executed once or, if it was not acknowledged, never: no token stands twice in a log, none that was
 *       refused stands there, and acknowledged ones stand in the order in which they were sent
 *       no answer of a counter comes twice, unless an epoch began in between and may have lost the first
 *   async: an acknowledged token is lost by a failover only, and only if it was young when the old master ceased,
 *       or nobody in sync was there; how many were lost is counted
 *   registers show what was written to them */
#ifndef TESTS_SIM_HISTORY_H
#define TESTS_SIM_HISTORY_H

struct oracle;

void history_check(struct oracle *oracle);

#endif
