#include "cacheworker/ha/desk.h"

#include "common/base/mem.h"

/* A request of a sentinel is at most 1 MiB long (control.c); as long a one has room, or many of the usual. */
enum { MAILBOX_BYTES = 2 << 20 };

struct cw_desk *cw_desk_create(void)
{
    struct cw_desk *desk = mem_zero(sizeof(*desk));
    cw_newest_create(&desk->figures, sizeof(struct cw_figures));
    cw_newest_create(&desk->leases, sizeof(struct cw_lease));
    cw_mailbox_create(&desk->to_command, MAILBOX_BYTES);
    cw_mailbox_create(&desk->to_control, MAILBOX_BYTES);
    atomic_init(&desk->turned_ns, 0);
    return desk;
}

void cw_desk_destroy(struct cw_desk *desk)
{
    if (desk == NULL)
        return;
    cw_newest_destroy(&desk->figures);
    cw_newest_destroy(&desk->leases);
    cw_mailbox_destroy(&desk->to_command);
    cw_mailbox_destroy(&desk->to_control);
    mem_free(desk);
}
