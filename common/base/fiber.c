#include "common/base/fiber.h"

#include "common/base/check.h"
#include "common/base/mem.h"

#include <stdint.h>
#include <string.h>

/* FIBER_UCONTEXT has the portable way taken where there is a shorter one, so that it can be tested there. */
#if defined(__x86_64__) && !defined(FIBER_UCONTEXT)
#define FIBER_X86_64 1
#elif defined(__aarch64__) && !defined(FIBER_UCONTEXT)
#define FIBER_AARCH64 1
#else
#include <ucontext.h>
#endif

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

/* The labels are global, if hidden: of a local one GNU's linker for arm64 takes the section's beginning for the
 * address. */
#define HIDDEN_LABEL(name) __asm__(name) __attribute__((visibility("hidden")))

/* A context is what a function must keep of the processor, on the stack that it leaves. The C library's swapcontext
 * also asks the kernel for the mask of signals, each time, which costs more than a short script. */
#if defined(FIBER_X86_64)

typedef void *saved_stack;

void fiber_swap(saved_stack *save, const saved_stack *take) HIDDEN_LABEL("respite_fiber_swap");
void fiber_begin(void) HIDDEN_LABEL("respite_fiber_begin");

__asm__(".text\n"
        ".p2align 4\n"
        ".globl respite_fiber_swap, respite_fiber_begin\n"
        ".hidden respite_fiber_swap, respite_fiber_begin\n"
        "respite_fiber_swap:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq (%rsi), %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        "respite_fiber_begin:\n"
        "    movq %r12, %rdi\n"
        "    callq *%r13\n"
        "    ud2\n");

/* At `end` begins, growing down, the stack on which `function` will be called with `argument`. */
static void make_context(saved_stack *ret_context, char *end, void (*function)(void *argument), void *argument)
{
    void **top = (void **)(void *)(end - (uintptr_t)end % 16);
    *--top = NULL; /* two words: the stack is aligned where the function is called */
    *--top = NULL;
    *--top = (void *)fiber_begin;
    *--top = NULL;             /* rbp */
    *--top = NULL;             /* rbx */
    *--top = argument;         /* r12 */
    *--top = (void *)function; /* r13 */
    *--top = NULL;             /* r14 */
    *--top = NULL;             /* r15 */
    *ret_context = top;
}

#elif defined(FIBER_AARCH64)

typedef void *saved_stack;

void fiber_swap(saved_stack *save, const saved_stack *take) HIDDEN_LABEL("respite_fiber_swap");
void fiber_begin(void) HIDDEN_LABEL("respite_fiber_begin");

__asm__(".text\n"
        ".p2align 4\n"
        ".globl respite_fiber_swap, respite_fiber_begin\n"
        ".hidden respite_fiber_swap, respite_fiber_begin\n"
        "respite_fiber_swap:\n"
        "    stp x29, x30, [sp, #-160]!\n"
        "    stp x19, x20, [sp, #16]\n"
        "    stp x21, x22, [sp, #32]\n"
        "    stp x23, x24, [sp, #48]\n"
        "    stp x25, x26, [sp, #64]\n"
        "    stp x27, x28, [sp, #80]\n"
        "    stp d8, d9, [sp, #96]\n"
        "    stp d10, d11, [sp, #112]\n"
        "    stp d12, d13, [sp, #128]\n"
        "    stp d14, d15, [sp, #144]\n"
        "    mov x9, sp\n"
        "    str x9, [x0]\n"
        "    ldr x9, [x1]\n"
        "    mov sp, x9\n"
        "    ldp x19, x20, [sp, #16]\n"
        "    ldp x21, x22, [sp, #32]\n"
        "    ldp x23, x24, [sp, #48]\n"
        "    ldp x25, x26, [sp, #64]\n"
        "    ldp x27, x28, [sp, #80]\n"
        "    ldp d8, d9, [sp, #96]\n"
        "    ldp d10, d11, [sp, #112]\n"
        "    ldp d12, d13, [sp, #128]\n"
        "    ldp d14, d15, [sp, #144]\n"
        "    ldp x29, x30, [sp], #160\n"
        "    ret\n"
        "respite_fiber_begin:\n"
        "    mov x0, x19\n"
        "    blr x20\n"
        "    brk #1\n");

/* At `end` begins, growing down, the stack on which `function` will be called with `argument`. */
static void make_context(saved_stack *ret_context, char *end, void (*function)(void *argument), void *argument)
{
    void **top = (void **)(void *)(end - (uintptr_t)end % 16 - 160);
    memset(top, 0, 160);
    top[1] = (void *)fiber_begin; /* x30 */
    top[2] = argument;            /* x19 */
    top[3] = (void *)function;    /* x20 */
    *ret_context = top;
}

#else

typedef ucontext_t saved_stack;

static void fiber_swap(saved_stack *save, const saved_stack *take)
{
    CHECK(swapcontext(save, take) == 0);
}

/* Arguments of makecontext are ints: two for each pointer. */
static void call(unsigned function_low, unsigned function_high, unsigned argument_low, unsigned argument_high)
{
    void (*function)(void *argument) = (void (*)(void *))((uintptr_t)((uint64_t)function_high << 32 | function_low));
    function((void *)(uintptr_t)((uint64_t)argument_high << 32 | argument_low));
}

static void make_context(saved_stack *ret_context, char *end, void (*function)(void *argument), void *argument)
{
    enum { CONTEXT_STACK = 64 << 10 }; /* makecontext wants a beginning too: any that is below */
    uint64_t function_bits = (uintptr_t)function, argument_bits = (uintptr_t)argument;
    CHECK(getcontext(ret_context) == 0);
    ret_context->uc_stack.ss_sp = end - CONTEXT_STACK;
    ret_context->uc_stack.ss_size = CONTEXT_STACK;
    ret_context->uc_link = NULL;
    makecontext(ret_context, (void (*)(void))(void *)call, 4, (unsigned)function_bits, (unsigned)(function_bits >> 32),
                (unsigned)argument_bits, (unsigned)(argument_bits >> 32));
}

#endif

struct fiber {
    char *stack; /* owned */
    size_t size;
    saved_stack inside;
    saved_stack outside;
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
    fiber_swap(&fiber->outside, &fiber->inside);
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
    fiber_swap(&fiber->inside, &fiber->outside);
    arrived_inside(fiber);
}

/* The first frame of the fiber, entered once: later functions are run by the same loop. */
static void run(void *argument)
{
    struct fiber *fiber = argument;
    arrived_inside(fiber);
    for (;;) {
        fiber->function(fiber->context);
        fiber->done = true;
        switch_out(fiber);
    }
}

bool fiber_enter(struct fiber *fiber, void (*function)(void *context), void *context)
{
    CHECK(fiber->done && !fiber->is_inside);
    if (fiber->function == NULL)
        make_context(&fiber->inside, fiber->stack + fiber->size, run, fiber);
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
