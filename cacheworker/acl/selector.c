#include "cacheworker/acl/selector.h"

#include "common/base/errors.h"
#include "common/base/glob.h"
#include "common/base/mem.h"

#include <ctype.h>

enum { FUTURE_COMMANDS = COMMAND_ID_COUNT };

const char cw_acl_unknown_command[] = "Unknown command or category name in ACL";
const char cw_acl_syntax_error[] = "Syntax error";
const char cw_acl_too_many[] = "Too many rules";
static const char behind_all_keys[] =
    "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try "
    "'resetkeys' to start with an empty list of patterns";
static const char behind_all_channels[] =
    "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try "
    "'resetchannels' to start with an empty list of channels";
static const char argument_of_subcommand[] = "Allowing first-arg of a subcommand is not supported";

bool cw_acl_is_one_word(struct slice text)
{
    for (size_t i = 0; i < text.length; i++)
        if (text.data[i] == '\0' || isspace((unsigned char)text.data[i]))
            return false;
    return true;
}

/* --- patterns --- */

static struct slice text_of(const struct cw_acl_pattern *pattern)
{
    return slice_of(pattern->text, pattern->length);
}

static void clear_patterns(struct cw_acl_patterns *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        mem_free(patterns->items[i].text);
    mem_free(patterns->items);
    *patterns = (struct cw_acl_patterns){0};
}

/* Whether the text is literal but for one star at its end. */
static bool is_beginning(struct slice text)
{
    if (text.length == 0 || text.data[text.length - 1] != '*')
        return false;
    for (size_t i = 0; i + 1 < text.length; i++)
        if (memchr("*?[\\", text.data[i], 4) != NULL)
            return false;
    return true;
}

static struct cw_acl_pattern *find_pattern(const struct cw_acl_patterns *patterns, struct slice text)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (slice_equal(text_of(&patterns->items[i]), text))
            return &patterns->items[i];
    return NULL;
}

static void add_pattern(struct cw_acl_patterns *patterns, struct slice text, unsigned rights)
{
    if (patterns->count == patterns->capacity) {
        patterns->capacity = patterns->capacity > 0 ? 2 * patterns->capacity : 4;
        patterns->items = mem_resize(patterns->items, patterns->capacity * sizeof(*patterns->items));
    }
    patterns->items[patterns->count++] = (struct cw_acl_pattern){
        .text = mem_copy_text(text.data, text.length),
        .length = text.length,
        .rights = rights,
        .is_beginning = is_beginning(text),
    };
}

static void copy_patterns(struct cw_acl_patterns *to, const struct cw_acl_patterns *from)
{
    *to = (struct cw_acl_patterns){0};
    for (size_t i = 0; i < from->count; i++)
        add_pattern(to, text_of(&from->items[i]), from->items[i].rights);
}

static const char *allow_pattern(struct cw_acl_patterns *patterns, struct slice text, unsigned rights)
{
    if (!cw_acl_is_one_word(text))
        return cw_acl_syntax_error;
    struct cw_acl_pattern *present = find_pattern(patterns, text);
    if (present != NULL) {
        present->rights |= rights;
        return NULL;
    }
    if (patterns->count == CW_ACL_PATTERNS_MAX)
        return cw_acl_too_many;
    add_pattern(patterns, text, rights);
    return NULL;
}

static bool matches(const struct cw_acl_pattern *pattern, struct slice text)
{
    if (pattern->is_beginning)
        return text.length + 1 >= pattern->length && memcmp(text.data, pattern->text, pattern->length - 1) == 0;
    return glob_match(text_of(pattern), text, false);
}

/* --- the bits of commands --- */

static bool has_bit(const struct cw_acl_selector *selector, unsigned id)
{
    return selector->commands[id / 64] >> (id % 64) & 1;
}

static void set_bit(struct cw_acl_selector *selector, unsigned id, bool value)
{
    uint64_t bit = UINT64_C(1) << (id % 64);
    selector->commands[id / 64] = value ? selector->commands[id / 64] | bit : selector->commands[id / 64] & ~bit;
}

static void clear_arguments(struct cw_acl_selector *selector)
{
    for (size_t i = 0; i < selector->argument_count; i++)
        mem_free(selector->arguments[i].text);
    mem_free(selector->arguments);
    selector->arguments = NULL;
    selector->argument_count = selector->argument_capacity = 0;
}

