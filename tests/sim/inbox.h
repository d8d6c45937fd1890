/* inbox.h: what waits for a process until it turns: in the order in which its kernel got it. */
#ifndef TESTS_SIM_INBOX_H
#define TESTS_SIM_INBOX_H

#include "tests/sim/stream.h"

enum sim_input_kind { INPUT_START, INPUT_ACCEPT, INPUT_OPENED, INPUT_RECEIVED, INPUT_CLOSED, INPUT_ANSWERED };

struct sim_input {
    struct sim_input *next;
    enum sim_input_kind kind;
    uint64_t stream; /* serial: the stream may be gone by then */
    unsigned side;
    int listener;
    struct event answer; /* of the disk */
};

void inbox_add(struct world *world, struct sim_process *process, struct sim_input input);
void inbox_clear(struct sim_process *process);

/* Lets the process look at its inbox at true time `at_ns`, or earlier. */
void process_wake_at(struct world *world, struct sim_process *process, int64_t at_ns);

#endif
