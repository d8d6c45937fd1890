#include "cacheworker/keyspace/arena.h"

#include "cacheworker/keyspace/budget.h"
#include "common/base/list.h"
#include "common/base/mem.h"

#include <limits.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define HAVE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAVE_ASAN 1
#endif
#endif
#ifdef HAVE_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(at, length)   ASAN_POISON_MEMORY_REGION(at, length)
#define UNPOISON(at, length) ASAN_UNPOISON_MEMORY_REGION(at, length)
#else
#define POISON(at, length)   ((void)(at), (void)(length))
#define UNPOISON(at, length) ((void)(at), (void)(length))
#endif

enum {
    PAGE_SIZE = 64 << 10,
    CHUNK_SIZE = 2 << 20, /* as huge pages are */
    PAGES_PER_CHUNK = CHUNK_SIZE / PAGE_SIZE,
    STEP = 8,
    SMALL_CLASSES = CW_ARENA_SMALL_MAX / STEP,
    PAGE_ROOM = PAGE_SIZE - 64,
    BLOCKS_MOST = PAGE_ROOM / (CW_ARENA_SMALL_MAX + STEP), /* in a page of a class that is not small */
    BLOCKS_LEAST = PAGE_ROOM / CW_ARENA_PAGED_MAX,
    CLASSES = SMALL_CLASSES + BLOCKS_MOST - BLOCKS_LEAST + 1,
    RESERVE_PAGES = 32, /* empty pages that keep their memory */
    PAGE_COST = 16,     /* of giving one back, in units of cw_arena_trim_step */
    FILLS = 16,         /* pages are told apart by sixteenths of what they could hold */
    WORTH_PAGES = 32,   /* to be gained, or a compaction does not begin */
    MOVE_COST = 4,      /* of a block, in units of cw_arena_move, and one for each ... */
    MOVE_BYTES = 512,   /* ... of these */
    MALLOC_OVERHEAD = 8,
    KERNEL_PAGE_SIZE = 4096,
};

struct chunk {
    struct list node;  /* in arena->chunks */
    struct list spare; /* in arena->spare, while a free page has memory */
    char *base;        /* owned mapping */
    uint32_t free;     /* bit per page that no class has */
    uint32_t backed;   /* bit per page that has memory of the kernel, as far as we know */
};

struct page {         /* at the front of its 64 KiB, which are aligned to their size */
    struct list node; /* in arena->partial[class] while a block is free */
    struct chunk *chunk;
    uint32_t block_size;
    uint32_t capacity;
    uint32_t live;
    uint32_t touched;   /* blocks from here on were never given out */
    uint32_t free_head; /* offset of the first freed block; 0: none */
    uint32_t is_apart;  /* to be emptied: nothing is taken from it */
    uint32_t padding[4];
};
_Static_assert(sizeof(struct page) == 64, "blocks begin on a cache line");
_Static_assert(PAGE_ROOM % CW_ARENA_SEGMENT_SIZE == 0, "segments fill a page");

struct cw_arena {
    struct list partial[CLASSES];
    struct list chunks;
    struct list spare;     /* chunks with free pages that have memory */
    size_t reserved_pages; /* free and backed */
    size_t backed_pages;
    size_t paged_bytes; /* in blocks that are given out */
    bool is_compacting;
    size_t big_bytes;
};

static bool is_paged(size_t size)
{
    return size <= CW_ARENA_PAGED_MAX;
}

static size_t round_up(size_t size)
{
    return (size + STEP - 1) / STEP * STEP;
}

static unsigned class_of(size_t size)
{
    if (LIKELY(size <= CW_ARENA_SMALL_MAX))
        return (unsigned)((size + STEP - 1) / STEP - 1);
    return SMALL_CLASSES + BLOCKS_MOST - (unsigned)PAGE_ROOM / (unsigned)round_up(size);
}

static size_t class_size(unsigned class)
{
    if (class < SMALL_CLASSES)
        return (size_t)(class + 1) * STEP;
    return PAGE_ROOM / (SMALL_CLASSES + BLOCKS_MOST - class) / STEP * STEP;
}

size_t cw_arena_rounded(size_t size)
{
    if (size <= CW_ARENA_SMALL_MAX)
        return round_up(size);
    if (is_paged(size))
        return class_size(class_of(size));
    /* malloc's blocks are a multiple of 16 with its overhead. */
    return (size + MALLOC_OVERHEAD + 15) / 16 * 16 - MALLOC_OVERHEAD;
}

