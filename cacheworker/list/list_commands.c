#include "cacheworker/list/list_commands.h"

#include "cacheworker/block/block.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/list/list.h"

static bool is_list(struct cw_call *call, const struct cw_entry *entry)
{
    return cw_call_is_type(call, entry, CW_TYPE_LIST);
}

/* An argument that is a number not below `least`; else replies the message. */
static bool take_number(struct cw_call *call, size_t index, int64_t least, const char *message, int64_t *ret_number)
{
    if (number_parse_i64(call->argv[index], ret_number) == 0 && *ret_number >= least)
        return true;
    cw_reply_error(call, message);
    return false;
}

/* LEFT or RIGHT; else replies the error. */
static bool take_end(struct cw_call *call, size_t index, enum cw_list_end *ret_end)
{
    bool is_left = slice_equal_nocase(call->argv[index], "left");
    if (!is_left && !slice_equal_nocase(call->argv[index], "right")) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    *ret_end = is_left ? CW_LIST_HEAD : CW_LIST_TAIL;
    return true;
}

/* The first element at one end. */
static int64_t index_of_end(enum cw_list_end end)
{
    return end == CW_LIST_HEAD ? 0 : -1;
}

/* ---- Replies ---- */

static void reply_value(struct cw_call *call, const struct cw_packed_value *value)
{
    if (value->text.data)
        resp_write_bulk(call->reply, value->text);
    else
        resp_write_bulk_i64(call->reply, value->integer);
}

/* `count` elements, at least one, from an index on; away from this end of the list. */
static void reply_elements(struct cw_call *call, const struct cw_entry *entry, int64_t index, uint64_t count,
                           enum cw_list_end from)
{
    struct cw_list_walk walk;
    resp_write_array(call->reply, count);
    bool stands = cw_list_at(entry, index, &walk);
    for (; stands && count > 0; count--) {
        struct cw_packed_value value = cw_list_value(&walk);
        reply_value(call, &value);
        stands = count > 1 && cw_list_next(&walk, from);
    }
}

/* ---- Reading ---- */

void cw_llen_command(struct cw_call *call)
{
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (is_list(call, entry))
        resp_write_integer(call->reply, entry ? (int64_t)cw_list_count(entry) : 0);
}

void cw_lindex_command(struct cw_call *call)
{
    int64_t index;
    struct cw_list_walk walk;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_list(call, entry) || (entry && !cw_call_integer(call, 2, &index)))
        return;
    if (entry && cw_list_at(entry, index, &walk)) {
        struct cw_packed_value value = cw_list_value(&walk);
        reply_value(call, &value);
    } else {
        resp_write_null(call->reply, call->protocol);
    }
}

/* Makes the first and last index of a range, which may be negative, those of existing elements. False: there are none.
 */
static bool clip_range(uint64_t count, int64_t *start, int64_t *stop)
{
    int64_t length = (int64_t)count;
    if (*start < 0)
        *start += length;
    if (*stop < 0)
        *stop += length;
    if (*start < 0)
        *start = 0;
    if (*start > *stop || *start >= length)
        return false;
    if (*stop >= length)
        *stop = length - 1;
    return true;
}

void cw_lrange_command(struct cw_call *call)
{
    int64_t start, stop;
    if (!cw_call_integer(call, 2, &start) || !cw_call_integer(call, 3, &stop))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_list(call, entry))
        return;
    if (entry && clip_range(cw_list_count(entry), &start, &stop))
        reply_elements(call, entry, start, (uint64_t)(stop - start) + 1, CW_LIST_HEAD);
    else
        resp_write_array(call->reply, 0);
}

struct search {
    struct cw_packed_needle needle;
    enum cw_list_end from;
    uint64_t rank;  /* of the first match that counts, 1 or more */
    uint64_t most;  /* matches */
    uint64_t limit; /* elements that are looked at */
    bool has_count; /* the reply is an array */
};

