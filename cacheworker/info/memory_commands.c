#include "cacheworker/info/memory_commands.h"

#include "cacheworker/engine/state.h"
#include "cacheworker/info/memory_report.h"
#include "cacheworker/keyspace/keyspace.h"
#include "common/base/mem.h"

#include <stdio.h>

/* ---- MEMORY STATS ---- */

static void write_size(struct cw_call *call, const char *name, size_t bytes)
{
    resp_write_bulk_text(call->reply, name);
    resp_write_integer(call->reply, (int64_t)bytes);
}

static void write_share(struct cw_call *call, const char *name, double share)
{
    resp_write_bulk_text(call->reply, name);
    resp_write_double(call->reply, call->protocol, share);
}

/* Expiries are kept in the entries, and there are no slots. */
static void write_database(struct cw_call *call, unsigned database)
{
    char name[32];
    snprintf(name, sizeof(name), "db.%u", database);
    resp_write_bulk_text(call->reply, name);
    resp_write_map(call->reply, call->protocol, 3);
    write_size(call, "overhead.hashtable.main", cw_keyspace_table_bytes(call->keyspace, database));
    write_size(call, "overhead.hashtable.expires", 0);
    write_size(call, "overhead.hashtable.slot-to-keys", 0);
}

static unsigned count_databases_in_use(const struct cw_keyspace *keyspace)
{
    unsigned count = 0;
    for (unsigned i = 0; i < cw_keyspace_databases(keyspace); i++)
        count += cw_keyspace_count(keyspace, i) > 0;
    return count;
}

static void write_parts(struct cw_call *call, const struct cw_memory_report *report)
{
    write_size(call, "peak.allocated", report->peak);
    write_size(call, "total.allocated", report->used);
    write_size(call, "startup.allocated", report->startup);
    write_size(call, "replication.backlog", report->replication);
    write_size(call, "clients.slaves", report->replicas);
    write_size(call, "clients.normal", report->clients);
    write_size(call, "cluster.links", 0);
    write_size(call, "aof.buffer", 0);
    write_size(call, "lua.caches", 0);
    write_size(call, "functions.caches", 0);
}

static void write_sums(struct cw_call *call, const struct cw_memory_report *report)
{
    size_t grown = report->used - report->startup;
    write_size(call, "overhead.total", report->overhead);
    write_size(call, "keys.count", report->keys);
    write_size(call, "keys.bytes-per-key", report->keys > 0 ? grown / report->keys : 0);
    write_size(call, "dataset.bytes", report->dataset);
    write_share(call, "dataset.percentage", cw_percentage(report->dataset, grown));
    write_share(call, "peak.percentage", cw_percentage(report->used, report->peak));
}

static void write_allocator(struct cw_call *call, const struct cw_memory_report *report)
{
    write_size(call, "allocator.allocated", report->data);
    write_size(call, "allocator.active", report->data_held);
    write_size(call, "allocator.resident", report->data_held);
    write_share(call, "allocator-fragmentation.ratio", cw_ratio(report->data_held, report->data));
    write_size(call, "allocator-fragmentation.bytes", report->data_held - report->data);
    write_share(call, "allocator-rss.ratio", 1);
    write_size(call, "allocator-rss.bytes", 0);
    write_share(call, "rss-overhead.ratio", cw_ratio(report->resident, report->data_held));
    write_size(call, "rss-overhead.bytes", report->resident - report->data_held);
    write_share(call, "fragmentation", cw_ratio(report->resident, report->used));
    write_size(call, "fragmentation.bytes", report->resident - report->used);
}

void cw_memory_stats_command(struct cw_call *call)
{
    enum { PARTS = 10, SUMS = 6, OF_ALLOCATOR = 11 };
    struct cw_memory_report report;
    cw_memory_report(call->engine, &report);
    unsigned databases = count_databases_in_use(call->keyspace);
    resp_write_map(call->reply, call->protocol, PARTS + databases + SUMS + OF_ALLOCATOR);
    write_parts(call, &report);
    for (unsigned i = 0; i < cw_keyspace_databases(call->keyspace); i++)
        if (cw_keyspace_count(call->keyspace, i) > 0)
            write_database(call, i);
    write_sums(call, &report);
    write_allocator(call, &report);
}

/* ---- MEMORY DOCTOR ---- */

enum {
    LITTLE = 5 << 20,                 /* too little to judge by */
    WASTE_MIN = 10 << 20,             /* what is free in pages matters from here on */
    CLIENT_BYTES_SUSPECT = 200 << 10, /* on average */
};

static void diagnose(const struct cw_memory_report *report, struct buf *out)
{
    if (report->used < LITTLE) {
        buf_add_text(out, "There is next to no data here yet, so there is nothing to say about it.\n");
        return;
    }
    if (report->peak > report->used * 3 / 2)
        buf_add_text(out, "- Peak: memory was once more than half as much again as it is now. What was freed since is "
                          "used again first, so the process need not have become smaller.\n");
    if (report->data_held - report->data > WASTE_MIN && report->data_held > report->data * 7 / 5)
        buf_add_text(out,
                     "- Fragmentation: much is free between values that are in use. It is used again for values of "
                     "the same size; values of other sizes need new memory meanwhile.\n");
    if (report->resident > report->resident_least + WASTE_MIN && report->resident > report->resident_least * 7 / 5)
        buf_add_text(out,
                     "- Process: it is much larger than what is used or held for keys and values. MEMORY PURGE gives "
                     "back what was in use once; nobody is answered meanwhile.\n");
    if (report->sessions > 0 && report->clients / report->sessions > CLIENT_BYTES_SUSPECT)
        buf_add_text(out,
                     "- Clients: their buffers are large on average. Some may not read their replies, or send very "
                     "long requests: CLIENT LIST shows who (omem, qbuf).\n");
    if (buf_length(out) == 0)
        buf_add_text(out, "No problem was found.\n");
}

static void reply_text(struct cw_call *call, struct buf *text)
{
    resp_write_verbatim(call->reply, call->protocol, "txt", buf_slice(text));
    buf_free(text);
}

void cw_memory_doctor_command(struct cw_call *call)
{
    struct cw_memory_report report;
    struct buf text = {0};
    cw_memory_report(call->engine, &report);
    diagnose(&report, &text);
    reply_text(call, &text);
}

/* ---- The others ---- */

void cw_memory_malloc_stats_command(struct cw_call *call)
{
    struct cw_memory_report report;
    struct buf text = {0};
    cw_memory_report(call->engine, &report);
    buf_add_format(&text, "blocks in use: %zu bytes\nheld with what is free in their pages: %zu bytes\n", report.data,
                   report.data_held);
    reply_text(call, &text);
}

void cw_memory_purge_command(struct cw_call *call)
{
    cw_keyspace_trim(call->keyspace);
    mem_trim();
    resp_write_ok(call->reply);
}

void cw_memory_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "MEMORY <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "DOCTOR",
        "    What is remarkable about the use of memory.",
        "HELP",
        "    These lines.",
        "MALLOC-STATS",
        "    What the allocator of keys and values holds.",
        "PURGE",
        "    Give free memory back to the kernel.",
        "STATS",
        "    What memory is used for.",
        "USAGE <key> [SAMPLES <count>]",
        "    Bytes that <key> and its value take.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}
