/* command_id.h: a constant per row of the command table: COMMAND_ID_GET, COMMAND_ID_CONFIG_GET, ...
 *
 * Ids are dense and follow the order of command_table.def, so they are array indexes inside one build and are never
 * stored or sent. */
#ifndef COMMON_COMMAND_COMMAND_ID_H
#define COMMON_COMMAND_COMMAND_ID_H

enum command_id {
#define COMMAND(id, ...)               COMMAND_ID_##id,
#define CONTAINER(id, ...)             COMMAND_ID_##id,
#define SUBCOMMAND(container, id, ...) COMMAND_ID_##container##_##id,
/* Behind the container's last subcommand; the second constant takes the counting back by one. */
#define END(id) COMMAND_END_##id, COMMAND_LAST_##id = COMMAND_END_##id - 1,
#include "common/command/command_table.def"
    COMMAND_ID_COUNT
};

#endif
