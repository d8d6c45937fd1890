/* memory_report.h: what a worker's memory is used for, as INFO, MEMORY STATS and MEMORY DOCTOR tell it. In bytes. */
#ifndef CACHEWORKER_INFO_MEMORY_REPORT_H
#define CACHEWORKER_INFO_MEMORY_REPORT_H

#include <stddef.h>
#include <stdint.h>

struct cw_engine;

struct cw_memory_report {
    size_t data;           /* blocks in use, of all databases: what maxmemory limits */
    size_t data_held;      /* the same, and what is free in the pages that they lie in */
    size_t startup;        /* of data, before there was any key */
    size_t tables;         /* of data, what leads to the keys; grown since then */
    size_t clients;        /* sessions with their buffers */
    size_t replicas;       /* the same of replicas */
    size_t replication;    /* the backlog, and what snapshots on their way take */
    size_t used;           /* data, clients, replicas, replication */
    size_t resident_least; /* the same with data_held */
    size_t resident;       /* of the process, as the kernel says; the least where nobody can ask it */
    size_t overhead;       /* of used, what is no key and no value */
    size_t dataset;        /* of used, what is */
    size_t peak;           /* of data after any turn, or of all now */
    uint64_t keys;
    uint64_t sessions; /* of clients */
};

void cw_memory_report(const struct cw_engine *engine, struct cw_memory_report *ret_report);

/* 0 when there is nothing to compare with. */
double cw_percentage(size_t part, size_t whole);
double cw_ratio(size_t part, size_t whole);

#endif
