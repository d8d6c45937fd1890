/* words.h: what nodes and sentinels have given their word for, and whether they keep it, also over a restart.
 *
 * The promises behind a lease, and the durable words behind a vote, are what S1 to S4 and S10 rest on. Watching them
 * shows a missing guard long before two masters happen to meet.
 *
 *   lease  whoever may reply holds standing promises of a majority to its epoch and life     (the reason of S3 and S4)
 *   S12    a promise is never shortened; while it stands no later epoch is accepted without RELEASE or a newer life
 *   L2     no master is deposed, unless by its RELEASE, while a majority's promises to it stand
 *   S1     a PROMISE or ACCEPTED that left is kept: the ballots never go down
 *   S3     a GRANT that left is kept: the accepted epoch is never below it
 *   S10    a FENCED that left is kept: the fence never goes down */
#ifndef TESTS_SIM_WORDS_H
#define TESTS_SIM_WORDS_H

#include "tests/sim/appliance.h"

#include "common/ha/messages.h"
#include "common/resp/resp_reader.h"

struct oracle;

struct sentinel_words {
    uint64_t seen_life; /* of the process, when it was looked at last */
    uint64_t epoch;     /* of the promise that stands, or stood last */
    struct life life;
    int64_t until_ns;       /* on its own clock */
    int64_t granted_ns;     /* so far the promise reaches that the last GRANT of this life and epoch told */
    bool is_gone;           /* it knows of a newer life */
    struct ballot accepted; /* when it was looked at last */
    struct ballot sent_promised, sent_accepted;
    uint64_t sent_grant_epoch;
};

struct words {
    struct sentinel_words sentinels[SENTINELS];
    uint64_t sent_fence[WORKERS];
    struct resp_request request; /* owned */
    struct message message;
};

void words_free(struct words *words);

/* After a sentinel's or worker's event. */
void words_check_sentinel(struct oracle *oracle, unsigned number);
void words_check_worker(struct oracle *oracle, unsigned number);

/* A worker's reply check succeeds. */
void words_check_lease(struct oracle *oracle, unsigned number);

/* A later epoch was learned by somebody for the first time. Called before that sentinel is looked at. */
void words_check_deposed(struct oracle *oracle, const struct topology *before, const struct topology *after);

/* Bytes leave; they begin with a whole message, where it is one. */
void words_sent(struct oracle *oracle, const struct sim_process *process, struct slice bytes);

#endif
