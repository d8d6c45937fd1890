/* mutants.h: guards of the protocol that can be removed for a run, one at a time. */
#ifndef TESTS_SIM_MUTANTS_H
#define TESTS_SIM_MUTANTS_H

#include "tests/sim/appliance.h"

struct mutant {
    const char *name;
    const char *breaks; /* the property that must be seen to break */
    bool is_shown;      /* the regular seeds miss the guard; the others another guard covers: docs/TESTING.md */
    struct mutants mutants;
};

const struct mutant *mutants_all(void); /* ends with a NULL name */
const struct mutant *mutant_find(const char *name);

#endif
