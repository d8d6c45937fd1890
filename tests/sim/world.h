/* world.h: a whole appliance in one process, on simulated time, network and disks.
 *
 * The world drives cores through common/base/door.h exactly as common/shell/host.c does, but time jumps from event to
 * event, and everything that is chance comes from one seed: the same seed gives the same history, event by event, which
 * the rolling hash proves.
 *
 *   process   one core on a host of its own, with a clock (offset and rate), a disk, listeners; runs, is paused, or
 * dead stream    a connection: two ends, bytes in flight in order per direction, delays, cuts, resets, half-open ends
 *   fault     an action of swarm.c at a moment of true time
 *
 * A turn of a process takes time between its step and its output, and a pause may fall right there: that is what a
 * lease check with an old clock reading would get wrong. */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "common/base/door.h"
#include "common/base/rand.h"

#include <stdbool.h>

enum {
    SIM_PROCESSES_MAX = 32,
    SIM_LISTENERS_MAX = 2,
    SIM_FILES_MAX = 32,
    SIM_NAME_MAX = 16,
};

struct world;
struct sim_process;

/* Makes the core of a process that starts (again), from what its disk holds. */
typedef void *(*sim_create)(struct world *world, struct sim_process *process);

/* A file of the simulated disk. All of it survives the death of its process; the host's keeps what was synced, and some
 * of what was appended behind that. */
struct sim_file {
    char name[FILE_NAME_MAX]; /* "": the slot is free */
    bool exists;
    struct buf content; /* owned */
    size_t synced;      /* bytes in front that are durable */
};

/* What was asked of the disk and is not done yet: done when its time has come; a crash before that keeps some first
 * ones of the queue. */
struct sim_write {
    struct sim_write *next;
    bool is_persist;
    uint64_t token;
    struct file_effect file;
    char name[FILE_NAME_MAX];
    char new_name[FILE_NAME_MAX];
    struct buf bytes; /* owned */
};

struct sim_open_file {
    struct sim_file *file; /* borrowed; NULL: not open */
    int error;             /* what failed first */
};

struct sim_end;

struct sim_process {
    char name[SIM_NAME_MAX];
    struct world *world; /* borrowed */
    unsigned index;      /* also the number of its host */
    const struct door *door;
    sim_create create;
    void *context; /* borrowed; the creator's own */
    void *core;    /* owned while running; else NULL */
    bool running;
    bool paused;
    bool powered_off; /* its kernel answers nothing either */
    uint64_t life;    /* counts starts */
    int64_t resume_ns;

    struct address listeners[SIM_LISTENERS_MAX];
    unsigned listener_count;
    bool listening;
    bool is_daemon;        /* a sentinel, a worker or a proxy */
    uint16_t control_port; /* of its listeners the one where daemons talk to it; 0: none */

    int64_t clock_offset_ns;
    int64_t wall_offset_us; /* of what it shows as the date */
    int64_t clock_rate_ppm; /* its clock runs 1 + ppm/1e6 as fast as true time */

    struct sim_file files[SIM_FILES_MAX];
    struct sim_open_file open[FILES_MAX];
    struct sim_write *writes_first, *writes_last; /* owned queue */
    int64_t disk_free_ns;                         /* when the fsyncs before are through */
    int64_t disk_slow_ns;                         /* up to so much more for each fsync; 0: the disk is well */
    bool disk_fails;                              /* what is written fails, and is not there */
    unsigned writes_until_crash;                  /* the process dies while that write is under way; 0: it does not */
    struct storage storage;

    struct sim_end **links; /* owned array by link number; the ends are the world's */
    size_t link_capacity;

    struct effects effects; /* of the step whose output is still to be written */
    bool busy;
    struct sim_input *inbox_first, *inbox_last; /* owned queue */
    bool wake_scheduled;
    int64_t wake_ns;
};

/* Chances and delays of this world; swarm.c draws them. */
struct sim_options {
    int64_t delay_min_ns, delay_max_ns;
    uint32_t delay_spike_per_million; /* a segment that was lost and sent again: 200 ms more */
    int64_t fsync_min_ns, fsync_max_ns;
    int64_t work_max_ns;                /* between step and output */
    uint32_t repeat_per_million;        /* behind a control message it, or one of the last before it, arrives again */
    uint32_t pause_in_turn_per_million; /* a stop of 3.5 to 6 s that falls between step and output */
};

struct world {
    int64_t now_ns; /* true time; starts at 0 */
    uint64_t hash;  /* of everything that happened */
    uint64_t event_count;
    struct rand rand;
    struct sim_options options;
    struct sim_process processes[SIM_PROCESSES_MAX];
    unsigned process_count;
    bool cut[SIM_PROCESSES_MAX][SIM_PROCESSES_MAX];       /* [from][to]: nothing gets through */
    int64_t lag_ns[SIM_PROCESSES_MAX][SIM_PROCESSES_MAX]; /* [from][to]: half of the segments take up to so much more */
    bool verbose;

    /* After every event that let a process act: the oracles. Borrowed. */
    void (*observe)(void *context, struct world *world, struct sim_process *process);
    /* Just before bytes go to a kernel. Borrowed. */
    void (*observe_output)(void *context, struct sim_process *process, link_id link, struct slice bytes);
    /* A core has written this file by its storage table, and stands where the file says. Borrowed. */
    void (*observe_saved)(void *context, struct sim_process *process, const char *name);
    void *observe_context;
    /* Died of writes_until_crash, or ended itself. Borrowed. */
    void (*crashed)(void *context, struct sim_process *process);
    void *crashed_context;

    struct sim_queue *queue;     /* owned */
    struct sim_stream *streams;  /* owned list */
    struct sim_repeats *repeats; /* owned list */
    uint64_t repeated;           /* control messages */
    uint64_t next_serial;
};

void world_init(struct world *world, uint64_t seed);
void world_free(struct world *world);

/* Adds a process; it starts with sim_start. */
struct sim_process *world_add(struct world *world, const char *name, const struct door *door, sim_create create,
                              void *context);

void sim_start(struct world *world, struct sim_process *process);
void sim_kill(struct world *world, struct sim_process *process);      /* kill -9: the kernel closes its streams */
void sim_power_off(struct world *world, struct sim_process *process); /* nobody closes anything */
void sim_stop(struct world *world, struct sim_process *process);      /* SIGTERM: it ends itself, soon */
void sim_pause(struct world *world, struct sim_process *process, int64_t duration_ns);
void sim_resume(struct world *world, struct sim_process *process);
void sim_lose_disk(struct sim_process *process); /* only while dead */

/* What the process' own clock shows now. */
int64_t sim_clock_ns(const struct world *world, const struct sim_process *process);
int64_t sim_wall_us(const struct world *world, const struct sim_process *process);

/* Durable content of a file; false when there is none. */
bool sim_file_read(const struct sim_process *process, const char *name, struct slice *ret_bytes);

/* Calls action(context) at true time `at_ns`. */
void world_schedule(struct world *world, int64_t at_ns, void (*action)(struct world *world, void *context),
                    void *context);

/* Runs until true time `until_ns`. */
void world_run(struct world *world, int64_t until_ns);

/* Mixes something into the rolling hash. */
void world_note(struct world *world, uint64_t value);

#endif
