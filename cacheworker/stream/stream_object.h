/* stream_object.h: a stream as the value of a key: always an object, for a stream may be empty and still has a past. */
#ifndef CACHEWORKER_STREAM_STREAM_OBJECT_H
#define CACHEWORKER_STREAM_STREAM_OBJECT_H

#include "cacheworker/keyspace/object.h"

extern const struct cw_object_operations cw_stream_operations;

#endif
