/* Where the keys of a request are (redis.io/docs/reference/key-specs). Everything is computed in signed 64 bits from
 * counts that are bounded by argc before they are used, so that no announced number can carry an index away. */
#include "common/base/errors.h"
#include "common/base/number.h"
#include "common/command/command.h"

struct key_list {
    struct command_key *keys; /* borrowed from the caller */
    size_t capacity;
    size_t count;
};

static void add_key(struct key_list *list, int64_t index, uint32_t flags)
{
    if (list->count < list->capacity)
        list->keys[list->count] = (struct command_key){(unsigned)index, flags};
    list->count++;
}

/* Index of the argument behind the keyword; 0 when it is not there. The last argument is never looked at: behind it
 * there would be nothing. (A search from the end is in MIGRATE's spec only, which add_migrated knows better.) */
static int64_t behind_keyword(const struct command_key_spec *spec, const struct slice *argv, int64_t argc)
{
    for (int64_t i = spec->begin_index; i < argc - 1; i++)
        if (slice_equal_nocase(argv[i], spec->keyword))
            return i + 1;
    return 0;
}

static int add_range(const struct command_key_spec *spec, int64_t first, int64_t argc, struct key_list *list)
{
    int64_t last = first + spec->last_key;
    if (spec->last_key < 0 && spec->limit > 1)
        last = first + (argc - first) / spec->limit + spec->last_key;
    else if (spec->last_key < 0)
        last = argc + spec->last_key;
    if (first == argc && spec->last_key < 0)
        return 0; /* PFMERGE with a destination alone */
    if (last < first || last >= argc)
        return ERR_INVALID;
    for (int64_t i = first; i <= last; i += spec->key_step)
        add_key(list, i, spec->flags);
    return 0;
}

static int add_counted(const struct command_key_spec *spec, int64_t begin, const struct slice *argv, int64_t argc,
                       struct key_list *list)
{
    int64_t count;
    if (begin + spec->keynum_index >= argc || number_parse_i64(argv[begin + spec->keynum_index], &count) != 0)
        return ERR_INVALID;
    int64_t first = begin + spec->first_key;
    if (count < 0 || count > argc || first + (count - 1) * spec->keynum_step >= argc)
        return ERR_INVALID;
    for (int64_t i = 0; i < count; i++)
        add_key(list, first + i * spec->keynum_step, spec->flags);
    return 0;
}

static int add_by_spec(const struct command_key_spec *spec, const struct slice *argv, int64_t argc,
                       struct key_list *list)
{
    int64_t begin = spec->begin == KEY_BEGIN_INDEX ? spec->begin_index : 0;
    if (spec->begin == KEY_BEGIN_KEYWORD)
        begin = behind_keyword(spec, argv, argc);
    if (begin == 0)
        return 0;
    return spec->find == KEY_FIND_KEYNUM ? add_counted(spec, begin, argv, argc, list)
                                         : add_range(spec, begin, argc, list);
}

static bool is_condition_on_value(struct slice word)
{
    return slice_equal_nocase(word, "ifeq") || slice_equal_nocase(word, "ifne") || slice_equal_nocase(word, "ifdeq") ||
           slice_equal_nocase(word, "ifdne");
}

/* SET reads the old value with a condition on it, and shows it with GET. */
static uint32_t set_flags(const struct slice *argv, int64_t argc)
{
    uint32_t flags = KEY_OW | KEY_UPDATE;
    for (int64_t i = 3; i < argc; i++)
        if (slice_equal_nocase(argv[i], "get"))
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
        else if (is_condition_on_value(argv[i]))
            flags = KEY_RW | KEY_UPDATE;
    return flags;
}

static uint32_t delex_flags(const struct slice *argv, int64_t argc)
{
    return argc > 2 && is_condition_on_value(argv[2]) ? KEY_RW | KEY_DELETE : KEY_RM | KEY_DELETE;
}

/* BITFIELD only reads when all its operations are GET type offset. A broken operation counts as a write, to be safe. */
static uint32_t bitfield_flags(const struct slice *argv, int64_t argc)
{
    for (int64_t i = 2; i < argc;) {
        if (slice_equal_nocase(argv[i], "get") && i + 2 < argc)
            i += 3;
        else if (slice_equal_nocase(argv[i], "overflow") && i + 1 < argc)
            i += 2;
        else
            return KEY_RW | KEY_ACCESS | KEY_UPDATE;
    }
    return KEY_RO | KEY_ACCESS;
}

/* What a request does with its first key: the row's flags, unless that depends on the arguments. */
static uint32_t variable_flags(const struct command *command, const struct slice *argv, int64_t argc, uint32_t flags)
{
    switch (command->id) {
    case COMMAND_ID_SET: return set_flags(argv, argc);
    case COMMAND_ID_DELEX: return delex_flags(argv, argc);
    case COMMAND_ID_BITFIELD: return bitfield_flags(argv, argc);
    default: return flags;
    }
}

/* SORT key [...] [STORE destination]: the last STORE counts. Words that are a pattern's text are stepped over. */
static void add_sort_destination(const struct slice *argv, int64_t argc, struct key_list *list)
{
    int64_t destination = 0;
    for (int64_t i = 2; i < argc; i++) {
        if (slice_equal_nocase(argv[i], "limit"))
            i += 2;
        else if (slice_equal_nocase(argv[i], "get") || slice_equal_nocase(argv[i], "by"))
            i += 1;
        else if (slice_equal_nocase(argv[i], "store") && i + 1 < argc)
            destination = ++i;
    }
    if (destination)
        add_key(list, destination, KEY_OW | KEY_UPDATE);
}

