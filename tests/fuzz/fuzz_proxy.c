/* A proxy between clients, sentinels and a master, of which none can be trusted. It connects to three sentinels at its
 * start (links a, b and c), and to the master that one of them names. The secret is "secret". */
#include "proxy/core/proxy.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/puppet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_config config;
    struct px_shared shared = {0};
    struct px_proxy *proxy;
    px_config_defaults(&config);
    config.secret = SLICE_LITERAL("secret");
    config.identity = (struct identity){.bytes = {3}};
    config.sentinel_count = 3;
    for (uint16_t i = 0; i < 3; i++)
        config.sentinels[i] = (struct address){.host = "127.0.0.1", .port = (uint16_t)(3000 + i)};
    config.client_output_max = 1 << 20;
    config.client_input_max = 1 << 20;
    config.hold_bytes_max = 1 << 20;
    config.hold_commands_max = 100;
    config.max_connections = 5;
    config.shared = &shared;
    if (px_proxy_create(&config, &proxy) < 0)
        abort();
    puppet_play(&px_proxy_door, proxy, slice_of((const char *)data, size));
    return 0;
}
