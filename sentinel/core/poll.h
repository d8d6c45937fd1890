/* poll.h: the poll that is the lease (QUORUM section 2): POLL, STATUS, GRANT, and keeping nodes informed. */
#ifndef SENTINEL_CORE_POLL_H
#define SENTINEL_CORE_POLL_H

#include "sentinel/core/node.h"

struct sn_group;

/* Brings the nodes of the group into agreement with the members of the learned topology. */
void sn_poll_refresh(struct sn_sentinel *sentinel, struct sn_group *group);

/* Polls all nodes at once: something was learned, or settled. */
void sn_poll_all(struct sn_sentinel *sentinel, struct sn_group *group);

void sn_poll_opened(struct sn_sentinel *sentinel, struct sn_node *node);
void sn_poll_lost(struct sn_sentinel *sentinel, struct sn_node *node);
void sn_poll_request(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);

int64_t sn_poll_tick(struct sn_sentinel *sentinel, struct sn_group *group);

#endif
