/* memory_storage.h: a struct storage in memory, whose writes can be made to fail. */
#ifndef TESTS_UNIT_CACHEWORKER_MEMORY_STORAGE_H
#define TESTS_UNIT_CACHEWORKER_MEMORY_STORAGE_H

#include "common/base/door.h"

/* Holds one file, and apart from it "users.acl" and the last that was named "diverged-...". */
struct memory_storage {
    struct storage storage;
    struct buf content; /* durable */
    bool exists;
    struct buf writing;
    char written_name[64];
    struct buf diverged;
    char diverged_name[64];
    struct buf users;
    const struct buf *reading; /* borrowed; of these */
    size_t position;           /* of the reader */
    size_t piece;              /* bytes that a read gives at most; 0: as many as asked for */
    size_t write_limit;        /* bytes after which a write finds the disk full; 0: never */
    int commit_result;
    unsigned open_files;
};

void memory_storage_init(struct memory_storage *memory);
void memory_storage_free(struct memory_storage *memory);

#endif
