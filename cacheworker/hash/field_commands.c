#include "cacheworker/hash/field_commands.h"

#include "cacheworker/hash/field_expiry.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/packed/packed_reply.h"
#include "common/base/mem.h"

enum { NO_FIELD = -2, NO_EXPIRY = -1, UNCHANGED = 0, CHANGED = 1, DELETED = 2 }; /* replies, of one field */

#define DATE_MAX (((int64_t)1 << 46) - 1) /* in ms; the reference's HFE_MAX_ABS_TIME_MSEC */

#define ERROR_NO_WORD     "ERR Mandatory argument FIELDS is missing or not at the right position"
#define ERROR_NO_NUMBER   "ERR Number of fields must be a positive integer"
#define ERROR_OTHER_COUNT "ERR The `numfields` parameter must match the number of arguments"
#define ERROR_LONG_NAMES  "ERR key and field are too long for a field that expires"

/* ---- Arguments ---- */

static bool refuse(struct cw_call *call, const char *text)
{
    cw_reply_error(call, text);
    return false;
}

static bool refuse_arity(struct cw_call *call)
{
    resp_write_error_format(call->reply, "ERR wrong number of arguments for '%s' command", call->command->name);
    return false;
}

static bool refuse_date(struct cw_call *call)
{
    resp_write_error_format(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
    return false;
}

static bool is_number_of_fields(const struct cw_call *call, size_t index, int64_t *ret_number)
{
    return number_parse_i64(call->argv[index], ret_number) == 0 && *ret_number > 0;
}

/* "FIELDS n", from argv[index] on, and n arguments behind it; *ret_first is the first of them. */
static bool parse_fields(struct cw_call *call, size_t index, const char *no_number, size_t *ret_first)
{
    int64_t count;
    if (!slice_equal_nocase(call->argv[index], "fields"))
        return refuse(call, ERROR_NO_WORD);
    if (index + 1 == call->argc)
        return refuse_arity(call);
    if (!is_number_of_fields(call, index + 1, &count))
        return refuse(call, no_number);
    *ret_first = index + 2;
    if ((uint64_t)count != call->argc - *ret_first)
        return refuse(call, ERROR_OTHER_COUNT);
    return true;
}

/* argv[index], from base_ms on. */
static bool parse_date(struct cw_call *call, size_t index, int64_t unit_ms, int64_t base_ms, int64_t *ret_date_ms)
{
    int64_t number;
    if (!cw_call_integer(call, index, &number))
        return false;
    if (number < 0)
        return refuse(call, "ERR invalid expire time, must be >= 0");
    if (number > DATE_MAX / unit_ms || number * unit_ms > DATE_MAX - base_ms)
        return refuse_date(call);
    *ret_date_ms = number * unit_ms + base_ms;
    return true;
}

/* Every step-th argument from `first` on is a field that is to get a date. */
static bool names_fit(struct cw_call *call, size_t first, size_t step)
{
    for (size_t i = first; i < call->argc; i += step)
        if (call->argv[1].length + call->argv[i].length > CW_FIELD_EXPIRY_NAMES_MAX)
            return refuse(call, ERROR_LONG_NAMES);
    return true;
}

static bool open_hash(struct cw_call *call, struct cw_ref *ref)
{
    return cw_call_is_type(call, cw_call_open(call, 1, ref), CW_TYPE_HASH);
}

/* ---- A change of some fields, and what is said of it ---- */

struct change {
    struct cw_call *call;
    struct cw_ref *ref;
    struct cw_field_expiry dates; /* that fields have got */
    struct slice *deletion;       /* owned: HDEL, the key, fields */
    size_t deleted;               /* fields */
    bool dated;                   /* a field has got a date */
    bool persisted;               /* or lost it */
};

static void begin(struct change *change, struct cw_call *call, struct cw_ref *ref)
{
    *change = (struct change){.call = call, .ref = ref, .deletion = mem_alloc(call->argc * sizeof(struct slice))};
    cw_field_expiry_to_stream(&change->dates, call, call->argv[1], CW_ASIDE_NOW);
    change->deletion[0] = SLICE_LITERAL("HDEL");
    change->deletion[1] = call->argv[1];
}

static void delete_field(struct change *change, struct slice field)
{
    cw_hash_delete(change->call->keyspace, change->ref, field);
    change->deletion[2 + change->deleted++] = field;
    change->call->dirty++;
}

static void give_date(struct change *change, struct slice field, int64_t date_ms)
{
    (void)cw_hash_expire(change->call->keyspace, change->ref, field, date_ms);
    cw_field_expiry_add(&change->dates, field, date_ms);
    change->dated |= date_ms != CW_NO_EXPIRY;
    change->persisted |= date_ms == CW_NO_EXPIRY;
    change->call->dirty++;
}

static void end(struct change *change)
{
    if (change->dated)
        cw_call_notify(change->call, CW_NOTIFY_HASH, "hexpire", change->ref->key);
    if (change->persisted)
        cw_call_notify(change->call, CW_NOTIFY_HASH, "hpersist", change->ref->key);
    if (change->deleted > 0)
        cw_call_notify_removal(change->call, CW_NOTIFY_HASH, "hdel", change->ref->key, !change->ref->entry);
    if (change->deleted > 0)
        cw_call_propagate(change->call, change->deletion, 2 + change->deleted);
    cw_field_expiry_end(&change->dates);
    mem_free(change->deletion);
}

static bool get_date(const struct change *change, struct slice field, int64_t *ret_date_ms)
{
    const struct cw_entry *entry = change->ref->entry;
    return entry && cw_hash_expiry(entry, cw_call_parts_from(change->call), field, ret_date_ms);
}

/* ---- HEXPIRE and its kin ---- */

enum condition { ALWAYS, IF_NONE, IF_ANY, IF_LATER, IF_EARLIER };

static enum condition condition_of(struct slice word)
{
    return slice_equal_nocase(word, "nx")   ? IF_NONE
           : slice_equal_nocase(word, "xx") ? IF_ANY
           : slice_equal_nocase(word, "gt") ? IF_LATER
           : slice_equal_nocase(word, "lt") ? IF_EARLIER
                                            : ALWAYS;
}

/* A field without a date counts as one that lives for ever. */
static bool holds(enum condition condition, int64_t old_ms, int64_t date_ms)
{
    bool expires = old_ms != CW_NO_EXPIRY;
    switch (condition) {
    case ALWAYS: return true;
    case IF_NONE: return !expires;
    case IF_ANY: return expires;
    case IF_LATER: return expires && date_ms > old_ms;
    case IF_EARLIER: return !expires || date_ms < old_ms;
    }
    return false;
}

static int expire_field(struct change *change, struct slice field, enum condition condition, int64_t date_ms)
{
    int64_t old_ms;
    if (!get_date(change, field, &old_ms))
        return NO_FIELD;
    if (!holds(condition, old_ms, date_ms))
        return UNCHANGED;
    if (cw_call_deletes_at(change->call, date_ms)) {
        delete_field(change, field);
        return DELETED;
    }
    give_date(change, field, date_ms);
    return CHANGED;
}

static void expire_fields(struct cw_call *call, int64_t unit_ms, int64_t base_ms)
{
    struct cw_ref ref;
    int64_t date_ms;
    size_t first;
    if (!open_hash(call, &ref) || !parse_date(call, 2, unit_ms, base_ms, &date_ms))
        return;
    enum condition condition = condition_of(call->argv[3]);
    size_t word = condition == ALWAYS ? 3 : 4;
    if (!parse_fields(call, word, "ERR Parameter `numFields` should be greater than 0", &first) ||
        !names_fit(call, first, 1))
        return;
    struct change change;
    begin(&change, call, &ref);
    resp_write_array(call->reply, call->argc - first);
    for (size_t i = first; i < call->argc; i++)
        resp_write_integer(call->reply, expire_field(&change, call->argv[i], condition, date_ms));
    end(&change);
}

void cw_hexpire_command(struct cw_call *call)
{
    expire_fields(call, 1000, call->now_ms);
}

void cw_hpexpire_command(struct cw_call *call)
{
    expire_fields(call, 1, call->now_ms);
}

void cw_hexpireat_command(struct cw_call *call)
{
    expire_fields(call, 1000, 0);
}

void cw_hpexpireat_command(struct cw_call *call)
{
    expire_fields(call, 1, 0);
}

static int persist_field(struct change *change, struct slice field)
{
    int64_t old_ms;
    if (!get_date(change, field, &old_ms))
        return NO_FIELD;
    if (old_ms == CW_NO_EXPIRY)
        return NO_EXPIRY;
    give_date(change, field, CW_NO_EXPIRY);
    return CHANGED;
}

void cw_hpersist_command(struct cw_call *call)
{
    struct cw_ref ref;
    size_t first;
    if (!open_hash(call, &ref) || !parse_fields(call, 2, ERROR_NO_NUMBER, &first))
        return;
    struct change change;
    begin(&change, call, &ref);
    resp_write_array(call->reply, call->argc - first);
    for (size_t i = first; i < call->argc; i++)
        resp_write_integer(call->reply, persist_field(&change, call->argv[i]));
    end(&change);
}

/* ---- HTTL and its kin ---- */

/* Of each field its date less base_ms, in units that are begun. */
static void reply_dates(struct cw_call *call, int64_t unit_ms, int64_t base_ms)
{
    size_t first;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!cw_call_is_type(call, entry, CW_TYPE_HASH) || !parse_fields(call, 2, ERROR_NO_NUMBER, &first))
        return;
    resp_write_array(call->reply, call->argc - first);
    for (size_t i = first; i < call->argc; i++) {
        int64_t date_ms;
        int64_t reply = NO_FIELD;
        if (entry && cw_hash_expiry(entry, cw_call_parts_from(call), call->argv[i], &date_ms))
            reply = date_ms == CW_NO_EXPIRY ? NO_EXPIRY : (date_ms - base_ms + unit_ms - 1) / unit_ms;
        resp_write_integer(call->reply, reply);
    }
}

