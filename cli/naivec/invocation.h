#pragma once

/* The command line that the user typed: the verb, its arguments, the global settings. Owns the
 * parser and prints the help; knows neither the bus nor what a verb does. naivec.c makes an
 * Invocation, and the verb reads its flags from it. */

#include <stdbool.h>

#include "cli/lib/client.h"
#include "cli/lib/json.h"
#include "cli/naivec/flag-parser.h"

#define EXIT_USAGE 2

typedef struct {
        ClientOptions client;
        bool has_legend;
        bool has_pager;
        JsonMode json;
} Settings;

typedef struct Invocation Invocation;

typedef struct {
        const char *name;
        const char *synopsis;
        const char *help;
        int arguments_min;
        int arguments_max;          /* -1: any number */
        bool stops_at_argument;     /* all that follows the first argument is left to a command */
        const Flag *(*flags)(void); /* NULL: none of its own */
        int (*run)(Invocation *invocation);
} Verb;

struct Invocation {
        const Verb *verb;
        Settings settings;
        char **arguments; /* NULL-terminated, valid once invocation_next() returned FLAG_END */
        int n_arguments;
        int status; /* the exit status after FLAG_STOP */
        int argc;
        char **argv; /* the verb first */
        FlagParser *parser;
};

enum { FLAG_END = -1, FLAG_STOP = -2, FLAG_OF_VERB = 1000, FLAG_OF_SPAWN = 2000 };

void invocation_init(Invocation *invocation);
void invocation_clear(Invocation *invocation);

/* Takes the global flags before the verb and finds it in `verbs` (ended by a row without a name).
 * Returns false if there is nothing to run; `status` is then the exit status. */
bool invocation_find_verb(Invocation *invocation, const Verb *verbs, int argc, char **argv);

/* The id of the verb's next flag; global flags before it are taken as well. FLAG_END if no flag is
 * left and the number of arguments is right; FLAG_STOP if the verb has to return `status`. */
int invocation_next(Invocation *invocation, const char **ret_value);

/* Complains about the command line. Returns EXIT_USAGE, and sets `status` to it. */
int invocation_usage(Invocation *invocation, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
