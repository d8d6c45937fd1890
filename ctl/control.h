/* control.h: the control protocol as a tool speaks it. */
#ifndef CTL_CONTROL_H
#define CTL_CONTROL_H

#include "common/ha/messages.h"
#include "ctl/ask.h"

/* Puts HELLO in front of the requests of a link to a sentinel or a worker's control port. A sentinel says OK to
 * a tool, a worker says nothing. */
void control_hello(struct ask *ask, struct slice secret);
void control_poll(struct ask *ask, const char *group);

/* A reply as a control message. ERR_PROTOCOL when it is none. */
MUST_CHECK int control_message(const redisReply *reply, struct message *ret_message);

#endif
