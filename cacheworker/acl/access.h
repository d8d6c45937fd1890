/* access.h: who a session is, and what it may therefore do.
 *
 * Every session refers to a user from its first moment: to "default" until it says another name. Whether it has proved
 * to be that user is CW_SESSION_AUTHENTICATED; CW_SESSION_RESTRICTED says that the user may not do everything, so that
 * the gates have to look at its rules. Both flags stand in the session, so that a command of who may do everything
 * costs nothing here.
 *
 * A proxy's link is the default user's. As long as the group has no users of its own, that user's password is the
 * proxy's business; from then on, such a link is a stranger's as any other, unless the proxy names a user that it had
 * asked us about (CW_SESSION_NAMED). */
#ifndef CACHEWORKER_ACL_ACCESS_H
#define CACHEWORKER_ACL_ACCESS_H

#include "cacheworker/acl/acl_log.h"
#include "common/base/throttle.h"
#include "cacheworker/acl/users.h"

struct cw_call;
struct cw_engine;
struct cw_session;

/* What AUTH with a password alone is answered when none is needed. */
#define CW_ACCESS_NO_PASSWORD                                                                                          \
    "ERR AUTH <password> called without any password configured for the default user. Are you sure your "              \
    "configuration is correct?"

struct cw_access { /* of an engine */
    struct cw_acl acl;
    struct cw_acl_log log;
    struct throttle throttle;
    struct buf configured; /* owned; the users of the configuration, as lines */
    bool is_shared;        /* the users are the group's, not those of this member's configuration (share.h) */
};

/* The default user, with requirepass. */
void cw_access_create(struct cw_engine *engine);

/* The users of the configuration's lines. ERR_INVALID. */
MUST_CHECK int cw_access_configure(struct cw_engine *engine);

/* When all of the configuration was taken: users of the ACL file, or those that the group has had. ERR_INVALID. */
MUST_CHECK int cw_access_read_file(struct cw_engine *engine);

/* The users of the configuration take the place of all others. */
void cw_access_return_to_configuration(struct cw_engine *engine);
void cw_access_destroy(struct cw_engine *engine);

/* A session that has just been opened, or reset: it is the default user, who may or may not need a password. */
void cw_access_begin(const struct cw_engine *engine, struct cw_session *session);

/* The session is that user from now on. */
void cw_access_enter(struct cw_session *session, struct cw_acl_user *user);

/* AUTH, and HELLO's AUTH. NULL when the session is that user now; else the error. */
const char *cw_access_authenticate(struct cw_call *call, struct slice name, struct slice password);

/* The same for a client of a proxy, whose link this is: the reply says whether, and the session stays as it is. */
void cw_access_answer_login(struct cw_engine *engine, struct cw_session *session, const struct slice *words,
                            size_t count);

/* How a denial is told: as a client's own command, as one that EXEC executes, as one that a script calls. */
enum cw_access_manner { CW_ACCESS_OWN, CW_ACCESS_EXEC, CW_ACCESS_SCRIPT };

/* Whether the session's user may not say this; then the reply says why, and ACL LOG tells it. */
bool cw_access_refuses(struct cw_engine *engine, const struct cw_session *session, enum cw_access_manner manner,
                       const struct command *command, const struct slice *argv, size_t argc, struct buf *reply);

/* "User alice has no permissions to run the 'get' command"; keys and channels are named only where `names`. */
void cw_access_explain(const struct cw_acl_user *user, enum cw_acl_verdict verdict, const struct command *command,
                       struct slice object, bool names, struct buf *out);

/* Whether what the call does may look at any key, whatever its name: SORT with BY or GET. */
bool cw_access_may_read_every_key(const struct cw_call *call);

/* Users were changed or removed: sessions of removed ones are closed, as are those that listen to what their user may
 * not hear any more. To be called behind the reply. */
void cw_access_users_changed(struct cw_engine *engine);

/* Nothing refers to removed users any more: the step is over. */
void cw_access_end_step(struct cw_engine *engine);

#endif
