/* disk.h: what a process keeps over its deaths. Every write of a file is atomic, and durable when its fsync has ended.
 */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "tests/sim/world.h"

/* EFFECT_PERSIST. SIM_PERSISTED follows when the fsync has ended; or SIM_CRASH before it, where one is armed. */
void disk_write(struct world *world, struct sim_process *process, const char *name, uint64_t token, struct slice bytes);

/* The oldest write that is under way has become durable. Its token. */
uint64_t disk_finish_write(struct sim_process *process);

/* The oldest write that is under way has failed, and nothing of it is there. Its token. */
uint64_t disk_fail_write(struct sim_process *process);

/* The process died: of the writes under way some of the oldest have become durable, and the others never were. */
void disk_crash(struct world *world, struct sim_process *process);

struct storage disk_storage(struct sim_process *process);

#endif
