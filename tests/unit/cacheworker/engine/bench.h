/* bench.h: a worker on the test bench: its door is driven by hand, with virtual time and a network of byte strings. */
#ifndef TESTS_UNIT_CACHEWORKER_ENGINE_BENCH_H
#define TESTS_UNIT_CACHEWORKER_ENGINE_BENCH_H

#include "cacheworker/engine/worker.h"
#include "common/base/buf.h"
#include "common/base/door.h"

enum { BENCH_LINKS = 512 };

#define BENCH_WALL_US ((int64_t)1700000000000000) /* when virtual time begins */

struct bench_link {
    bool is_open;
    bool is_draining;
    bool is_paused;
    bool reads_nothing; /* set by a test: what the worker wants to send stays with it */
    struct buf output;  /* all that left and was not taken yet */
};

struct bench {
    struct cw_worker *worker;
    struct effects effects;
    int64_t now_ns;
    struct bench_link links[BENCH_LINKS];
    bool listening;
    bool exited;
    int exit_status;
    struct buf log;     /* lines */
    size_t renames;     /* of files, asked for */
    int rename_result;  /* set by a test: the answer to these */
    uint64_t renamed;   /* the token of one that was asked for and is not answered yet */
    size_t flushes;     /* EFFECT_FLUSH seen */
    int log_level;      /* of the last EFFECT_LOG_LEVEL; 0: there was none */
    link_id connecting; /* the link of the last EFFECT_CONNECT; LINK_NONE: there was none since bench_accept */
    uint64_t persisted; /* token of what the disk has taken and not yet told */
};

/* Defaults, with what a test wants to be the same each time. */
void bench_config(struct cw_config *config, bool standalone);

void bench_start(struct bench *bench, const struct cw_config *config);
void bench_start_standalone(struct bench *bench);
void bench_end(struct bench *bench);

link_id bench_connect(struct bench *bench); /* LINK_NONE when refused */
link_id bench_connect_to(struct bench *bench, int listener);
void bench_receive(struct bench *bench, link_id link, struct slice bytes); /* no turn yet */
void bench_stop(struct bench *bench);                                      /* EVENT_STOP */
bool bench_turn_once(struct bench *bench);           /* true: the worker wants another one at once */
void bench_turn(struct bench *bench);                /* and further ones, as long as the worker wants them at once */
void bench_advance(struct bench *bench, int64_t ns); /* with the turns that the worker asked for on the way */
void bench_close(struct bench *bench, link_id link);
link_id bench_accept(struct bench *bench); /* lets the worker reach whom it wants to; LINK_NONE: nobody */

/* What left on the link since the last call; borrowed until the next call about it. */
struct slice bench_take(struct bench *bench, link_id link);

/* Sends, turns, takes. */
struct slice bench_ask(struct bench *bench, link_id link, const char *request);

/* A stock replica, in step with the worker. */
link_id bench_attach_replica(struct bench *bench);

/* Adds what a replica was sent: words with a space between, commands with "; "; a NUL is shown as "0". */
void bench_read_stream(struct slice bytes, struct buf *out);

#endif
