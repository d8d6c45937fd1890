#include "sentinel/core/force.h"

#include "common/base/mem.h"
#include "common/resp/resp_writer.h"
#include "sentinel/core/choose.h"
#include "sentinel/core/core.h"

enum { LINES_MAX = 2 };

bool sn_force_stands(const struct sn_sentinel *sentinel, const struct sn_group *group)
{
    return group->forced_epoch == group->learned.epoch && sentinel->now_ns < group->forced_until_ns;
}

/* What the nodes would answer to a FENCE, as far as their last STATUS tells. */
static void gather(const struct sn_sentinel *sentinel, const struct sn_group *group, struct sn_answers *answers)
{
    for (uint32_t i = 0; i < group->node_count; i++) {
        const struct sn_node *node = group->nodes[i];
        if (!node->has_status || sentinel->now_ns - node->status_ns > SN_HEARD_NS)
            continue;
        struct fenced fenced = {.epoch = group->learned.epoch + 1, .life = node->status.life};
        fenced.history = node->status.history;
        sn_answers_add(answers, &fenced, true);
    }
}

static const struct status *last_word(const struct sn_group *group)
{
    for (uint32_t i = 0; i < group->node_count; i++) {
        const struct sn_node *node = group->nodes[i];
        if (node->has_status && life_equal(&node->status.life, &group->learned.master))
            return &node->status;
    }
    return NULL;
}

static void tell_winner(const struct sn_group *group, const struct sn_answer *winner, struct buf *line)
{
    buf_add_format(line, "node %s would be chosen for epoch %llu, with the history ",
                   sn_short_id(&winner->fenced.life.node).text, (unsigned long long)group->learned.epoch + 1);
    history_format(&winner->fenced.history, line);
}

static void tell_loss(const struct sn_group *group, const struct sn_answer *winner, struct buf *line)
{
    const struct history *kept = &winner->fenced.history;
    const struct status *last = last_word(group);
    if (!last) {
        buf_add_text(line, "what would be lost is not known: this sentinel never heard the master");
        return;
    }
    uint64_t bytes = last->history.last_offset - history_common_offset(&last->history, kept);
    buf_add_format(line, "of what the master %s reported last, %llu bytes of its stream would be lost",
                   sn_short_id(&last->life.node).text, (unsigned long long)bytes);
}

static void answer_lines(const struct buf *lines, size_t count, struct buf *out)
{
    resp_write_array(out, count);
    for (size_t i = 0; i < count; i++)
        resp_write_bulk(out, buf_slice(&lines[i]));
}

void sn_force_ask(struct sn_sentinel *sentinel, struct sn_group *group, bool is_order, struct buf *out)
{
    if (!sn_failover_is_agreed(sentinel, group)) {
        resp_write_error(out, SLICE_LITERAL("ERR no majority sees the master dead: there is nothing to force"));
        return;
    }
    struct sn_answers *answers = mem_zero(sizeof(*answers));
    gather(sentinel, group, answers);
    const struct sn_answer *winner = sn_answers_salvage(answers, &group->learned);
    const struct sn_answer *best = sn_answers_best(answers, &group->learned);
    if (best && (!sn_answers_is_empty(best) || !winner))
        winner = best;
    if (!winner) {
        resp_write_error(out, SLICE_LITERAL("ERR no node answers that may become master"));
    } else {
        struct buf lines[LINES_MAX] = {0};
        tell_winner(group, winner, &lines[0]);
        tell_loss(group, winner, &lines[1]);
        answer_lines(lines, LINES_MAX, out);
        if (is_order) {
            group->forced_epoch = group->learned.epoch;
            group->forced_until_ns = sentinel->now_ns + SN_FORCE_NS;
            group->quiet_until_ns = sentinel->now_ns; /* the others' rounds, which know of no order, would go on */
            group->failover.candidate_ns = sentinel->now_ns;
            sn_decide(sentinel, group, "the operator orders a failover with what there is: %.*s",
                      (int)buf_length(&lines[1]), buf_slice(&lines[1]).data);
        }
        for (size_t i = 0; i < LINES_MAX; i++)
            buf_free(&lines[i]);
    }
    mem_free(answers);
}
