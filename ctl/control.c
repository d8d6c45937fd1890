#include "ctl/control.h"

#include "common/base/errors.h"
#include "common/base/mem.h"

enum { FIELDS_MAX = 512 };

static void add_message(struct ask *ask, const struct message *message)
{
    message_encode(message, &ask->request);
}

void control_hello(struct ask *ask, struct slice secret)
{
    struct message *hello = mem_zero(sizeof(*hello));
    hello->kind = MESSAGE_HELLO;
    hello->hello.kind = PEER_TOOL;
    memset(hello->hello.sender.bytes, 0xc7, sizeof(hello->hello.sender.bytes));
    hello->hello.secret = secret;
    hello->hello.protocol = CONTROL_PROTOCOL;
    add_message(ask, hello);
    mem_free(hello);
}

void control_poll(struct ask *ask, const char *group)
{
    struct message *poll = mem_zero(sizeof(*poll));
    poll->kind = MESSAGE_POLL;
    strncpy(poll->group, group, sizeof(poll->group) - 1);
    poll->poll.k = 1;
    add_message(ask, poll);
    mem_free(poll);
}

int control_message(const redisReply *reply, struct message *ret_message)
{
    struct slice fields[FIELDS_MAX];
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0 || reply->elements > FIELDS_MAX)
        return ERR_PROTOCOL;
    for (size_t i = 0; i < reply->elements; i++) {
        if (reply->element[i]->type != REDIS_REPLY_STRING)
            return ERR_PROTOCOL;
        fields[i] = slice_of(reply->element[i]->str, (size_t)reply->element[i]->len);
    }
    return message_decode(fields, reply->elements, ret_message);
}
