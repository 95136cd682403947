#include "service/cgroup/live/write.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "service/util/proc.h"

#define WAIT_MSEC   200 /* others wait, too */
#define WRITERS_MAX 16u /* that were given up and have not ended yet */

static unsigned n_given_up;

int live_write(int leaf, const char *file, const char *text)
{
        autofd int fd = openat(leaf, file, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

        return fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static _Noreturn void write_and_exit(pid_t service, int leaf, const char *file, const char *text)
{
        proc_detach(service, &leaf, 1);
        _exit(-live_write(leaf, file, text));
}

static int reap(int pidfd)
{
        siginfo_t end = {0};

        if (waitid(P_PIDFD, (id_t) pidfd, &end, WEXITED) < 0)
                return -errno;
        return end.si_code == CLD_EXITED ? -end.si_status : -ECANCELED;
}

static gboolean on_end(int pidfd, GIOCondition condition, void *data)
{
        reap(pidfd);
        close(pidfd);
        n_given_up--;
        return G_SOURCE_REMOVE;
}

/* A signal makes the kernel stop. */
static void give_up(int pidfd)
{
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        n_given_up++;
        g_unix_fd_add(pidfd, G_IO_IN, on_end, NULL);
}

int live_write_patiently(int leaf, const char *file, const char *text)
{
        struct pollfd end = {.events = POLLIN};
        struct clone_args args = {.flags = CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &end.fd};
        pid_t service = getpid();

        if (n_given_up >= WRITERS_MAX)
                return -EBUSY;
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                write_and_exit(service, leaf, file, text);
        if (pid < 0)
                return -errno;
        if (poll(&end, 1, WAIT_MSEC) != 1) {
                give_up(end.fd);
                return -ETIMEDOUT;
        }
        int r = reap(end.fd);
        close(end.fd);
        return r;
}
