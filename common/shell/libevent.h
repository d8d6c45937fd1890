/* libevent.h: the only place where libevent's headers are included.
 *
 * libevent calls its central struct `event`; so does door.h what a core is told. Within our shells libevent's has the
 * name `struct libevent_event`: a tag is no part of the binary interface. Its LIST_ENTRY (of sys/queue.h) is not that
 * of common/base/list.h either. */
#ifndef COMMON_SHELL_LIBEVENT_H
#define COMMON_SHELL_LIBEVENT_H

#pragma push_macro("LIST_ENTRY")
#undef LIST_ENTRY
#define event libevent_event
#include <event2/event.h>
#include <event2/event_struct.h>
#undef event
#pragma pop_macro("LIST_ENTRY")

#endif
