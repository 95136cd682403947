#pragma once

/* Helper processes: the private service, the password agent, the pager, what carries output. Each
 * starts with default signal handlers and an empty signal mask, whatever those of the caller are.
 * Knows nothing of what the helpers do. Called by embedded.c, polkit-agent.c, pager.c and
 * standard-streams.c. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct {
        const char *const *argv;        /* argv[0] is looked up in PATH if it has no slash */
        const char *const *environment; /* NULL: ours */
        int input;                      /* fd for its stdin, -1: /dev/null */
        int output;                     /* fd for its stdout, -1: ours */
        int errors;                     /* fd for its stderr, -1: ours */
        int kept_fd;                    /* passed on under the same number; -1: none */
        bool has_own_session;           /* out of reach of the terminal's Ctrl-C */
        bool dies_with_parent;          /* gets SIGTERM when its parent dies */
} ChildSpec;

/* Starts the helper. Returns its pid, or -errno. */
pid_t child_start(const ChildSpec *spec);

/* Waits up to `msec` (-1: for ever) for the end of `pid`; true if it has ended and was reaped. */
bool child_wait(pid_t pid, int msec);

/* Ends `pid` by SIGTERM, or after the grace time by SIGKILL. It has ended and was reaped on return.
 */
void child_end(pid_t pid, int grace_msec);
