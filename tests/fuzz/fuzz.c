#include "tests/fuzz/fuzz.h"

#include "common/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

void fuzz_must_equal(struct slice expected, struct slice got, const char *way)
{
    if (slice_equal(expected, got))
        return;
    fprintf(stderr, "%s comes to something else\nexpected: %.*s\n     got: %.*s\n", way, (int)expected.length,
            expected.data, (int)got.length, got.data);
    abort();
}

char *fuzz_exact_copy(struct slice bytes)
{
    char *copy = mem_alloc(bytes.length);
    if (bytes.length > 0)
        memcpy(copy, bytes.data, bytes.length);
    return copy;
}
