/* lookup.h: a command's way to its keys: the arguments of a call, looked up in its database at its time. */
#ifndef CACHEWORKER_KEYSPACE_LOOKUP_H
#define CACHEWORKER_KEYSPACE_LOOKUP_H

#include "cacheworker/engine/call.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/pubsub/notify.h"

#define CW_ERROR_NO_MEMORY "OOM command not allowed when used memory > 'maxmemory'."

/* The hash of the key in argv[index]; the batch has computed the first key's. */
static inline uint64_t cw_call_hash(const struct cw_call *call, size_t index)
{
    if ((int)index == call->command->first_key)
        return call->first_key_hash;
    return cw_keyspace_hash(call->keyspace, call->argv[index]);
}

static inline const struct cw_entry *cw_call_read(const struct cw_call *call, size_t index)
{
    return cw_keyspace_read(call->keyspace, call->database, call->argv[index], cw_call_hash(call, index), call->now_ms);
}

static inline const struct cw_entry *cw_call_peek(const struct cw_call *call, size_t index)
{
    return cw_keyspace_peek(call->keyspace, call->database, call->argv[index], cw_call_hash(call, index), call->now_ms);
}

static inline struct cw_entry *cw_call_open(const struct cw_call *call, size_t index, struct cw_ref *ref)
{
    return cw_keyspace_open(call->keyspace, call->database, call->argv[index], cw_call_hash(call, index), call->now_ms,
                            ref);
}

static inline struct cw_key cw_call_key(const struct cw_call *call, size_t index)
{
    return (struct cw_key){call->database, call->argv[index], cw_call_hash(call, index)};
}

/* Whether a key may be used as a value of that type: it is one, or does not exist. Else replies the error. */
static inline bool cw_call_is_type(struct cw_call *call, const struct cw_entry *entry, enum cw_type type)
{
    if (LIKELY(!entry || cw_entry_type(entry) == type))
        return true;
    cw_reply_error(call, CW_ERROR_WRONG_TYPE);
    return false;
}

/* A whole argument as an integer. Else replies the error. */
bool cw_call_integer(struct cw_call *call, size_t index, int64_t *ret_number);

/* The same of a number whose sign says how it is meant: the least one, which has no opposite, is out of range. */
bool cw_call_signed_count(struct cw_call *call, size_t index, int64_t *ret_count);

/* An argument as an int. Replies `not_integer`, or the reference's words for what is none or out of range when NULL. */
bool cw_call_int(struct cw_call *call, size_t index, const char *not_integer, int *ret_number);

/* Whether there is a database of that number; else replies that it is out of range. */
bool cw_call_has_database(struct cw_call *call, int database);

/* A time to live or a date, argv[index], as a date in ms. unit_ms is 1000 or 1; base_ms is now, or 0 for a date.
 * Replies "value is not an integer or out of range", or "invalid expire time in '<name>' command" if the date
 * overflows, or if it is not positive and `positive` asks for that. */
bool cw_call_expire_ms(struct cw_call *call, size_t index, int64_t unit_ms, int64_t base_ms, bool positive,
                       int64_t *ret_expire_ms);

/* From which expiry on parts of keys are there for this call: not when they are due, unless a stream is applied. */
static inline int64_t cw_call_parts_from(const struct cw_call *call)
{
    return cw_keyspace_expiry_mode(call->keyspace) == CW_EXPIRY_IGNORED ? 0 : call->now_ms;
}

/* Whether a command that sets this date deletes the key at once instead. */
static inline bool cw_call_deletes_at(const struct cw_call *call, int64_t expire_ms)
{
    return expire_ms <= call->now_ms && cw_keyspace_expiry_mode(call->keyspace) == CW_EXPIRY_DELETES;
}

/* What becomes of a call in the stream: DEL key (or UNLINK, settings.h), also of one whose date is past, or PEXPIREAT
 * key date. */
void cw_call_propagate_del(struct cw_call *call, struct slice key);
void cw_call_propagate_expired(struct cw_call *call, struct slice key);
void cw_call_propagate_pexpireat(struct cw_call *call, struct slice key, int64_t expire_ms);

/* A key looked up by peek, for a command that reads: nobody is told of it but who wants to know of misses. */
static inline const struct cw_entry *cw_call_look(const struct cw_call *call, size_t index)
{
    const struct cw_entry *entry = cw_call_peek(call, index);
    if (!entry)
        cw_call_notify(call, CW_NOTIFY_MISS, "keymiss", call->argv[index]);
    return entry;
}

/* What a command made out of other keys (keyspace.h): the draft becomes the value of the key argv[index], which is an
 * event of that class and name; without an entry that key is deleted, if there is one. Counts one change where there is
 * one. */
void cw_call_store_draft(struct cw_call *call, size_t index, struct cw_ref *draft, enum cw_notify_class class,
                         const char *event);

/* The keys of a command that names several, looked at in groups whose cache misses overlap. `step` is the distance of
 * two keys in argv. Begin with a zeroed struct and `next` set to the first key. */
enum { CW_KEY_GROUP = 32 };

struct cw_key_group {
    size_t next; /* argument behind the group */
    size_t first;
    size_t count; /* keys in the group; 0: there are no more */
    uint64_t hashes[CW_KEY_GROUP];
};

bool cw_key_group_next(struct cw_key_group *group, const struct cw_call *call, size_t step);

#endif
