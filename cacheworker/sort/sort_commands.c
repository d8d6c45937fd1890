#include "cacheworker/sort/sort_commands.h"

#include "cacheworker/acl/access.h"
#include "cacheworker/hash/hash.h"
#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/keyspace/many_words.h"
#include "cacheworker/list/list.h"
#include "cacheworker/packed/packed_reply.h"
#include "cacheworker/set/set.h"
#include "cacheworker/sort/sort.h"
#include "cacheworker/zset/zset.h"
#include "common/base/mem.h"

struct sort {
    struct cw_call *call; /* borrowed */

    /* What was asked for. */
    bool descending;
    bool alphabetical;
    bool keeps_order; /* BY a pattern that names nothing */
    int64_t offset;
    int64_t count;
    struct slice weights; /* the pattern of BY; no data: elements are their own weights */
    size_t stored;        /* argument that names the destination; 0: the result is shown */
    struct slice *gets;   /* owned; the patterns of GET */
    size_t get_count;

    /* What is sorted. The items' slices lie in the buffers when all are there, for these move as they grow. */
    struct cw_sort_item *items; /* owned */
    size_t item_count;
    struct buf elements;
    struct buf texts;  /* weights as texts */
    struct buf key;    /* that a pattern names */
    bool saw_expiring; /* fields that may not be seen any more, but by who applies a stream */
};

static void end_sort(struct sort *sort)
{
    mem_free(sort->gets);
    mem_free(sort->items);
    buf_free(&sort->elements);
    buf_free(&sort->texts);
    buf_free(&sort->key);
}

/* ---- Options ---- */

/* Patterns name keys that no rule of the client's user was asked about: they are for who may read any. */
static bool may_use_patterns(struct sort *sort, const char *option)
{
    if (LIKELY(cw_access_may_read_every_key(sort->call)))
        return true;
    resp_write_error_format(sort->call->reply, "ERR %s option of SORT denied due to insufficient ACL permissions.",
                            option);
    return false;
}

static bool parse_weights(struct sort *sort, struct slice pattern)
{
    sort->weights = pattern;
    if (cw_sort_has_star(pattern))
        return may_use_patterns(sort, "BY");
    sort->keeps_order = true;
    return true;
}

static bool parse_option(struct sort *sort, bool may_store, size_t *index)
{
    struct cw_call *call = sort->call;
    struct slice word = call->argv[*index];
    size_t left = call->argc - *index - 1;
    if (slice_equal_nocase(word, "asc")) {
        sort->descending = false;
    } else if (slice_equal_nocase(word, "desc")) {
        sort->descending = true;
    } else if (slice_equal_nocase(word, "alpha")) {
        sort->alphabetical = true;
    } else if (left >= 2 && slice_equal_nocase(word, "limit")) {
        *index += 2;
        return cw_call_integer(call, *index - 1, &sort->offset) && cw_call_integer(call, *index, &sort->count);
    } else if (left >= 1 && may_store && slice_equal_nocase(word, "store")) {
        sort->stored = ++*index;
    } else if (left >= 1 && slice_equal_nocase(word, "by")) {
        return parse_weights(sort, call->argv[++*index]);
    } else if (left >= 1 && slice_equal_nocase(word, "get")) {
        sort->gets[sort->get_count++] = call->argv[++*index];
        return may_use_patterns(sort, "GET");
    } else {
        cw_reply_error(call, CW_ERROR_SYNTAX);
        return false;
    }
    return true;
}

static bool parse(struct sort *sort, bool may_store)
{
    sort->gets = mem_alloc(sort->call->argc * sizeof(struct slice));
    for (size_t i = 2; i < sort->call->argc; i++)
        if (!parse_option(sort, may_store, &i))
            return false;
    return true;
}

/* ---- Loading ---- */

static uint64_t count_of(const struct cw_entry *entry)
{
    switch (cw_entry_type(entry)) {
    case CW_TYPE_LIST: return cw_list_count(entry);
    case CW_TYPE_SET: return cw_set_count(entry);
    default: return cw_zset_count(entry);
    }
}

/* Of so many elements LIMIT leaves this part. */
static void limit(const struct sort *sort, uint64_t size, uint64_t *ret_first, uint64_t *ret_count)
{
    uint64_t first = sort->offset > 0 ? (uint64_t)sort->offset : 0;
    *ret_first = first < size ? first : size;
    *ret_count = size - *ret_first;
    if (sort->count >= 0 && (uint64_t)sort->count < *ret_count)
        *ret_count = (uint64_t)sort->count;
}

static void add_element(struct sort *sort, const struct cw_packed_value *value, size_t index)
{
    char space[NUMBER_TEXT_MAX];
    struct slice text = cw_packed_value_text(value, space);
    sort->items[sort->item_count++] = (struct cw_sort_item){.element.length = text.length, .index = index};
    buf_add_slice(&sort->elements, text);
}

/* They are in no order, so none is to be kept: where equals meet, elements decide. */
static void load_set(struct sort *sort, const struct cw_entry *entry)
{
    struct cw_set_walk walk = {0};
    while (cw_set_next(entry, &walk))
        add_element(sort, &walk.member, 0);
}

