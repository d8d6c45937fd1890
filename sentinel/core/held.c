#include "sentinel/core/held.h"

#include "common/base/mem.h"
#include "sentinel/core/core.h"

void sn_held_add(struct sn_sentinel *sentinel, uint64_t sequence, const struct sn_link *link,
                 const struct message *message)
{
    struct sn_held *held = &sentinel->held;
    if (held->count == held->capacity) {
        held->capacity = held->capacity ? 2 * held->capacity : 16;
        held->items = mem_resize(held->items, held->capacity * sizeof(held->items[0]));
    }
    struct sn_held_answer *answer = &held->items[held->count++];
    *answer = (struct sn_held_answer){.sequence = sequence, .link = link->id, .serial = link->serial};
    message_encode(message, &answer->bytes);
}

void sn_held_release(struct sn_sentinel *sentinel)
{
    struct sn_held *held = &sentinel->held;
    uint32_t released = 0;
    while (released < held->count && held->items[released].sequence <= sentinel->durable) {
        struct sn_held_answer *answer = &held->items[released++];
        struct sn_link *link = sn_link_with(sentinel, answer->link, answer->serial);
        if (link)
            buf_add_slice(sn_link_output(sentinel, link), buf_slice(&answer->bytes));
        buf_free(&answer->bytes);
    }
    held->count -= released;
    if (released > 0 && held->count > 0)
        memmove(held->items, held->items + released, held->count * sizeof(held->items[0]));
}

void sn_held_free(struct sn_held *held)
{
    for (uint32_t i = 0; i < held->count; i++)
        buf_free(&held->items[i].bytes);
    mem_free(held->items);
    *held = (struct sn_held){0};
}
