/* A sentinel, asked and answered anything: by clients, tools, other sentinels and nodes. The secret is "secret", its id
 * 02000000000000000000000000000000. What it connects to is what a CREATE or a LEARN has named. */
#include "sentinel/core/sentinel.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/puppet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sn_config config = {
        .secret = SLICE_LITERAL("secret"),
        .address = {.host = "127.0.0.1", .port = 3000},
        .endpoint = SN_ENDPOINT_MASTER,
        .restart_shortcut = true,
        .cold_start_wait_ns = 30 * NS_PER_S,
        .spare_wait_ns = 10 * NS_PER_S,
        .random_seed = 1,
        .new_identity = {.bytes = {2}},
    };
    struct sn_sentinel *sentinel;
    if (sn_sentinel_create(&config, &sentinel) < 0)
        abort();
    puppet_play(&sn_sentinel_door, sentinel, slice_of((const char *)data, size));
    return 0;
}
