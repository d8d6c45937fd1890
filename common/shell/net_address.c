#include "common/shell/net_address.h"

#include "common/base/errors.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/un.h>

static int unix_from(const struct address *address, struct net_address *ret_net)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&ret_net->storage;
    size_t length = strlen(address->host);
    if (length >= sizeof(un->sun_path))
        return ERR_INVALID;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, address->host, length + 1);
    ret_net->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return 0;
}

int net_address_from(const struct address *address, struct net_address *ret_net)
{
    *ret_net = (struct net_address){.length = 0};
    if (address->host[0] == '/')
        return unix_from(address, ret_net);

    char host[ADDRESS_HOST_MAX];
    size_t length = strlen(address->host);
    if (length >= 2 && address->host[0] == '[' && address->host[length - 1] == ']')
        snprintf(host, sizeof(host), "%.*s", (int)(length - 2), address->host + 1);
    else
        snprintf(host, sizeof(host), "%s", strcmp(address->host, "localhost") == 0 ? "127.0.0.1" : address->host);

    struct sockaddr_in *in = (struct sockaddr_in *)&ret_net->storage;
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(address->port);
        ret_net->length = sizeof(*in);
        return 0;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&ret_net->storage;
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(address->port);
        ret_net->length = sizeof(*in6);
        return 0;
    }
    return ERR_INVALID;
}

void net_address_to(const struct net_address *net, struct address *ret_address)
{
    *ret_address = (struct address){.port = 0};
    switch (net->storage.ss_family) {
    case AF_INET: {
        const struct sockaddr_in *in = (const struct sockaddr_in *)&net->storage;
        inet_ntop(AF_INET, &in->sin_addr, ret_address->host, sizeof(ret_address->host));
        ret_address->port = ntohs(in->sin_port);
        break;
    }
    case AF_INET6: {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&net->storage;
        inet_ntop(AF_INET6, &in6->sin6_addr, ret_address->host, sizeof(ret_address->host));
        ret_address->port = ntohs(in6->sin6_port);
        break;
    }
    default: snprintf(ret_address->host, sizeof(ret_address->host), "unix");
    }
}