static bool parse_search_option(struct cw_call *call, size_t index, struct search *search)
{
    int64_t number;
    if (slice_equal_nocase(call->argv[index], "rank")) {
        if (!cw_call_signed_count(call, index + 1, &number))
            return false;
        if (number == 0) {
            cw_reply_error(call, "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... "
                                 "or use negative to start from the end of the list");
            return false;
        }
        search->from = number > 0 ? CW_LIST_HEAD : CW_LIST_TAIL;
        search->rank = (uint64_t)(number > 0 ? number : -number);
    } else if (slice_equal_nocase(call->argv[index], "count")) {
        if (!take_number(call, index + 1, 0, "ERR COUNT can't be negative", &number))
            return false;
        search->most = number > 0 ? (uint64_t)number : UINT64_MAX;
        search->has_count = true;
    } else if (slice_equal_nocase(call->argv[index], "maxlen")) {
        if (!take_number(call, index + 1, 0, "ERR MAXLEN can't be negative", &number))
            return false;
        search->limit = number > 0 ? (uint64_t)number : UINT64_MAX;
    } else {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    return true;
}

static bool parse_search(struct cw_call *call, struct search *search)
{
    *search = (struct search){
        .needle = cw_packed_needle(call->argv[2]), .from = CW_LIST_HEAD, .rank = 1, .most = 1, .limit = UINT64_MAX};
    for (size_t i = 3; i < call->argc; i += 2) {
        if (i + 1 == call->argc) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
        if (!parse_search_option(call, i, search))
            return false;
    }
    return true;
}

/* Replies the index of each match; how many. */
static uint64_t reply_matches(struct cw_call *call, const struct cw_entry *entry, const struct search *search)
{
    struct cw_list_walk walk;
    uint64_t matches = 0;
    uint64_t last = cw_list_count(entry) - 1;
    bool stands = cw_list_at(entry, index_of_end(search->from), &walk);
    for (uint64_t seen = 0; stands && seen < search->limit; seen++) {
        struct cw_packed_value value = cw_list_value(&walk);
        if (cw_packed_value_equals(&value, &search->needle) && ++matches >= search->rank) {
            resp_write_integer(call->reply, (int64_t)(search->from == CW_LIST_HEAD ? seen : last - seen));
            if (matches - search->rank + 1 == search->most)
                break;
        }
        stands = cw_list_next(&walk, search->from);
    }
    return matches < search->rank ? 0 : matches - search->rank + 1;
}

void cw_lpos_command(struct cw_call *call)
{
    struct search search;
    if (!parse_search(call, &search))
        return;
    const struct cw_entry *entry = cw_call_read(call, 1);
    if (!is_list(call, entry))
        return;
    size_t length = buf_length(call->reply);
    uint64_t matches = entry ? reply_matches(call, entry, &search) : 0;
    if (search.has_count)
        resp_insert_array(call->reply, length, matches);
    else if (matches == 0)
        resp_write_null(call->reply, call->protocol);
}

/* ---- Adding ---- */

static void push(struct cw_call *call, struct cw_ref *ref, const struct slice *texts, size_t count,
                 enum cw_list_end end)
{
    cw_list_push(call->keyspace, ref, texts, count, end);
    cw_call_notify(call, CW_NOTIFY_LIST, end == CW_LIST_HEAD ? "lpush" : "rpush", ref->key);
}

static void push_arguments(struct cw_call *call, enum cw_list_end end, bool must_exist)
{
    struct cw_ref ref;
    if (!is_list(call, cw_call_open(call, 1, &ref)))
        return;
    if (must_exist && !ref.entry) {
        resp_write_integer(call->reply, 0);
        return;
    }
    push(call, &ref, call->argv + 2, call->argc - 2, end);
    call->dirty += call->argc - 2;
    resp_write_integer(call->reply, (int64_t)cw_list_count(ref.entry));
}

void cw_lpush_command(struct cw_call *call)
{
    push_arguments(call, CW_LIST_HEAD, false);
}

void cw_rpush_command(struct cw_call *call)
{
    push_arguments(call, CW_LIST_TAIL, false);
}

void cw_lpushx_command(struct cw_call *call)
{
    push_arguments(call, CW_LIST_HEAD, true);
}

void cw_rpushx_command(struct cw_call *call)
{
    push_arguments(call, CW_LIST_TAIL, true);
}

void cw_linsert_command(struct cw_call *call)
{
    struct cw_ref ref;
    bool before = slice_equal_nocase(call->argv[2], "before");
    if (!before && !slice_equal_nocase(call->argv[2], "after")) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return;
    }
    if (!is_list(call, cw_call_open(call, 1, &ref)))
        return;
    if (!ref.entry) {
        resp_write_integer(call->reply, 0);
    } else if (cw_list_insert(call->keyspace, &ref, call->argv[3], call->argv[4], before)) {
        cw_call_notify(call, CW_NOTIFY_LIST, "linsert", ref.key);
        call->dirty++;
        resp_write_integer(call->reply, (int64_t)cw_list_count(ref.entry));
    } else {
        resp_write_integer(call->reply, -1);
    }
}

