#include "sentinel/core/node.h"

#define ANSWER_NS NS_PER_S

uint64_t sn_node_begin_poll(struct sn_node *node, int64_t now_ns)
{
    uint64_t k = ++node->last_k;
    node->polls[k % SN_POLLS_KEPT].k = k;
    node->polls[k % SN_POLLS_KEPT].sent_ns = now_ns;
    return k;
}

bool sn_node_end_poll(struct sn_node *node, uint64_t k, int64_t now_ns)
{
    if (k == 0 || node->polls[k % SN_POLLS_KEPT].k != k)
        return false;
    node->polls[k % SN_POLLS_KEPT].k = 0;
    return now_ns - node->polls[k % SN_POLLS_KEPT].sent_ns <= ANSWER_NS;
}

bool sn_node_meet_life(struct sn_node *node, const struct life *life)
{
    if (!identity_equal(&life->node, &node->id) || life->incarnation < node->newest.incarnation)
        return false;
    if (life->incarnation == node->newest.incarnation)
        return life->bits == node->newest.bits;
    node->newest = *life;
    return true;
}
