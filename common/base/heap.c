#include "common/base/heap.h"

#include "common/base/check.h"
#include "common/base/mem.h"

/* Places are counted from 1: the children of place n stand at 2n and 2n + 1. */

static void put(struct heap *heap, struct heap_node *node, size_t place)
{
    heap->nodes[place - 1] = node;
    node->place = place;
}

static struct heap_node *at(const struct heap *heap, size_t place)
{
    return heap->nodes[place - 1];
}

static void move_up(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    for (; place > 1 && at(heap, place / 2)->key > node->key; place /= 2)
        put(heap, at(heap, place / 2), place);
    put(heap, node, place);
}

static void move_down(struct heap *heap, struct heap_node *node)
{
    size_t place = node->place;
    for (size_t child = 2 * place; child <= heap->count; child = 2 * place) {
        if (child < heap->count && at(heap, child + 1)->key < at(heap, child)->key)
            child++;
        if (at(heap, child)->key >= node->key)
            break;
        put(heap, at(heap, child), place);
        place = child;
    }
    put(heap, node, place);
}

void heap_free(struct heap *heap)
{
    for (size_t i = 0; i < heap->count; i++)
        heap->nodes[i]->place = 0;
    mem_free(heap->nodes);
    *heap = (struct heap){0};
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

void heap_set(struct heap *heap, struct heap_node *node, int64_t key)
{
    if (node->place == 0) {
        if (heap->count == heap->capacity) {
            heap->capacity = heap->capacity ? 2 * heap->capacity : 16;
            heap->nodes = mem_resize(heap->nodes, heap->capacity * sizeof(struct heap_node *));
        }
        put(heap, node, ++heap->count);
    }
    CHECK(node->place <= heap->count && at(heap, node->place) == node);
    node->key = key;
    move_up(heap, node);
    move_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (node->place == 0)
        return;
    CHECK(node->place <= heap->count && at(heap, node->place) == node);
    struct heap_node *last = at(heap, heap->count--);
    if (last != node) {
        put(heap, last, node->place);
        move_up(heap, last);
        move_down(heap, last);
    }
    node->place = 0;
}
