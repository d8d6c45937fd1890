#include "cacheworker/acl/user.h"

#include "common/base/errors.h"
#include "common/base/mem.h"

#include <ctype.h>

static const char no_such_password[] = "The password you are trying to remove from the user does not exist";
static const char bad_hash[] =
    "The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters";

/* --- life --- */

struct cw_acl_user *cw_acl_user_create(struct slice name, bool all_channels)
{
    struct cw_acl_user *user = mem_zero(sizeof(*user));
    user->name = mem_copy_text(name.data, name.length);
    user->name_length = name.length;
    user->selectors = mem_alloc(sizeof(*user->selectors));
    user->selector_count = 1;
    cw_acl_selector_init(&user->selectors[0], all_channels);
    return user;
}

static void clear_passwords(struct cw_acl_user *user)
{
    mem_free(user->passwords);
    user->passwords = NULL;
    user->password_count = 0;
}

static void clear_selectors(struct cw_acl_user *user)
{
    while (user->selector_count > 1)
        cw_acl_selector_free(&user->selectors[--user->selector_count]);
}

void cw_acl_user_destroy(struct cw_acl_user *user)
{
    if (user == NULL)
        return;
    clear_selectors(user);
    cw_acl_selector_free(&user->selectors[0]);
    mem_free(user->selectors);
    clear_passwords(user);
    mem_free(user->name);
    mem_free(user);
}

struct cw_acl_user *cw_acl_user_copy(const struct cw_acl_user *from)
{
    struct cw_acl_user *user = mem_alloc(sizeof(*user));
    *user = *from;
    user->name = mem_copy_text(from->name, from->name_length);
    user->passwords = NULL;
    if (from->password_count > 0) {
        user->passwords = mem_alloc(from->password_count * sizeof(*user->passwords));
        memcpy(user->passwords, from->passwords, from->password_count * sizeof(*user->passwords));
    }
    user->selectors = mem_alloc(from->selector_count * sizeof(*user->selectors));
    for (size_t i = 0; i < from->selector_count; i++)
        cw_acl_selector_copy(&user->selectors[i], &from->selectors[i]);
    return user;
}

void cw_acl_user_exchange(struct cw_acl_user *user, struct cw_acl_user *from)
{
    struct cw_acl_user old = *user;
    char *name = from->name;
    size_t name_length = from->name_length;
    *user = *from;
    user->name = old.name;
    user->name_length = old.name_length;
    *from = old;
    from->name = name;
    from->name_length = name_length;
}

/* --- passwords --- */

static int find_password(const struct cw_acl_user *user, struct slice text)
{
    for (size_t i = 0; i < user->password_count; i++)
        if (slice_equal_secret(text, slice_of(user->passwords[i], SHA256_TEXT_LENGTH)))
            return (int)i;
    return -1;
}

static bool is_hash(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (strchr("0123456789abcdef", text.data[i]) == NULL || text.data[i] == '\0')
            return false;
    return text.length == SHA256_TEXT_LENGTH;
}

static const char *add_password(struct cw_acl_user *user, struct slice text)
{
    if (find_password(user, text) < 0) {
        if (user->password_count == CW_ACL_PASSWORDS_MAX)
            return cw_acl_too_many;
        user->passwords = mem_resize(user->passwords, (user->password_count + 1) * sizeof(*user->passwords));
        memcpy(user->passwords[user->password_count++], text.data, SHA256_TEXT_LENGTH);
    }
    user->nopass = false;
    return NULL;
}

static const char *remove_password(struct cw_acl_user *user, struct slice text)
{
    int place = find_password(user, text);
    if (place < 0)
        return no_such_password;
    size_t behind = --user->password_count - (size_t)place;
    memmove(user->passwords[place], user->passwords[place + 1], behind * sizeof(*user->passwords));
    return NULL;
}

/* >password #hash <password !hash */
static const char *apply_password(struct cw_acl_user *user, struct slice rule)
{
    char sign = rule.data[0];
    struct slice text = slice_skip(rule, 1);
    char hash[SHA256_TEXT_LENGTH];
    if (sign == '>' || sign == '<') {
        sha256_text(text, hash);
        text = slice_of(hash, sizeof(hash));
    } else if (!is_hash(text)) {
        return bad_hash;
    }
    return sign == '>' || sign == '#' ? add_password(user, text) : remove_password(user, text);
}

bool cw_acl_user_admits(const struct cw_acl_user *user, struct slice password)
{
    char hash[SHA256_TEXT_LENGTH];
    sha256_text(password, hash);
    bool is_known = find_password(user, slice_of(hash, sizeof(hash))) >= 0;
    return user->enabled && (user->nopass || is_known);
}

/* --- one rule --- */

static bool closes(struct slice rule)
{
    return rule.length > 0 && rule.data[rule.length - 1] == ')';
}

