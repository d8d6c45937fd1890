#include "cacheworker/set/set_algebra_commands.h"

#include "cacheworker/keyspace/lookup.h"
#include "cacheworker/packed/packed_reply.h"
#include "cacheworker/set/set.h"
#include "common/base/mem.h"

#include <stdlib.h>

/* ---- What is computed with ---- */

struct operands {
    const struct cw_entry **sets; /* owned; NULL where there is no key: an empty set */
    size_t count;
    bool has_empty;
};

/* The keys argv[first] and so on, or replies the error. */
static bool read_operands(struct cw_call *call, size_t first, size_t count, struct operands *operands)
{
    *operands = (struct operands){.sets = mem_alloc(count * sizeof(struct cw_entry *)), .count = count};
    for (size_t i = 0; i < count; i++) {
        const struct cw_entry *entry = cw_call_read(call, first + i);
        if (!cw_call_is_type(call, entry, CW_TYPE_SET)) {
            mem_free(operands->sets);
            return false;
        }
        operands->sets[i] = entry;
        operands->has_empty |= entry == NULL;
    }
    return true;
}

static uint64_t count_of(const struct cw_entry *set)
{
    return set ? cw_set_count(set) : 0;
}

static int smaller_first(const void *a, const void *b)
{
    uint64_t first = count_of(*(const struct cw_entry *const *)a);
    uint64_t second = count_of(*(const struct cw_entry *const *)b);
    return (first > second) - (first < second);
}

static int bigger_first(const void *a, const void *b)
{
    return smaller_first(b, a);
}

/* ---- What comes of it ---- */

enum use { SHOWN, COUNTED, STORED };

struct result {
    struct cw_call *call;
    enum use use;
    enum cw_encoding encoding; /* that the draft begins with */
    struct cw_ref draft;       /* what is stored, or cannot be shown before it is complete */
    size_t start;              /* of the reply, in which members are shown where there is no draft */
    uint64_t count;            /* shown or counted */
};

/* A member of the result, which is not yet there. */
static void take(struct result *result, const struct cw_packed_value *member)
{
    result->count++;
    if (result->use == SHOWN)
        cw_write_packed_value(result->call->reply, member);
    if (result->use != STORED)
        return;
    if (!result->draft.entry)
        cw_set_create(result->call->keyspace, &result->draft, result->encoding);
    cw_set_add_new(result->call->keyspace, &result->draft, member);
}

static void begin_result(struct cw_call *call, enum use use, struct result *result)
{
    *result =
        (struct result){.call = call, .use = use, .encoding = CW_ENCODING_INTSET, .start = buf_length(call->reply)};
    cw_keyspace_open_draft(call->keyspace, call->now_ms, &result->draft);
}

static void show(struct cw_call *call, struct result *result)
{
    struct cw_set_walk walk = {0};
    if (!result->draft.entry) {
        resp_insert_set(call->reply, call->protocol, result->start, result->count);
        return;
    }
    resp_write_set(call->reply, call->protocol, cw_set_count(result->draft.entry));
    while (cw_set_next(result->draft.entry, &walk))
        cw_write_packed_value(call->reply, &walk.member);
    cw_keyspace_delete(call->keyspace, &result->draft);
}

static void end_result(struct result *result)
{
    struct cw_call *call = result->call;
    const struct cw_entry *draft = result->draft.entry;
    switch (result->use) {
    case SHOWN: show(call, result); break;
    case COUNTED: resp_write_integer(call->reply, (int64_t)result->count); break;
    case STORED:
        resp_write_integer(call->reply, draft ? (int64_t)cw_set_count(draft) : 0);
        cw_call_store_draft(call, 1, &result->draft, CW_NOTIFY_SET, call->command->name);
        break;
    }
}

/* ---- Intersections ---- */

static bool is_in_all(const struct operands *operands, const struct cw_packed_value *member)
{
    for (size_t i = 1; i < operands->count; i++)
        if (operands->sets[i] != operands->sets[0] && !cw_set_contains(operands->sets[i], member))
            return false;
    return true;
}

/* At most `limit` members. */
static void intersect(struct operands *operands, uint64_t limit, struct result *result)
{
    struct cw_set_walk walk = {0};
    qsort(operands->sets, operands->count, sizeof(*operands->sets), smaller_first);
    const struct cw_entry *smallest = operands->sets[0];
    if (cw_entry_encoding(smallest) != CW_ENCODING_INTSET)
        result->encoding = CW_ENCODING_LISTPACK;
    while (result->count < limit && cw_set_next(smallest, &walk))
        if (is_in_all(operands, &walk.member))
            take(result, &walk.member);
    if (result->draft.entry)
        cw_set_pack_integers(result->call->keyspace, &result->draft);
}

static void intersect_command(struct cw_call *call, size_t first, size_t count, enum use use, uint64_t limit)
{
    struct operands operands;
    struct result result;
    if (!read_operands(call, first, count, &operands))
        return;
    begin_result(call, use, &result);
    if (!operands.has_empty)
        intersect(&operands, limit, &result);
    end_result(&result);
    mem_free(operands.sets);
}

