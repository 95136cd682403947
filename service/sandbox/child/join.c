#include "service/sandbox/child/join.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/sandbox/child/root.h"
#include "service/sandbox/child/steps.h"

/* All at once, by the pidfd: the kernel takes the namespaces of one process, whatever has its
 * number by now, with the rights that the service has. The root and the working directory are the
 * container's afterwards. The groups go before, for inside nobody may be allowed to drop them; who
 * cannot do so outside either is no root, and all groups are the caller's own. */
bool join_namespaces(const SandboxBase *base)
{
        const SandboxPlan *plan = base->plan;

        if ((syscall(SYS_setgroups, plan->n_kept_groups, plan->kept_groups) < 0 &&
             errno != EPERM) ||
            syscall(SYS_setns, base->join, base->join_namespaces) < 0)
                return false;
        root_close(base->join);
        return steps_set_ids(base);
}

/* setns() has changed the pid namespace of children alone. Only now is there a process that the
 * container can see: it holds nothing of the host's any more, and cannot be traced. CLONE_PARENT
 * makes it the service's child, which gets its exit code. By clone, for a filter may be loaded: it
 * cannot look into the flags of clone3. */
bool join_processes(const SandboxBase *base)
{
        const unsigned long flags = CLONE_PARENT | CLONE_PARENT_SETTID;
#ifdef __s390__
        pid_t pid = (pid_t) syscall(SYS_clone, 0, flags, base->joined, 0, 0);
#else
        pid_t pid = (pid_t) syscall(SYS_clone, flags, 0, base->joined, 0, 0);
#endif

        if (pid > 0)
                _exit(0);
        return pid == 0 && setsid() >= 0;
}

/* No link is followed: who has the right to mount could have put one there. Out of the way of the
 * fds 0 to 2, which are closed still. */
int join_open_dev(void)
{
        int low = open("/dev", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int high = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);

        if (low >= 0)
                root_close(low);
        return high;
}
