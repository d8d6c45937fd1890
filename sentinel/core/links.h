/* links.h: the table of connections, their bytes and their bounds.
 *
 * A link is closed at once only when the world says so; everything else condemns it, and the end of the step closes
 * what is condemned. So a pointer to a link holds until the step ends. */
#ifndef SENTINEL_CORE_LINKS_H
#define SENTINEL_CORE_LINKS_H

#include "common/base/door.h"
#include "common/ha/messages.h"
#include "common/resp/resp_reader.h"

enum {
    SN_LINKS_MAX = 1024,
    SN_CLIENT_OUTPUT_MAX = 1 << 20,  /* bytes that wait for one client */
    SN_CONTROL_OUTPUT_MAX = 4 << 20, /* and for a sentinel, node or proxy */
    SN_CONTROL_INPUT_MAX = 1 << 20,  /* one control message */
};

enum sn_link_kind { SN_LINK_CLIENT, SN_LINK_NODE, SN_LINK_PEER };

struct sn_sentinel;
struct sn_client;
struct sn_node;
struct sn_peer;

struct sn_link {
    link_id id;
    enum sn_link_kind kind;
    uint64_t serial; /* no other link of this process ever had it; the number that CLIENT ID tells */
    bool is_open;
    bool is_draining;  /* no more input is taken; what is in `out` leaves */
    bool is_condemned; /* to be closed when the step ends */
    struct buf in;     /* owned; begins with the first byte of a request */
    struct buf out;    /* owned */
    struct resp_request request;
    int64_t heard_ns;         /* when bytes last arrived; first, when it was opened */
    struct sn_client *client; /* owned; SN_LINK_CLIENT */
    struct sn_node *node;     /* borrowed; SN_LINK_NODE; NULL once the node has dropped it */
    struct sn_peer *peer;     /* borrowed; SN_LINK_PEER; NULL once the peer has dropped it */
};

struct sn_links {
    uint32_t count;                      /* of items, used or not */
    struct sn_link *items[SN_LINKS_MAX]; /* owned; NULL: free number */
    uint64_t last_serial;
    uint32_t clients;
    bool has_condemned;
};

/* NULL when the table is full. */
struct sn_link *sn_link_new(struct sn_sentinel *sentinel, enum sn_link_kind kind);
struct sn_link *sn_link_connect(struct sn_sentinel *sentinel, enum sn_link_kind kind, const struct address *address);
void sn_link_delete(struct sn_sentinel *sentinel, struct sn_link *link); /* the world has closed it, or is told to */

struct sn_link *sn_link_at(const struct sn_sentinel *sentinel, link_id id);                    /* or NULL */
struct sn_link *sn_link_with(const struct sn_sentinel *sentinel, link_id id, uint64_t serial); /* or NULL */

/* Where to append what shall leave. */
struct buf *sn_link_output(struct sn_sentinel *sentinel, struct sn_link *link);
void sn_link_send(struct sn_sentinel *sentinel, struct sn_link *link, const struct message *message);

void sn_link_condemn(struct sn_sentinel *sentinel, struct sn_link *link);
void sn_link_drain(struct sn_sentinel *sentinel, struct sn_link *link);
void sn_links_bury(struct sn_sentinel *sentinel); /* closes what is condemned */

/* Appends to what arrived before, and hands every whole request to sn_link_dispatch. */
void sn_link_receive(struct sn_sentinel *sentinel, struct sn_link *link, struct slice bytes);
void sn_link_parse(struct sn_sentinel *sentinel, struct sn_link *link);

/* In sentinel.c: what a request means depends on the kind of the link. */
void sn_link_dispatch(struct sn_sentinel *sentinel, struct sn_link *link, const struct slice *argv, size_t argc);

#endif
