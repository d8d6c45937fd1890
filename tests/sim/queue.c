#include "tests/sim/queue.h"

#include "common/base/mem.h"

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void swap(struct sim_event *a, struct sim_event *b)
{
    struct sim_event kept = *a;
    *a = *b;
    *b = kept;
}

void queue_add(struct sim_queue *queue, struct sim_event event)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity ? 2 * queue->capacity : 256;
        queue->items = mem_resize(queue->items, queue->capacity * sizeof(struct sim_event));
    }
    event.order = queue->next_order++;
    size_t at = queue->count++;
    queue->items[at] = event;
    while (at > 0 && earlier(&queue->items[at], &queue->items[(at - 1) / 2])) {
        swap(&queue->items[at], &queue->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

bool queue_take(struct sim_queue *queue, struct sim_event *ret_event)
{
    if (queue->count == 0)
        return false;
    *ret_event = queue->items[0];
    queue->items[0] = queue->items[--queue->count];
    size_t at = 0;
    for (;;) {
        size_t least = at;
        for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < queue->count; child++)
            if (earlier(&queue->items[child], &queue->items[least]))
                least = child;
        if (least == at)
            return true;
        swap(&queue->items[at], &queue->items[least]);
        at = least;
    }
}

int64_t queue_next_ns(const struct sim_queue *queue)
{
    return queue->count > 0 ? queue->items[0].at_ns : NEVER_NS;
}
