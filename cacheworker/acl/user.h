/* user.h: one user: whether it may enter, with which passwords, and what it may do (redis.io, security/acl).
 *
 * A user has a root selector, which the rules outside of parentheses change, and any number of others, "(+get ~a*)".
 * A request passes when one selector alone allows all of it. Passwords are kept as SHA-256 in hexadecimal digits. */
#ifndef CACHEWORKER_ACL_USER_H
#define CACHEWORKER_ACL_USER_H

#include "cacheworker/acl/selector.h"
#include "common/base/sha256.h"

enum { CW_ACL_SELECTORS_MAX = 256, CW_ACL_PASSWORDS_MAX = 1024 };

struct cw_acl_user {
    char *name; /* owned; without blanks */
    size_t name_length;
    bool enabled;
    bool nopass;
    bool skips_sanitizing;                 /* RESTORE of it; we look at every payload */
    bool allows_all;                       /* some selector allows everything: nothing needs to be checked */
    char (*passwords)[SHA256_TEXT_LENGTH]; /* owned */
    size_t password_count;
    struct cw_acl_selector *selectors; /* owned; the first is the root */
    size_t selector_count;
};

/* As ACL SETUSER makes one: off, without passwords and rights. */
struct cw_acl_user *cw_acl_user_create(struct slice name, bool all_channels);
struct cw_acl_user *cw_acl_user_copy(const struct cw_acl_user *from);
void cw_acl_user_destroy(struct cw_acl_user *user);

/* Gives `user` the rights, passwords and flags of `from`, which is left with the old ones. */
void cw_acl_user_exchange(struct cw_acl_user *user, struct cw_acl_user *from);

/* Applies one rule; `all_channels` is acl-pubsub-default. NULL, or why not; then nothing has changed. */
MUST_CHECK const char *cw_acl_user_apply(struct cw_acl_user *user, struct slice rule, bool all_channels);

/* Applies several, in which a selector may be spread over words: ["(+get", "~a*)"]. All or none. Else `reason` gets
 * "Error in ACL SETUSER modifier '...': ..." and ERR_INVALID comes back. */
MUST_CHECK int cw_acl_user_apply_all(struct cw_acl_user *user, const struct slice *words, size_t count,
                                     bool all_channels, struct buf *reason);

/* The rule that begins with words[0]: that word, or a whole selector, which is then borrowed from `joined`. Returns how
 * many words it has; 0: its parenthesis is never closed. */
size_t cw_acl_take_rule(const struct slice *words, size_t count, struct buf *joined, struct slice *ret_rule);

/* The first word whose parenthesis is never closed; `count` when there is none. */
size_t cw_acl_unmatched(const struct slice *words, size_t count);

/* "on #... ~* &* +@all (~a* resetchannels -@all +get)": applied to a new user, it gives the same one. */
void cw_acl_user_describe(const struct cw_acl_user *user, struct buf *out);

/* Whether that is how this user enters. Takes a time that does not depend on how much of a password is right. */
bool cw_acl_user_admits(const struct cw_acl_user *user, struct slice password);

/* `ret_index`: the argument that is to blame, where it is denied. */
enum cw_acl_verdict cw_acl_user_check(const struct cw_acl_user *user, const struct command *command,
                                      const struct slice *argv, size_t argc, size_t *ret_index);

/* Whether some selector that allows the request gives these rights to all keys (SORT ... BY, GET). */
bool cw_acl_user_may_touch_every_key(const struct cw_acl_user *user, const struct command *command,
                                     const struct slice *argv, size_t argc, unsigned rights);
bool cw_acl_user_allows_channel(const struct cw_acl_user *user, struct slice channel, bool is_pattern);

static inline struct slice cw_acl_user_name(const struct cw_acl_user *user)
{
    return slice_of(user->name, user->name_length);
}

#endif
