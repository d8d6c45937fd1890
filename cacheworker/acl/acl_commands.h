/* acl_commands.h: ACL and its subcommands (redis.io/commands, group "server"). */
#ifndef CACHEWORKER_ACL_ACL_COMMANDS_H
#define CACHEWORKER_ACL_ACL_COMMANDS_H

struct cw_call;

void cw_acl_cat_command(struct cw_call *call);
void cw_acl_deluser_command(struct cw_call *call);
void cw_acl_dryrun_command(struct cw_call *call);
void cw_acl_genpass_command(struct cw_call *call);
void cw_acl_getuser_command(struct cw_call *call);
void cw_acl_help_command(struct cw_call *call);
void cw_acl_list_command(struct cw_call *call);
void cw_acl_load_command(struct cw_call *call);
void cw_acl_log_command(struct cw_call *call);
void cw_acl_save_command(struct cw_call *call);
void cw_acl_setuser_command(struct cw_call *call);
void cw_acl_users_command(struct cw_call *call);
void cw_acl_whoami_command(struct cw_call *call);

#endif
