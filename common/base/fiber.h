/* fiber.h: a function that runs on a stack of its own, and can be left and entered again in the middle.
 *
 * It is for code that cannot be written as a state machine because others wrote it (an interpreter): the core that
 * called it goes on with its turn and comes back later. A fiber is run by whoever calls fiber_enter, on that thread;
 * there is no scheduler. The stack has no guard page: what runs on it must be bounded (fiber_stack_left). */
#ifndef COMMON_BASE_FIBER_H
#define COMMON_BASE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

struct fiber;

/* NULL when there is no memory for the stack; only what is used of it is ever touched. */
struct fiber *fiber_create(size_t stack_bytes);

/* NULL is fine. One that was left in the middle is forgotten: nothing on its stack is cleaned up. */
void fiber_free(struct fiber *fiber);

/* Runs `function` until it returns (true) or leaves (false); the latter goes on at fiber_resume. */
bool fiber_enter(struct fiber *fiber, void (*function)(void *context), void *context);
bool fiber_resume(struct fiber *fiber);

/* On the fiber: back to whoever entered or resumed it. */
void fiber_leave(struct fiber *fiber);

/* Whether the caller stands on the fiber, and how many bytes are left below it there. */
bool fiber_is_inside(const struct fiber *fiber);
size_t fiber_stack_left(const struct fiber *fiber);

/* Gives the stack's memory back, and takes new, if more than `bytes` of it were ever touched. While nothing runs. */
void fiber_trim(struct fiber *fiber, size_t bytes);

#endif
