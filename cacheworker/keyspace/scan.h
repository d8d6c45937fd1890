/* scan.h: what SCAN, HSCAN, SSCAN and ZSCAN have in common: cursor, MATCH, COUNT. */
#ifndef CACHEWORKER_KEYSPACE_SCAN_H
#define CACHEWORKER_KEYSPACE_SCAN_H

#include "cacheworker/engine/call.h"

/* So many empty places may be looked at for one that is asked for: they must not make a scan long. */
enum { CW_SCAN_PLACES_PER_COUNT = 10 };

struct cw_scan {
    uint64_t cursor;
    uint64_t count;
    struct slice pattern; /* borrowed; no data: any */
    struct slice type;    /* borrowed; no data: any; of SCAN only */
};

/* Reads the cursor, argv[index]; else replies the error. The rest has its default then. */
bool cw_scan_parse_cursor(struct cw_call *call, size_t index, struct cw_scan *ret_scan);

/* Reads the options from argv[index] on; else replies the error. */
bool cw_scan_parse_options(struct cw_call *call, size_t index, bool takes_type, struct cw_scan *scan);

#endif
