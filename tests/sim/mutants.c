#include "tests/sim/mutants.h"

#include "cacheworker/ha/ha.h"

#include <string.h>

static const struct mutant mutants[] = {
    {"lease-from-grant", "S3, S4: the lease is counted from the arrival of the GRANT",
     {.worker = CW_MUTANT_LEASE_FROM_GRANT}},
    {NULL, NULL, {0}},
};

const struct mutant *mutants_all(void)
{
    return mutants;
}

const struct mutant *mutant_find(const char *name)
{
    for (const struct mutant *mutant = mutants; mutant->name != NULL; mutant++)
        if (strcmp(mutant->name, name) == 0)
            return mutant;
    return NULL;
}
