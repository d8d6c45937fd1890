/* command_arguments.h: reads what the command table says of a command's arguments (ARGUMENTS in command_table.def).
 *
 * The arguments of one command are a line of words:
 *
 *   key#0 [condition(NX|XX)@3.0.2] [CH=change:token@3.0.2] data(score:double member)...
 *
 *   name             a string; its type may follow: name:integer, :double, :pattern, :unix-time, :token
 *   key#0            a key, that of the first key spec; name:type#0 is no key but stands where one is sought
 *   NX               a word that stands for itself: the argument "nx" of type token with the token NX
 *   COUNT=name       an argument with a word before it; CH=change:token is the word alone, under another name. A word
 *                    that is not made of letters, digits and hyphens stands in quotes: '~'=approximately:token
 *   name(a b c)      a block of arguments
 *   name(a|b|c)      one of them
 *   name<shown>      is shown to people as something else than its name
 *   ...              may be repeated; &... each time with its word
 *   @3.0.2           since that version, if not from the beginning; ~2.8.12: not to be used since that version
 *   [ ]              may be left out
 *
 * What follows a name stands in this order: <shown> :type #key ( ) ... @since ~deprecated. Source of the notions: Redis
 * documentation, "Command arguments". */
#ifndef COMMON_COMMAND_COMMAND_ARGUMENTS_H
#define COMMON_COMMAND_COMMAND_ARGUMENTS_H

#include "common/base/slice.h"

#include <stdbool.h>

enum { COMMAND_ARGUMENT_NAME_MAX = 40 };

enum command_argument_type {
    ARGUMENT_STRING,
    ARGUMENT_INTEGER,
    ARGUMENT_DOUBLE,
    ARGUMENT_KEY,
    ARGUMENT_PATTERN,
    ARGUMENT_UNIX_TIME,
    ARGUMENT_TOKEN,
    ARGUMENT_ONE_OF,
    ARGUMENT_BLOCK,
};

struct command_argument { /* slices are borrowed from the text */
    char name[COMMAND_ARGUMENT_NAME_MAX];
    enum command_argument_type type;
    int key_spec;                   /* -1: none */
    struct slice shown;             /* empty: its name is */
    struct slice token;             /* with has_token; one token is empty */
    struct slice since, deprecated; /* empty: nothing is said */
    struct slice arguments;         /* of a block and of one-of: text for command_argument_next() */
    bool has_token, is_optional, is_repeated, is_token_repeated;
};

/* Takes the next argument off `text`: a row's `arguments` or those of a block, never a client's words. False at the
 * end. */
bool command_argument_next(struct slice *text, struct command_argument *ret_argument);

/* How many command_argument_next() would take. */
unsigned command_argument_count(struct slice text);

/* "string", "integer", ..., as COMMAND DOCS has them. */
const char *command_argument_type_name(enum command_argument_type type);

#endif
