#pragma once

/* A command line as data: `naive-oci [flags] COMMAND [flags] [words]`. A flag's value is the next
 * word or stands behind "="; one of a single letter takes the next word. Knows no container. Called
 * by naive-oci.c. */

#include "cli/oci/line/options.h"

typedef struct OciLine {
        OciOptions options;
        const char *verb; /* NULL: none was said */
        OciVerb is;
        char *const *words; /* what is no flag: the id first, unless the command takes none */
        size_t n_words;
        GPtrArray *owned;
} OciLine;

/* How a command is called. */
typedef struct OciVerbRow {
        const char *name;
        OciVerb verb;
        unsigned least, most; /* words */
        bool stops;           /* at the first word: what comes behind it is no flag of ours */
        const char *words, *help;
} OciVerbRow;
extern const OciVerbRow oci_verbs[];
extern const size_t oci_n_verbs;

/* `argv` must outlive the line, which is to be cleared in any case. `options` are filled as far as
 * the line was understood: an error is to be logged as they say. */
bool oci_line_parse(OciLine *line, char *const *argv, GError **error);
void oci_line_clear(OciLine *line);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OciLine, oci_line_clear)

char *oci_line_help(void); /* owned */

/* [A-Za-z0-9_+.-]{1,255}, as a file name is at most, no dot or dash first */
bool oci_id_is_valid(const char *id);
