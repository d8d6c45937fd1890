#include "cacheworker/stream/id_map.h"

#include "cacheworker/keyspace/budget.h"

enum {
    PAGE_ITEMS = 20, /* a page is one of the arena's small blocks */

    /* A level is added when the page on top is full, and each page in it was full once: with pages split in halves that
     * takes ten times as many insertions as the level before. */
    HEIGHT_MAX = 24,

    LOOK_COST = 4, /* at a page, of a budget of cw_arena_move */
};

_Static_assert(sizeof(struct cw_id_page) + PAGE_ITEMS * sizeof(struct cw_id_item) <= CW_ARENA_SMALL_MAX, "small");

/* The way down to a leaf: [0] is the leaf's parent. One array, not two: gcc 12 at -O2 computes the place in one of two
 * from that in the other (-fivopts), and then takes a function that fills both for one that changes nothing. */
struct path {
    struct {
        struct cw_id_page *page;
        uint32_t slot; /* that was taken in it */
    } steps[HEIGHT_MAX];
};

static size_t page_bytes(uint32_t capacity)
{
    return sizeof(struct cw_id_page) + capacity * sizeof(struct cw_id_item);
}

static struct cw_id_page *page_create(const struct cw_stream_memory *memory, uint32_t capacity)
{
    struct cw_id_page *page = cw_stream_memory_alloc(memory, page_bytes(capacity));
    page->next = page->previous = NULL;
    page->count = 0;
    page->capacity = capacity;
    return page;
}

static void page_free(const struct cw_stream_memory *memory, struct cw_id_page *page)
{
    if (page->previous)
        page->previous->next = page->next;
    if (page->next)
        page->next->previous = page->previous;
    cw_stream_memory_free(memory, page, page_bytes(page->capacity));
}

