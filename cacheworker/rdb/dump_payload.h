/* dump_payload.h: what DUMP and FUNCTION DUMP answer: items of RDB, its version, and a checksum of both. */
#ifndef CACHEWORKER_RDB_DUMP_PAYLOAD_H
#define CACHEWORKER_RDB_DUMP_PAYLOAD_H

#include "common/base/buf.h"

#include <stdbool.h>

#define CW_ERROR_BAD_DUMP "ERR DUMP payload version or checksum are wrong"

/* Ends a payload whose items stand in the buffer. */
void cw_dump_end(struct buf *payload, unsigned version);

/* The items, which may be none. `trusts`: whatever the checksum is. False: CW_ERROR_BAD_DUMP. */
bool cw_dump_open(struct slice payload, bool trusts, struct slice *ret_items);

/* The version that an opened payload told. */
unsigned cw_dump_version(struct slice payload);

#endif
