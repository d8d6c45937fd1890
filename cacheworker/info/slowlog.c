#include "cacheworker/info/slowlog.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/info/redact.h"
#include "common/base/mem.h"
#include "common/resp/resp_writer.h"

enum { ARGUMENTS_KEPT = 32, ARGUMENT_BYTES_KEPT = 128 }; /* the reference's figures */

struct entry {
    struct list node;
    uint64_t id;
    int64_t wall_us;
    int64_t duration_us;
    struct buf arguments; /* owned; the array, as it will be sent */
    struct buf peer;      /* owned */
    char *name;           /* owned or NULL */
};

void cw_slowlog_create(struct cw_slowlog *slowlog)
{
    *slowlog = (struct cw_slowlog){0};
    list_init(&slowlog->entries);
}

static void drop(struct cw_slowlog *slowlog, struct entry *entry)
{
    list_remove(&entry->node);
    slowlog->count--;
    buf_free(&entry->arguments);
    buf_free(&entry->peer);
    mem_free(entry->name);
    mem_free(entry);
}

void cw_slowlog_reset(struct cw_slowlog *slowlog)
{
    LIST_FOR_EACH(node, &slowlog->entries)
    drop(slowlog, LIST_ENTRY(node, struct entry, node));
}

void cw_slowlog_destroy(struct cw_slowlog *slowlog)
{
    cw_slowlog_reset(slowlog);
}

static void write_argument(struct buf *out, struct slice argument)
{
    if (argument.length <= ARGUMENT_BYTES_KEPT) {
        resp_write_bulk(out, argument);
        return;
    }
    struct buf text = {0};
    buf_add(&text, argument.data, ARGUMENT_BYTES_KEPT);
    buf_add_format(&text, "... (%zu more bytes)", argument.length - ARGUMENT_BYTES_KEPT);
    resp_write_bulk(out, buf_slice(&text));
    buf_free(&text);
}

static void write_arguments(struct buf *out, const struct command *command, const struct slice *argv, size_t argc)
{
    size_t kept = argc <= ARGUMENTS_KEPT ? argc : ARGUMENTS_KEPT;
    resp_write_array(out, kept);
    for (size_t i = 0; i < kept; i++) {
        if (i == ARGUMENTS_KEPT - 1 && argc > ARGUMENTS_KEPT) {
            struct buf text = {0};
            buf_add_format(&text, "... (%zu more arguments)", argc - ARGUMENTS_KEPT + 1);
            resp_write_bulk(out, buf_slice(&text));
            buf_free(&text);
        } else {
            write_argument(out, cw_is_secret(command, argv, argc, i) ? CW_REDACTED : argv[i]);
        }
    }
}

void cw_slowlog_offer(struct cw_engine *engine, const struct cw_session *session, const struct command *command,
                      const struct slice *argv, size_t argc, int64_t duration_us)
{
    const struct cw_settings *settings = &engine->settings;
    if (settings->slowlog_slower_than_us < 0 || duration_us < settings->slowlog_slower_than_us ||
        (command->flags & COMMAND_SKIP_SLOWLOG))
        return;
    struct cw_slowlog *slowlog = &engine->slowlog;
    struct entry *entry = mem_zero(sizeof(*entry));
    entry->id = slowlog->next_id++;
    entry->wall_us = engine->wall_us;
    entry->duration_us = duration_us;
    write_arguments(&entry->arguments, command, argv, argc);
    cw_session_describe_address(&session->peer, &entry->peer);
    if (session->name != NULL)
        entry->name = mem_copy_text(session->name, strlen(session->name));
    list_add_first(&slowlog->entries, &entry->node);
    slowlog->count++;
    while (slowlog->count > (size_t)settings->slowlog_max_length)
        drop(slowlog, LIST_ENTRY(slowlog->entries.previous, struct entry, node));
}

void cw_slowlog_write(const struct cw_slowlog *slowlog, size_t limit, struct buf *out)
{
    size_t left = slowlog->count < limit ? slowlog->count : limit;
    resp_write_array(out, left);
    LIST_FOR_EACH(node, &slowlog->entries)
    {
        if (left-- == 0)
            return;
        const struct entry *entry = LIST_ENTRY(node, struct entry, node);
        resp_write_array(out, 6);
        resp_write_integer(out, (int64_t)entry->id);
        resp_write_integer(out, entry->wall_us / 1000000);
        resp_write_integer(out, entry->duration_us);
        buf_add_slice(out, buf_slice(&entry->arguments));
        resp_write_bulk(out, buf_slice(&entry->peer));
        resp_write_bulk_text(out, entry->name ? entry->name : "");
    }
}
