/* A worker of a group, its control port and its link to a master: whoever says whatever on them, it answers or closes,
 * and comes to rest. Listener 1 is the control port; the secret is "secret", the node's life
 * 01000000000000000000000000000000:1:0000000000000007. What it connects to is the master that a LEARN has named. */
#include "cacheworker/engine/worker.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/puppet.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cw_config config;
    struct cw_worker *worker;
    cw_config_defaults(&config, false);
    config.secret = SLICE_LITERAL("secret");
    config.data = (struct address){.host = "127.0.0.1", .port = 1000};
    config.control = (struct address){.host = "127.0.0.1", .port = 2000};
    config.new_identity = (struct identity){.bytes = {1}};
    config.incarnation_bits = 7;
    config.random_seed = 1;
    config.client_output_max = 1 << 20;
    config.client_memory_max = 4 << 20;
    config.query_buffer_max = 1 << 20;
    config.backlog_bytes = 1 << 20;
    if (cw_worker_create(&config, &worker) < 0)
        abort();
    puppet_play(&cw_worker_door, worker, slice_of((const char *)data, size));
    return 0;
}
