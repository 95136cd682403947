#pragma once

/* The flags of a command line, by getopt_long(), and the words for wrong ones. Knows lists of Flag;
 * neither verbs nor what a flag does. Called by invocation.c. */

#include <stdbool.h>

typedef struct {
        const char *name;    /* the long form; "" is skipped, NULL ends a list */
        const char *metavar; /* NULL: takes no value; "[=…]": the value may be left out */
        const char *help;
        int id; /* what invocation_next() returns: the letter, else a number from FLAG_OF_VERB on */
} Flag;

/* The id of a global flag is FLAG_GLOBAL plus its letter, so that it differs from that of a verb's
 * flag with the same letter: -v of `run` is --volume. Ids from FLAG_GLOBAL + 128 on are of flags
 * without a letter. */
#define FLAG_GLOBAL 256

/* The letter of a flag, or 0 if it has none. */
int flag_letter(const Flag *flag);
bool flag_has_letter(const Flag *flags, int letter);
bool flag_has_optional_value(const Flag *flag);

typedef struct FlagParser FlagParser;

/* `own`: the verb's flags, NULL for none; a letter that both lists have is the verb's. With
 * `stops_at_argument` the flags end at the first word that is none. */
FlagParser *flag_parser_new(const Flag *global, const Flag *own, bool stops_at_argument);
void flag_parser_free(FlagParser *parser);

/* The id of the next flag, whose value is in getopt's `optarg`; -1 at the end. '?' for a wrong
 * flag, with the words for that in *ret_wrong (owned). */
int flag_parser_next(FlagParser *parser, int argc, char **argv, char **ret_wrong);
