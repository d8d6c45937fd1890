/* users.h: all users of a server, by name. There is always one called "default": who has not said a name is it.
 *
 * Removed users stay where they are until cw_acl_bury: a session that still refers to one is told first. */
#ifndef CACHEWORKER_ACL_USERS_H
#define CACHEWORKER_ACL_USERS_H

#include "cacheworker/acl/user.h"

enum { CW_ACL_USERS_MAX = 100000 };

struct cw_acl {
    struct cw_acl_user **users; /* owned; in the order of their names */
    size_t count;
    size_t capacity;
    struct cw_acl_user *nobody;   /* borrowed; the user "default" */
    struct cw_acl_user **removed; /* owned */
    size_t removed_count;
    bool all_channels; /* acl-pubsub-default: what new users and selectors begin with */
};

/* With "default" alone, who may do everything and needs no password. */
void cw_acl_init(struct cw_acl *acl);
void cw_acl_free(struct cw_acl *acl);

struct cw_acl_user *cw_acl_find(const struct cw_acl *acl, struct slice name); /* or NULL */

/* requirepass: the one password of the default user; empty: it needs none. */
void cw_acl_set_default_password(struct cw_acl *acl, struct slice password);

/* ACL SETUSER: creates or changes. ERR_INVALID; `reason` got why, and nothing has changed. */
MUST_CHECK int cw_acl_set(struct cw_acl *acl, struct slice name, const struct slice *words, size_t count,
                          struct buf *reason);

/* False: there is none, or it is "default". */
bool cw_acl_remove(struct cw_acl *acl, struct slice name);

/* Whether new connections are the default user's without a password. */
bool cw_acl_admits_strangers(const struct cw_acl *acl);

/* The user, if these are its name and password; else NULL. A wrong name takes as long as a wrong password. */
struct cw_acl_user *cw_acl_authenticate(const struct cw_acl *acl, struct slice name, struct slice password);

/* Lines "user name rules..." of all users, each with its newline. */
void cw_acl_write(const struct cw_acl *acl, struct buf *out);
void cw_acl_write_user(const struct cw_acl_user *user, struct buf *out); /* one, without newline */

/* Replaces all users by those of the text; "default" without a line becomes as it was at first. All or nothing:
 * ERR_INVALID, and `errors` says what is wrong in which line of `file`, in Redis' words. */
MUST_CHECK int cw_acl_read(struct cw_acl *acl, struct slice text, const char *file, struct buf *errors);

/* What a master says of its users: one line, or all. A user with a rule that is not understood here, for the master is
 * newer, is there and off; `errors` says why. ERR_CORRUPT for what is no line of a user. */
MUST_CHECK int cw_acl_take_user(struct cw_acl *acl, struct slice line, struct buf *errors);
MUST_CHECK int cw_acl_take_all(struct cw_acl *acl, struct slice text, struct buf *errors);

/* Whether the user was removed in this step. */
bool cw_acl_is_removed(const struct cw_acl *acl, const struct cw_acl_user *user);
void cw_acl_bury(struct cw_acl *acl); /* nobody refers to the removed users any more */

#endif
