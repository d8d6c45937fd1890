/* puppet.h: a world of one core, for fuzz targets: every file is written at once, or nowhere, every connection that the
 * core asks for is made, and what all the others say is the input.
 *
 * The input is lines. Open links are called a, b, c... in the order in which they were opened:
 *   "+0"      somebody connects to listener 0
 *   "aWORDS"  WORDS and a line end arrive on link a; "AWORDS" without the line end
 *   "%"       the disk is full from here on, or is no more
 *   "!a"      the other side closes link a; "?a": it says no more
 *   "."       20 ms pass; "@" half a second, "#" eight seconds, with turns whenever the core asks for one */
#ifndef TESTS_FUZZ_PUPPET_H
#define TESTS_FUZZ_PUPPET_H

#include "tests/fuzz/memory_disk.h"

/* Plays the input to the core, which it starts, stops and destroys. Crashes when the core breaks the door's contract.
 */
void puppet_play(const struct door *door, void *core, struct slice input);

/* The same, with what else there may be; all of it may be NULL. */
struct puppet_stage {
    const struct door *door;
    void *core;
    struct memory_disk *disk;                     /* borrowed; NULL: what is written is gone */
    void (*watch)(void *context, void *core);     /* looks at the core after each step and what came of it */
    void (*look_back)(void *context, void *core); /* once, in the end: the disk has room, and nothing is under way */
    void *context;
};
void puppet_play_on(const struct puppet_stage *stage, struct slice input);

#endif
