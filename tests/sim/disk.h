/* disk.h: what a process keeps over its deaths. What it asks of its disk is done in order, each when its time has come
 * (door.h: EFFECT_PERSIST, EFFECT_FILE). */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "tests/sim/world.h"

/* EFFECT_PERSIST or EFFECT_FILE. SIM_DISK_DONE follows when it is done; or SIM_CRASH before it, where one is armed. */
void disk_ask(struct world *world, struct sim_process *process, const struct effects *effects,
              const struct effect *effect);

/* The oldest request is done, or has failed with `error` < 0 and changed nothing. False: nobody waits for the answer.
 */
bool disk_finish(struct sim_process *process, int error, struct event *ret_answer);

/* The process dies: some of the oldest requests are done still, and the others never were. Before its core goes. */
void disk_crash(struct world *world, struct sim_process *process);

/* And so does its host: what was not synced is there in part, or not at all. */
void disk_tear(struct world *world, struct sim_process *process);

struct storage disk_storage(struct sim_process *process);

#endif
