/* wait.h: WAIT and WAITAOF: clients that wait until replicas, or disks, hold what they wrote. */
#ifndef CACHEWORKER_ENGINE_WAIT_H
#define CACHEWORKER_ENGINE_WAIT_H

struct cw_call;
struct cw_engine;

/* At the end of a turn: whoever has what it waits for, or waits no longer, is answered. */
void cw_waits_turn(struct cw_engine *engine);

void cw_wait_command(struct cw_call *call);
void cw_waitaof_command(struct cw_call *call);

#endif
