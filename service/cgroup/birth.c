/* Is a process that is born into a leaf (CLONE_INTO_CGROUP) alive? Since Linux 6.1, and not in all
 * versions after it, the kernel kills the process at once if its parent lives in a cgroup that was
 * ever written to cgroup.kill: it compares how often the parent's cgroup and the leaf were killed.
 * Nobody can ask for that number, so this tries it, once: a kill after that ends the service, too.
 */

#include "service/cgroup/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"

#define LEAF      "birth"
#define WAIT_MSEC 1000 /* somebody may have frozen what the leaf is in */

static bool is_killed_at_birth(int leaf)
{
        int born = -1;
        struct clone_args args = {
                .flags = CLONE_PIDFD | CLONE_INTO_CGROUP,
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) &born,
                .cgroup = (uint64_t) leaf,
        };
        siginfo_t info = {0};
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);

        if (pid == 0)
                _exit(0);
        if (pid < 0)
                return false; /* who needs it will say why */
        autofd int pidfd = born;
        bool has_ended = poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, WAIT_MSEC) > 0;
        if (!has_ended)
                (void) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t) pidfd, &info, WEXITED) < 0 && errno == EINTR)
                ;
        return has_ended && info.si_code == CLD_KILLED;
}

bool cgroup_kills_at_birth(const CgroupHierarchy *h)
{
        /* one that was killed must not be used again */
        (void) unlinkat(h->parent_fd, LEAF, AT_REMOVEDIR);
        if (mkdirat(h->parent_fd, LEAF, 0755) < 0)
                return false;
        autofd int leaf = openat(h->parent_fd, LEAF, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        bool kills = leaf >= 0 && is_killed_at_birth(leaf);
        (void) unlinkat(h->parent_fd, LEAF, AT_REMOVEDIR);
        return kills;
}
