/* selector.h: one set of rights of a user: which commands, on which keys, on which channels.
 *
 * Rules are those of redis.io/docs/management/security/acl, each one word:
 *
 *   +get -config|set +select|0    commands, subcommands, a first argument of a command
 *   +@read -@dangerous            categories; +@all, -@all (allcommands, nocommands) begin anew
 *   ~pattern %R~pattern %W~pattern %RW~pattern, allkeys, resetkeys
 *   &pattern, allchannels, resetchannels
 *
 * A command is allowed when its bit is set; which rules set the bits is kept in order, as text, because that is how the
 * rights are shown and stored. The description of a selector, applied to a new one, gives the same rights again. */
#ifndef CACHEWORKER_ACL_SELECTOR_H
#define CACHEWORKER_ACL_SELECTOR_H

#include "common/base/buf.h"
#include "common/command/command.h"

enum { /* struct cw_acl_pattern.rights */
       CW_ACL_READ = 1 << 0,
       CW_ACL_WRITE = 1 << 1,
       CW_ACL_READ_WRITE = CW_ACL_READ | CW_ACL_WRITE,
};

enum { /* of one selector; a rule beyond is refused */
       CW_ACL_PATTERNS_MAX = 4096,
       CW_ACL_ARGUMENTS_MAX = 4096,
       CW_ACL_RULES_TEXT_MAX = 256 << 10,
};

struct cw_acl_pattern {
    char *text; /* owned */
    size_t length;
    unsigned rights;   /* of a key */
    bool is_beginning; /* a literal beginning, then one star: most patterns, and the quickest to match */
};

struct cw_acl_patterns {
    struct cw_acl_pattern *items; /* owned; in the order of the rules */
    size_t count;
    size_t capacity;
};

struct cw_acl_argument { /* +select|0 */
    unsigned command_id;
    char *text; /* owned */
    size_t length;
};

/* One bit per row of the command table, and one for commands that the table does not have yet. */
enum { CW_ACL_COMMAND_WORDS = (COMMAND_ID_COUNT + 1 + 63) / 64 };

struct cw_acl_selector {
    uint64_t commands[CW_ACL_COMMAND_WORDS];
    bool all_keys;
    bool all_channels;
    struct cw_acl_patterns keys;
    struct cw_acl_patterns channels;
    struct cw_acl_argument *arguments; /* owned */
    size_t argument_count;
    size_t argument_capacity;
    struct buf rules; /* owned; "+get -@set", what came behind the last +@all or -@all, as far as it still counts */
};

/* In the order of their weight: of several selectors' verdicts the gravest is told. */
enum cw_acl_verdict { CW_ACL_ALLOWED, CW_ACL_DENIED_COMMAND, CW_ACL_DENIED_KEY, CW_ACL_DENIED_CHANNEL };

/* The keys of one request, found when first asked for. */
struct cw_acl_request {
    const struct command *command; /* borrowed */
    const struct slice *argv;      /* borrowed */
    size_t argc;
    bool keys_known;
    struct command_key *keys; /* owned, unless it is `few` */
    size_t key_count;
    struct command_key few[8];
};

/* Without any right; all channels where `all_channels` (acl-pubsub-default). */
void cw_acl_selector_init(struct cw_acl_selector *selector, bool all_channels);
void cw_acl_selector_copy(struct cw_acl_selector *to, const struct cw_acl_selector *from); /* `to` is not initialised */
void cw_acl_selector_free(struct cw_acl_selector *selector);

/* Applies one rule. NULL, or why not, in Redis' words; then nothing has changed. */
MUST_CHECK const char *cw_acl_selector_apply(struct cw_acl_selector *selector, struct slice rule);
extern const char cw_acl_unknown_command[]; /* the answer to a command or category that there is not */
extern const char cw_acl_syntax_error[];
extern const char cw_acl_too_many[];

/* "~a* resetchannels -@all +get", or one part of it. */
void cw_acl_selector_describe(const struct cw_acl_selector *selector, struct buf *out);
void cw_acl_selector_describe_commands(const struct cw_acl_selector *selector, struct buf *out);
void cw_acl_selector_describe_keys(const struct cw_acl_selector *selector, struct buf *out);
void cw_acl_selector_describe_channels(const struct cw_acl_selector *selector, struct buf *out);

bool cw_acl_selector_allows_all(const struct cw_acl_selector *selector);
bool cw_acl_selector_allows_command(const struct cw_acl_selector *selector, const struct command *command,
                                    const struct slice *argv, size_t argc);
bool cw_acl_selector_allows_key(const struct cw_acl_selector *selector, struct slice key, unsigned rights);
bool cw_acl_selector_allows_every_key(const struct cw_acl_selector *selector, unsigned rights);

/* A pattern that somebody subscribes to must be one of the rules' own, letter by letter. */
bool cw_acl_selector_allows_channel(const struct cw_acl_selector *selector, struct slice channel, bool is_pattern);

/* `ret_index` is the argument that is denied; 0 for the command. A request whose arguments do not hold the keys that
 * they announce is left to its command, which refuses it before it looks at any key. */
enum cw_acl_verdict cw_acl_selector_check(const struct cw_acl_selector *selector, struct cw_acl_request *request,
                                          size_t *ret_index);
void cw_acl_request_free(struct cw_acl_request *request);

/* What a key specification's flags need: CW_ACL_ bits. 0: any right to the key will do. */
unsigned cw_acl_rights_of(uint32_t key_flags);

/* No blanks and no NUL: it can stand in a line of rules. */
bool cw_acl_is_one_word(struct slice text);

#endif