/* "(+get ~a*)": words between blanks. One that ends as the selector does would end it where its description is read. */
static const char *apply_selector(struct cw_acl_user *user, struct slice rule, bool all_channels)
{
    if (user->selector_count > CW_ACL_SELECTORS_MAX)
        return cw_acl_too_many;
    struct cw_acl_selector selector;
    cw_acl_selector_init(&selector, all_channels);
    const char *reason = NULL;
    const char *end = rule.data + rule.length - 1;
    for (const char *at = rule.data + 1; at < end && reason == NULL;) {
        const char *word = at;
        while (at < end && !isspace((unsigned char)*at))
            at++;
        struct slice text = slice_of(word, (size_t)(at - word));
        if (text.length > 0)
            reason = closes(text) ? cw_acl_syntax_error : cw_acl_selector_apply(&selector, text);
        at++;
    }
    if (reason != NULL) {
        cw_acl_selector_free(&selector);
        return reason;
    }
    user->selectors = mem_resize(user->selectors, (user->selector_count + 1) * sizeof(*user->selectors));
    user->selectors[user->selector_count++] = selector;
    return NULL;
}

static void reset(struct cw_acl_user *user, bool all_channels)
{
    clear_passwords(user);
    clear_selectors(user);
    cw_acl_selector_free(&user->selectors[0]);
    cw_acl_selector_init(&user->selectors[0], all_channels);
    user->enabled = user->nopass = user->skips_sanitizing = false;
}

/* The rules that are words of their own. False: it is none. */
static bool apply_word(struct cw_acl_user *user, struct slice rule, bool all_channels)
{
    if (slice_equal_nocase(rule, "on")) {
        user->enabled = true;
    } else if (slice_equal_nocase(rule, "off")) {
        user->enabled = false;
    } else if (slice_equal_nocase(rule, "skip-sanitize-payload")) {
        user->skips_sanitizing = true;
    } else if (slice_equal_nocase(rule, "sanitize-payload")) {
        user->skips_sanitizing = false;
    } else if (slice_equal_nocase(rule, "nopass")) {
        clear_passwords(user);
        user->nopass = true;
    } else if (slice_equal_nocase(rule, "resetpass")) {
        clear_passwords(user);
        user->nopass = false;
    } else if (slice_equal_nocase(rule, "clearselectors")) {
        clear_selectors(user);
    } else if (slice_equal_nocase(rule, "reset")) {
        reset(user, all_channels);
    } else {
        return false;
    }
    return true;
}

static const char *apply(struct cw_acl_user *user, struct slice rule, bool all_channels)
{
    if (rule.length == 0 || apply_word(user, rule, all_channels))
        return NULL;
    char sign = rule.data[0];
    if (sign == '>' || sign == '#' || sign == '<' || sign == '!')
        return apply_password(user, rule);
    if (sign == '(' && rule.length > 1 && rule.data[rule.length - 1] == ')')
        return apply_selector(user, rule, all_channels);
    return cw_acl_selector_apply(&user->selectors[0], rule);
}

const char *cw_acl_user_apply(struct cw_acl_user *user, struct slice rule, bool all_channels)
{
    const char *reason = apply(user, rule, all_channels);
    user->allows_all = false;
    for (size_t i = 0; i < user->selector_count; i++)
        user->allows_all = user->allows_all || cw_acl_selector_allows_all(&user->selectors[i]);
    return reason;
}

/* --- several rules --- */

static bool opens(struct slice rule)
{
    return rule.length > 0 && rule.data[0] == '(' && (rule.length == 1 || rule.data[rule.length - 1] != ')');
}

size_t cw_acl_take_rule(const struct slice *words, size_t count, struct buf *joined, struct slice *ret_rule)
{
    *ret_rule = words[0];
    if (!opens(words[0]))
        return 1;
    buf_clear(joined);
    buf_add_slice(joined, words[0]);
    for (size_t i = 1; i < count; i++) {
        buf_add(joined, " ", 1);
        buf_add_slice(joined, words[i]);
        if (closes(words[i])) {
            *ret_rule = buf_slice(joined);
            return i + 1;
        }
    }
    return 0;
}

size_t cw_acl_unmatched(const struct slice *words, size_t count)
{
    struct buf joined = {0};
    struct slice rule;
    size_t i = 0;
    for (size_t taken; i < count; i += taken) {
        taken = cw_acl_take_rule(words + i, count - i, &joined, &rule);
        if (taken == 0)
            break;
    }
    buf_free(&joined);
    return i;
}

static int apply_each(struct cw_acl_user *user, const struct slice *words, size_t count, bool all_channels,
                      struct buf *reason)
{
    struct buf joined = {0};
    int result = 0;
    for (size_t i = 0; i < count && result == 0;) {
        struct slice rule;
        i += cw_acl_take_rule(words + i, count - i, &joined, &rule);
        const char *why = cw_acl_user_apply(user, rule, all_channels);
        if (why == NULL)
            continue;
        buf_add_text(reason, "Error in ACL SETUSER modifier '");
        buf_add_slice(reason, rule);
        buf_add_format(reason, "': %s", why);
        result = ERR_INVALID;
    }
    buf_free(&joined);
    return result;
}