void cw_httl_command(struct cw_call *call)
{
    reply_dates(call, 1000, call->now_ms);
}

void cw_hpttl_command(struct cw_call *call)
{
    reply_dates(call, 1, call->now_ms);
}

void cw_hexpiretime_command(struct cw_call *call)
{
    reply_dates(call, 1000, 0);
}

void cw_hpexpiretime_command(struct cw_call *call)
{
    reply_dates(call, 1, 0);
}

/* ---- HGETDEL, HGETEX ---- */

/* False: there is no such field. */
static bool reply_field(struct change *change, struct slice field)
{
    struct cw_call *call = change->call;
    const struct cw_entry *entry = change->ref->entry;
    struct cw_packed_value value;
    if (!entry || !cw_hash_get(entry, cw_call_parts_from(call), field, &value)) {
        resp_write_null(call->reply, call->protocol);
        return false;
    }
    cw_write_packed_value(call->reply, &value);
    return true;
}

void cw_hgetdel_command(struct cw_call *call)
{
    struct cw_ref ref;
    size_t first;
    if (!open_hash(call, &ref) || !parse_fields(call, 2, ERROR_NO_NUMBER, &first))
        return;
    struct change change;
    begin(&change, call, &ref);
    resp_write_array(call->reply, call->argc - first);
    for (size_t i = first; i < call->argc; i++)
        if (reply_field(&change, call->argv[i]))
            delete_field(&change, call->argv[i]);
    end(&change);
}

