#pragma once

/* bubblewrap's command line as data: what was said, checked word by word. Knows neither the bus nor
 * what becomes of it. Called by naive-bwrap.c; translate.c reads it. */

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "cli/bwrap/kinds.h"

/* One change of the tree. */
typedef struct BwrapStep {
        BwrapKind kind;
        const char *option; /* as typed, for messages */
        char *source;       /* a path, or the text of a link; NULL: none */
        char *target;
        int fd;        /* -1: none */
        int mode;      /* of --perms and --chmod; -1: none */
        uint64_t size; /* 0: none */
} BwrapStep;

typedef struct BwrapLine {
        GArray *steps;
        char **environment; /* ours, changed as the options say */
        bool flags[N_BWRAP_FLAGS];
        int64_t numbers[N_BWRAP_NUMBERS]; /* -1: none */
        int fds[N_BWRAP_FDS];             /* -1: none */
        const char *texts[N_BWRAP_TEXTS]; /* NULL: none */
        GPtrArray *lock_files;
        GArray *filters; /* of int: fds of --add-seccomp-fd */
        uint64_t capabilities;
        bool has_capabilities; /* --cap-add or --cap-drop was there */
        char **argv;           /* the command; part of `words` */

        /* while it is read */
        char **words; /* with those of --args in their places */
        GPtrArray *old_words;
        int mode;
        uint64_t size;
        const char *pending; /* --perms or --size that the next option has to take */
} BwrapLine;

/* Takes `environment` as it is before any option. NULL, or a text that says what is wrong (free
 * it); `line` is to be cleared in any case. */
char *bwrap_line_parse(BwrapLine *line, char *const *words, char *const *environment);
void bwrap_line_clear(BwrapLine *line);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(BwrapLine, bwrap_line_clear)

bool bwrap_line_has_host_network(const BwrapLine *line);

/* All options, for --help. Owned. */
char *bwrap_line_help(void);