void cw_lset_command(struct cw_call *call)
{
    struct cw_ref ref;
    int64_t index;
    if (!is_list(call, cw_call_open(call, 1, &ref)))
        return;
    if (!ref.entry) {
        cw_reply_error(call, CW_ERROR_NO_KEY);
    } else if (cw_call_integer(call, 2, &index)) {
        if (cw_list_set(call->keyspace, &ref, index, call->argv[3])) {
            cw_call_notify(call, CW_NOTIFY_LIST, "lset", ref.key);
            call->dirty++;
            resp_write_ok(call->reply);
        } else {
            cw_reply_error(call, CW_ERROR_RANGE);
        }
    }
}

/* ---- Removing ---- */

/* Deletes from one end of the list; as many elements exist. */
static void drop(struct cw_call *call, struct cw_ref *ref, uint64_t count, enum cw_list_end end)
{
    cw_list_delete(call->keyspace, ref, end == CW_LIST_HEAD ? 0 : cw_list_count(ref->entry) - count, count);
    call->dirty += count;
}

static void notify_popped(const struct cw_call *call, struct slice key, enum cw_list_end end, bool is_gone)
{
    cw_call_notify_removal(call, CW_NOTIFY_LIST, end == CW_LIST_HEAD ? "lpop" : "rpop", key, is_gone);
}

/* Replies the array of what it pops; at most `most`, at least one. How many. */
static uint64_t pop_some(struct cw_call *call, struct cw_ref *ref, uint64_t most, enum cw_list_end end)
{
    uint64_t all = cw_list_count(ref->entry);
    uint64_t count = most < all ? most : all;
    reply_elements(call, ref->entry, index_of_end(end), count, end);
    drop(call, ref, count, end);
    notify_popped(call, ref->key, end, !ref->entry);
    return count;
}

static void pop_one(struct cw_call *call, struct cw_ref *ref, enum cw_list_end end)
{
    struct cw_list_walk walk;
    if (!cw_list_at(ref->entry, index_of_end(end), &walk))
        return;
    struct cw_packed_value value = cw_list_value(&walk);
    reply_value(call, &value);
    drop(call, ref, 1, end);
    notify_popped(call, ref->key, end, !ref->entry);
}

static void pop(struct cw_call *call, enum cw_list_end end)
{
    int64_t count = 1;
    struct cw_ref ref;
    bool has_count = call->argc == 3;
    if (call->argc > 3) {
        resp_write_error_format(call->reply, "ERR wrong number of arguments for '%s' command", call->command->name);
        return;
    }
    if (has_count && !take_number(call, 2, 0, "ERR value is out of range, must be positive", &count))
        return;
    if (!is_list(call, cw_call_open(call, 1, &ref)))
        return;
    if (!ref.entry && has_count)
        resp_write_null_array(call->reply, call->protocol);
    else if (!ref.entry)
        resp_write_null(call->reply, call->protocol);
    else if (!has_count)
        pop_one(call, &ref, end);
    else if (count == 0)
        resp_write_array(call->reply, 0);
    else
        pop_some(call, &ref, (uint64_t)count, end);
}

void cw_lpop_command(struct cw_call *call)
{
    pop(call, CW_LIST_HEAD);
}

void cw_rpop_command(struct cw_call *call)
{
    pop(call, CW_LIST_TAIL);
}