static const struct date_word {
    const char *word;
    int64_t unit_ms;
    bool is_relative;
} date_words[] = {{"ex", 1000, true}, {"px", 1, true}, {"exat", 1000, false}, {"pxat", 1, false}};

static const struct date_word *date_word_of(struct slice word)
{
    for (size_t i = 0; i < ARRAY_LENGTH(date_words); i++)
        if (slice_equal_nocase(word, date_words[i].word))
            return &date_words[i];
    return NULL;
}

static bool parse_date_behind(struct cw_call *call, const struct date_word *word, size_t index, int64_t *ret_date_ms)
{
    return parse_date(call, index, word->unit_ms, word->is_relative ? call->now_ms : 0, ret_date_ms);
}

enum expiry_option { KEEPS, PERSISTS, EXPIRES };

static void change_field(struct change *change, struct slice field, enum expiry_option option, int64_t date_ms)
{
    if (option == EXPIRES)
        (void)expire_field(change, field, ALWAYS, date_ms);
    else if (option == PERSISTS)
        (void)persist_field(change, field);
}

void cw_hgetex_command(struct cw_call *call)
{
    struct cw_ref ref;
    int64_t date_ms = CW_NO_EXPIRY;
    size_t first;
    if (!open_hash(call, &ref))
        return;
    const struct date_word *word = date_word_of(call->argv[2]);
    if (word && !parse_date_behind(call, word, 3, &date_ms))
        return;
    enum expiry_option option = word ? EXPIRES : slice_equal_nocase(call->argv[2], "persist") ? PERSISTS : KEEPS;
    size_t fields_word = option == EXPIRES ? 4 : option == PERSISTS ? 3 : 2;
    if (!parse_fields(call, fields_word, ERROR_NO_NUMBER, &first) || (word && !names_fit(call, first, 1)))
        return;
    struct change change;
    begin(&change, call, &ref);
    resp_write_array(call->reply, call->argc - first);
    for (size_t i = first; i < call->argc; i++)
        if (reply_field(&change, call->argv[i]))
            change_field(&change, call->argv[i], option, date_ms);
    end(&change);
}

