/* file_thread.h: carries out what cores want of files (door.h: EFFECT_PERSIST, EFFECT_FILE) on a thread of its own, in
 * order, so that no fsync holds up an event loop.
 *
 * The requests of one directory form one queue. A FILE_SYNC takes as long as the disk does, and appends that come
 * meanwhile wait in memory: whoever asks bounds them. */
#ifndef COMMON_SHELL_FILE_THREAD_H
#define COMMON_SHELL_FILE_THREAD_H

#include "common/base/door.h"

struct file_thread;

struct file_answer {
    bool is_persisted; /* EVENT_PERSISTED, else EVENT_FILE */
    uint64_t token;
    int result;
};

/* The thread begins with the first request. `directory_fd` is borrowed; -1: everything fails. `wake(context)` is called
 * from the thread whenever there is an answer; both are borrowed. */
struct file_thread *file_thread_create(int directory_fd, void (*wake)(void *context), void *context);

/* Carries out what is queued and ends the thread. NULL is fine. */
void file_thread_destroy(struct file_thread *thread);

/* Takes an EFFECT_PERSIST or EFFECT_FILE of these effects, with what it carries, which is copied. */
void file_thread_ask(struct file_thread *thread, const struct effects *effects, const struct effect *effect);

/* The next answer, in the order of the requests. False: there is none now. */
MUST_CHECK bool file_thread_answer(struct file_thread *thread, struct file_answer *ret_answer);

#endif
