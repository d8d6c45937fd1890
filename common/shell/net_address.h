/* net_address.h: between struct address and the kernel's socket addresses.
 *
 * Only numeric addresses, unix paths and "localhost" (which is 127.0.0.1) are taken. A name would need a lookup, and a
 * lookup that blocks the loop for seconds is the outage that this appliance exists to prevent. */
#ifndef COMMON_SHELL_NET_ADDRESS_H
#define COMMON_SHELL_NET_ADDRESS_H

#include "common/base/address.h"
#include "common/base/check.h"

#include <sys/socket.h>

struct net_address {
    struct sockaddr_storage storage;
    socklen_t length;
};

/* Brackets around an IPv6 address are allowed. ERR_INVALID for a name or a path too long for the kernel. */
MUST_CHECK int net_address_from(const struct address *address, struct net_address *ret_net);

/* The other way round; a unix peer without a name is "unix". */
void net_address_to(const struct net_address *net, struct address *ret_address);

#endif
