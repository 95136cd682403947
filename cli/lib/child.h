#pragma once

/* Helper processes: the embedded service, the password agent, the pager. Each starts with default
 * signals and an empty mask, whatever naivec made of its own. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
        const char *const *argv;        /* argv[0] is looked up in PATH if it has no slash */
        const char *const *environment; /* NULL: ours */
        int input;                      /* fd for its stdin, -1: /dev/null */
        int output;                     /* fd for its stdout, -1: ours */
        int errors;                     /* fd for its stderr, -1: ours */
        int kept_fd;                    /* one more, at the same number inside; -1: none */
        bool has_own_session;           /* out of reach of the terminal's Ctrl-C */
        bool dies_with_parent;          /* gets SIGTERM when naivec dies */
} ChildSpec;

/* The pid, or -errno. */
pid_t child_start(const ChildSpec *spec);

/* Waits up to `msec` (-1: for ever) for its end; true if it ended and was reaped. */
bool child_wait(pid_t pid, int msec);

/* SIGTERM, then SIGKILL if it is deaf; reaped on return. */
void child_end(pid_t pid, int grace_msec);
