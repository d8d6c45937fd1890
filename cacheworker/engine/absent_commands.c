#include "cacheworker/engine/absent_commands.h"

#include "common/resp/resp_writer.h"

void cw_cluster_command(struct cw_call *call)
{
    cw_reply_error(call, "ERR This instance has cluster support disabled");
}

void cw_module_help_command(struct cw_call *call)
{
    static const char *const lines[] = {
        "MODULE <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        "LIST",
        "    The modules that are loaded: none.",
        "LOAD, LOADEX, UNLOAD",
        "    Not allowed: this server has no modules.",
        "HELP",
        "    These lines.",
    };
    cw_reply_lines(call, lines, ARRAY_LENGTH(lines));
}

void cw_module_list_command(struct cw_call *call)
{
    resp_write_array(call->reply, 0);
}

void cw_module_load_command(struct cw_call *call)
{
    cw_reply_error(call, "ERR MODULE command not allowed. This server has no modules.");
}