/* GEORADIUS ... [STORE key] [STOREDIST key]: the last one is written, but which words are options depends on the ones
 * before them; so every one counts. */
static void add_radius_destinations(const struct command *command, const struct slice *argv, int64_t argc,
                                    struct key_list *list)
{
    for (int64_t i = command->id == COMMAND_ID_GEORADIUS ? 6 : 5; i < argc - 1; i++)
        if (slice_equal_nocase(argv[i], "store") || slice_equal_nocase(argv[i], "storedist"))
            add_key(list, ++i, KEY_OW | KEY_UPDATE);
}

/* XREAD and XREADGROUP: as many keys as ids behind the word STREAMS. Before it, a group and a consumer may be called so
 * as well, wherever GROUP stands. */
static int add_streams(const struct command_key_spec *spec, const struct slice *argv, int64_t argc,
                       struct key_list *list)
{
    for (int64_t i = 1; i < argc - 1; i++) {
        if (slice_equal_nocase(argv[i], "streams"))
            return add_range(spec, i + 1, argc, list);
        if (slice_equal_nocase(argv[i], "group"))
            i += 2;
        else if (slice_equal_nocase(argv[i], "count") || slice_equal_nocase(argv[i], "block"))
            i += 1;
    }
    return 0;
}

/* MIGRATE host port key|"" database timeout [COPY] [REPLACE] [AUTH password] [AUTH2 user password] [KEYS key ...] */
static int add_migrated(const struct slice *argv, int64_t argc, struct key_list *list)
{
    int64_t first = 3, end = 4;
    for (int64_t i = 6; i < argc; i++) {
        if (slice_equal_nocase(argv[i], "auth"))
            i += 1;
        else if (slice_equal_nocase(argv[i], "auth2"))
            i += 2;
        else if (slice_equal_nocase(argv[i], "keys")) {
            if (argv[3].length > 0)
                return ERR_INVALID;
            first = i + 1;
            end = argc;
            break;
        }
    }
    for (int64_t i = first; i < end; i++)
        add_key(list, i, KEY_RW | KEY_ACCESS | KEY_DELETE);
    return 0;
}

static bool is_radius(const struct command *command)
{
    return command->id == COMMAND_ID_GEORADIUS || command->id == COMMAND_ID_GEORADIUSBYMEMBER;
}

static int add_all(const struct command *command, const struct slice *argv, int64_t argc, struct key_list *list)
{
    if (command->id == COMMAND_ID_MIGRATE)
        return add_migrated(argv, argc, list);
    if (command->id == COMMAND_ID_XREAD || command->id == COMMAND_ID_XREADGROUP)
        return add_streams(&command->key_specs[0], argv, argc, list);
    for (unsigned i = 0; i < command->key_spec_count; i++) {
        const struct command_key_spec *spec = &command->key_specs[i];
        if (spec->flags & KEY_NOT_KEY || spec->begin == KEY_BEGIN_UNKNOWN ||
            (spec->begin == KEY_BEGIN_KEYWORD && is_radius(command)))
            continue;
        int result = add_by_spec(spec, argv, argc, list);
        if (result)
            return result;
    }
    if (command->id == COMMAND_ID_SORT)
        add_sort_destination(argv, argc, list);
    if (is_radius(command))
        add_radius_destinations(command, argv, argc, list);
    return 0;
}

bool command_has_keys(const struct command *command)
{
    for (unsigned i = 0; i < command->key_spec_count; i++)
        if (!(command->key_specs[i].flags & KEY_NOT_KEY))
            return true;
    return false;
}

bool command_shows_its_keys(const struct command *command)
{
    const uint32_t beyond = COMMAND_WRITE | COMMAND_PUBSUB | COMMAND_ADMIN | COMMAND_BLOCKING | COMMAND_MAY_REPLICATE |
                            COMMAND_TOUCHES_ARBITRARY_KEYS | COMMAND_RUNS_SCRIPTS | COMMAND_IS_RESPITE;
    if (!(command->flags & COMMAND_READONLY) || (command->flags & beyond) || !command_has_keys(command))
        return false;
    for (unsigned i = 0; i < command->key_spec_count; i++) {
        const struct command_key_spec *spec = &command->key_specs[i];
        if ((spec->flags & KEY_INCOMPLETE) || spec->begin == KEY_BEGIN_UNKNOWN || spec->find == KEY_FIND_UNKNOWN)
            return false;
    }
    return true;
}

int command_keys(const struct command *command, const struct slice *argv, size_t argc, struct command_key *keys,
                 size_t capacity, size_t *ret_count)
{
    struct key_list list = {keys, capacity, 0};
    if (!command_arity_fits(command, argc))
        return ERR_INVALID;
    int result = add_all(command, argv, (int64_t)argc, &list);
    if (result)
        return result;
    if (list.count == 0 && command_has_keys(command) && !(command->flags & COMMAND_NO_MANDATORY_KEYS))
        return ERR_INVALID;
    if (list.count > 0 && capacity > 0)
        keys[0].flags = variable_flags(command, argv, (int64_t)argc, keys[0].flags);
    *ret_count = list.count;
    return 0;
}