static void remove_arguments_of(struct cw_acl_selector *selector, unsigned command_id)
{
    size_t kept = 0;
    for (size_t i = 0; i < selector->argument_count; i++) {
        if (selector->arguments[i].command_id == command_id)
            mem_free(selector->arguments[i].text);
        else
            selector->arguments[kept++] = selector->arguments[i];
    }
    selector->argument_count = kept;
}

static struct slice argument_text(const struct cw_acl_argument *argument)
{
    return slice_of(argument->text, argument->length);
}

static bool has_argument(const struct cw_acl_selector *selector, unsigned command_id, struct slice text)
{
    for (size_t i = 0; i < selector->argument_count; i++) {
        const struct cw_acl_argument *argument = &selector->arguments[i];
        if (argument->command_id == command_id && slice_equal_nocase(text, argument->text))
            return true;
    }
    return false;
}

static void add_argument(struct cw_acl_selector *selector, unsigned command_id, struct slice text)
{
    if (selector->argument_count == selector->argument_capacity) {
        selector->argument_capacity = selector->argument_capacity > 0 ? 2 * selector->argument_capacity : 4;
        selector->arguments =
            mem_resize(selector->arguments, selector->argument_capacity * sizeof(*selector->arguments));
    }
    selector->arguments[selector->argument_count++] =
        (struct cw_acl_argument){command_id, mem_copy_text(text.data, text.length), text.length};
}

/* A container stands for its subcommands too. */
static void allow_command(struct cw_acl_selector *selector, const struct command *command, bool allow)
{
    set_bit(selector, command->id, allow);
    remove_arguments_of(selector, command->id);
    for (unsigned i = 0; i < command->subcommand_count; i++)
        set_bit(selector, command->subcommands[i].id, allow);
}

static void allow_everything(struct cw_acl_selector *selector, bool allow)
{
    memset(selector->commands, allow ? 0xff : 0, sizeof(selector->commands));
    clear_arguments(selector);
    buf_free(&selector->rules);
}

/* --- the rules, as text --- */

static struct slice next_word(struct slice *rest)
{
    const char *blank = rest->length > 0 ? memchr(rest->data, ' ', rest->length) : NULL;
    struct slice word = slice_of(rest->data, blank != NULL ? (size_t)(blank - rest->data) : rest->length);
    *rest = slice_skip(*rest, blank != NULL ? word.length + 1 : word.length);
    return word;
}

/* What a rule about `name` supersedes: one about the same, or about a part of it. */
static bool is_superseded(struct slice rule, struct slice name)
{
    struct slice present = slice_skip(rule, 1);
    return present.length >= name.length && memcmp(present.data, name.data, name.length) == 0 &&
           (present.length == name.length || present.data[name.length] == '|');
}

/* Puts "+name" behind the rules that still count. */
static void note_rule(struct cw_acl_selector *selector, struct slice name, bool allow)
{
    struct buf rules = {0};
    char *lower = mem_copy_text(name.data, name.length);
    for (size_t i = 0; i < name.length; i++)
        lower[i] = (char)tolower((unsigned char)lower[i]);
    struct slice rest = buf_slice(&selector->rules);
    while (rest.length > 0) {
        struct slice word = next_word(&rest);
        if (is_superseded(word, slice_of(lower, name.length)))
            continue;
        buf_add_slice(&rules, word);
        buf_add(&rules, " ", 1);
    }
    buf_add(&rules, allow ? "+" : "-", 1);
    buf_add(&rules, lower, name.length);
    mem_free(lower);
    buf_free(&selector->rules);
    selector->rules = rules;
}

/* --- one rule --- */

/* What is no command of a server, or of ours alone, cannot be named. */
static const struct command *find_command(struct slice name)
{
    const struct command *command = command_by_full_name(name);
    if (command == NULL || (command->flags & (COMMAND_ONLY_SENTINEL | COMMAND_IS_RESPITE)))
        return NULL;
    return command;
}

static const char *apply_argument(struct cw_acl_selector *selector, struct slice rule, size_t bar)
{
    struct slice argument = slice_skip(rule, bar + 1);
    const struct command *command = find_command(slice_of(rule.data, bar));
    if (command == NULL)
        return cw_acl_unknown_command;
    if (command->container != NULL)
        return argument_of_subcommand;
    if (argument.length == 0 || !cw_acl_is_one_word(argument))
        return cw_acl_syntax_error;
    if (command->subcommands != NULL) {
        const struct command *subcommand = find_command(rule);
        if (subcommand == NULL)
            return cw_acl_unknown_command;
        allow_command(selector, subcommand, true);
    } else if (!has_argument(selector, command->id, argument)) {
        if (selector->argument_count == CW_ACL_ARGUMENTS_MAX)
            return cw_acl_too_many;
        add_argument(selector, command->id, argument);
    }
    note_rule(selector, rule, true);
    return NULL;
}

