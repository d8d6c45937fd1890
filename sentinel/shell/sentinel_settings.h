/* sentinel_settings.h: what stands in a sentinel's configuration file; etc/sentinel.conf explains each. */
#ifndef SENTINEL_SHELL_SENTINEL_SETTINGS_H
#define SENTINEL_SHELL_SENTINEL_SETTINGS_H

#include "common/conf/conf_schema.h"
#include "common/shell/daemon.h"
#include "sentinel/core/sentinel.h"

struct sentinel_settings {
    struct conf_addresses listen;
    struct address announce;
    char *state_directory;
    struct conf_secret secret;
    char *requirepass;
    int endpoint; /* enum sn_endpoint */
    struct address proxy;
    bool restart_shortcut;
    int64_t cold_start_wait_ms;
    int cold_start;
    int64_t spare_wait_ms;
    struct daemon_settings daemon;
};

extern const struct daemon_program sentinel_program;

/* Slices are borrowed from the settings. What is random or read from the disk is left to the caller. */
void sentinel_settings_config(const struct sentinel_settings *settings, struct sn_config *ret_config);

#endif
