/* scan.h: what SCAN, HSCAN, SSCAN and ZSCAN have in common: cursor, MATCH, COUNT. */
#ifndef CACHEWORKER_KEYSPACE_SCAN_H
#define CACHEWORKER_KEYSPACE_SCAN_H

#include "cacheworker/engine/call.h"
#include "cacheworker/keyspace/entry.h"
#include "cacheworker/packed/listpack.h"

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

/* What a scan of one value has found. */
struct cw_found {
    struct buf replies; /* owned */
    uint64_t count;     /* of the replies */
    uint64_t visited;
    struct slice pattern;
};

/* A member is visited: whether it is to be replied. */
bool cw_found_visit(struct cw_found *found, const struct cw_packed_value *member);

/* HSCAN, SSCAN, ZSCAN. A step visits some members from the cursor on, adds to the replies, and returns the next cursor.
 */
typedef uint64_t (*cw_scan_step)(struct cw_call *call, const struct cw_entry *entry, uint64_t cursor,
                                 struct cw_found *found);
void cw_scan_value(struct cw_call *call, enum cw_type type, cw_scan_step step);

#endif
