#include "cli/lib/polkit-agent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/lib/child.h"
#include "cli/lib/terminal.h"
#include "service/util/fd.h"

/* How long pkttyagent may take to register with polkit. */
#define REGISTRATION_MSEC 10000
#define GRACE_MSEC        2000

bool polkit_agent_is_possible(void)
{
        return geteuid() != 0 && isatty(STDIN_FILENO) && terminal_is_ours(STDIN_FILENO);
}

pid_t polkit_agent_start(void)
{
        int ends[2];
        char number[16];

        if (pipe2(ends, O_CLOEXEC) < 0)
                return -errno;
        autofd int read_end = ends[0], write_end = ends[1];
        snprintf(number, sizeof number, "%d", write_end);
        const char *const argv[] = {"pkttyagent", "--notify-fd", number, "--fallback", NULL};
        ChildSpec spec = {
                .argv = argv,
                .input = STDIN_FILENO,
                .output = -1,
                .errors = -1,
                .kept_fd = write_end,
                .dies_with_parent = true,
        };
        pid_t pid = child_start(&spec);
        if (pid < 0)
                return pid;
        /* The agent closes its end of the pipe when it is ready, and also when it fails. Which of
         * the two happened shows in the call that follows. */
        fd_clear(&write_end);
        struct pollfd pollfd = {.fd = read_end, .events = POLLIN};
        while (poll(&pollfd, 1, REGISTRATION_MSEC) < 0 && errno == EINTR)
                ;
        return pid;
}

void polkit_agent_stop(pid_t pid)
{
        if (pid > 0)
                child_end(pid, GRACE_MSEC);
}
