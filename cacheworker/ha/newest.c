#include "cacheworker/ha/newest.h"

#include "common/base/mem.h"

void cw_newest_create(struct cw_newest *newest, size_t size)
{
    newest->size = size;
    newest->slots = mem_zero(3 * size);
    newest->writers = 0;
    newest->readers = 1;
    atomic_init(&newest->between, 2);
}

void cw_newest_destroy(struct cw_newest *newest)
{
    mem_free(newest->slots);
    newest->slots = NULL;
}