static size_t last_bar(struct slice text)
{
    size_t i = text.length;
    while (i > 0 && text.data[i - 1] != '|')
        i--;
    return i > 0 ? i - 1 : text.length;
}

static const char *apply_command(struct cw_acl_selector *selector, struct slice name, bool allow)
{
    size_t bar = last_bar(name);
    if (allow && bar < name.length)
        return apply_argument(selector, name, bar);
    const struct command *command = find_command(name);
    if (command == NULL)
        return cw_acl_unknown_command;
    allow_command(selector, command, allow);
    note_rule(selector, slice_text(command->full_name), allow);
    return NULL;
}

static const char *apply_category(struct cw_acl_selector *selector, struct slice name, bool allow)
{
    unsigned category = 0;
    while (category < COMMAND_CATEGORY_COUNT &&
           !slice_equal_nocase(slice_skip(name, 1), command_category_name(category)))
        category++;
    if (category == COMMAND_CATEGORY_COUNT)
        return cw_acl_unknown_command;
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++)
        if (command_table[id].categories >> category & 1)
            allow_command(selector, &command_table[id], allow);
    note_rule(selector, name, allow);
    return NULL;
}

/* Both rights to "*" are the right to all keys, as their description, "~*", reads. */
static const char *allow_keys(struct cw_acl_selector *selector, struct slice text, unsigned rights)
{
    const char *reason = allow_pattern(&selector->keys, text, rights);
    const struct cw_acl_pattern *every = find_pattern(&selector->keys, SLICE_LITERAL("*"));
    if (every != NULL && every->rights == CW_ACL_READ_WRITE) {
        selector->all_keys = true;
        clear_patterns(&selector->keys);
    }
    return reason;
}

/* "RW~pattern", behind the percent sign. */
static const char *apply_key_rights(struct cw_acl_selector *selector, struct slice rule)
{
    unsigned rights = 0;
    size_t i = 0;
    for (; i < rule.length && rule.data[i] != '~'; i++) {
        char letter = (char)toupper((unsigned char)rule.data[i]);
        unsigned right = letter == 'R' ? CW_ACL_READ : letter == 'W' ? CW_ACL_WRITE : 0;
        if (right == 0 || (rights & right))
            return cw_acl_syntax_error;
        rights |= right;
    }
    if (rights == 0 || i == rule.length)
        return cw_acl_syntax_error;
    return allow_keys(selector, slice_skip(rule, i + 1), rights);
}

static const char *apply_key(struct cw_acl_selector *selector, struct slice rule)
{
    if (selector->all_keys)
        return behind_all_keys;
    struct slice rest = slice_skip(rule, 1);
    return rule.data[0] == '%' ? apply_key_rights(selector, rest) : allow_keys(selector, rest, CW_ACL_READ_WRITE);
}

static const char *apply_channel(struct cw_acl_selector *selector, struct slice rule)
{
    return selector->all_channels ? behind_all_channels : allow_pattern(&selector->channels, slice_skip(rule, 1), 0);
}

/* The rules that are words of their own. False: it is none. */
static bool apply_word(struct cw_acl_selector *selector, struct slice rule)
{
    if (slice_equal_nocase(rule, "allkeys") || slice_equal_nocase(rule, "~*")) {
        selector->all_keys = true;
        clear_patterns(&selector->keys);
    } else if (slice_equal_nocase(rule, "resetkeys")) {
        selector->all_keys = false;
        clear_patterns(&selector->keys);
    } else if (slice_equal_nocase(rule, "allchannels") || slice_equal_nocase(rule, "&*")) {
        selector->all_channels = true;
        clear_patterns(&selector->channels);
    } else if (slice_equal_nocase(rule, "resetchannels")) {
        selector->all_channels = false;
        clear_patterns(&selector->channels);
    } else if (slice_equal_nocase(rule, "allcommands") || slice_equal_nocase(rule, "+@all")) {
        allow_everything(selector, true);
    } else if (slice_equal_nocase(rule, "nocommands") || slice_equal_nocase(rule, "-@all")) {
        allow_everything(selector, false);
    } else {
        return false;
    }
    return true;
}

