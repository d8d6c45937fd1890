/* door.h: the one door between a core and its world.
 *
 * Every daemon is a deterministic core: events go in (bytes, closed links, completed writes, the time), effects come
 * out (connect, flush, close, make durable). The world is either common/shell/host.c, over libevent and the kernel, or
 * tests/sim, over a simulated network, disk and clock. A core sees no descriptor, no clock and no file.
 *
 * Links. A link is a byte stream, named by a small number that the core chooses (an index into its own table) and may
 * use again after it closed the link or was told EVENT_CLOSED. Inbound: the world asks accept(). Outbound: the core
 * emits EFFECT_CONNECT and gets EVENT_OPENED, or EVENT_CLOSED when that failed (the world bounds the attempt: 3 s).
 *
 * Turns. The world delivers EVENT_RECEIVED for every link that was readable, then one EVENT_TURN: so a core may collect
 * a batch over all links, and execute it in EVENT_TURN. Received bytes are borrowed until that turn has returned; what
 * is not consumed by then the core copies. A turn is also given when deadline() has passed.
 *
 * Output. The core keeps what it wants to send. It emits EFFECT_FLUSH for a link; after the step the world reads the
 * clock anew and calls output(now) just before the bytes go to the kernel, again when the kernel takes more, and sent()
 * for what it took. So a check that must hold when bytes leave (the lease) is made in output(), with a `now` that was
 * read after the last command was executed. A gate that opens again is announced by another EFFECT_FLUSH.
 *
 * Order. Effects are carried out in the order in which they were emitted. EFFECT_PERSIST is durable when
 * EVENT_PERSISTED says so; a core that must persist before it sends emits the send only then.
 *
 * Files that grow. EFFECT_FILE asks for one operation on a file of the world's directory. The world carries them out
 * beside the core, one after the other, EFFECT_PERSIST among them, and answers with EVENT_FILE those that carry a
 * token. A core names the files that it has open by small numbers. What failed on a file fails every later operation on
 * it until it is opened anew (an fsync that failed once may say nothing the next time: Rebello et al., ATC 2020), so a
 * core may append without a token and learn the result from the next SYNC. The core bounds what is under way.
 *
 * Time. now_ns is CLOCK_BOOTTIME in nanoseconds, for all control logic; wall_us is wall-clock microseconds, for what
 * users see as a date (key expiry, TIME). cpu_ns, of EVENT_TURN only, is the processor time that the core's thread has
 * used so far, for a core that shows what its turns cost; 0 where the world does not tell it. */
#ifndef COMMON_BASE_DOOR_H
#define COMMON_BASE_DOOR_H

#include "common/base/address.h"
#include "common/base/buf.h"
#include "common/base/slice.h"

#include <stdint.h>

#define NS_PER_US ((int64_t)1000)
#define NS_PER_MS ((int64_t)1000000)
#define NS_PER_S  ((int64_t)1000000000)
#define NEVER_NS  INT64_MAX

typedef uint32_t link_id;
#define LINK_NONE ((link_id)UINT32_MAX)

enum event_kind {
    EVENT_START,     /* first of all; the files were given at creation */
    EVENT_OPENED,    /* `link`, which the core asked for, is connected */
    EVENT_RECEIVED,  /* `bytes` arrived on `link`; borrowed until the next EVENT_TURN has returned */
    EVENT_ENDED,     /* the peer of `link` says no more, but it may still listen; only where hears_ends */
    EVENT_CLOSED,    /* `link` is gone; its number is the core's again */
    EVENT_PERSISTED, /* the EFFECT_PERSIST numbered `token` is durable, or failed with `result` < 0 */
    EVENT_FILE,      /* the EFFECT_FILE numbered `token` is done, or failed with `result` < 0 */
    EVENT_TURN,      /* everything that was readable was delivered; work, and look at the time */
    EVENT_STOP,      /* end in order: finish, then emit EFFECT_EXIT; it may come again */
};

struct event {
    enum event_kind kind;
    link_id link;
    int result; /* EVENT_PERSISTED, EVENT_FILE */
    uint64_t token;
    struct slice bytes;
    int64_t now_ns;
    int64_t wall_us;
    int64_t cpu_ns;    /* EVENT_TURN */
    bool is_interrupt; /* EVENT_STOP: by who sits at the terminal (SIGINT) */
};

enum effect_kind {
    EFFECT_LISTEN,  /* open all configured listeners; emitted once, when the core is ready to be asked */
    EFFECT_CONNECT, /* open `link` to `address` */
    EFFECT_FLUSH,   /* `link` has output */
    EFFECT_CLOSE,   /* close `link` now; no EVENT_CLOSED follows */
    EFFECT_DRAIN,   /* write what output() still gives for `link`, at most 1 s long, then close; EVENT_CLOSED follows */
    EFFECT_PAUSE,   /* read no more from `link` until EFFECT_RESUME */
    EFFECT_RESUME,
    EFFECT_PERSIST, /* replace file `name` by `bytes`: aside, fsync, rename, fsync of the directory */
    EFFECT_FILE,
    EFFECT_LOG,
    EFFECT_LOG_LEVEL, /* from here on nothing below `level` is logged, by any core of the process */
    EFFECT_WAKE,      /* a turn, soon, for each other core that shares state with this one, on a thread of its own */
    EFFECT_EXIT,      /* end the process with status `level` */
};

enum file_operation {
    FILE_OPEN,   /* `file` is `name` from here on; made if it is missing, cut to `length` bytes, appended to */
    FILE_APPEND, /* the bytes that it carries */
    FILE_SYNC,   /* what was appended before is durable */
    FILE_CLOSE,
    FILE_RENAME, /* `name` becomes `new_name`, durably; an old file of that name is gone */
    FILE_REMOVE, /* `name`; that there is none is no error */
};

