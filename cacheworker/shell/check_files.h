/* check_files.h: looking at files of data without a server: --check-rdb and --check-aof. What is found goes to standard
 * output, a line for each file; what keeps from looking, to standard error. */
#ifndef CACHEWORKER_SHELL_CHECK_FILES_H
#define CACHEWORKER_SHELL_CHECK_FILES_H

#include <stdbool.h>

/* Whether the command line asks for it; *ret_status is then the process's: 0 everything is good (or was made so), 1 it
 * is not. */
bool check_files_asked(int argc, char **argv, int *ret_status);

extern const char check_files_help[]; /* lines for --help */

#endif