const char *cw_acl_selector_apply(struct cw_acl_selector *selector, struct slice rule)
{
    if (apply_word(selector, rule))
        return NULL;
    if (rule.length == 0)
        return cw_acl_syntax_error;
    char sign = rule.data[0];
    if (sign == '~' || sign == '%')
        return apply_key(selector, rule);
    if (sign == '&')
        return apply_channel(selector, rule);
    if (sign != '+' && sign != '-')
        return cw_acl_syntax_error;
    if (buf_length(&selector->rules) + rule.length > CW_ACL_RULES_TEXT_MAX)
        return cw_acl_too_many;
    struct slice name = slice_skip(rule, 1);
    bool is_category = name.length > 0 && name.data[0] == '@';
    return is_category ? apply_category(selector, name, sign == '+') : apply_command(selector, name, sign == '+');
}

/* --- life --- */

void cw_acl_selector_init(struct cw_acl_selector *selector, bool all_channels)
{
    *selector = (struct cw_acl_selector){.all_channels = all_channels};
}

void cw_acl_selector_copy(struct cw_acl_selector *to, const struct cw_acl_selector *from)
{
    *to = *from;
    copy_patterns(&to->keys, &from->keys);
    copy_patterns(&to->channels, &from->channels);
    to->arguments = NULL;
    to->argument_count = to->argument_capacity = 0;
    for (size_t i = 0; i < from->argument_count; i++)
        add_argument(to, from->arguments[i].command_id, argument_text(&from->arguments[i]));
    to->rules = (struct buf){0};
    buf_add_slice(&to->rules, buf_slice(&from->rules));
}

void cw_acl_selector_free(struct cw_acl_selector *selector)
{
    clear_patterns(&selector->keys);
    clear_patterns(&selector->channels);
    clear_arguments(selector);
    buf_free(&selector->rules);
}

/* --- description --- */

static void add_key_pattern(const struct cw_acl_pattern *pattern, struct buf *out)
{
    static const char *const signs[] = {[CW_ACL_READ] = "%R~", [CW_ACL_WRITE] = "%W~", [CW_ACL_READ_WRITE] = "~"};
    buf_add_text(out, signs[pattern->rights]);
    buf_add_slice(out, text_of(pattern));
}

void cw_acl_selector_describe_commands(const struct cw_acl_selector *selector, struct buf *out)
{
    buf_add_text(out, has_bit(selector, FUTURE_COMMANDS) ? "+@all" : "-@all");
    if (buf_length(&selector->rules) == 0)
        return;
    buf_add(out, " ", 1);
    buf_add_slice(out, buf_slice(&selector->rules));
}

void cw_acl_selector_describe_keys(const struct cw_acl_selector *selector, struct buf *out)
{
    if (selector->all_keys)
        buf_add_text(out, "~*");
    for (size_t i = 0; i < selector->keys.count; i++) {
        if (i > 0)
            buf_add(out, " ", 1);
        add_key_pattern(&selector->keys.items[i], out);
    }
}

void cw_acl_selector_describe_channels(const struct cw_acl_selector *selector, struct buf *out)
{
    if (selector->all_channels)
        buf_add_text(out, "&*");
    for (size_t i = 0; i < selector->channels.count; i++) {
        buf_add_text(out, i > 0 ? " &" : "&");
        buf_add_slice(out, text_of(&selector->channels.items[i]));
    }
}

void cw_acl_selector_describe(const struct cw_acl_selector *selector, struct buf *out)
{
    size_t before = buf_length(out);
    cw_acl_selector_describe_keys(selector, out);
    if (buf_length(out) > before)
        buf_add(out, " ", 1);
    if (!selector->all_channels)
        buf_add_text(out, "resetchannels ");
    before = buf_length(out);
    cw_acl_selector_describe_channels(selector, out);
    if (buf_length(out) > before)
        buf_add(out, " ", 1);
    cw_acl_selector_describe_commands(selector, out);
}

/* --- checks --- */

bool cw_acl_selector_allows_all(const struct cw_acl_selector *selector)
{
    for (unsigned id = 0; id < COMMAND_ID_COUNT; id++)
        if (!has_bit(selector, id))
            return false;
    return selector->all_keys && selector->all_channels;
}

bool cw_acl_selector_allows_command(const struct cw_acl_selector *selector, const struct command *command,
                                    const struct slice *argv, size_t argc)
{
    if (has_bit(selector, command->id) || (command->flags & COMMAND_NO_AUTH))
        return true;
    size_t position = command->container != NULL ? 2 : 1;
    return selector->argument_count > 0 && argc > position && has_argument(selector, command->id, argv[position]);
}