void cw_sinter_command(struct cw_call *call)
{
    intersect_command(call, 1, call->argc - 1, SHOWN, UINT64_MAX);
}

void cw_sinterstore_command(struct cw_call *call)
{
    intersect_command(call, 2, call->argc - 2, STORED, UINT64_MAX);
}

static bool parse_limit(struct cw_call *call, size_t first, uint64_t *ret_limit)
{
    int64_t limit = 0;
    for (size_t i = first; i < call->argc; i += 2) {
        if (i + 1 == call->argc || !slice_equal_nocase(call->argv[i], "limit")) {
            cw_reply_error(call, CW_ERROR_SYNTAX);
            return false;
        }
        if (number_parse_i64(call->argv[i + 1], &limit) < 0 || limit < 0) {
            cw_reply_error(call, "ERR LIMIT can't be negative");
            return false;
        }
    }
    *ret_limit = limit > 0 ? (uint64_t)limit : UINT64_MAX;
    return true;
}

void cw_sintercard_command(struct cw_call *call)
{
    int64_t count;
    uint64_t limit;
    if (number_parse_i64(call->argv[1], &count) < 0 || count < 1) {
        cw_reply_error(call, "ERR numkeys should be greater than 0");
        return;
    }
    if ((uint64_t)count > call->argc - 2) {
        cw_reply_error(call, "ERR Number of keys can't be greater than number of args");
        return;
    }
    if (parse_limit(call, 2 + (size_t)count, &limit))
        intersect_command(call, 2, (size_t)count, COUNTED, limit);
}

/* ---- Unions ---- */

/* Adds to the draft the members that it does not have. */
static void add_all(struct result *result, const struct cw_entry *set)
{
    struct cw_keyspace *keyspace = result->call->keyspace;
    struct cw_set_walk walk = {0};
    if (!result->draft.entry)
        cw_set_create(keyspace, &result->draft, result->encoding);
    while (cw_set_next(set, &walk))
        (void)cw_set_add(keyspace, &result->draft, &walk.member);
}

static void union_command(struct cw_call *call, size_t first, enum use use)
{
    struct operands operands;
    struct result result;
    if (!read_operands(call, first, call->argc - first, &operands))
        return;
    begin_result(call, use, &result);
    for (size_t i = 0; i < operands.count; i++)
        if (operands.sets[i])
            add_all(&result, operands.sets[i]);
    end_result(&result);
    mem_free(operands.sets);
}

void cw_sunion_command(struct cw_call *call)
{
    union_command(call, 1, SHOWN);
}

void cw_sunionstore_command(struct cw_call *call)
{
    union_command(call, 2, STORED);
}

/* ---- Differences ---- */

static bool is_in_another(const struct operands *operands, const struct cw_packed_value *member)
{
    for (size_t i = 1; i < operands->count; i++)
        if (operands->sets[i] && cw_set_contains(operands->sets[i], member))
            return true;
    return false;
}

/* Looks for each member of the first set in all others, the big ones before: what is found there is done with. */
static void subtract_by_looking(struct operands *operands, struct result *result)
{
    struct cw_set_walk walk = {0};
    qsort(operands->sets + 1, operands->count - 1, sizeof(*operands->sets), bigger_first);
    while (cw_set_next(operands->sets[0], &walk))
        if (!is_in_another(operands, &walk.member))
            take(result, &walk.member);
}

/* Removes the members of all others from a copy of the first set, until nothing is left. */
static void subtract_by_removing(const struct operands *operands, struct result *result)
{
    add_all(result, operands->sets[0]);
    for (size_t i = 1; i < operands->count && result->draft.entry; i++) {
        struct cw_set_walk walk = {0};
        while (operands->sets[i] && result->draft.entry && cw_set_next(operands->sets[i], &walk))
            (void)cw_set_remove(result->call->keyspace, &result->draft, &walk.member);
    }
}

/* Which of the two ways is less work, as the reference reckons: looking is cheaper a step. */
static bool is_better_looked_up(const struct operands *operands)
{
    uint64_t looking = 0;
    uint64_t removing = 0;
    for (size_t i = 0; i < operands->count; i++) {
        looking += operands->sets[i] ? count_of(operands->sets[0]) : 0;
        removing += count_of(operands->sets[i]);
    }
    return looking / 2 <= removing;
}

static bool subtracts_itself(const struct operands *operands)
{
    for (size_t i = 1; i < operands->count; i++)
        if (operands->sets[i] == operands->sets[0])
            return true;
    return false;
}

static void difference_command(struct cw_call *call, size_t first, enum use use)
{
    struct operands operands;
    struct result result;
    if (!read_operands(call, first, call->argc - first, &operands))
        return;
    begin_result(call, use, &result);
    if (operands.sets[0] && !subtracts_itself(&operands)) {
        if (is_better_looked_up(&operands))
            subtract_by_looking(&operands, &result);
        else
            subtract_by_removing(&operands, &result);
    }
    end_result(&result);
    mem_free(operands.sets);
}

void cw_sdiff_command(struct cw_call *call)
{
    difference_command(call, 1, SHOWN);
}

void cw_sdiffstore_command(struct cw_call *call)
{
    difference_command(call, 2, STORED);
}
