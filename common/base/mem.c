#include "common/base/mem.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *mem_alloc(size_t size)
{
    void *block = malloc(size ? size : 1);
    CHECK(block != NULL);
    return block;
}

void *mem_zero(size_t size)
{
    void *block = calloc(1, size ? size : 1);
    CHECK(block != NULL);
    return block;
}

void *mem_resize(void *block, size_t size)
{
    void *moved = realloc(block, size ? size : 1);
    CHECK(moved != NULL);
    return moved;
}

void *mem_try_alloc(size_t size)
{
    return malloc(size ? size : 1);
}

void *mem_try_resize(void *block, size_t size)
{
    return realloc(block, size ? size : 1);
}

void mem_free(void *block)
{
    free(block);
}

size_t mem_usable(const void *block)
{
    return block ? malloc_usable_size((void *)(size_t)block) : 0;
}

void mem_trim(void)
{
    (void)malloc_trim(0);
}

char *mem_copy_text(const char *text, size_t length)
{
    char *copy = mem_alloc(length + 1);
    if (length > 0)
        memcpy(copy, text, length);
    copy[length] = '\0';
    return copy;
}