static void load_list(struct sort *sort, const struct cw_entry *entry, uint64_t first, uint64_t count, bool backwards)
{
    struct cw_list_walk walk;
    enum cw_list_end from = backwards ? CW_LIST_TAIL : CW_LIST_HEAD;
    bool is_there = cw_list_at(entry, backwards ? -1 - (int64_t)first : (int64_t)first, &walk);
    for (; count > 0 && is_there; count--) {
        struct cw_packed_value value = cw_list_value(&walk);
        add_element(sort, &value, sort->item_count);
        is_there = cw_list_next(&walk, from);
    }
}

static void load_zset(struct sort *sort, const struct cw_entry *entry, uint64_t first, uint64_t count, bool backwards)
{
    struct cw_zset_place place;
    bool is_there = cw_zset_at(entry, backwards ? cw_zset_count(entry) - 1 - first : first, &place);
    for (; count > 0 && is_there; count--) {
        add_element(sort, &place.member, sort->item_count);
        is_there = backwards ? cw_zset_previous(entry, &place) : cw_zset_next(entry, &place);
    }
}

static void find_elements(struct sort *sort)
{
    struct slice texts = buf_slice(&sort->elements);
    const char *text = texts.length > 0 ? texts.data : "";
    for (size_t i = 0; i < sort->item_count; i++) {
        sort->items[i].element.data = text;
        text += sort->items[i].element.length;
    }
}

/* All elements, or of what has an order that is kept only those that are wanted. */
static void load(struct sort *sort, const struct cw_entry *entry)
{
    uint64_t first = 0;
    uint64_t count = entry ? count_of(entry) : 0;
    if (sort->keeps_order && count > 0 && cw_entry_type(entry) != CW_TYPE_SET) {
        limit(sort, count, &first, &count);
        sort->offset = 0;
    }
    if (count == 0)
        return;
    bool backwards = sort->keeps_order && sort->descending;
    sort->items = mem_alloc(count * sizeof(struct cw_sort_item));
    switch (cw_entry_type(entry)) {
    case CW_TYPE_LIST: load_list(sort, entry, first, count, backwards); break;
    case CW_TYPE_SET: load_set(sort, entry); break;
    default: load_zset(sort, entry, first, count, backwards); break;
    }
    find_elements(sort);
}

/* ---- Sorting ---- */

/* What a pattern stands for. False: nothing. The value is borrowed until the next change of the keyspace. */
static bool look_up(struct sort *sort, struct slice pattern, struct slice element, struct cw_packed_value *ret_value)
{
    struct cw_call *call = sort->call;
    struct slice field;
    if (slice_equal(pattern, SLICE_LITERAL("#"))) {
        *ret_value = (struct cw_packed_value){.text = element};
        return true;
    }
    if (!cw_sort_substitute(pattern, element, &sort->key, &field))
        return false;
    struct slice key = buf_slice(&sort->key);
    uint64_t hash = cw_keyspace_hash(call->keyspace, key);
    const struct cw_entry *entry = cw_keyspace_read(call->keyspace, call->database, key, hash, call->now_ms);
    if (!entry || cw_entry_type(entry) != (field.data ? CW_TYPE_HASH : CW_TYPE_STRING))
        return false;
    if (field.data) {
        sort->saw_expiring |= cw_hash_has_expiry(entry);
        return cw_hash_get(entry, cw_call_parts_from(call), field, ret_value);
    }
    *ret_value = (struct cw_packed_value){.text = cw_entry_value(entry)};
    return true;
}

/* The text to sort an item by; false: there is none. */
static bool weight_of(struct sort *sort, const struct cw_sort_item *item, char space[NUMBER_TEXT_MAX],
                      struct slice *ret_text)
{
    struct cw_packed_value value;
    *ret_text = item->element;
    if (!sort->weights.data)
        return true;
    if (!look_up(sort, sort->weights, item->element, &value))
        return false;
    *ret_text = cw_packed_value_text(&value, space);
    return true;
}

static bool read_numbers(struct sort *sort)
{
    bool are_numbers = true;
    for (size_t i = 0; i < sort->item_count; i++) {
        char space[NUMBER_TEXT_MAX];
        struct slice text;
        if (weight_of(sort, &sort->items[i], space, &text) && number_read_double(text, &sort->items[i].number) < 0)
            are_numbers = false;
    }
    return are_numbers;
}

/* The lengths of the texts first, and where they are when they move no more. */
static void read_texts(struct sort *sort)
{
    for (size_t i = 0; i < sort->item_count; i++) {
        char space[NUMBER_TEXT_MAX];
        struct slice text;
        if (!weight_of(sort, &sort->items[i], space, &text))
            continue;
        sort->items[i].text = slice_of("", text.length);
        buf_add_slice(&sort->texts, text);
    }
    struct slice texts = buf_slice(&sort->texts);
    const char *text = texts.length > 0 ? texts.data : "";
    for (size_t i = 0; i < sort->item_count; i++) {
        if (!sort->items[i].text.data)
            continue;
        sort->items[i].text.data = text;
        text += sort->items[i].text.length;
    }
}

