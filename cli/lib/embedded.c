#include "cli/lib/embedded.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "cli/lib/child.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

/* Longer than the service grants a container that is deaf to SIGTERM. */
#define END_MSEC   ((int) (STOP_TIMEOUT_USEC / 1000) + 5000)
#define GRACE_MSEC 2000

/* A build tree's service, for tests; never where naivec has more rights than who runs it. */
static const char *service_program(void)
{
        const char *program = secure_getenv("NAIVE_RUNCD");

        return program && *program == '/' ? program : DAEMON_PATH;
}

pid_t embedded_start(int *ret_socket, const char **ret_program)
{
        int ends[2];
        char option[32];

        *ret_program = service_program();
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
                return -errno;
        autofd int ours = ends[0], theirs = ends[1];
        snprintf(option, sizeof option, "--embedded=%d", theirs);
        const char *const argv[] = {*ret_program, option, NULL};
        /* A session of its own, or the terminal's Ctrl-C would end the service before its container
         * heard of it. Its messages go where ours go, its output nowhere of ours. */
        ChildSpec spec = {
                .argv = argv,
                .input = -1,
                .output = 2,
                .kept_fd = theirs,
                .has_own_session = true,
        };
        pid_t pid = child_start(&spec);
        if (pid < 0)
                return pid;
        *ret_socket = steal_fd(&ours);
        return pid;
}

void embedded_stop(pid_t pid)
{
        if (pid > 0 && !child_wait(pid, END_MSEC))
                child_end(pid, GRACE_MSEC);
}