/* The words of LMPOP, from the number of keys on; its keys are behind that. */
static bool parse_lmpop(struct cw_call *call, size_t index, size_t *ret_behind_keys, enum cw_list_end *ret_end,
                        int64_t *ret_count)
{
    int64_t keys;
    if (!take_number(call, index, 1, "ERR numkeys should be greater than 0", &keys))
        return false;
    if ((uint64_t)keys >= call->argc - index - 1) {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    size_t behind = index + 1 + (size_t)keys;
    if (!take_end(call, behind, ret_end))
        return false;
    *ret_count = 1;
    if (call->argc > behind + 1) {
        bool has_number = call->argc > behind + 2;
        if (!has_number || !slice_equal_nocase(call->argv[behind + 1], "count")) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
        if (!take_number(call, behind + 2, 1, "ERR count should be greater than 0", ret_count))
            return false;
        if (call->argc > behind + 3) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
    }
    *ret_behind_keys = behind;
    return true;
}

typedef void pop_function(struct cw_call *call, struct cw_ref *ref, uint64_t most, enum cw_list_end end);

static void pop_from_first(struct cw_call *call, struct cw_ref *ref, uint64_t most, enum cw_list_end end)
{
    char text[NUMBER_TEXT_MAX];
    resp_write_array(call->reply, 2);
    resp_write_bulk(call->reply, ref->key);
    uint64_t count = pop_some(call, ref, most, end);
    const struct slice argv[] = {slice_text(end == CW_LIST_HEAD ? "LPOP" : "RPOP"), ref->key,
                                 slice_of(text, number_format_u64(text, count))};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

/* From the first of these keys that is a list. True: it has replied, an error perhaps. */
static bool pop_from_any(struct cw_call *call, size_t first_key, size_t behind_keys, uint64_t most,
                         enum cw_list_end end, pop_function *pop_found)
{
    for (size_t i = first_key; i < behind_keys; i++) {
        struct cw_ref ref;
        if (!is_list(call, cw_call_open(call, i, &ref)))
            return true;
        if (ref.entry) {
            pop_found(call, &ref, most, end);
            return true;
        }
    }
    return false;
}

void cw_lmpop_command(struct cw_call *call)
{
    size_t behind_keys;
    enum cw_list_end end;
    int64_t count;
    if (!parse_lmpop(call, 1, &behind_keys, &end, &count))
        return;
    if (!pop_from_any(call, 2, behind_keys, (uint64_t)count, end, pop_from_first))
        resp_write_null_array(call->reply, call->protocol);
}

/* ---- Waiting for elements ---- */

static void wait_for_lists(struct cw_call *call, size_t first_key, size_t behind_keys, int64_t timeout_ms)
{
    const struct cw_blocking blocking = {.type = CW_TYPE_LIST,
                                         .keys = call->argv + first_key,
                                         .key_count = behind_keys - first_key,
                                         .timeout_ms = timeout_ms};
    if (cw_may_block(call))
        cw_block(call, &blocking);
    else
        resp_write_null_array(call->reply, call->protocol);
}

/* Key and element; the stream gets the pop of that key. */
static void pop_one_from_first(struct cw_call *call, struct cw_ref *ref, uint64_t most, enum cw_list_end end)
{
    (void)most;
    resp_write_array(call->reply, 2);
    resp_write_bulk(call->reply, ref->key);
    pop_one(call, ref, end);
    const struct slice argv[] = {slice_text(end == CW_LIST_HEAD ? "LPOP" : "RPOP"), ref->key};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

static void pop_or_wait(struct cw_call *call, enum cw_list_end end)
{
    int64_t timeout_ms;
    if (cw_call_timeout(call, call->argc - 1, &timeout_ms) &&
        !pop_from_any(call, 1, call->argc - 1, 1, end, pop_one_from_first))
        wait_for_lists(call, 1, call->argc - 1, timeout_ms);
}

void cw_blpop_command(struct cw_call *call)
{
    pop_or_wait(call, CW_LIST_HEAD);
}

void cw_brpop_command(struct cw_call *call)
{
    pop_or_wait(call, CW_LIST_TAIL);
}

void cw_blmpop_command(struct cw_call *call)
{
    size_t behind_keys;
    enum cw_list_end end;
    int64_t count;
    int64_t timeout_ms;
    if (parse_lmpop(call, 2, &behind_keys, &end, &count) && cw_call_timeout(call, 1, &timeout_ms) &&
        !pop_from_any(call, 3, behind_keys, (uint64_t)count, end, pop_from_first))
        wait_for_lists(call, 3, behind_keys, timeout_ms);
}

void cw_ltrim_command(struct cw_call *call)
{
    int64_t start, stop;
    struct cw_ref ref;
    if (!cw_call_integer(call, 2, &start) || !cw_call_integer(call, 3, &stop))
        return;
    if (!is_list(call, cw_call_open(call, 1, &ref)))
        return;
    uint64_t count = ref.entry ? cw_list_count(ref.entry) : 0;
    if (count > 0 && !clip_range(count, &start, &stop)) {
        drop(call, &ref, count, CW_LIST_HEAD);
    } else if (count > 0) {
        uint64_t behind = count - 1 - (uint64_t)stop;
        if (behind > 0)
            drop(call, &ref, behind, CW_LIST_TAIL);
        if (start > 0)
            drop(call, &ref, (uint64_t)start, CW_LIST_HEAD);
    }
    if (count > 0)
        cw_call_notify_removal(call, CW_NOTIFY_LIST, "ltrim", ref.key, !ref.entry);
    resp_write_ok(call->reply);
}

void cw_lrem_command(struct cw_call *call)
{
    int64_t count;
    struct cw_ref ref;
    if (!cw_call_integer(call, 2, &count) || !is_list(call, cw_call_open(call, 1, &ref)))
        return;
    uint64_t deleted = 0;
    if (ref.entry) {
        uint64_t most = count == 0 ? UINT64_MAX : count > 0 ? (uint64_t)count : -(uint64_t)count;
        enum cw_list_end from = count < 0 ? CW_LIST_TAIL : CW_LIST_HEAD;
        deleted = cw_list_delete_equal(call->keyspace, &ref, call->argv[3], from, most);
    }
    if (deleted > 0)
        cw_call_notify_removal(call, CW_NOTIFY_LIST, "lrem", ref.key, !ref.entry);
    call->dirty += deleted;
    resp_write_integer(call->reply, (int64_t)deleted);
}

/* ---- Moving ---- */

/* The bulk string that was written last, which is where it is until something else is written. */
static struct slice last_bulk(const struct buf *reply, size_t length)
{
    return slice_of(reply->memory + reply->end - 2 - length, length);
}

static void move(struct cw_call *call, enum cw_list_end from, enum cw_list_end to)
{
    struct cw_ref ref;
    const struct cw_entry *source = cw_call_peek(call, 1);
    if (!is_list(call, source))
        return;
    if (!source) {
        resp_write_null(call->reply, call->protocol);
        return;
    }
    if (!is_list(call, cw_call_peek(call, 2)))
        return;

    struct cw_list_walk walk;
    char space[NUMBER_TEXT_MAX];
    cw_call_open(call, 1, &ref);
    if (!cw_list_at(ref.entry, index_of_end(from), &walk))
        return;
    struct cw_packed_value value = cw_list_value(&walk);
    struct slice text = cw_packed_value_text(&value, space);
    resp_write_bulk(call->reply, text);
    call->dirty++;
    if (cw_list_count(ref.entry) == 1 && slice_equal(call->argv[1], call->argv[2])) {
        /* From itself to itself: it must not cease to exist meanwhile, for it may have an expiry. */
        cw_call_notify(call, CW_NOTIFY_LIST, to == CW_LIST_HEAD ? "lpush" : "rpush", ref.key);
        notify_popped(call, ref.key, from, false);
        return;
    }
    text = last_bulk(call->reply, text.length); /* the element's own bytes go with it */
    cw_list_delete(call->keyspace, &ref, from == CW_LIST_HEAD ? 0 : cw_list_count(ref.entry) - 1, 1);
    bool is_gone = !ref.entry;
    cw_call_open(call, 2, &ref);
    push(call, &ref, &text, 1, to);
    notify_popped(call, call->argv[1], from, is_gone); /* behind the push, as in the reference */
}

void cw_lmove_command(struct cw_call *call)
{
    enum cw_list_end from, to;
    if (take_end(call, 3, &from) && take_end(call, 4, &to))
        move(call, from, to);
}

void cw_rpoplpush_command(struct cw_call *call)
{
    move(call, CW_LIST_TAIL, CW_LIST_HEAD);
}

/* As LMOVE, which is what the stream gets. */
static void move_or_wait(struct cw_call *call, enum cw_list_end from, enum cw_list_end to, size_t timeout_index)
{
    int64_t timeout_ms;
    if (!cw_call_timeout(call, timeout_index, &timeout_ms))
        return;
    const struct cw_entry *source = cw_call_peek(call, 1);
    if (source == NULL && cw_may_block(call)) {
        wait_for_lists(call, 1, 2, timeout_ms);
        return;
    }
    move(call, from, to);
    if (call->dirty == 0)
        return;
    const bool is_plain = timeout_index == 3;
    const struct slice argv[] = {is_plain ? SLICE_LITERAL("RPOPLPUSH") : SLICE_LITERAL("LMOVE"), call->argv[1],
                                 call->argv[2], call->argv[3], call->argv[call->argc - 2]};
    cw_call_propagate(call, argv, is_plain ? 3 : 5);
}

void cw_blmove_command(struct cw_call *call)
{
    enum cw_list_end from, to;
    if (take_end(call, 3, &from) && take_end(call, 4, &to))
        move_or_wait(call, from, to, 5);
}

void cw_brpoplpush_command(struct cw_call *call)
{
    move_or_wait(call, CW_LIST_TAIL, CW_LIST_HEAD, 3);
}
