/* The manifest of an append-only file: what is read of it, written out again, is read as the same. */
#include "cacheworker/aof/manifest.h"
#include "common/base/check.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static bool is_same_file(const struct cw_manifest_file *a, const struct cw_manifest_file *b)
{
    return strcmp(a->name, b->name) == 0 && a->number == b->number;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct cw_manifest manifest, again;
    struct cw_manifest_fault fault;
    if (cw_manifest_parse(slice_of((const char *)data, size), &manifest, &fault) < 0)
        return 0;
    struct buf text = {0};
    cw_manifest_write(&manifest, &text);
    CHECK(cw_manifest_parse(buf_slice(&text), &again, &fault) == 0);
    CHECK(again.has_base == manifest.has_base && again.count == manifest.count);
    CHECK(!manifest.has_base || is_same_file(&again.base, &manifest.base));
    for (size_t i = 0; i < manifest.count; i++) {
        CHECK(is_same_file(&again.increments[i], &manifest.increments[i]));
        CHECK(strchr(manifest.increments[i].name, '/') == NULL && manifest.increments[i].name[0] != '.');
    }
    buf_free(&text);
    return 0;
}
