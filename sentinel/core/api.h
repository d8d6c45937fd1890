/* api.h: what clients, tools and proxies ask, on the same port as the other sentinels: Redis Sentinel's commands as its
 * client libraries send them (redis.io/docs/reference/sentinel-clients), pub/sub, and RESPITE. */
#ifndef SENTINEL_CORE_API_H
#define SENTINEL_CORE_API_H

#include "sentinel/core/links.h"

enum { SN_CHANNELS_MAX = 64, SN_CHANNEL_LENGTH_MAX = 64, SN_CLIENT_NAME_MAX = 64 };

struct sn_group;

struct sn_channel {
    bool is_pattern;
    char name[SN_CHANNEL_LENGTH_MAX]; /* NUL-terminated */
};

struct sn_client {
    struct address address;
    bool is_authenticated; /* AUTH, where a password is set */
    bool is_control;       /* RESPITE HELLO with the secret */
    enum peer_kind peer;
    struct identity sender;
    int protocol; /* 2 or 3 */
    char name[SN_CLIENT_NAME_MAX];
    bool is_waiting;            /* for the end of a CREATE; later requests wait */
    char group[GROUP_NAME_MAX]; /* whose topologies are pushed; "": none */
    uint32_t channel_count;
    struct sn_channel channels[SN_CHANNELS_MAX];
};

struct sn_client *sn_client_new(const struct address *address);
void sn_client_free(struct sn_client *client);
bool sn_client_waits(const struct sn_client *client); /* NULL does not */
void sn_client_wait(struct sn_link *link);
void sn_client_resume(struct sn_sentinel *sentinel, struct sn_link *link);

/* Whether it may use the larger limits and ask anything but who it must be. */
bool sn_client_is_known(const struct sn_sentinel *sentinel, const struct sn_client *client);

void sn_api_request(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);

/* Parts, by command. */
void sn_api_sentinel(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);
void sn_api_respite(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);
void sn_api_subscribe(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);
void sn_api_unsubscribe(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);

/* "ERR wrong number of arguments for 'name' command" */
void sn_api_wrong_arity(struct buf *out, const char *name);
void sn_api_unknown_subcommand(struct buf *out, const char *container, struct slice name);

/* Where clients are sent for the group: the proxy or the master, by configuration. False: nowhere yet. */
bool sn_api_endpoint(const struct sn_sentinel *sentinel, const struct sn_group *group, struct address *ret_address);

/* Pushes. */
void sn_api_publish_topology(struct sn_sentinel *sentinel, const struct sn_group *group);
void sn_api_publish_state(struct sn_sentinel *sentinel, const struct sn_group *group, const char *channel);
void sn_api_publish_switch(struct sn_sentinel *sentinel, const struct sn_group *group, const struct topology *before);

#endif