bool cw_acl_selector_allows_key(const struct cw_acl_selector *selector, struct slice key, unsigned rights)
{
    if (selector->all_keys)
        return true;
    for (size_t i = 0; i < selector->keys.count; i++) {
        const struct cw_acl_pattern *pattern = &selector->keys.items[i];
        if ((pattern->rights & rights) == rights && matches(pattern, key))
            return true;
    }
    return false;
}

bool cw_acl_selector_allows_every_key(const struct cw_acl_selector *selector, unsigned rights)
{
    const struct cw_acl_pattern *star = find_pattern(&selector->keys, SLICE_LITERAL("*"));
    return selector->all_keys || (star != NULL && (star->rights & rights) == rights);
}

bool cw_acl_selector_allows_channel(const struct cw_acl_selector *selector, struct slice channel, bool is_pattern)
{
    if (selector->all_channels)
        return true;
    if (is_pattern)
        return find_pattern(&selector->channels, channel) != NULL;
    for (size_t i = 0; i < selector->channels.count; i++)
        if (matches(&selector->channels.items[i], channel))
            return true;
    return false;
}

unsigned cw_acl_rights_of(uint32_t key_flags)
{
    unsigned rights = key_flags & KEY_ACCESS ? CW_ACL_READ : 0;
    return key_flags & (KEY_INSERT | KEY_DELETE | KEY_UPDATE) ? rights | CW_ACL_WRITE : rights;
}

static void find_keys(struct cw_acl_request *request)
{
    request->keys_known = true;
    request->keys = request->few;
    size_t count = 0;
    if (command_keys(request->command, request->argv, request->argc, request->few, ARRAY_LENGTH(request->few), &count) <
        0)
        return;
    if (count > ARRAY_LENGTH(request->few)) {
        request->keys = mem_alloc(count * sizeof(*request->keys));
        CHECK(command_keys(request->command, request->argv, request->argc, request->keys, count, &count) == 0);
    }
    request->key_count = count;
}

void cw_acl_request_free(struct cw_acl_request *request)
{
    if (request->keys != request->few)
        mem_free(request->keys);
    request->keys = NULL;
    request->key_count = 0;
    request->keys_known = false;
}

static bool allows_keys(const struct cw_acl_selector *selector, struct cw_acl_request *request, size_t *ret_index)
{
    if (selector->all_keys || !command_has_keys(request->command))
        return true;
    if (!request->keys_known)
        find_keys(request);
    for (size_t i = 0; i < request->key_count; i++) {
        const struct command_key *key = &request->keys[i];
        *ret_index = key->index;
        if (!cw_acl_selector_allows_key(selector, request->argv[key->index], cw_acl_rights_of(key->flags)))
            return false;
    }
    return true;
}

/* How many arguments, from the first on, are channels. Whoever ends a subscription needs no right to it. */
static size_t channels_of(const struct cw_acl_request *request)
{
    switch (request->command->id) {
    case COMMAND_ID_PUBLISH:
    case COMMAND_ID_SPUBLISH: return 1;
    case COMMAND_ID_SUBSCRIBE:
    case COMMAND_ID_SSUBSCRIBE:
    case COMMAND_ID_PSUBSCRIBE: return request->argc - 1;
    default: return 0;
    }
}

static bool allows_channels(const struct cw_acl_selector *selector, const struct cw_acl_request *request,
                            size_t *ret_index)
{
    bool is_pattern = request->command->id == COMMAND_ID_PSUBSCRIBE;
    size_t count = channels_of(request);
    for (size_t i = 1; i <= count; i++) {
        *ret_index = i;
        if (!cw_acl_selector_allows_channel(selector, request->argv[i], is_pattern))
            return false;
    }
    return true;
}

enum cw_acl_verdict cw_acl_selector_check(const struct cw_acl_selector *selector, struct cw_acl_request *request,
                                          size_t *ret_index)
{
    *ret_index = 0;
    if (!cw_acl_selector_allows_command(selector, request->command, request->argv, request->argc))
        return CW_ACL_DENIED_COMMAND;
    if (!allows_keys(selector, request, ret_index))
        return CW_ACL_DENIED_KEY;
    return allows_channels(selector, request, ret_index) ? CW_ACL_ALLOWED : CW_ACL_DENIED_CHANNEL;
}
