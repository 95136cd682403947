#pragma once

/* What a command line asks for, if it is a `run` of the common kind: attached, without a terminal,
 * on the system's bus or the one of --address, with the commonest options. Everything else is for
 * naivec-full, which has all options, and all words about a line that is wrong. libc alone. */

#include <stdbool.h>

#include "cli/lean/wire.h"

enum { PLAN_OPTIONS_MAX = 16, PLAN_VARIABLES_MAX = 64 };

typedef struct Plan {
        const char *bus_path; /* of the bus's socket */
        bool is_quiet;
        bool asks_password;
        const char *rootfs;                   /* as it was given */
        char *const *argv;                    /* of the command; empty: the shell */
        const char *values[PLAN_OPTIONS_MAX]; /* by the rows of plan.c */
        const char *variables[PLAN_VARIABLES_MAX];
        unsigned n_variables;
} Plan;

/* False: it is no such line. */
bool plan_read(Plan *plan, char *const *argv);

/* The body of Spawn, with our standard streams, and `status_fd` to be told of the steps. What finds
 * no room in `body` is not there, and body->is_full. */
void plan_write(const Plan *plan, int status_fd, WireBody *body);
