/* overlay.h: parameters that outlive the process: what CONFIG REWRITE keeps.
 *
 * The administrator's files are never written. What differs from them goes into a file of the worker's own, in the form
 * of redis.conf, in the directory of its state ("parameters.conf"), which is read after them when the worker starts:
 * parameters by their present values, all users, if one of them changed, and whom a server by itself follows. */
#ifndef CACHEWORKER_ENGINE_OVERLAY_H
#define CACHEWORKER_ENGINE_OVERLAY_H

#include "common/base/address.h"
#include "common/base/buf.h"
#include "common/base/check.h"

struct cw_engine;

#define CW_OVERLAY_FILE "parameters.conf"

struct cw_overlay {             /* of an engine */
    struct buf base_parameters; /* owned; lines as the administrator's files leave them */
    struct buf base_users;      /* owned; the same of users */
    struct address base_master; /* whom a server by itself follows by these; no host: nobody */
    struct buf complaints;      /* owned; lines to be logged when the worker starts */
};

/* When the engine has settings, users and keyspace: takes config->parameters, then the file's. What cannot be taken is
 * left out and complained about. ERR_INVALID when that is so of the configuration's own lines. */
MUST_CHECK int cw_overlay_create(struct cw_engine *engine);
void cw_overlay_destroy(struct cw_overlay *overlay);

/* Logs what was found wrong in the file; at EVENT_START. */
void cw_overlay_complain(struct cw_engine *engine);

/* CONFIG REWRITE. ERR_UNSUPPORTED without a directory; else what the storage says. */
MUST_CHECK int cw_overlay_write(struct cw_engine *engine);

#endif
