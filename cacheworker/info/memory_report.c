#include "cacheworker/info/memory_report.h"

#include "cacheworker/engine/client_memory.h"
#include "cacheworker/keyspace/keyspace.h"
#include "cacheworker/repl/repl.h"

double cw_percentage(size_t part, size_t whole)
{
    return 100 * cw_ratio(part, whole);
}

double cw_ratio(size_t part, size_t whole)
{
    return whole > 0 ? (double)part / (double)whole : 0;
}

static void add_sessions(const struct cw_engine *engine, struct cw_memory_report *report)
{
    LIST_FOR_EACH(node, &engine->sessions)
    {
        const struct cw_session *session = LIST_ENTRY(node, struct cw_session, all);
        size_t bytes = cw_session_memory(session);
        if (session->kind == CW_LINK_REPLICA)
            report->replicas += bytes;
        else
            report->clients += bytes;
        report->sessions += session->kind == CW_LINK_CLIENT;
    }
    for (uint32_t i = 0; i < engine->spare_count; i++)
        report->clients += engine->spare_buffers[i].capacity;
    report->clients += (size_t)engine->small_count * CW_SMALL_BUFFER_BYTES;
}

void cw_memory_report(const struct cw_engine *engine, struct cw_memory_report *ret_report)
{
    struct cw_memory_report report = {
        .data = cw_keyspace_data_bytes(engine->keyspace),
        .data_held = cw_keyspace_used_bytes(engine->keyspace),
        .startup = engine->startup_memory_bytes,
        .replication = cw_repl_memory(engine->repl),
    };
    for (unsigned i = 0; i < engine->config.databases; i++) {
        report.tables += cw_keyspace_table_bytes(engine->keyspace, i);
        report.keys += cw_keyspace_count(engine->keyspace, i);
    }
    add_sessions(engine, &report);
    size_t buffers = report.clients + report.replicas + report.replication;
    size_t leaving = cw_leaving_bytes(&engine->leaving);
    report.used = report.data + leaving + buffers;
    report.resident_least = report.data_held + leaving + buffers;
    report.resident = engine->config.resident_bytes != NULL ? engine->config.resident_bytes() : 0;
    if (report.resident == 0)
        report.resident = report.resident_least;
    report.overhead = report.startup + report.tables + buffers;
    report.dataset = report.used > report.overhead ? report.used - report.overhead : 0;
    report.peak = engine->peak_memory_bytes > report.used ? engine->peak_memory_bytes : report.used;
    *ret_report = report;
}