/* ---- HSETEX ---- */

struct set {
    bool if_none;      /* FNX: of the fields exists */
    bool if_all;       /* FXX: exist */
    bool has_expiry;   /* one of the words was said */
    int64_t expire_ms; /* as cw_hash_set_expiring takes it */
    size_t first;      /* field */
};

static bool parse_pairs(struct cw_call *call, size_t index, struct set *set)
{
    int64_t count;
    if (index + 3 >= call->argc)
        return refuse_arity(call);
    if (!is_number_of_fields(call, index + 1, &count) || count > INT32_MAX)
        return refuse(call, "ERR invalid number of fields");
    set->first = index + 2;
    size_t words = call->argc - set->first;
    return (words % 2 == 0 && (uint64_t)count == words / 2) || refuse_arity(call);
}

static bool parse_set_expiry(struct cw_call *call, const struct date_word *word, size_t *index, struct set *set)
{
    if (set->has_expiry)
        return refuse(call, "ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
    set->has_expiry = true;
    set->expire_ms = CW_HASH_KEEPS_EXPIRY;
    if (!word)
        return true;
    if (*index + 1 == call->argc)
        return refuse(call, "ERR missing expire time");
    return parse_date_behind(call, word, ++*index, &set->expire_ms);
}

static bool parse_set_condition(struct cw_call *call, bool *condition, const struct set *set)
{
    if (set->if_none || set->if_all)
        return refuse(call, "ERR Only one of FXX or FNX arguments can be specified");
    *condition = true;
    return true;
}

static bool refuse_argument(struct cw_call *call, struct slice word)
{
    struct buf text = {0};
    buf_add_text(&text, "ERR unknown argument: ");
    buf_add_slice(&text, word);
    resp_write_error(call->reply, buf_slice(&text));
    buf_free(&text);
    return false;
}

static bool parse_set(struct cw_call *call, struct set *set)
{
    *set = (struct set){.expire_ms = CW_NO_EXPIRY};
    for (size_t i = 2; i < call->argc; i++) {
        struct slice word = call->argv[i];
        const struct date_word *date_word = date_word_of(word);
        if (slice_equal_nocase(word, "fields"))
            return parse_pairs(call, i, set);
        bool is_right;
        if (date_word || slice_equal_nocase(word, "keepttl"))
            is_right = parse_set_expiry(call, date_word, &i, set);
        else if (slice_equal_nocase(word, "fnx"))
            is_right = parse_set_condition(call, &set->if_none, set);
        else if (slice_equal_nocase(word, "fxx"))
            is_right = parse_set_condition(call, &set->if_all, set);
        else
            is_right = refuse_argument(call, word);
        if (!is_right)
            return false;
    }
    return refuse_arity(call);
}

static bool set_may_be(const struct cw_call *call, const struct set *set, const struct cw_entry *entry)
{
    if (!set->if_none && !set->if_all)
        return true;
    for (size_t i = set->first; i < call->argc; i += 2) {
        struct cw_packed_value value;
        bool exists = entry && cw_hash_get(entry, cw_call_parts_from(call), call->argv[i], &value);
        if (exists ? set->if_none : set->if_all)
            return false;
    }
    return true;
}

/* Fields whose date is past are set and deleted in one motion. */
static void set_and_delete(struct cw_call *call, const struct set *set, struct cw_ref *ref)
{
    struct change change;
    begin(&change, call, ref);
    for (size_t i = set->first; i < call->argc; i += 2) {
        int64_t ignored;
        if (get_date(&change, call->argv[i], &ignored))
            delete_field(&change, call->argv[i]);
    }
    end(&change);
}

/* Everybody is told what the fields hold; and before, those who understand it, when they expire. */
static void set_pairs(struct cw_call *call, const struct set *set, struct cw_ref *ref)
{
    struct cw_field_expiry dates;
    cw_field_expiry_to_stream(&dates, call, call->argv[1], CW_ASIDE_OF_NEXT);
    for (size_t i = set->first; i < call->argc; i += 2) {
        int64_t date_ms;
        (void)cw_hash_set_expiring(call->keyspace, ref, call->argv[i], call->argv[i + 1], set->expire_ms);
        if (cw_hash_expiry(ref->entry, CW_HASH_ALL, call->argv[i], &date_ms) && date_ms != CW_NO_EXPIRY)
            cw_field_expiry_add(&dates, call->argv[i], date_ms);
    }
    cw_field_expiry_end(&dates);
    cw_call_notify(call, CW_NOTIFY_HASH, "hset", ref->key);
    if (set->expire_ms >= 0)
        cw_call_notify(call, CW_NOTIFY_HASH, "hexpire", ref->key);

    size_t words = call->argc - set->first;
    struct slice *argv = mem_alloc((2 + words) * sizeof(*argv));
    argv[0] = SLICE_LITERAL("HSET");
    argv[1] = call->argv[1];
    memcpy(argv + 2, call->argv + set->first, words * sizeof(*argv));
    cw_call_propagate(call, argv, 2 + words);
    mem_free(argv);
    call->dirty += words / 2;
}

void cw_hsetex_command(struct cw_call *call)
{
    struct set set;
    struct cw_ref ref;
    if (!parse_set(call, &set) || !open_hash(call, &ref))
        return;
    bool expires = set.expire_ms >= 0;
    if (expires && !names_fit(call, set.first, 2))
        return;
    bool may_be = set_may_be(call, &set, ref.entry);
    if (may_be && expires && cw_call_deletes_at(call, set.expire_ms))
        set_and_delete(call, &set, &ref);
    else if (may_be)
        set_pairs(call, &set, &ref);
    resp_write_integer(call->reply, may_be);
}
