#include "cacheworker/ha/mailbox.h"

#include "common/base/mem.h"

struct head {
    uint64_t address;
    size_t length;
};

void cw_mailbox_create(struct cw_mailbox *mailbox, size_t capacity)
{
    mailbox->ring = mem_alloc(capacity);
    mailbox->capacity = capacity;
    atomic_init(&mailbox->put, 0);
    atomic_init(&mailbox->taken, 0);
}

void cw_mailbox_destroy(struct cw_mailbox *mailbox)
{
    mem_free(mailbox->ring);
    mailbox->ring = NULL;
}

/* Both may lie across the end of the ring. */
static void copy_in(struct cw_mailbox *mailbox, size_t position, const void *bytes, size_t length)
{
    size_t start = position % mailbox->capacity;
    size_t first = length < mailbox->capacity - start ? length : mailbox->capacity - start;
    memcpy(mailbox->ring + start, bytes, first);
    memcpy(mailbox->ring, (const char *)bytes + first, length - first);
}

static void copy_out(const struct cw_mailbox *mailbox, size_t position, void *bytes, size_t length)
{
    size_t start = position % mailbox->capacity;
    size_t first = length < mailbox->capacity - start ? length : mailbox->capacity - start;
    memcpy(bytes, mailbox->ring + start, first);
    memcpy((char *)bytes + first, mailbox->ring, length - first);
}

bool cw_mailbox_put(struct cw_mailbox *mailbox, uint64_t address, struct slice letter)
{
    struct head head = {.address = address, .length = letter.length};
    size_t put = atomic_load_explicit(&mailbox->put, memory_order_relaxed);
    size_t room = mailbox->capacity - (put - atomic_load_explicit(&mailbox->taken, memory_order_acquire));
    if (letter.length == 0 || room < sizeof(head) || room - sizeof(head) < letter.length)
        return false;
    copy_in(mailbox, put, &head, sizeof(head));
    copy_in(mailbox, put + sizeof(head), letter.data, letter.length);
    atomic_store_explicit(&mailbox->put, put + sizeof(head) + letter.length, memory_order_release);
    return true;
}

bool cw_mailbox_take(struct cw_mailbox *mailbox, uint64_t *ret_address, struct buf *ret_letter)
{
    size_t taken = atomic_load_explicit(&mailbox->taken, memory_order_relaxed);
    if (atomic_load_explicit(&mailbox->put, memory_order_acquire) == taken)
        return false;
    struct head head;
    copy_out(mailbox, taken, &head, sizeof(head));
    buf_clear(ret_letter);
    copy_out(mailbox, taken + sizeof(head), buf_reserve(ret_letter, head.length), head.length);
    buf_commit(ret_letter, head.length);
    *ret_address = head.address;
    atomic_store_explicit(&mailbox->taken, taken + sizeof(head) + head.length, memory_order_release);
    return true;
}
