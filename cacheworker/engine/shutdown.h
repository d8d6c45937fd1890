/* shutdown.h: the end of a worker, by SHUTDOWN or by a signal.
 *
 *     NONE -> AWAITS_REPLICAS -> AWAITS_DISK -> ENDED
 *
 * A server by itself first lets its replicas catch up, for shutdown-timeout seconds at most, while writes wait as by
 * CLIENT PAUSE. A node of a group does not: its group goes on without it. Then the data are saved, behind a background
 * save that is about to get its name, and the process ends. What cannot be saved, and SHUTDOWN ABORT, lead back to
 * NONE: clients that asked, and wait, are told. A node of a group ends all the same by a signal, for its data are
 * elsewhere; so does anybody by a second signal.
 * Source: redis.io/commands/shutdown; redis.conf of 7.2 about shutdown-timeout and shutdown-on-sigterm. */
#ifndef CACHEWORKER_ENGINE_SHUTDOWN_H
#define CACHEWORKER_ENGINE_SHUTDOWN_H

#include <stdbool.h>
#include <stdint.h>

struct cw_call;
struct cw_engine;

enum { /* as the words of shutdown-on-sigterm follow each other */
       CW_SHUTDOWN_SAVE = 1,
       CW_SHUTDOWN_NOSAVE = 2,
       CW_SHUTDOWN_NOW = 4,  /* without the replicas */
       CW_SHUTDOWN_FORCE = 8 /* saved or not */
};

enum cw_shutdown_state {
    CW_SHUTDOWN_NONE,
    CW_SHUTDOWN_AWAITS_REPLICAS,
    CW_SHUTDOWN_AWAITS_DISK,
    CW_SHUTDOWN_ENDED,
};

struct cw_shutdown { /* a zeroed struct is none */
    enum cw_shutdown_state state;
    unsigned options;
    bool is_by_signal;
    bool has_failed; /* one by a signal: the next does not */
    bool is_saved;   /* in dump.rdb */
    int64_t end_ns;  /* of waiting for replicas */
    bool is_paused;  /* writes are, and CLIENT PAUSE says what comes behind that: */
    int64_t paused_before_ns;
    bool paused_writes_only_before;
};

/* EVENT_STOP. */
void cw_shutdown_by_signal(struct cw_engine *engine, bool is_interrupt);

void cw_shutdown_turn(struct cw_engine *engine);     /* while replicas are awaited, behind what they said */
void cw_shutdown_answered(struct cw_engine *engine); /* a file was, while the disk is awaited */
int64_t cw_shutdown_deadline(const struct cw_engine *engine);

/* SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]. It answers only what it refuses, and what fails. */
void cw_shutdown_command(struct cw_call *call);

#endif
