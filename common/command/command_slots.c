/* command_slots.c: run while Respite is built; prints command_slots.inc, the constant hash table of command.c: a
 * multiplier under which no two names share a slot, and which row stands in which slot. It links nothing of ours, for
 * the library is built after it. */
#include "common/command/command_hash.h"
#include "common/command/command_id.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static const struct {
    const char *name;
    const char *constant;
} rows[] = {
#define COMMAND(id, name, ...)   {name, "COMMAND_ID_" #id},
#define CONTAINER(id, name, ...) {name, "COMMAND_ID_" #id},
#define SUBCOMMAND(...)
#define END(id)
#include "common/command/command_table.def"
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]), ATTEMPTS_MAX = 10000000 };

static bool is_perfect(uint64_t multiplier)
{
    static bool used[1 << COMMAND_SLOT_BITS];
    memset(used, 0, sizeof(used));
    for (size_t i = 0; i < ROWS; i++) {
        uint32_t slot = command_slot(command_words_of(rows[i].name, strlen(rows[i].name)), multiplier);
        if (used[slot])
            return false;
        used[slot] = true;
    }
    return true;
}

int main(void)
{
    uint64_t multiplier = 1;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        multiplier = multiplier * UINT64_C(6364136223846793005) + 2; /* Knuth's; stays odd */
        if (!is_perfect(multiplier))
            continue;
        printf("/* Made by command_slots.c. */\n#define COMMAND_MULTIPLIER UINT64_C(0x%llx)\n\n",
               (unsigned long long)multiplier);
        printf("static const uint16_t slots[1 << COMMAND_SLOT_BITS] = {\n");
        for (size_t i = 0; i < ROWS; i++)
            printf("    [%u] = %s + 1,\n",
                   command_slot(command_words_of(rows[i].name, strlen(rows[i].name)), multiplier), rows[i].constant);
        printf("};\n");
        return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    fprintf(stderr, "no multiplier without collisions: raise COMMAND_SLOT_BITS\n");
    return EXIT_FAILURE;
}
