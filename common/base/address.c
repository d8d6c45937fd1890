#include "common/base/address.h"

#include "common/base/errors.h"
#include "common/base/number.h"

int address_parse(struct slice text, struct address *ret_address)
{
    struct address address = {.port = 0};
    if (text.length == 0 || text.length >= sizeof(address.host))
        return ERR_INVALID;
    size_t host_length = text.length;
    if (text.data[0] != '/') {
        while (host_length > 0 && text.data[host_length - 1] != ':')
            host_length--;
        uint64_t port;
        if (host_length < 2 || number_parse_u64(slice_skip(text, host_length), &port) < 0 || port == 0 || port > 65535)
            return ERR_INVALID;
        address.port = (uint16_t)port;
        host_length--;
    }
    for (size_t i = 0; i < host_length; i++)
        if ((unsigned char)text.data[i] <= ' ' || text.data[i] == 127)
            return ERR_INVALID;
    memcpy(address.host, text.data, host_length);
    *ret_address = address;
    return 0;
}
