#include "cli/oci/engine/child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/oci/engine/report.h"
#include "service/sandbox/launch.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

bool child_make_sockets(Build *build, int *ret_own, int *ret_theirs, GError **error)
{
        int sockets[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot make a socket");
        *ret_own = sockets[0];
        *ret_theirs = build_own_fd(build, sockets[1]);
        return true;
}

bool child_say(int sync_fd, char word)
{
        return send(sync_fd, &word, 1, MSG_NOSIGNAL) == 1;
}

ssize_t child_receive(int socket, SandboxReport *ret, int *ret_fd)
{
        struct pollfd ready = {.fd = socket, .events = POLLIN};
        ssize_t n;

        do {
                while (poll(&ready, 1, -1) < 0 && errno == EINTR)
                        ;
                n = fd_receive(socket, ret, sizeof *ret, ret_fd);
                /* ECONNRESET: it ended without reading our last word; what it said comes after */
        } while (n == -EINTR || n == -EAGAIN || n == -ECONNRESET);
        return n;
}

bool child_expect(EngineChild *child, const Build *build, SandboxStage stage, GError **error)
{
        SandboxReport report;
        int fd;
        ssize_t n = child_receive(child->sync_fd, &report, &fd);

        if (n != (ssize_t) sizeof report) {
                fd_close(fd);
                return error_set(error, RUNTIME_ERROR_SETUP_FAILED,
                                 "the container's process was killed while it was set up");
        }
        if (report.stage == stage && report.error == 0) {
                child->master = fd;
                return true;
        }
        fd_close(fd);
        report_to_error(&report, build, build->input->process, error);
        return false;
}

/* The kernel wrote the pid before the one between ended; but in memory that who has joined has as
 * well, and through it perhaps the container: nothing but a child of ours is touched. */
static int open_joined(pid_t pid)
{
        autofd int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);

        return pidfd >= 0 && waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0},
                                    WEXITED | WNOHANG | WNOWAIT) == 0
                       ? steal_fd(&pidfd)
                       : -1;
}

bool child_await_between(EngineChild *child, const Build *build, GError **error)
{
        while (waitid(P_PIDFD, (id_t) child->pidfd, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
                ;
        fd_clear(&child->pidfd);
        child->pid = build->plan.state->joined;
        if (child->pid <= 0)
                return child_expect(child, build, _STAGE_MAX, error);
        child->pidfd = open_joined(child->pid);
        return child->pidfd >= 0 || error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                                    "cannot open the container's process");
}

bool child_set_oom_score(pid_t pid, const OciProcess *process, GError **error)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/oom_score_adj", (int) pid);
        g_autofree char *text =
                g_strdup_printf("%" G_GINT64_FORMAT, process->oom_score_adjust.value);
        int r = process->oom_score_adjust.is_given ? fd_write_file_at(AT_FDCWD, path, text) : 0;

        return r >= 0 || error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, -r,
                                         "process.oomScoreAdj: cannot set it to %s", text);
}

/* As the kernel has it; its header and libc's contradict each other. */
struct scheduling {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
};

/* Once it is in its cgroups, which may have no time for a real-time process. */
bool child_set_scheduling(pid_t pid, const OciProcess *process, GError **error)
{
        const OciScheduler *wanted = &process->scheduler;
        const OciIOPriority *io = &process->io_priority;
        const struct scheduling scheduling = {
                .size = sizeof scheduling,
                .policy = (uint32_t) wanted->policy,
                .flags = wanted->flags,
                .nice = (int32_t) wanted->nice,
                .priority = (uint32_t) wanted->priority,
                .runtime = wanted->runtime,
                .deadline = wanted->deadline,
                .period = wanted->period,
        };

        if (wanted->is_given && syscall(SYS_sched_setattr, pid, &scheduling, 0) < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "process.scheduler: the kernel does not take it");
        if (io->class && syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, pid,
                                 IOPRIO_PRIO_VALUE(io->class, io->priority)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "process.ioPriority: the kernel does not take it");
        return true;
}

/* A path of any length: the kernel takes 107 bytes, and that of a descriptor is short. */
static int connect_console(const char *path)
{
        autofd int place = open(path, O_PATH | O_CLOEXEC);
        autofd int console = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        if (place < 0 || console < 0)
                return -1;
        g_snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", place);
        if (connect(console, (struct sockaddr *) &address, sizeof address) < 0)
                return -1;
        return steal_fd(&console);
}

bool child_hand_over_terminal(EngineChild *child, const char *console_socket, GError **error)
{
        static const char name[] = "/dev/ptmx"; /* what receivers show as the terminal's name */

        if (child->master < 0 || !console_socket)
                return true;
        autofd int console = connect_console(console_socket);
        if (console < 0 || !fd_send_all(console, name, sizeof name - 1, &child->master, 1))
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "--console-socket '%s': cannot hand over the terminal",
                                       console_socket);
        fd_clear(&child->master);
        return true;
}

bool child_raise_limits(pid_t pid, const OciProcess *process, GError **error)
{
        for (size_t i = 0; i < process->n_rlimits; i++) {
                const OciRlimit *limit = &process->rlimits[i];
                __rlimit_resource_t resource = (__rlimit_resource_t) limit->resource;
                struct rlimit own;
                if (getrlimit(resource, &own) < 0 || limit->hard <= own.rlim_max)
                        continue;
                if (prlimit(pid, resource, &(struct rlimit){own.rlim_cur, limit->hard}, NULL) < 0)
                        return error_set_errno(
                                error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                "process.rlimits[%zu].hard: cannot raise it from %" G_GUINT64_FORMAT
                                " to %" G_GUINT64_FORMAT,
                                i, (uint64_t) own.rlim_max, limit->hard);
        }
        return true;
}

bool engine_keep(EngineChild *child, const OciProcess *process, GError **error)
{
        SandboxReport report;
        int fd;

        if (!child_say(child->sync_fd, OCI_KEEP))
                return error_set(error, RUNTIME_ERROR_SETUP_FAILED,
                                 "the container's process has ended");
        /* the end of the stream: it waits for its start, or was executed */
        ssize_t n = child_receive(child->sync_fd, &report, &fd);
        fd_close(fd);
        if (n == (ssize_t) sizeof report) {
                report_to_error(&report, NULL, process, error);
                return false;
        }
        fd_clear(&child->sync_fd);
        child->is_kept = true;
        return true;
}

void engine_child_clear(EngineChild *child)
{
        if (child->pidfd >= 0 && !child->is_kept) {
                syscall(SYS_pidfd_send_signal, child->pidfd, SIGKILL, NULL, 0);
                while (waitid(P_PIDFD, (id_t) child->pidfd, &(siginfo_t){0}, WEXITED) < 0 &&
                       errno == EINTR)
                        ;
        }
        fd_clear(&child->pidfd);
        fd_clear(&child->sync_fd);
        fd_clear(&child->master);
}
