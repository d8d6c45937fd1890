/* memory_disk.h: the directory of one core, in memory: what it reads and saves (struct storage), and what it asks of
 * its disk (door.h: EFFECT_PERSIST, EFFECT_FILE), done at once. A disk that is full does nothing that takes space. */
#ifndef TESTS_FUZZ_MEMORY_DISK_H
#define TESTS_FUZZ_MEMORY_DISK_H

#include "common/base/door.h"

enum { MEMORY_DISK_FILES = 64 };

struct memory_file {
    char name[FILE_NAME_MAX]; /* "": the slot is free */
    struct buf content;       /* owned */
};

struct memory_disk {
    struct storage storage; /* its context is this struct: do not move it */
    struct memory_file files[MEMORY_DISK_FILES];
    struct {
        struct memory_file *file; /* borrowed; NULL: not open */
        int error;                /* what failed first: so does all that follows on it */
    } open[FILES_MAX];
    bool is_full;
};

void memory_disk_init(struct memory_disk *disk);
void memory_disk_free(struct memory_disk *disk);

/* Carries out an EFFECT_PERSIST or EFFECT_FILE of these; the answer's result. */
int memory_disk_carry_out(struct memory_disk *disk, const struct effects *effects, const struct effect *effect);

#endif
