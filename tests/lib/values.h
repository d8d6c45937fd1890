/* values.h: random but well-formed values of the control protocol, drawn from a seeded generator: for round trips. */
#ifndef TESTS_LIB_VALUES_H
#define TESTS_LIB_VALUES_H

#include "common/base/rand.h"
#include "common/ha/messages.h"

struct identity random_identity(struct rand *rand);
struct life random_life(struct rand *rand);
struct ballot random_ballot(struct rand *rand);
void random_history(struct rand *rand, struct history *ret_history);
void random_topology(struct rand *rand, struct topology *ret_topology);

/* A message of the given kind; a HELLO borrows its secret from a constant. */
void random_message(struct rand *rand, enum message_kind kind, struct message *ret_message);

#endif