/* How many items have a lower id. */
static uint32_t lower_bound(const struct cw_id_page *page, struct cw_stream_id id)
{
    uint32_t low = 0;
    uint32_t high = page->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (cw_stream_id_compare(page->items[middle].id, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The slot of the page below in which the id is, or would be. The first slot's id says nothing: that page also has what
 * came later and is less than all. */
static uint32_t child_slot(const struct cw_id_page *page, struct cw_stream_id id)
{
    uint32_t low = 0;
    uint32_t high = page->count;
    while (high - low > 1) {
        uint32_t middle = (low + high) / 2;
        if (cw_stream_id_compare(page->items[middle].id, id) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The leaf for the id, and the way to it unless `path` is NULL; the map is not empty. */
static struct cw_id_page *descend(const struct cw_id_map *map, struct cw_stream_id id, struct path *path)
{
    struct cw_id_page *page = map->root;
    for (unsigned level = map->height; level-- > 0;) {
        uint32_t slot = child_slot(page, id);
        if (path) {
            path->steps[level].page = page;
            path->steps[level].slot = slot;
        }
        page = page->items[slot].value;
    }
    return page;
}

/* ---- Looking ---- */

struct cw_id_place cw_id_map_first(const struct cw_id_map *map)
{
    struct cw_id_page *page = map->root;
    for (unsigned level = map->height; level > 0; level--)
        page = page->items[0].value;
    return (struct cw_id_place){page, 0};
}

struct cw_id_place cw_id_map_last(const struct cw_id_map *map)
{
    return (struct cw_id_place){map->last, map->last ? map->last->count - 1 : 0};
}

struct cw_id_place cw_id_map_next(struct cw_id_place place)
{
    if (place.slot + 1 < place.leaf->count)
        return (struct cw_id_place){place.leaf, place.slot + 1};
    return (struct cw_id_place){place.leaf->next, 0};
}

struct cw_id_place cw_id_map_previous(struct cw_id_place place)
{
    if (place.slot > 0)
        return (struct cw_id_place){place.leaf, place.slot - 1};
    struct cw_id_page *leaf = place.leaf->previous;
    return (struct cw_id_place){leaf, leaf ? leaf->count - 1 : 0};
}

struct cw_id_place cw_id_map_at_least(const struct cw_id_map *map, struct cw_stream_id id)
{
    if (!map->root)
        return (struct cw_id_place){0};
    struct cw_id_page *leaf = descend(map, id, NULL);
    uint32_t slot = lower_bound(leaf, id);
    if (slot < leaf->count)
        return (struct cw_id_place){leaf, slot};
    return (struct cw_id_place){leaf->next, 0};
}

struct cw_id_place cw_id_map_at_most(const struct cw_id_map *map, struct cw_stream_id id)
{
    if (!map->root)
        return (struct cw_id_place){0};
    struct cw_id_page *leaf = descend(map, id, NULL);
    uint32_t slot = lower_bound(leaf, id);
    if (slot < leaf->count && cw_stream_id_compare(leaf->items[slot].id, id) == 0)
        return (struct cw_id_place){leaf, slot};
    return cw_id_map_previous((struct cw_id_place){leaf, slot});
}

void *cw_id_map_find(const struct cw_id_map *map, struct cw_stream_id id)
{
    struct cw_id_place place = cw_id_map_at_least(map, id);
    if (!place.leaf || cw_stream_id_compare(cw_id_map_item(place)->id, id) != 0)
        return NULL;
    return cw_id_map_item(place)->value;
}

/* ---- Changing ---- */

static void page_put(struct cw_id_page *page, uint32_t slot, struct cw_id_item item)
{
    memmove(page->items + slot + 1, page->items + slot, (page->count - slot) * sizeof(item));
    page->items[slot] = item;
    page->count++;
}

static void page_erase(struct cw_id_page *page, uint32_t slot)
{
    page->count--;
    memmove(page->items + slot, page->items + slot + 1, (page->count - slot) * sizeof(page->items[0]));
}

/* Puts the item into a page of full size. When there is no room some go to a new page behind it, which is returned. */
static struct cw_id_page *page_put_or_split(const struct cw_stream_memory *memory, struct cw_id_page *page,
                                            uint32_t slot, struct cw_id_item item)
{
    if (page->count < PAGE_ITEMS) {
        page_put(page, slot, item);
        return NULL;
    }
    struct cw_id_page *right = page_create(memory, PAGE_ITEMS);
    uint32_t kept = slot == PAGE_ITEMS && !page->next ? PAGE_ITEMS : PAGE_ITEMS / 2;
    right->count = page->count - kept;
    memcpy(right->items, page->items + kept, right->count * sizeof(item));
    page->count = kept;
    right->next = page->next;
    right->previous = page;
    if (page->next)
        page->next->previous = right;
    page->next = right;
    if (slot < kept)
        page_put(page, slot, item);
    else
        page_put(right, slot - kept, item);
    return right;
}

/* The only page there is, with more room. */
static struct cw_id_page *grow(const struct cw_stream_memory *memory, struct cw_id_map *map)
{
    uint32_t used = map->count > 0 ? map->root->count : 0;
    uint32_t capacity = used == 0 ? 1 : 2 * used < PAGE_ITEMS ? 2 * used : PAGE_ITEMS;
    struct cw_id_page *page = page_create(memory, capacity);
    if (used > 0) {
        memcpy(page->items, map->root->items, used * sizeof(page->items[0]));
        page->count = used;
        page_free(memory, map->root);
    }
    map->root = map->last = page;
    return page;
}

/* A level more: two pages below a new root. */
static void raise(const struct cw_stream_memory *memory, struct cw_id_map *map, struct cw_id_item right)
{
    CHECK(map->height < HEIGHT_MAX);
    struct cw_id_page *root = page_create(memory, PAGE_ITEMS);
    page_put(root, 0, (struct cw_id_item){map->root->items[0].id, map->root});
    page_put(root, 1, right);
    map->root = root;
    map->height++;
}

static void insert_at(const struct cw_stream_memory *memory, struct cw_id_map *map, struct path *path,
                      struct cw_id_page *leaf, uint32_t slot, struct cw_id_item item)
{
    struct cw_id_page *page = leaf;
    for (unsigned level = 0;; level++) {
        struct cw_id_page *right = page_put_or_split(memory, page, slot, item);
        if (!right)
            return;
        if (level == 0 && map->last == page)
            map->last = right;
        item = (struct cw_id_item){right->items[0].id, right};
        if (level == map->height) {
            raise(memory, map, item);
            return;
        }
        page = path->steps[level].page;
        slot = path->steps[level].slot + 1;
    }
}

bool cw_id_map_insert(const struct cw_stream_memory *memory, struct cw_id_map *map, struct cw_stream_id id, void *value)
{
    struct cw_id_item item = {id, value};
    struct cw_id_page *leaf = map->last;
    if (leaf && leaf->count < leaf->capacity && cw_stream_id_compare(leaf->items[leaf->count - 1].id, id) < 0) {
        leaf->items[leaf->count++] = item;
        map->count++;
        return true;
    }
    struct path path = {0};
    uint32_t slot = 0;
    if (map->root) {
        leaf = descend(map, id, &path);
        slot = lower_bound(leaf, id);
        if (slot < leaf->count && cw_stream_id_compare(leaf->items[slot].id, id) == 0)
            return false;
    }
    if (!leaf || (leaf->count == leaf->capacity && leaf->capacity < PAGE_ITEMS))
        leaf = grow(memory, map);
    insert_at(memory, map, &path, leaf, slot, item);
    map->count++;
    return true;
}

/* Frees pages that have become empty, from the leaf up, and roots that have only one page below. */
static void prune(const struct cw_stream_memory *memory, struct cw_id_map *map, const struct path *path,
                  struct cw_id_page *leaf)
{
    struct cw_id_page *page = leaf;
    for (unsigned level = 0; page->count == 0; level++) {
        if (page == map->last)
            map->last = page->previous;
        page_free(memory, page);
        if (level == map->height) {
            map->root = NULL;
            return;
        }
        page = path->steps[level].page;
        page_erase(page, path->steps[level].slot);
    }
    while (map->height > 0 && map->root->count == 1) {
        struct cw_id_page *root = map->root;
        map->root = root->items[0].value;
        map->height--;
        page_free(memory, root);
    }
}

void *cw_id_map_remove(const struct cw_stream_memory *memory, struct cw_id_map *map, struct cw_stream_id id)
{
    struct path path = {0};
    if (!map->root)
        return NULL;
    struct cw_id_page *leaf = descend(map, id, &path);
    uint32_t slot = lower_bound(leaf, id);
    if (slot == leaf->count || cw_stream_id_compare(leaf->items[slot].id, id) != 0)
        return NULL;
    void *value = leaf->items[slot].value;
    page_erase(leaf, slot);
    map->count--;
    if (leaf->count == 0)
        prune(memory, map, &path, leaf);
    return value;
}

/* ---- Compaction ---- */

static struct cw_id_page *page_move(const struct cw_stream_memory *memory, struct cw_id_map *map,
                                    struct cw_id_page *page, unsigned *budget)
{
    struct cw_id_page *there = cw_arena_move(memory->arena, page, page_bytes(page->capacity), budget);
    if (there == page)
        return page;
    if (there->previous)
        there->previous->next = there;
    if (there->next)
        there->next->previous = there;
    if (map->last == page)
        map->last = there;
    return there;
}

/* The pages on the way to the leaf for the id. */
static void move_path(const struct cw_stream_memory *memory, struct cw_id_map *map, struct cw_stream_id id,
                      unsigned *budget)
{
    struct cw_id_page *page = map->root = page_move(memory, map, map->root, budget);
    for (unsigned level = map->height; level > 0; level--) {
        struct cw_id_item *item = &page->items[child_slot(page, id)];
        item->value = page = page_move(memory, map, item->value, budget);
    }
}

bool cw_id_map_compact(const struct cw_stream_memory *memory, struct cw_id_map *map, struct cw_stream_id *from,
                       unsigned *budget, cw_id_value_mover mover, void *context)
{
    for (;;) {
        struct cw_id_place place = cw_id_map_at_least(map, *from);
        if (!place.leaf)
            return false;
        if (*budget == 0)
            return true;
        cw_spend(budget, LOOK_COST);
        move_path(memory, map, cw_id_map_item(place)->id, budget);
        place = cw_id_map_at_least(map, *from);
        for (; place.slot < place.leaf->count; place.slot++) {
            struct cw_id_item *item = cw_id_map_item(place);
            if (mover)
                item->value = mover(context, item->id, item->value, budget);
            *from = item->id;
        }
        if (!cw_stream_id_increment(from))
            return false;
    }
}
