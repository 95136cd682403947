#include "cli/lib/child.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"

/* Runs between fork and exec. This program has a single thread, so ordinary functions are safe
 * here. */
static void prepare_child(void *data)
{
        const ChildSpec *spec = data;
        struct sigaction action = {.sa_handler = SIG_DFL};
        sigset_t none;

        for (int i = 1; i < NSIG; i++)
                sigaction(i, &action, NULL);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        if (spec->has_own_session)
                setsid();
        if (spec->dies_with_parent)
                prctl(PR_SET_PDEATHSIG, SIGTERM);
}

static int errno_of(const GError *error)
{
        if (error->domain == G_SPAWN_ERROR && error->code == G_SPAWN_ERROR_NOENT)
                return ENOENT;
        if (error->domain == G_SPAWN_ERROR && error->code == G_SPAWN_ERROR_ACCES)
                return EACCES;
        return EIO;
}

pid_t child_start(const ChildSpec *spec)
{
        GSpawnFlags flags = G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_SEARCH_PATH;
        g_autoptr(GError) error = NULL;
        GPid pid;
        /* GLib 2.74 sets close-on-exec on the fd that it copies to the child's stdout. If `output`
         * is our stderr, pass a copy of it: else the child would start without stderr. */
        bool is_standard = spec->output >= 0 && spec->output <= STDERR_FILENO;
        autofd int copy = is_standard ? fcntl(spec->output, F_DUPFD_CLOEXEC, 3) : -1;

        if (is_standard && copy < 0)
                return -errno;
        if (!g_spawn_async_with_pipes_and_fds(
                    NULL, spec->argv, spec->environment, flags, prepare_child, (void *) spec,
                    spec->input, is_standard ? copy : spec->output, spec->errors, &spec->kept_fd,
                    &spec->kept_fd, spec->kept_fd < 0 ? 0 : 1, &pid, NULL, NULL, NULL, &error))
                return -errno_of(error);
        return pid;
}

bool child_wait(pid_t pid, int msec)
{
        autofd int pidfd = pidfd_open(pid, 0);
        struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

        if (pidfd >= 0 && poll(&pollfd, 1, msec) == 0)
                return false;
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
                ;
        return true;
}

void child_end(pid_t pid, int grace_msec)
{
        kill(pid, SIGTERM);
        kill(pid, SIGCONT);
        if (child_wait(pid, grace_msec))
                return;
        kill(pid, SIGKILL);
        child_wait(pid, -1);
}
