#include "tests/sim/history.h"

#include "common/base/mem.h"
#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdlib.h>

static bool epoch_began_between(const struct oracle *oracle, int64_t after_ns, int64_t until_ns)
{
    for (uint64_t epoch = 2; epoch <= oracle->newest.epoch; epoch++)
        if (oracle->epoch_began_ns[epoch] > after_ns && oracle->epoch_began_ns[epoch] <= until_ns)
            return true;
    return false;
}

/* A failover may lose what the old master had begun to acknowledge, and the new branch lacks: for how long is watched
 * in oracle_sync.c, and in sync it is nothing. One that begins without anybody in sync may lose all. */
static bool may_be_lost(const struct oracle *oracle, const struct operation *write)
{
    for (uint64_t epoch = 2; epoch <= oracle->newest.epoch; epoch++)
        if (oracle->epoch_began_ns[epoch] > write->sent_ns &&
            (oracle->epoch_is_cold[epoch] || write->answered_ns >= oracle->epoch_lost_from_ns[epoch]))
            return true;
    return false;
}

/* By the value that they wrote, which only one did; NULL: nobody. */
static const struct operation **writes_by_value(const struct workload *workload)
{
    const struct operation **writes = mem_zero((workload->next_value + 1) * sizeof(struct operation *));
    for (size_t i = 0; i < workload->count; i++) {
        const struct operation *operation = &workload->operations[i];
        if (operation->kind == OPERATION_SET || operation->kind == OPERATION_APPEND)
            writes[operation->value] = operation;
    }
    return writes;
}

static void check_registers(struct oracle *oracle, const struct operation *const *writes)
{
    const struct workload *workload = &oracle->appliance->workload;
    for (size_t i = 0; i < workload->count; i++) {
        const struct operation *read = &workload->operations[i];
        if (read->kind != OPERATION_GET || read->fate != FATE_ACKNOWLEDGED || read->key % 2 == 0 || read->value == 0)
            continue;
        const struct operation *write = read->value <= workload->next_value ? writes[read->value] : NULL;
        if (write == NULL || write->kind != OPERATION_SET || write->key != read->key)
            oracle_violate(oracle, "register %u showed %" PRIu64 ", which nobody wrote there", read->key, read->value);
    }
}

static void check_counter(struct oracle *oracle, unsigned key)
{
    const struct workload *workload = &oracle->appliance->workload;
    const struct operation **answers = mem_zero((workload->count + 1) * sizeof(struct operation *));
    for (size_t i = 0; i < workload->count; i++) {
        const struct operation *increment = &workload->operations[i];
        if (increment->kind != OPERATION_INCR || increment->key != key || increment->fate != FATE_ACKNOWLEDGED)
            continue;
        if (increment->value == 0 || increment->value > workload->count) {
            oracle_violate(oracle, "counter %u said %" PRIu64 ", more than was ever counted", key, increment->value);
            break;
        }
        const struct operation *before = answers[increment->value];
        answers[increment->value] = increment;
        if (before == NULL)
            continue;
        int64_t last_ns = before->answered_ns > increment->answered_ns ? before->answered_ns : increment->answered_ns;
        if (!epoch_began_between(oracle, before->sent_ns, last_ns))
            oracle_violate(oracle, "S7: counter %u said %" PRIu64 " twice within one epoch", key, increment->value);
    }
    mem_free(answers);
}

/* Marks what the log holds, and looks at each token on the way. */
static void read_log(struct oracle *oracle, const struct client *client, const struct operation *const *writes,
                     bool *kept)
{
    const struct workload *workload = &oracle->appliance->workload;
    struct buf text = {0};
    buf_add_slice(&text, buf_slice(&client->log));
    buf_add(&text, "", 1);
    uint64_t newest = 0;
    for (char *at = text.memory + text.start; *at != '\0';) {
        char *end;
        uint64_t token = strtoull(at, &end, 10);
        const struct operation *write = token <= workload->next_value ? writes[token] : NULL;
        if (*end != ',' || write == NULL || write->kind != OPERATION_APPEND || write->client != client->number) {
            oracle_violate(oracle, "the log of client %u holds what it never wrote", client->number);
            break;
        }
        at = end + 1;
        if (kept[token])
            oracle_violate(oracle, "S7: token %" PRIu64 " of client %u was executed twice", token, client->number);
        kept[token] = true;
        if (write->fate == FATE_REFUSED)
            oracle_violate(oracle, "S7: token %" PRIu64 " was refused and yet executed", token);
        if (write->fate == FATE_ACKNOWLEDGED && token < newest)
            oracle_violate(oracle, "S7: token %" PRIu64 " stands behind %" PRIu64 ", sent later", token, newest);
        if (write->fate == FATE_ACKNOWLEDGED)
            newest = token;
    }
    buf_free(&text);
}

static void check_logs(struct oracle *oracle, const struct operation *const *writes)
{
    const struct workload *workload = &oracle->appliance->workload;
    bool *kept = mem_zero((workload->next_value + 1) * sizeof(bool));
    for (unsigned i = 0; i < WORKLOAD_CLIENTS; i++) {
        if (!workload->clients[i].has_log)
            oracle_violate(oracle, "L1: client %u could not read its log at the end", i);
        read_log(oracle, &workload->clients[i], writes, kept);
    }
    for (uint64_t token = 1; token <= workload->next_value; token++) {
        const struct operation *write = writes[token];
        if (write == NULL || write->kind != OPERATION_APPEND || write->fate != FATE_ACKNOWLEDGED || kept[token])
            continue;
        oracle->lost++;
        if (!may_be_lost(oracle, write))
            oracle_violate(oracle, "token %" PRIu64 " was acknowledged at %.3f s, and lost without an excuse", token,
                           (double)write->answered_ns / 1e9);
    }
    mem_free(kept);
}

void history_check(struct oracle *oracle)
{
    const struct operation **writes = writes_by_value(&oracle->appliance->workload);
    check_registers(oracle, writes);
    for (unsigned key = 0; key < WORKLOAD_KEYS; key++)
        check_counter(oracle, key);
    check_logs(oracle, writes);
    mem_free(writes);
}
