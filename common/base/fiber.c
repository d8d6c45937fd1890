#include "common/base/fiber.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#include <stdint.h>
#include <string.h>
#include <ucontext.h>

#if defined(__SANITIZE_ADDRESS__)
#define FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_THREAD__)
#define FIBER_TSAN 1
#endif
#ifdef FIBER_ASAN
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum { DEPTH_STEP = 64 << 10 }; /* between the marks that show how deep a stack was */

struct fiber {
    char *stack; /* owned */
    size_t size;
    ucontext_t inside;
    ucontext_t outside;
    void (*function)(void *context);
    void *context; /* borrowed while the function runs */
    bool done;
    bool is_inside;
#ifdef FIBER_ASAN
    void *inside_frames;
    void *outside_frames;
    const void *outside_stack;
    size_t outside_size;
#endif
#ifdef FIBER_TSAN
    void *inside_thread;
    void *outside_thread;
#endif
};

/* A word in every step of the stack that nobody writes unless the stack grows over it. */
static uint64_t *mark_at(const struct fiber *fiber, size_t depth)
{
    return (uint64_t *)(void *)(fiber->stack + (fiber->size - depth) / 16 * 16);
}

#define MARK 0x5afe5afe5afe5afe

static void take_stack(struct fiber *fiber, char *stack)
{
    fiber->stack = stack;
    for (size_t depth = DEPTH_STEP; depth < fiber->size; depth *= 2)
        *mark_at(fiber, depth) = MARK;
    fiber->function = NULL;
    fiber->done = true;
}

struct fiber *fiber_create(size_t stack_bytes)
{
    char *stack = mem_try_alloc(stack_bytes);
    if (stack == NULL)
        return NULL;
    struct fiber *fiber = mem_zero(sizeof(*fiber));
    fiber->size = stack_bytes;
    take_stack(fiber, stack);
#ifdef FIBER_TSAN
    fiber->inside_thread = __tsan_create_fiber(0);
#endif
    return fiber;
}

void fiber_free(struct fiber *fiber)
{
    if (fiber == NULL)
        return;
    CHECK(!fiber->is_inside);
#ifdef FIBER_TSAN
    __tsan_destroy_fiber(fiber->inside_thread);
#endif
    mem_free(fiber->stack);
    mem_free(fiber);
}

static void switch_in(struct fiber *fiber)
{
    fiber->is_inside = true;
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&fiber->outside_frames, fiber->stack, fiber->size);
#endif
#ifdef FIBER_TSAN
    fiber->outside_thread = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->inside_thread, 0);
#endif
    CHECK(swapcontext(&fiber->outside, &fiber->inside) == 0);
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->outside_frames, NULL, NULL);
#endif
    fiber->is_inside = false;
}

static void arrived_inside(struct fiber *fiber)
{
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->inside_frames, &fiber->outside_stack, &fiber->outside_size);
#else
    (void)fiber;
#endif
}

static void switch_out(struct fiber *fiber)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&fiber->inside_frames, fiber->outside_stack, fiber->outside_size);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(fiber->outside_thread, 0);
#endif
    CHECK(swapcontext(&fiber->inside, &fiber->outside) == 0);
    arrived_inside(fiber);
}

/* The first frame of the fiber, entered once: later functions are run by the same loop. */
static void run(unsigned low, unsigned high)
{
    struct fiber *fiber = (struct fiber *)((uintptr_t)high << 32 | low);
    arrived_inside(fiber);
    for (;;) {
        fiber->function(fiber->context);
        fiber->done = true;
        switch_out(fiber);
    }
}

static void prepare(struct fiber *fiber)
{
    CHECK(getcontext(&fiber->inside) == 0);
    fiber->inside.uc_stack.ss_sp = fiber->stack;
    fiber->inside.uc_stack.ss_size = fiber->size;
    fiber->inside.uc_link = NULL;
    uintptr_t address = (uintptr_t)fiber;
    makecontext(&fiber->inside, (void (*)(void))(void *)run, 2, (unsigned)address, (unsigned)(address >> 32));
}

bool fiber_enter(struct fiber *fiber, void (*function)(void *context), void *context)
{
    CHECK(fiber->done && !fiber->is_inside);
    if (fiber->function == NULL)
        prepare(fiber);
    fiber->function = function;
    fiber->context = context;
    fiber->done = false;
    switch_in(fiber);
    return fiber->done;
}

bool fiber_resume(struct fiber *fiber)
{
    CHECK(!fiber->done && !fiber->is_inside);
    switch_in(fiber);
    return fiber->done;
}

void fiber_leave(struct fiber *fiber)
{
    CHECK(fiber->is_inside);
    switch_out(fiber);
}

bool fiber_is_inside(const struct fiber *fiber)
{
    return fiber->is_inside;
}

size_t fiber_stack_left(const struct fiber *fiber)
{
    const char *here = __builtin_frame_address(0);
    CHECK(here > fiber->stack && here <= fiber->stack + fiber->size);
    return (size_t)(here - fiber->stack);
}

static bool was_deep(const struct fiber *fiber, size_t bytes)
{
    for (size_t depth = DEPTH_STEP; depth < fiber->size; depth *= 2) {
        if (depth >= bytes && *mark_at(fiber, depth) != MARK)
            return true;
    }
    return false;
}

void fiber_trim(struct fiber *fiber, size_t bytes)
{
    CHECK(fiber->done && !fiber->is_inside);
    if (!was_deep(fiber, bytes))
        return;
    char *stack = mem_try_alloc(fiber->size);
    if (stack == NULL)
        return;
    mem_free(fiber->stack);
    take_stack(fiber, stack);
}
