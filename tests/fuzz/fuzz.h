/* fuzz.h: what the fuzz targets share. Each target defines LLVMFuzzerTestOneInput: libFuzzer calls it when configured
 * with --enable-fuzz, replay.c with the checked-in corpus otherwise. A finding ends the process. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "common/base/slice.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, saying so, unless both are the same; they tell what `input` came to, read in two ways. */
void fuzz_must_equal(struct slice expected, struct slice got, const char *way);

/* A copy in a block of exactly that size, so that a sanitizer sees a read behind it. To be freed with mem_free. */
char *fuzz_exact_copy(struct slice bytes);

#endif
