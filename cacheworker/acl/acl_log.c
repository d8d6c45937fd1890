#include "cacheworker/acl/acl_log.h"

#include "common/base/mem.h"
#include "common/resp/resp_writer.h"

#include <stdlib.h>

enum {
    ALIKE_WITHIN_MS = 60000,
    LOOKED_AT = 10,     /* of the newest entries, for one that is alike */
    OBJECT_KEPT = 1024, /* bytes; a key may be as long as its owner likes */
};

struct entry {
    struct list node;
    enum cw_acl_reason reason;
    enum cw_acl_context context;
    int64_t id;
    int64_t count;
    int64_t created_ms;
    int64_t updated_ms;
    struct buf object; /* owned */
    struct buf user;   /* owned */
    struct buf client; /* owned */
};

void cw_acl_log_init(struct cw_acl_log *log)
{
    *log = (struct cw_acl_log){0};
    list_init(&log->entries);
}

static void drop(struct cw_acl_log *log, struct entry *entry)
{
    list_remove(&entry->node);
    log->count--;
    buf_free(&entry->object);
    buf_free(&entry->user);
    buf_free(&entry->client);
    mem_free(entry);
}

void cw_acl_log_reset(struct cw_acl_log *log)
{
    LIST_FOR_EACH(node, &log->entries)
    drop(log, LIST_ENTRY(node, struct entry, node));
}

static struct slice kept_of(struct slice object)
{
    return slice_of(object.data, object.length < OBJECT_KEPT ? object.length : OBJECT_KEPT);
}

static bool is_alike(const struct entry *entry, const struct cw_acl_denial *denial)
{
    return entry->reason == denial->reason && entry->context == denial->context &&
           llabs(entry->updated_ms - denial->now_ms) <= ALIKE_WITHIN_MS &&
           slice_equal(buf_slice(&entry->object), kept_of(denial->object)) &&
           slice_equal(buf_slice(&entry->user), denial->user);
}

static struct entry *find_alike(struct cw_acl_log *log, const struct cw_acl_denial *denial)
{
    unsigned left = LOOKED_AT;
    LIST_FOR_EACH(node, &log->entries)
    {
        struct entry *entry = LIST_ENTRY(node, struct entry, node);
        if (left-- == 0)
            return NULL;
        if (is_alike(entry, denial))
            return entry;
    }
    return NULL;
}

static struct entry *create(struct cw_acl_log *log, const struct cw_acl_denial *denial)
{
    struct entry *entry = mem_zero(sizeof(*entry));
    list_init(&entry->node);
    entry->reason = denial->reason;
    entry->context = denial->context;
    entry->id = log->next_id++;
    entry->created_ms = denial->now_ms;
    buf_add_slice(&entry->object, kept_of(denial->object));
    buf_add_slice(&entry->user, denial->user);
    log->count++;
    return entry;
}

void cw_acl_log_add(struct cw_acl_log *log, const struct cw_acl_denial *denial, size_t limit)
{
    struct entry *entry = find_alike(log, denial);
    if (entry == NULL)
        entry = create(log, denial);
    entry->count++;
    entry->updated_ms = denial->now_ms;
    buf_clear(&entry->client);
    buf_add_slice(&entry->client, denial->client);
    list_remove(&entry->node);
    list_add_first(&log->entries, &entry->node);
    while (log->count > limit)
        drop(log, LIST_ENTRY(log->entries.previous, struct entry, node));
}

static void write_entry(const struct entry *entry, int64_t now_ms, int protocol, struct buf *out)
{
    static const char *const reasons[] = {
        [CW_ACL_REASON_AUTH] = "auth",
        [CW_ACL_REASON_COMMAND] = "command",
        [CW_ACL_REASON_KEY] = "key",
        [CW_ACL_REASON_CHANNEL] = "channel",
    };
    static const char *const contexts[] = {
        [CW_ACL_TOPLEVEL] = "toplevel", [CW_ACL_MULTI] = "multi", [CW_ACL_LUA] = "lua"};
    resp_write_map(out, protocol, 10);
    resp_write_bulk_text(out, "count");
    resp_write_integer(out, entry->count);
    resp_write_bulk_text(out, "reason");
    resp_write_bulk_text(out, reasons[entry->reason]);
    resp_write_bulk_text(out, "context");
    resp_write_bulk_text(out, contexts[entry->context]);
    resp_write_bulk_text(out, "object");
    resp_write_bulk(out, buf_slice(&entry->object));
    resp_write_bulk_text(out, "username");
    resp_write_bulk(out, buf_slice(&entry->user));
    resp_write_bulk_text(out, "age-seconds");
    resp_write_double(out, protocol, (double)(now_ms - entry->updated_ms) / 1000);
    resp_write_bulk_text(out, "client-info");
    resp_write_bulk(out, buf_slice(&entry->client));
    resp_write_bulk_text(out, "entry-id");
    resp_write_integer(out, entry->id);
    resp_write_bulk_text(out, "timestamp-created");
    resp_write_integer(out, entry->created_ms);
    resp_write_bulk_text(out, "timestamp-last-updated");
    resp_write_integer(out, entry->updated_ms);
}

void cw_acl_log_write(const struct cw_acl_log *log, size_t limit, int64_t now_ms, int protocol, struct buf *out)
{
    size_t left = log->count < limit ? log->count : limit;
    resp_write_array(out, left);
    LIST_FOR_EACH(node, &log->entries)
    {
        if (left-- == 0)
            return;
        write_entry(LIST_ENTRY(node, struct entry, node), now_ms, protocol, out);
    }
}
