/* many_words.h: a command for the stream that names many members, in pieces of bounded length: "SREM key a b c". */
#ifndef CACHEWORKER_KEYSPACE_MANY_WORDS_H
#define CACHEWORKER_KEYSPACE_MANY_WORDS_H

#include "cacheworker/engine/call.h"

struct cw_many_words {
    struct cw_call *call; /* borrowed */
    struct slice *argv;   /* owned; the members' data are filled in at the end, for the texts move as they grow */
    size_t count;         /* of members */
    size_t most;
    struct buf texts; /* owned; theirs, one after another */
};

/* `count`, at least 1, is how many members there will be at most. The call and its key outlive the words. */
void cw_many_words_begin(struct cw_many_words *words, struct cw_call *call, const char *name, struct slice key,
                         uint64_t count);
void cw_many_words_add(struct cw_many_words *words, struct slice member); /* copied */
void cw_many_words_end(struct cw_many_words *words);                      /* whatever was added is propagated then */

#endif
