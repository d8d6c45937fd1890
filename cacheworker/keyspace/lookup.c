#include "cacheworker/keyspace/lookup.h"

#include "cacheworker/engine/settings.h"
#include "common/base/number.h"

bool cw_call_integer(struct cw_call *call, size_t index, int64_t *ret_number)
{
    if (number_parse_i64(call->argv[index], ret_number) == 0)
        return true;
    cw_reply_error(call, CW_ERROR_NOT_INTEGER);
    return false;
}

bool cw_call_signed_count(struct cw_call *call, size_t index, int64_t *ret_count)
{
    if (!cw_call_integer(call, index, ret_count))
        return false;
    if (*ret_count != INT64_MIN)
        return true;
    cw_reply_error(call, "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807");
    return false;
}

bool cw_call_int(struct cw_call *call, size_t index, const char *not_integer, int *ret_number)
{
    int64_t number;
    bool is_integer = number_parse_i64(call->argv[index], &number) == 0;
    if (is_integer && number >= INT32_MIN && number <= INT32_MAX) {
        *ret_number = (int)number;
        return true;
    }
    if (not_integer)
        cw_reply_error(call, not_integer);
    else if (is_integer)
        cw_reply_error(call, "ERR value is out of range, value must between -2147483648 and 2147483647");
    else
        cw_reply_error(call, CW_ERROR_NOT_INTEGER);
    return false;
}

bool cw_call_has_database(struct cw_call *call, int database)
{
    if (database >= 0 && (unsigned)database < cw_keyspace_databases(call->keyspace))
        return true;
    cw_reply_error(call, "ERR DB index is out of range");
    return false;
}

bool cw_call_expire_ms(struct cw_call *call, size_t index, int64_t unit_ms, int64_t base_ms, bool positive,
                       int64_t *ret_expire_ms)
{
    int64_t number;
    int64_t expire_ms;
    if (!cw_call_integer(call, index, &number))
        return false;
    if ((positive && number <= 0) || __builtin_mul_overflow(number, unit_ms, &expire_ms) ||
        __builtin_add_overflow(expire_ms, base_ms, &expire_ms)) {
        resp_write_error_format(call->reply, "ERR invalid expire time in '%s' command", call->command->name);
        return false;
    }
    *ret_expire_ms = expire_ms;
    return true;
}

static void propagate_deletion(struct cw_call *call, struct slice key, bool unlinks)
{
    const struct slice argv[] = {cw_settings_deletion(unlinks), key};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

void cw_call_propagate_del(struct cw_call *call, struct slice key)
{
    propagate_deletion(call, key, call->settings->unlinks_deleted);
}

void cw_call_propagate_expired(struct cw_call *call, struct slice key)
{
    propagate_deletion(call, key, call->settings->unlinks_expired);
}

void cw_call_propagate_pexpireat(struct cw_call *call, struct slice key, int64_t expire_ms)
{
    char text[NUMBER_TEXT_MAX];
    const struct slice argv[] = {SLICE_LITERAL("PEXPIREAT"), key, slice_of(text, number_format_i64(text, expire_ms))};
    cw_call_propagate(call, argv, ARRAY_LENGTH(argv));
}

void cw_call_store_draft(struct cw_call *call, size_t index, struct cw_ref *draft, enum cw_notify_class class,
                         const char *event)
{
    struct cw_ref ref;
    if (draft->entry) {
        struct cw_key key = cw_call_key(call, index);
        cw_keyspace_store_draft(call->keyspace, draft, &key);
        cw_call_notify(call, class, event, call->argv[index]);
        call->dirty++;
    } else if (cw_call_open(call, index, &ref)) {
        cw_keyspace_delete(call->keyspace, &ref);
        cw_call_notify(call, CW_NOTIFY_GENERIC, "del", call->argv[index]);
        call->dirty++;
    }
}

bool cw_key_group_next(struct cw_key_group *group, const struct cw_call *call, size_t step)
{
    group->first = group->next;
    group->count = 0;
    for (; group->next < call->argc && group->count < CW_KEY_GROUP; group->next += step) {
        uint64_t hash = cw_call_hash(call, group->next);
        cw_keyspace_prefetch_bucket(call->keyspace, call->database, hash);
        group->hashes[group->count++] = hash;
    }
    for (size_t i = 0; i < group->count; i++)
        cw_keyspace_prefetch_entry(call->keyspace, call->database, group->hashes[i]);
    return group->count > 0;
}