/* Names are plain, or plain in a plain directory ("appendonlydir/a"), which is made when it is missing. */
enum { FILE_NAME_MAX = 200, FILES_MAX = 16 };
#define FILE_WHOLE UINT64_MAX /* as the length of a FILE_OPEN: as long as it is */

/* Done with the bytes of a FILE_APPEND before they are written, beside the core: what takes the processor long.
 * `context` is the world's from the effect to its answer, or to that of a later operation on the file. */
typedef void (*file_pack)(void *context, struct buf *bytes);

struct file_effect {
    enum file_operation operation;
    uint32_t file;        /* below FILES_MAX */
    uint64_t length;      /* FILE_OPEN */
    const char *new_name; /* FILE_RENAME: copied; the world asks effects_new_name */
    file_pack pack;       /* FILE_APPEND; NULL: nothing */
    void *pack_context;   /* borrowed */
};

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_NOTICE, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

struct effect {
    enum effect_kind kind;
    link_id link;
    int level;               /* EFFECT_LOG, _LOG_LEVEL: enum log_level; EFFECT_EXIT: status */
    uint64_t token;          /* EFFECT_PERSIST; EFFECT_FILE: 0 where no answer is wanted */
    struct address address;  /* EFFECT_CONNECT */
    struct file_effect file; /* EFFECT_FILE */
    size_t text_offset;      /* EFFECT_PERSIST, EFFECT_FILE, EFFECT_LOG: where in effects->text */
    size_t text_length;
    size_t name_offset;     /* EFFECT_PERSIST, EFFECT_FILE: the same of a name that ends with 0; NO_NAME: none */
    size_t new_name_offset; /* EFFECT_FILE */
};

#define NO_NAME SIZE_MAX

/* Owned by the world, reused for every step; a core only appends. */
struct effects {
    struct effect *items; /* owned */
    size_t count;
    size_t capacity;
    struct buf text; /* owned; what PERSIST, FILE and LOG carry, and names */
};

void effects_clear(struct effects *effects);
void effects_free(struct effects *effects);

/* The bytes that a PERSIST, FILE or LOG effect carries; borrowed until the next append or clear. */
struct slice effects_text(const struct effects *effects, const struct effect *effect);

/* The names of a PERSIST or FILE effect, borrowed likewise; NULL: it has none. */
const char *effects_name(const struct effects *effects, const struct effect *effect);
const char *effects_new_name(const struct effects *effects, const struct effect *effect);

void effect_listen(struct effects *effects);
void effect_connect(struct effects *effects, link_id link, const struct address *address);
void effect_flush(struct effects *effects, link_id link);
void effect_close(struct effects *effects, link_id link);
void effect_drain(struct effects *effects, link_id link);
void effect_pause(struct effects *effects, link_id link);
void effect_resume(struct effects *effects, link_id link);
void effect_persist(struct effects *effects, const char *name, uint64_t token, struct slice bytes);
/* All that is given is copied. `name` is NULL where the operation needs none. */
void effect_file(struct effects *effects, const struct file_effect *file, const char *name, uint64_t token,
                 struct slice bytes);
void effect_wake(struct effects *effects);
void effect_exit(struct effects *effects, int status);
void effect_log_level(struct effects *effects, enum log_level level);
void effect_log(struct effects *effects, enum log_level level, const char *format, ...) PRINTF(3, 4);

/* What a core shows of itself. One table per daemon, constant. */
struct door {
    /* Somebody connected to configured listener number `listener`. The link's number, or LINK_NONE: the world closes
     * it at once. A core that wants to refuse with words accepts, and drains. */
    link_id (*accept)(void *core, int listener, const struct address *peer, int64_t now_ns, struct effects *effects);

    void (*step)(void *core, const struct event *event, struct effects *effects);

    /* The bytes that may leave on `link` at `now_ns`; empty when there are none or a gate is shut. Borrowed until the
     * next call of any kind. */
    struct slice (*output)(void *core, link_id link, int64_t now_ns);

    /* The kernel took the first `count` bytes of what output() gave. */
    void (*sent)(void *core, link_id link, size_t count, struct effects *effects);

    /* When the core wants an EVENT_TURN at the latest; NEVER_NS; anything not after `now` means at once. */
    int64_t (*deadline)(const void *core);

    void (*destroy)(void *core);

    /* A link that came by a listener and whose peer says no more is told so, by EVENT_ENDED, and stays until the core
     * closes it. Without, it is closed. */
    bool hears_ends;
};

/* Big files (snapshots), read at creation and written by SAVE. A table, so that the simulator's disk is the same code.
 * All calls are synchronous and return 0 or a negative error; names are plain, in one directory, or where they are read
 * plain in a plain one in it. */
struct storage {
    void *context;                                                                           /* borrowed */
    int (*open_read)(void *context, const char *name, void **ret_file);                      /* ERR_NOT_FOUND, ERR_IO */
    int (*read)(void *context, void *file, void *data, size_t capacity, size_t *ret_length); /* 0 length: the end */
    uint64_t (*size)(void *context, void *file); /* of what is read; 0: not known; NULL: never */
    int (*open_write)(void *context, const char *name, void **ret_file); /* aside of the old one */
    int (*write)(void *context, void *file, struct slice bytes);
    int (*commit)(void *context, void *file);     /* fsync, rename, fsync of the directory; closes, also on error */
    void (*close)(void *context, void *file);     /* a reader, or a writer to be thrown away */
    int (*sync)(void *context, const char *name); /* of a file that is read, and its name; NULL: whatever is, stays */
    /* Removes what of a file to be written a process has left that died over it; NULL: nothing is ever left. */
    void (*forget)(void *context, const char *name);
};

#endif
