#include "cacheworker/info/redact.h"

#include "cacheworker/engine/settings.h"

static bool is_secret_setting(const struct slice *argv, size_t index)
{
    if (index < 3 || index % 2 == 0)
        return false;
    int setting = cw_settings_find(argv[index - 1]);
    return setting != CW_SETTINGS_NONE && cw_settings_is_sensitive((size_t)setting);
}

/* The two words behind AUTH, wherever that stands among the options. */
static bool is_secret_of_hello(const struct slice *argv, size_t argc, size_t index)
{
    for (size_t i = 2; i < argc; i++) {
        if (slice_equal_nocase(argv[i], "auth") && i + 2 < argc) {
            if (index == i + 1 || index == i + 2)
                return true;
            i += 2;
        } else if (slice_equal_nocase(argv[i], "setname")) {
            i++;
        }
    }
    return false;
}

bool cw_is_secret(const struct command *command, const struct slice *argv, size_t argc, size_t index)
{
    switch (command->id) {
    case COMMAND_ID_AUTH: return index > 0;
    case COMMAND_ID_RESPITE:
    case COMMAND_ID_REPLCONF: return index > 1;
    case COMMAND_ID_HELLO: return is_secret_of_hello(argv, argc, index);
    case COMMAND_ID_CONFIG_SET: return is_secret_setting(argv, index);
    case COMMAND_ID_ACL_SETUSER:
    case COMMAND_ID_ACL_GETUSER:
    case COMMAND_ID_ACL_DELUSER: return index > 1;
    default: return false;
    }
}
