/* What has become of a container: told by the process alone, and by what cannot lie about it. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/oci/state/state.h"
#include "service/cgroup/path/path.h"
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
        return faccessat(directory, "start", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ? OCI_CREATED
                                                                             : OCI_RUNNING;
}