int cw_acl_user_apply_all(struct cw_acl_user *user, const struct slice *words, size_t count, bool all_channels,
                          struct buf *reason)
{
    size_t unmatched = cw_acl_unmatched(words, count);
    if (unmatched < count) {
        buf_add_text(reason, "Unmatched parenthesis in acl selector starting at '");
        buf_add_slice(reason, words[unmatched]);
        buf_add_text(reason, "'.");
        return ERR_INVALID;
    }
    struct cw_acl_user *draft = cw_acl_user_copy(user);
    int result = apply_each(draft, words, count, all_channels, reason);
    if (result == 0)
        cw_acl_user_exchange(user, draft);
    cw_acl_user_destroy(draft);
    return result;
}

/* --- description --- */

void cw_acl_user_describe(const struct cw_acl_user *user, struct buf *out)
{
    buf_add_text(out, user->enabled ? "on " : "off ");
    if (user->nopass)
        buf_add_text(out, "nopass ");
    buf_add_text(out, user->skips_sanitizing ? "skip-sanitize-payload " : "sanitize-payload ");
    for (size_t i = 0; i < user->password_count; i++) {
        buf_add(out, "#", 1);
        buf_add(out, user->passwords[i], SHA256_TEXT_LENGTH);
        buf_add(out, " ", 1);
    }
    cw_acl_selector_describe(&user->selectors[0], out);
    for (size_t i = 1; i < user->selector_count; i++) {
        buf_add_text(out, " (");
        cw_acl_selector_describe(&user->selectors[i], out);
        buf_add_text(out, ")");
    }
}

/* --- checks --- */

/* Most requests have one key, in a place that is always the same, and most users one selector. */
static bool is_allowed_at_once(const struct cw_acl_user *user, const struct command *command, const struct slice *argv,
                               size_t argc)
{
    const struct command_key_spec *spec = command->key_specs;
    bool is_plain_set = command->id == COMMAND_ID_SET && argc == 3;
    if (command->key_spec_count != 1 || spec->begin != KEY_BEGIN_INDEX || spec->find != KEY_FIND_RANGE ||
        spec->last_key != 0 || ((spec->flags & KEY_VARIABLE_FLAGS) && !is_plain_set) || (spec->flags & KEY_NOT_KEY) ||
        argc <= (size_t)spec->begin_index)
        return false;
    unsigned rights = is_plain_set ? CW_ACL_WRITE : cw_acl_rights_of(spec->flags);
    const struct cw_acl_selector *root = &user->selectors[0];
    return cw_acl_selector_allows_command(root, command, argv, argc) &&
           cw_acl_selector_allows_key(root, argv[spec->begin_index], rights);
}

enum cw_acl_verdict cw_acl_user_check(const struct cw_acl_user *user, const struct command *command,
                                      const struct slice *argv, size_t argc, size_t *ret_index)
{
    *ret_index = 0;
    if (user->allows_all || is_allowed_at_once(user, command, argv, argc))
        return CW_ACL_ALLOWED;
    struct cw_acl_request request = {.command = command, .argv = argv, .argc = argc};
    enum cw_acl_verdict gravest = CW_ACL_DENIED_COMMAND;
    for (size_t i = 0; i < user->selector_count; i++) {
        size_t index;
        enum cw_acl_verdict verdict = cw_acl_selector_check(&user->selectors[i], &request, &index);
        if (verdict == CW_ACL_ALLOWED) {
            gravest = CW_ACL_ALLOWED;
            break;
        }
        if (verdict > gravest || (verdict == gravest && index > *ret_index)) {
            gravest = verdict;
            *ret_index = index;
        }
    }
    cw_acl_request_free(&request);
    return gravest;
}

bool cw_acl_user_may_touch_every_key(const struct cw_acl_user *user, const struct command *command,
                                     const struct slice *argv, size_t argc, unsigned rights)
{
    struct cw_acl_request request = {.command = command, .argv = argv, .argc = argc};
    bool may = user->allows_all;
    for (size_t i = 0; i < user->selector_count && !may; i++) {
        size_t index;
        may = cw_acl_selector_check(&user->selectors[i], &request, &index) == CW_ACL_ALLOWED &&
              cw_acl_selector_allows_every_key(&user->selectors[i], rights);
    }
    cw_acl_request_free(&request);
    return may;
}

bool cw_acl_user_allows_channel(const struct cw_acl_user *user, struct slice channel, bool is_pattern)
{
    for (size_t i = 0; i < user->selector_count; i++)
        if (cw_acl_selector_allows_channel(&user->selectors[i], channel, is_pattern))
            return true;
    return false;
}
