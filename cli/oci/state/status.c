/* What has become of a container: told by the process alone, and by what cannot lie about it. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/oci/state/state.h"
#include "service/cgroup/path/path.h"
#include "service/sandbox/child/oci/plan.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

const char *oci_status_word(OciStatus status)
{
        static const char *const words[] = {
                [OCI_CREATING] = "creating", [OCI_CREATED] = "created", [OCI_RUNNING] = "running",
                [OCI_PAUSED] = "paused",     [OCI_STOPPED] = "stopped",
        };

        return words[status];
}

/* The process of the state, not another that has its number by now: opened first, compared then. */
static int open_process(const OciState *state)
{
        autofd int pidfd = (int) syscall(SYS_pidfd_open, (pid_t) state->pid, 0);
        uint64_t start_time;

        if (pidfd < 0 || !proc_start_time((pid_t) state->pid, &start_time) ||
            start_time != state->start_time)
                return -1;
        /* readable: a zombie, whose parent has not looked yet */
        if (poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0) != 0)
                return -1;
        return steal_fd(&pidfd);
}

static bool is_paused(const OciState *state)
{
        g_autoptr(PathCgroup) cgroup = NULL;

        return path_cgroup_open((const char *const *) state->cgroups, &cgroup, NULL) &&
               path_cgroup_is_frozen(cgroup);
}

/* Does somebody hold the lock? Asks with an open file of its own: one that has the lock always
 * gets it. */
static bool is_locked(int directory)
{
        autofd int again = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return again >= 0 && flock(again, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* Asks the process itself, for a `start` that was killed leaves the socket's name. It hears nothing
 * but the end of the stream; one that cannot listen at the moment waits, too. */
static bool is_waiting(int directory)
{
        autofd int own = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        g_snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" OCI_SOCKET,
                   directory);
        return own >= 0 && (connect(own, (const struct sockaddr *) &address, sizeof address) == 0 ||
                            errno == EAGAIN);
}

bool oci_state_has_waited(int directory)
{
        return faccessat(directory, OCI_SOCKET, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

void oci_state_end_waiting(int directory)
{
        (void) unlinkat(directory, OCI_SOCKET, 0);
}

OciStatus oci_state_status(int directory, const OciState *state, int *ret_pidfd)
{
        autofd int pidfd = state->pid > 0 ? open_process(state) : -1;
        bool is_alive = pidfd >= 0;

        if (ret_pidfd)
                *ret_pidfd = steal_fd(&pidfd);
        if (!state->created)
                return is_locked(directory) ? OCI_CREATING : OCI_STOPPED;
        if (!is_alive)
                return OCI_STOPPED;
        if (is_paused(state))
                return OCI_PAUSED;
        return is_waiting(directory) ? OCI_CREATED : OCI_RUNNING;
}