/* False: replied the error. */
static bool arrange(struct sort *sort)
{
    if (sort->keeps_order)
        return true;
    if (sort->alphabetical) {
        read_texts(sort);
    } else if (!read_numbers(sort)) {
        cw_reply_error(sort->call, "ERR One or more scores can't be converted into double");
        return false;
    }
    cw_sort_items(sort->items, sort->item_count, sort->alphabetical ? CW_SORT_TEXTS : CW_SORT_NUMBERS,
                  sort->descending);
    return true;
}

/* ---- Results ---- */

static void show(struct sort *sort, uint64_t first, uint64_t count)
{
    struct cw_call *call = sort->call;
    resp_write_array(call->reply, sort->get_count > 0 ? count * sort->get_count : count);
    for (uint64_t i = first; i < first + count; i++) {
        struct slice element = sort->items[i].element;
        if (sort->get_count == 0)
            resp_write_bulk(call->reply, element);
        for (size_t get = 0; get < sort->get_count && !cw_reply_is_full(call); get++) {
            struct cw_packed_value value;
            if (look_up(sort, sort->gets[get], element, &value))
                cw_write_packed_value(call->reply, &value);
            else
                resp_write_null(call->reply, call->protocol);
        }
    }
}

static void push(struct sort *sort, struct cw_ref *draft, struct slice text)
{
    cw_list_push(sort->call->keyspace, draft, &text, 1, CW_LIST_TAIL);
}

static void push_gets(struct sort *sort, struct cw_ref *draft, struct slice element)
{
    for (size_t get = 0; get < sort->get_count; get++) {
        char space[NUMBER_TEXT_MAX];
        struct cw_packed_value value;
        bool is_there = look_up(sort, sort->gets[get], element, &value);
        push(sort, draft, is_there ? cw_packed_value_text(&value, space) : SLICE_LITERAL(""));
    }
}

/* The result instead of the command, where that might have another one elsewhere. */
static void propagate_list(struct cw_call *call, struct slice key, const struct cw_entry *list)
{
    struct cw_list_walk walk;
    struct cw_many_words elements;
    cw_call_propagate_del(call, key);
    cw_many_words_begin(&elements, call, "RPUSH", key, cw_list_count(list));
    for (bool is_there = cw_list_at(list, 0, &walk); is_there; is_there = cw_list_next(&walk, CW_LIST_HEAD)) {
        char space[NUMBER_TEXT_MAX];
        struct cw_packed_value value = cw_list_value(&walk);
        cw_many_words_add(&elements, cw_packed_value_text(&value, space));
    }
    cw_many_words_end(&elements);
}

static void store(struct sort *sort, uint64_t first, uint64_t count)
{
    struct cw_call *call = sort->call;
    struct cw_ref draft;
    cw_keyspace_open_draft(call->keyspace, call->now_ms, &draft);
    for (uint64_t i = first; i < first + count; i++) {
        if (sort->get_count == 0)
            push(sort, &draft, sort->items[i].element);
        else
            push_gets(sort, &draft, sort->items[i].element);
    }
    if (draft.entry && sort->saw_expiring)
        propagate_list(call, call->argv[sort->stored], draft.entry);
    resp_write_integer(call->reply, draft.entry ? (int64_t)cw_list_count(draft.entry) : 0);
    cw_call_store_draft(call, sort->stored, &draft, CW_NOTIFY_LIST, "sortstore");
}

/* ---- Commands ---- */

static bool is_sortable(struct cw_call *call, const struct cw_entry *entry)
{
    bool is_set = entry && cw_entry_type(entry) == CW_TYPE_SET;
    bool is_zset = entry && cw_entry_type(entry) == CW_TYPE_ZSET;
    return is_set || is_zset || cw_call_is_type(call, entry, CW_TYPE_LIST);
}

/* A set has no order to keep, and what is stored, or read by a script, must be the same on every node. */
static void order_set(struct sort *sort, const struct cw_entry *entry)
{
    bool must_be_same = sort->stored || (sort->call->flags & CW_CALL_FROM_SCRIPT);
    if (!sort->keeps_order || !must_be_same || !entry || cw_entry_type(entry) != CW_TYPE_SET)
        return;
    sort->keeps_order = false;
    sort->alphabetical = true;
    sort->weights = slice_of(NULL, 0);
}

static void run(struct sort *sort)
{
    uint64_t first;
    uint64_t count;
    const struct cw_entry *entry = cw_call_read(sort->call, 1);
    if (!is_sortable(sort->call, entry))
        return;
    order_set(sort, entry);
    load(sort, entry);
    if (!arrange(sort))
        return;
    limit(sort, sort->item_count, &first, &count);
    if (sort->stored)
        store(sort, first, count);
    else
        show(sort, first, count);
}

static void sort_command(struct cw_call *call, bool may_store)
{
    struct sort sort = {.call = call, .count = -1};
    if (parse(&sort, may_store))
        run(&sort);
    end_sort(&sort);
}

void cw_sort_command(struct cw_call *call)
{
    sort_command(call, true);
}

void cw_sort_ro_command(struct cw_call *call)
{
    sort_command(call, false);
}
