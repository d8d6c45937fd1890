#include "ctl/verbs.h"

#include "common/base/errors.h"
#include "ctl/control.h"

#include <stdio.h>

/* 0: it answered, which is printed when `is_told`; 1: it refused, and said why; ERR_*: it could not be asked. */
static int ask_sentinel(const struct ctl_options *options, const struct ctl_process *process, bool is_told)
{
    struct ask ask = {.address = process->data, .wanted = 2}; /* HELLO, and the answer */
    control_hello(&ask, buf_slice(&options->secret));
    ask_add(&ask, "RESPITE FAILOVER %s %s", options->group, options->force ? "FORCE" : "DRYRUN");
    ask_all(&ask, 1, options->timeout_ms);
    int status = ask.result;
    const redisReply *reply = status == 0 ? ask.replies[1] : NULL;
    if (reply && reply->type == REDIS_REPLY_ARRAY) {
        for (size_t i = 0; is_told && i < reply->elements; i++)
            printf("%.*s\n", (int)reply->element[i]->len, reply->element[i]->str);
    } else if (reply) {
        fprintf(stderr, "respitectl: %s:%u: %s\n", process->data.host, process->data.port,
                reply->type == REDIS_REPLY_ERROR ? reply->str : "this is not a sentinel's port");
        status = 1;
    } else {
        fprintf(stderr, "respitectl: %s:%u: %s\n", process->data.host, process->data.port, error_text(status));
    }
    ask_free(&ask);
    return status;
}

/* An order goes to all of them, since any may be the one whose round comes through; a question to the first that
 * answers. */
int ctl_failover(struct ctl_options *options)
{
    bool is_answered = false;
    for (unsigned i = 0; i < options->count && (options->force || !is_answered); i++)
        if (options->processes[i].kind == CTL_SENTINEL)
            is_answered |= ask_sentinel(options, &options->processes[i], !is_answered) == 0;
    return is_answered ? 0 : 1;
}
