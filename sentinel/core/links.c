#include "sentinel/core/links.h"

#include "common/base/mem.h"
#include "common/resp/resp_writer.h"
#include "sentinel/core/api.h"
#include "sentinel/core/core.h"

static const struct resp_limits control_limits = {
    .arguments_max = 8192,
    .bulk_length_max = 256 << 10,
    .inline_length_max = 16 << 10,
    .request_length_max = SN_CONTROL_INPUT_MAX,
};

static const struct resp_limits client_limits = {
    .arguments_max = 256,
    .bulk_length_max = 64 << 10,
    .inline_length_max = 16 << 10,
    .request_length_max = 128 << 10,
};

struct sn_link *sn_link_new(struct sn_sentinel *sentinel, enum sn_link_kind kind)
{
    struct sn_links *links = &sentinel->links;
    link_id id = 0;
    while (id < links->count && links->items[id])
        id++;
    if (id == SN_LINKS_MAX)
        return NULL;
    if (id == links->count)
        links->count++;
    struct sn_link *link = mem_zero(sizeof(*link));
    link->id = id;
    link->kind = kind;
    link->serial = ++links->last_serial;
    link->heard_ns = sentinel->now_ns;
    links->items[id] = link;
    links->clients += kind == SN_LINK_CLIENT;
    return link;
}

struct sn_link *sn_link_connect(struct sn_sentinel *sentinel, enum sn_link_kind kind, const struct address *address)
{
    struct sn_link *link = sn_link_new(sentinel, kind);
    if (link)
        effect_connect(sentinel->effects, link->id, address);
    return link;
}

void sn_link_delete(struct sn_sentinel *sentinel, struct sn_link *link)
{
    sentinel->links.items[link->id] = NULL;
    sentinel->links.clients -= link->kind == SN_LINK_CLIENT;
    sn_client_free(link->client);
    buf_free(&link->in);
    buf_free(&link->out);
    resp_request_free(&link->request);
    mem_free(link);
}

struct sn_link *sn_link_at(const struct sn_sentinel *sentinel, link_id id)
{
    return id < sentinel->links.count ? sentinel->links.items[id] : NULL;
}

struct sn_link *sn_link_with(const struct sn_sentinel *sentinel, link_id id, uint64_t serial)
{
    struct sn_link *link = sn_link_at(sentinel, id);
    return link && link->serial == serial && !link->is_condemned ? link : NULL;
}

static bool is_control(const struct sn_link *link)
{
    return link->kind != SN_LINK_CLIENT || link->client->is_control;
}

struct buf *sn_link_output(struct sn_sentinel *sentinel, struct sn_link *link)
{
    size_t most = is_control(link) ? SN_CONTROL_OUTPUT_MAX : SN_CLIENT_OUTPUT_MAX;
    if (buf_length(&link->out) > most)
        sn_link_condemn(sentinel, link);
    if (link->is_open && !link->is_condemned)
        effect_flush(sentinel->effects, link->id);
    return &link->out;
}

void sn_link_send(struct sn_sentinel *sentinel, struct sn_link *link, const struct message *message)
{
    if (link->is_open && !link->is_condemned && !link->is_draining)
        message_encode(message, sn_link_output(sentinel, link));
}

void sn_link_condemn(struct sn_sentinel *sentinel, struct sn_link *link)
{
    link->is_condemned = true;
    sentinel->links.has_condemned = true;
}

void sn_link_drain(struct sn_sentinel *sentinel, struct sn_link *link)
{
    if (link->is_draining || link->is_condemned)
        return;
    link->is_draining = true;
    effect_drain(sentinel->effects, link->id);
}

void sn_links_bury(struct sn_sentinel *sentinel)
{
    if (!sentinel->links.has_condemned)
        return;
    sentinel->links.has_condemned = false;
    for (link_id id = 0; id < sentinel->links.count; id++) {
        struct sn_link *link = sentinel->links.items[id];
        if (!link || !link->is_condemned)
            continue;
        effect_close(sentinel->effects, id);
        sn_link_lost(sentinel, link);
        sn_link_delete(sentinel, link);
    }
}

static const struct resp_limits *limits_of(const struct sn_sentinel *sentinel, const struct sn_link *link)
{
    static const struct resp_limits stranger_limits = RESP_LIMITS_UNAUTHENTICATED;
    if (is_control(link))
        return &control_limits;
    return sn_client_is_known(sentinel, link->client) ? &client_limits : &stranger_limits;
}

static void protocol_error(struct sn_sentinel *sentinel, struct sn_link *link)
{
    if (link->kind != SN_LINK_CLIENT) {
        sn_link_condemn(sentinel, link);
        return;
    }

    resp_write_error_format(sn_link_output(sentinel, link), "ERR Protocol error: %s", link->request.error);
    sn_link_drain(sentinel, link);
}

void sn_link_parse(struct sn_sentinel *sentinel, struct sn_link *link)
{
    while (buf_length(&link->in) > 0 && !link->is_condemned && !link->is_draining && !sn_client_waits(link->client)) {
        int64_t used = resp_request_read(&link->request, buf_slice(&link->in), limits_of(sentinel, link));
        if (used < 0) {
            protocol_error(sentinel, link);
            return;
        }
        if (used == 0)
            break;
        if (link->request.argc > 0)
            sn_link_dispatch(sentinel, link, link->request.argv, link->request.argc);
        buf_consume(&link->in, (size_t)used);
    }
    if (buf_length(&link->in) > SN_CONTROL_INPUT_MAX)
        sn_link_condemn(sentinel, link);
    buf_shrink(&link->in, 64 << 10);
}

void sn_link_receive(struct sn_sentinel *sentinel, struct sn_link *link, struct slice bytes)
{
    if (link->is_draining || link->is_condemned)
        return;
    link->heard_ns = sentinel->now_ns;
    buf_add_slice(&link->in, bytes);
    sn_link_parse(sentinel, link);
}
