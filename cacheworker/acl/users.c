#include "cacheworker/acl/users.h"

#include "common/base/errors.h"
#include "common/base/mem.h"

#define DEFAULT_NAME SLICE_LITERAL("default")

/* --- the table --- */

static int compare(struct slice a, struct slice b)
{
    size_t shorter = a.length < b.length ? a.length : b.length;
    int order = shorter > 0 ? memcmp(a.data, b.data, shorter) : 0;
    if (order != 0 || a.length == b.length)
        return order;
    return a.length < b.length ? -1 : 1;
}

/* Where the name stands, or would. */
static size_t place_of(const struct cw_acl *acl, struct slice name)
{
    size_t low = 0, high = acl->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(cw_acl_user_name(acl->users[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct cw_acl_user *cw_acl_find(const struct cw_acl *acl, struct slice name)
{
    size_t place = place_of(acl, name);
    bool found = place < acl->count && slice_equal(cw_acl_user_name(acl->users[place]), name);
    return found ? acl->users[place] : NULL;
}

static void add(struct cw_acl *acl, struct cw_acl_user *user)
{
    if (acl->count == acl->capacity) {
        acl->capacity = acl->capacity > 0 ? 2 * acl->capacity : 8;
        acl->users = mem_resize(acl->users, acl->capacity * sizeof(struct cw_acl_user *));
    }
    size_t place = place_of(acl, cw_acl_user_name(user));
    memmove(acl->users + place + 1, acl->users + place, (acl->count - place) * sizeof(struct cw_acl_user *));
    acl->users[place] = user;
    acl->count++;
}

static void apply_constants(struct cw_acl_user *user, const char *const *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        CHECK(cw_acl_user_apply(user, slice_text(rules[i]), false) == NULL);
}

static struct cw_acl_user *create_default(bool all_channels)
{
    static const char *const rules[] = {"+@all", "~*", "&*", "on", "nopass"};
    struct cw_acl_user *user = cw_acl_user_create(DEFAULT_NAME, all_channels);
    apply_constants(user, rules, ARRAY_LENGTH(rules));
    return user;
}

void cw_acl_init(struct cw_acl *acl)
{
    *acl = (struct cw_acl){0};
    acl->nobody = create_default(false);
    add(acl, acl->nobody);
}

void cw_acl_free(struct cw_acl *acl)
{
    cw_acl_bury(acl);
    for (size_t i = 0; i < acl->count; i++)
        cw_acl_user_destroy(acl->users[i]);
    mem_free(acl->users);
    *acl = (struct cw_acl){0};
}

/* --- changes --- */

void cw_acl_set_default_password(struct cw_acl *acl, struct slice password)
{
    static const char *const none[] = {"resetpass", "nopass"};
    if (password.length == 0) {
        apply_constants(acl->nobody, none, ARRAY_LENGTH(none));
        return;
    }
    struct buf rule = {0};
    buf_add_text(&rule, ">");
    buf_add_slice(&rule, password);
    apply_constants(acl->nobody, none, 1);
    CHECK(cw_acl_user_apply(acl->nobody, buf_slice(&rule), false) == NULL);
    buf_free(&rule);
}

int cw_acl_set(struct cw_acl *acl, struct slice name, const struct slice *words, size_t count, struct buf *reason)
{
    if (!cw_acl_is_one_word(name)) {
        buf_add_text(reason, "Usernames can't contain spaces or null characters");
        return ERR_INVALID;
    }
    struct cw_acl_user *user = cw_acl_find(acl, name);
    if (user != NULL)
        return cw_acl_user_apply_all(user, words, count, acl->all_channels, reason);
    if (acl->count == CW_ACL_USERS_MAX) {
        buf_add_text(reason, "Too many users");
        return ERR_INVALID;
    }
    user = cw_acl_user_create(name, acl->all_channels);
    int result = cw_acl_user_apply_all(user, words, count, acl->all_channels, reason);
    if (result < 0)
        cw_acl_user_destroy(user);
    else
        add(acl, user);
    return result;
}

static void mark_removed(struct cw_acl *acl, struct cw_acl_user *user)
{
    acl->removed = mem_resize(acl->removed, (acl->removed_count + 1) * sizeof(struct cw_acl_user *));
    acl->removed[acl->removed_count++] = user;
}

bool cw_acl_remove(struct cw_acl *acl, struct slice name)
{
    struct cw_acl_user *user = cw_acl_find(acl, name);
    if (user == NULL || user == acl->nobody)
        return false;
    size_t place = place_of(acl, name);
    acl->count--;
    memmove(acl->users + place, acl->users + place + 1, (acl->count - place) * sizeof(struct cw_acl_user *));
    mark_removed(acl, user);
    return true;
}

bool cw_acl_is_removed(const struct cw_acl *acl, const struct cw_acl_user *user)
{
    for (size_t i = 0; i < acl->removed_count; i++)
        if (acl->removed[i] == user)
            return true;
    return false;
}

void cw_acl_bury(struct cw_acl *acl)
{
    for (size_t i = 0; i < acl->removed_count; i++)
        cw_acl_user_destroy(acl->removed[i]);
    mem_free(acl->removed);
    acl->removed = NULL;
    acl->removed_count = 0;
}

/* --- who is it --- */

bool cw_acl_admits_strangers(const struct cw_acl *acl)
{
    return acl->nobody->enabled && acl->nobody->nopass;
}

struct cw_acl_user *cw_acl_authenticate(const struct cw_acl *acl, struct slice name, struct slice password)
{
    struct cw_acl_user *user = cw_acl_find(acl, name);
    bool is_admitted = cw_acl_user_admits(user != NULL ? user : acl->nobody, password);
    return user != NULL && is_admitted ? user : NULL;
}

/* --- as text --- */

void cw_acl_write_user(const struct cw_acl_user *user, struct buf *out)
{
    buf_add_text(out, "user ");
    buf_add_slice(out, cw_acl_user_name(user));
    buf_add(out, " ", 1);
    cw_acl_user_describe(user, out);
}

void cw_acl_write(const struct cw_acl *acl, struct buf *out)
{
    for (size_t i = 0; i < acl->count; i++) {
        cw_acl_write_user(acl->users[i], out);
        buf_add(out, "\n", 1);
    }
}

struct line {
    const char *file;
    size_t number;
    struct slice *words; /* owned */
    size_t count;
    size_t capacity;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void split(struct line *line, struct slice text)
{
    line->count = 0;
    for (size_t i = 0; i < text.length;) {
        size_t start = i;
        while (i < text.length && !is_blank(text.data[i]))
            i++;
        if (i > start) {
            if (line->count == line->capacity) {
                line->capacity = line->capacity > 0 ? 2 * line->capacity : 16;
                line->words = mem_resize(line->words, line->capacity * sizeof(struct slice));
            }
            line->words[line->count++] = slice_of(text.data + start, i - start);
        }
        i++;
    }
}

/* Every unknown command is told, of other errors the first. */
static void read_rules(struct cw_acl_user *user, const struct line *line, bool all_channels, struct buf *errors)
{
    const struct slice *words = line->words + 2;
    size_t count = line->count - 2;
    if (cw_acl_unmatched(words, count) < count) {
        buf_add_format(errors, "%s:%zu: Unmatched parenthesis in selector definition.", line->file, line->number);
        return;
    }
    struct buf joined = {0};
    bool any_told = false;
    for (size_t i = 0; i < count;) {
        struct slice rule;
        i += cw_acl_take_rule(words + i, count - i, &joined, &rule);
        const char *why = cw_acl_user_apply(user, rule, all_channels);
        if (why == cw_acl_unknown_command) {
            buf_add_format(errors, "%s:%zu: Error in applying operation '", line->file, line->number);
            buf_add_slice(errors, rule);
            buf_add_format(errors, "': %s. ", why);
        } else if (why != NULL && !any_told) {
            buf_add_format(errors, "%s:%zu: %s. ", line->file, line->number, why);
            any_told = true;
        }
    }
    buf_free(&joined);
}

/* The user of a line, as far as it has one. */
static struct cw_acl_user *read_user(const struct cw_acl *acl, const struct line *line, struct buf *errors)
{
    struct cw_acl_user *user = cw_acl_user_create(line->words[1], acl->all_channels);
    read_rules(user, line, acl->all_channels, errors);
    return user;
}

static void read_line(struct cw_acl *acl, const struct line *line, struct buf *errors)
{
    if (!slice_equal(line->words[0], SLICE_LITERAL("user")) || line->count < 2) {
        buf_add_format(errors, "%s:%zu should start with user keyword followed by the username. ", line->file,
                       line->number);
        return;
    }
    struct slice name = line->words[1];
    if (!cw_acl_is_one_word(name)) {
        buf_add_format(errors, "'%s:%zu: username '%.*s' contains invalid characters. ", line->file, line->number,
                       (int)name.length, name.data);
        return;
    }
    if (cw_acl_find(acl, name) != NULL) {
        buf_add_format(errors, "WARNING: Duplicate user '%.*s' found on line %zu. ", (int)name.length, name.data,
                       line->number);
        return;
    }
    if (acl->count == CW_ACL_USERS_MAX) {
        buf_add_format(errors, "%s:%zu: Too many users. ", line->file, line->number);
        return;
    }
    add(acl, read_user(acl, line, errors));
}

static void read_lines(struct cw_acl *acl, struct slice text, const char *file, struct buf *errors)
{
    struct line line = {.file = file};
    while (text.length > 0) {
        const char *newline = memchr(text.data, '\n', text.length);
        size_t length = newline != NULL ? (size_t)(newline - text.data) : text.length;
        line.number++;
        split(&line, slice_of(text.data, length));
        if (line.count > 0)
            read_line(acl, &line, errors);
        text = slice_skip(text, newline != NULL ? length + 1 : length);
    }
    mem_free(line.words);
}

/* The default user is referred to by everybody, so it stays, with new rights. */
static void take_over(struct cw_acl *acl, struct cw_acl *from)
{
    struct cw_acl_user *other = cw_acl_find(from, DEFAULT_NAME);
    struct cw_acl_user *fresh = other != NULL ? other : create_default(acl->all_channels);
    cw_acl_user_exchange(acl->nobody, fresh);
    for (size_t i = 0; i < acl->count; i++)
        if (acl->users[i] != acl->nobody)
            mark_removed(acl, acl->users[i]);
    acl->count = 0;
    add(acl, acl->nobody);
    for (size_t i = 0; i < from->count; i++)
        if (from->users[i] != other)
            add(acl, from->users[i]);
    cw_acl_user_destroy(fresh);
    mem_free(from->users);
    *from = (struct cw_acl){0};
}

int cw_acl_read(struct cw_acl *acl, struct slice text, const char *file, struct buf *errors)
{
    struct cw_acl draft = {.all_channels = acl->all_channels};
    size_t before = buf_length(errors);
    read_lines(&draft, text, file, errors);
    if (buf_length(errors) == before) {
        take_over(acl, &draft);
        return 0;
    }
    cw_acl_free(&draft);
    buf_add_text(errors, "WARNING: ACL errors detected, no change to the previously active ACL rules was performed");
    return ERR_INVALID;
}

/* --- what a master says --- */

static int take_line(struct cw_acl *acl, struct line *line, struct slice text, struct buf *errors)
{
    split(line, text);
    if (line->count < 2 || !slice_equal(line->words[0], SLICE_LITERAL("user")) || !cw_acl_is_one_word(line->words[1]))
        return ERR_CORRUPT;
    size_t before = buf_length(errors);
    struct cw_acl_user *user = read_user(acl, line, errors);
    if (buf_length(errors) > before)
        user->enabled = false;
    struct cw_acl_user *present = cw_acl_find(acl, line->words[1]);
    if (present == NULL) {
        add(acl, user);
        return 0;
    }
    cw_acl_user_exchange(present, user);
    cw_acl_user_destroy(user);
    return 0;
}

int cw_acl_take_user(struct cw_acl *acl, struct slice line, struct buf *errors)
{
    struct line words = {.file = "stream", .number = 1};
    int result = take_line(acl, &words, line, errors);
    mem_free(words.words);
    return result;
}

int cw_acl_take_all(struct cw_acl *acl, struct slice text, struct buf *errors)
{
    struct cw_acl draft = {.all_channels = acl->all_channels};
    struct line line = {.file = "stream"};
    int result = 0;
    while (text.length > 0 && result == 0) {
        const char *newline = memchr(text.data, '\n', text.length);
        size_t length = newline != NULL ? (size_t)(newline - text.data) : text.length;
        line.number++;
        result = take_line(&draft, &line, slice_of(text.data, length), errors);
        text = slice_skip(text, newline != NULL ? length + 1 : length);
    }
    mem_free(line.words);
    if (result == 0)
        take_over(acl, &draft);
    else
        cw_acl_free(&draft);
    return result;
}