struct cw_arena *cw_arena_create(void)
{
    struct cw_arena *arena = mem_zero(sizeof(*arena));
    for (unsigned i = 0; i < CLASSES; i++)
        list_init(&arena->partial[i]);
    list_init(&arena->chunks);
    list_init(&arena->spare);
    return arena;
}

static void chunk_destroy(struct cw_arena *arena, struct chunk *chunk)
{
    unsigned backed = (unsigned)__builtin_popcount(chunk->backed);
    arena->backed_pages -= backed;
    arena->reserved_pages -= (unsigned)__builtin_popcount(chunk->backed & chunk->free);
    UNPOISON(chunk->base, CHUNK_SIZE);
    CHECK(munmap(chunk->base, CHUNK_SIZE) == 0);
    list_remove(&chunk->node);
    list_remove(&chunk->spare);
    mem_free(chunk);
}

void cw_arena_destroy(struct cw_arena *arena)
{
    if (!arena)
        return;
    CHECK(arena->big_bytes == 0);
    LIST_FOR_EACH(node, &arena->chunks)
    chunk_destroy(arena, LIST_ENTRY(node, struct chunk, node));
    mem_free(arena);
}

/* A mapping aligned to its size: twice as much address space is taken, and the ends are given back. */
static struct chunk *chunk_create(struct cw_arena *arena)
{
    char *mapping = mmap(NULL, 2 * (size_t)CHUNK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(mapping != MAP_FAILED);
    size_t head = (CHUNK_SIZE - (uintptr_t)mapping % CHUNK_SIZE) % CHUNK_SIZE;
    if (head > 0)
        CHECK(munmap(mapping, head) == 0);
    CHECK(munmap(mapping + head + CHUNK_SIZE, CHUNK_SIZE - head) == 0);

    struct chunk *chunk = mem_zero(sizeof(*chunk));
    chunk->base = mapping + head;
    chunk->free = UINT32_MAX;
    list_init(&chunk->spare);
    /* A small data set would pay 2 MiB for a few keys; random access to a big one pays a TLB miss per key without. */
    bool first = list_is_empty(&arena->chunks);
    (void)madvise(chunk->base, CHUNK_SIZE, first ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
    list_add_last(&arena->chunks, &chunk->node);
    return chunk;
}

/* Chunks with a free page stand at the front of the list, full ones at the end. */
static struct page *page_take(struct cw_arena *arena, size_t block_size)
{
    struct chunk *chunk = NULL;
    if (!list_is_empty(&arena->chunks))
        chunk = LIST_ENTRY(arena->chunks.next, struct chunk, node);
    if (!chunk || chunk->free == 0)
        chunk = chunk_create(arena);

    uint32_t candidates = chunk->free & chunk->backed ? chunk->free & chunk->backed : chunk->free;
    unsigned index = (unsigned)__builtin_ctz(candidates);
    uint32_t bit = (uint32_t)1 << index;
    if (chunk->backed & bit)
        arena->reserved_pages--;
    else
        arena->backed_pages++;
    chunk->free &= ~bit;
    chunk->backed |= bit;
    if (!(chunk->free & chunk->backed))
        list_remove(&chunk->spare);
    list_remove(&chunk->node);
    if (chunk->free == 0)
        list_add_last(&arena->chunks, &chunk->node);
    else
        list_add_first(&arena->chunks, &chunk->node);

    struct page *page = (struct page *)(void *)(chunk->base + (size_t)index * PAGE_SIZE);
    UNPOISON(page, PAGE_SIZE);
    *page = (struct page){
        .chunk = chunk, .block_size = (uint32_t)block_size, .capacity = (uint32_t)(PAGE_ROOM / block_size)};
    POISON(page + 1, PAGE_SIZE - sizeof(*page));
    return page;
}

static void page_give_back(struct cw_arena *arena, struct page *page)
{
    struct chunk *chunk = page->chunk;
    unsigned index = (unsigned)(((char *)page - chunk->base) / PAGE_SIZE);
    chunk->free |= (uint32_t)1 << index;
    arena->reserved_pages++;
    list_remove(&chunk->node);
    list_add_first(&arena->chunks, &chunk->node);
    if (list_is_empty(&chunk->spare))
        list_add_last(&arena->spare, &chunk->spare);
}

/* ---- Back to the kernel ---- */

/* The lowest run of these bits. */
static uint32_t first_run(uint32_t bits)
{
    uint32_t above = bits + (bits & -bits); /* the bit behind the run, and what was above it */
    return bits & ~above;
}

/* Returns the memory of the chunk's free pages. */
static void chunk_release_spare(struct cw_arena *arena, struct chunk *chunk)
{
    for (uint32_t run; (run = first_run(chunk->free & chunk->backed)) != 0;) {
        unsigned pages = (unsigned)__builtin_popcount(run);
        char *first = chunk->base + (size_t)__builtin_ctz(run) * PAGE_SIZE;
        UNPOISON(first, (size_t)pages * PAGE_SIZE);
        CHECK(madvise(first, (size_t)pages * PAGE_SIZE, MADV_DONTNEED) == 0);
        chunk->backed &= ~run;
        arena->reserved_pages -= pages;
        arena->backed_pages -= pages;
    }
    list_remove(&chunk->spare);
}

/* Until no more than `kept` free pages have memory. */
static bool trim(struct cw_arena *arena, size_t kept, unsigned *budget)
{
    while (*budget > 0 && arena->reserved_pages > kept) {
        struct chunk *chunk = LIST_ENTRY(arena->spare.next, struct chunk, spare);
        cw_spend(budget, PAGE_COST * (unsigned)__builtin_popcount(chunk->free & chunk->backed));
        if (chunk->free == UINT32_MAX)
            chunk_destroy(arena, chunk);
        else
            chunk_release_spare(arena, chunk);
    }
    return arena->reserved_pages > kept;
}

bool cw_arena_trim_step(struct cw_arena *arena, unsigned *budget)
{
    return trim(arena, RESERVE_PAGES, budget);
}

void cw_arena_trim(struct cw_arena *arena)
{
    unsigned budget = UINT_MAX;
    while (trim(arena, 0, &budget))
        budget = UINT_MAX;
}

/* ---- Blocks ---- */

static void *paged_alloc(struct cw_arena *arena, unsigned class)
{
    struct list *partial = &arena->partial[class];
    /* Pages that are set apart stand at the end of the list. */
    if (UNLIKELY(list_is_empty(partial) || LIST_ENTRY(partial->next, struct page, node)->is_apart)) {
        list_add_first(partial, &page_take(arena, class_size(class))->node);
    }
    struct page *page = LIST_ENTRY(partial->next, struct page, node);
    char *block;
    if (page->free_head) {
        block = (char *)page + page->free_head;
        UNPOISON(block, page->block_size);
        page->free_head = *(uint32_t *)(void *)block;
    } else {
        block = (char *)(page + 1) + (size_t)page->touched++ * page->block_size;
        UNPOISON(block, page->block_size);
    }
    arena->paged_bytes += page->block_size;
    if (++page->live == page->capacity)
        list_remove(&page->node);
    return block;
}

static void paged_free(struct cw_arena *arena, char *block, unsigned class)
{
    struct page *page = (struct page *)((uintptr_t)block & ~(uintptr_t)(PAGE_SIZE - 1));
    if (page->live-- == page->capacity) {
        if (arena->is_compacting)
            list_add_first(&arena->partial[class], &page->node);
        else
            list_add_last(&arena->partial[class], &page->node);
    }
    arena->paged_bytes -= page->block_size;
    if (page->live == 0) {
        list_remove(&page->node);
        page_give_back(arena, page);
        return;
    }
    *(uint32_t *)(void *)block = page->free_head;
    page->free_head = (uint32_t)(block - (char *)page);
    POISON(block, page->block_size);
}

static void *big_alloc(struct cw_arena *arena, size_t size)
{
    void *block = mem_try_alloc(cw_arena_rounded(size));
    if (block)
        arena->big_bytes += mem_usable(block) + MALLOC_OVERHEAD;
    return block;
}

static void big_free(struct cw_arena *arena, void *block)
{
    arena->big_bytes -= mem_usable(block) + MALLOC_OVERHEAD;
    mem_free(block);
}

void *cw_arena_try_alloc(struct cw_arena *arena, size_t size)
{
    return LIKELY(is_paged(size)) ? paged_alloc(arena, class_of(size)) : big_alloc(arena, size);
}

void *cw_arena_alloc(struct cw_arena *arena, size_t size)
{
    void *block = cw_arena_try_alloc(arena, size);
    CHECK(block != NULL);
    return block;
}

void cw_arena_free(struct cw_arena *arena, void *block, size_t size)
{
    if (LIKELY(is_paged(size)))
        paged_free(arena, block, class_of(size));
    else
        big_free(arena, block);
}

size_t cw_arena_drop_end(void *block, size_t length)
{
    uintptr_t start = (uintptr_t)block;
    uintptr_t end = (start + length) / KERNEL_PAGE_SIZE * KERNEL_PAGE_SIZE;
    uintptr_t first = (end - 1) / CHUNK_SIZE * CHUNK_SIZE;
    if (first < start)
        return 0;
    (void)madvise((char *)block + (first - start), end - first, MADV_DONTNEED);
    return first - start;
}

/* ---- Compaction ---- */

static unsigned fill_of(const struct page *page)
{
    return page->live * FILLS / (page->capacity + 1);
}

/* How many pages of a class the others have room for what is in them. */
static uint64_t count_spare(const struct list *partial)
{
    uint64_t pages = 0, live = 0, capacity = 1;
    LIST_FOR_EACH(node, partial)
    {
        const struct page *page = LIST_ENTRY(node, struct page, node);
        capacity = page->capacity;
        live += page->live;
        pages++;
    }
    uint64_t needed = (live + capacity - 1) / capacity;
    return pages - needed;
}

/* Sets the `spare` emptiest pages of a class apart, and puts them at the end of its list. */
static void set_apart(struct list *partial, uint64_t spare)
{
    uint64_t fills[FILLS] = {0};
    uint64_t pages = 0;
    LIST_FOR_EACH(node, partial)
    {
        fills[fill_of(LIST_ENTRY(node, struct page, node))]++;
        pages++;
    }
    unsigned limit = 0; /* of pages with this fill only some are taken, of emptier ones all */
    while (limit < FILLS && fills[limit] < spare)
        spare -= fills[limit++];
    struct list *node = partial->next;
    for (; pages > 0; pages--) {
        struct list *next = node->next;
        struct page *page = LIST_ENTRY(node, struct page, node);
        bool is_at_limit = fill_of(page) == limit && spare > 0;
        spare -= is_at_limit;
        if (is_at_limit || fill_of(page) < limit) {
            page->is_apart = true;
            list_remove(node);
            list_add_last(partial, node);
        }
        node = next;
    }
}

bool cw_arena_begin_compaction(struct cw_arena *arena)
{
    uint64_t spare[CLASSES];
    uint64_t gain = 0;
    for (unsigned i = 0; i < CLASSES; i++)
        gain += spare[i] = count_spare(&arena->partial[i]);
    if (gain < WORTH_PAGES)
        return false;
    for (unsigned i = 0; i < CLASSES; i++)
        if (spare[i] > 0)
            set_apart(&arena->partial[i], spare[i]);
    arena->is_compacting = true;
    return true;
}

void cw_arena_end_compaction(struct cw_arena *arena)
{
    for (unsigned i = 0; i < CLASSES; i++)
        LIST_FOR_EACH(node, &arena->partial[i])
    LIST_ENTRY(node, struct page, node)->is_apart = false;
    arena->is_compacting = false;
}

void *cw_arena_move(struct cw_arena *arena, void *block, size_t size, unsigned *budget)
{
    const struct page *page = (const struct page *)((uintptr_t)block & ~(uintptr_t)(PAGE_SIZE - 1));
    if (!is_paged(size) || LIKELY(!page->is_apart))
        return block;
    void *copy = cw_arena_alloc(arena, size);
    memcpy(copy, block, size);
    cw_arena_free(arena, block, size);
    cw_spend(budget, MOVE_COST + (unsigned)(size / MOVE_BYTES));
    return copy;
}

size_t cw_arena_held_bytes(const struct cw_arena *arena)
{
    return arena->backed_pages * PAGE_SIZE + arena->big_bytes;
}

size_t cw_arena_used_bytes(const struct cw_arena *arena)
{
    return arena->paged_bytes + arena->big_bytes;
}
