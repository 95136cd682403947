/* Replaces close() for the whole program, libsystemd included: sd-bus closes the fds that callers
 * pass, even fds that a message's body does not name and that no function of sd-bus gives out.
 *
 * The last close() of a socket with SO_LINGER and unsent data waits for as long as the socket's
 * sender chose. The option belongs to the socket, not to the fd: a sender who has kept a copy can
 * set the option again after we have cleared it, and then close the copy before us. So such a
 * socket is closed by a throw-away child that has the same table of fds and lives no longer than
 * LINGER_USEC.
 *
 * What it costs without (Linux 6.18; a TCP socket set to linger for 4 s, passed with a Spawn that
 * is refused; two services, with and without this file, each on a bus of its own, called in turn):
 * everybody else waited 4.2 s for an answer, and would wait for any time that the sender chooses;
 * with it, 21 to 29 ms. A client's Run and Wait takes as long with it as without, as far as could
 * be told (medians of ratios 0.94 and 1.01; of two services with it, 0.94 and 1.06). */

#include <errno.h>
#include <glib-unix.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define LINGER_USEC 100000

/* False for all sockets that the service makes itself: they are AF_UNIX, datagram or raw ones. */
static bool may_linger(int fd)
{
        int domain = AF_UNIX, type = SOCK_DGRAM, saved = errno;
        socklen_t size = sizeof domain;

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain != AF_UNIX)
                getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
        errno = saved;
        return type != SOCK_DGRAM && type != SOCK_RAW;
}

_Noreturn static void close_in_child(int fd)
{
        const struct itimerval limit = {.it_value.tv_usec = LINGER_USEC};

        syscall(SYS_setitimer, ITIMER_REAL, &limit,
                NULL); /* ends this process, if it still waits in close() */
        syscall(SYS_close, fd);
        _exit(0);
}

static gboolean on_closed(int pidfd, GIOCondition condition, void *data)
{
        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        close(pidfd);
        return G_SOURCE_REMOVE;
}

int close(int fd)
{
        int pidfd = -1;
        struct clone_args args = {.flags = CLONE_FILES | CLONE_PIDFD,
                                  .pidfd = (uint64_t) (uintptr_t) &pidfd,
                                  .exit_signal = SIGCHLD};
        pid_t pid = may_linger(fd) ? (pid_t) syscall(SYS_clone3, &args, sizeof args) : -1;

        if (pid == 0)
                close_in_child(fd);
        if (pid < 0)
                return (int) syscall(SYS_close, fd);
        g_unix_fd_add(pidfd, G_IO_IN, on_closed, NULL);
        return 0;
}
