/* version.h: the version of Redis that clients take us for: they choose features by it. */
#ifndef CACHEWORKER_ENGINE_VERSION_H
#define CACHEWORKER_ENGINE_VERSION_H

#define CW_REDIS_VERSION        "7.2.4"
#define CW_REDIS_VERSION_NUMBER 0x00070204

#endif
