/* objects.h: the types whose big values are structures of their own, for the keyspace. */
#ifndef CACHEWORKER_ENGINE_OBJECTS_H
#define CACHEWORKER_ENGINE_OBJECTS_H

#include "cacheworker/keyspace/object.h"

extern cw_object_types cw_objects;

#endif
