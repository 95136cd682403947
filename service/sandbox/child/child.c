/* Order matters everywhere in this file; each step says why it stands where it does.
 *
 * The child is born into new user, mount, pid, uts, ipc and net namespaces and its v2 cgroup leaf,
 * a copy of the service. Early, it does whatever no call has a say in: it enters its v1 leaves,
 * cuts what ties it to the host, and makes the file systems that every container has. Then it waits
 * for SANDBOX_GO, which may be a matter of microseconds or, in a prepared sandbox, of seconds.
 * Late, it does the rest. If the service dies, the socket ends and so does the child: nothing of
 * the root tree has been executed then. */

#include "service/sandbox/child/child.h"

#include <errno.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <fcntl.h>
#include <unistd.h>

#include "service/sandbox/child/init.h"
#include "service/sandbox/child/join.h"
#include "service/sandbox/child/report.h"
#include "service/sandbox/child/root.h"
#include "service/sandbox/child/steps.h"
#include "service/sandbox/child/sysctl.h"

#define MS_REC_SLAVE                                                                               \
        ((1ul << 14) | (1ul << 19)) /* MS_REC | MS_SLAVE; sys/mount.h clashes with linux/mount.h   \
                                     */

/* The end of the stream means that the service is gone: nobody would supervise what came next. */
static void wait_for(const SandboxBase *base, char word)
{
        char got = 0;

        while (read(base->sync_fd, &got, 1) < 0 && errno == EINTR)
                ;
        if (got != word)
                _exit(255);
}

/* What the early part leaves to the late one. */
typedef struct Early {
        int mounts[EARLY_MOUNTS_MAX];
        int holder; /* pidfd of the process that holds the second user namespace; -1: none */
        int sys;    /* /proc/sys of a proc that nothing covers; -1: not needed */
} Early;

static void leave_service(const SandboxBase *base)
{
        prctl(PR_SET_NAME, SANDBOX_COMM, 0, 0, 0);
        /* before it enters a cpu cgroup, which may take no real-time process */
        if (!steps_reset_scheduling())
                report_failure(base, STAGE_LIMITS);
        if (!steps_enter_cgroups(base))
                report_failure(base, STAGE_CGROUP);
        if (!steps_close_others(base))
                report_failure(base, STAGE_CLOSE_FDS);
        if (!steps_reset_signals())
                report_failure(base, STAGE_SIGNALS);
}

static void set_up_early(const SandboxBase *base, Early *early)
{
        leave_service(base);
        if (setsid() < 0)
                report_failure(base, STAGE_SESSION);
        /* all leaves are entered by now, so the namespace is rooted at them */
        if (unshare(CLONE_NEWCGROUP) < 0)
                report_failure(base, STAGE_CGROUP_NAMESPACE);
        if (syscall(SYS_mount, NULL, "/", NULL, MS_REC_SLAVE, NULL) < 0)
                report_failure(base, STAGE_PROPAGATION);
        /* all steps above went on beside the parent, which maps the ids */
        wait_for(base, SANDBOX_MAPPED);
        /* before any file is made: an unmapped id cannot own a file */
        if (!steps_set_ids(base))
                report_failure(base, STAGE_IDS);
        early->holder = -1;
        if (base->inner_namespaces && (early->holder = steps_hold_inner(base)) < 0)
                report_failure(base, STAGE_INNER);
        if (base->raises_loopback && !steps_raise_loopback())
                report_failure(base, STAGE_LOOPBACK);
        root_make_early(base, early->mounts);
        /* when there is a proc, and before its settings are read-only */
        if (base->ping_groups && !steps_let_ping(base, early->mounts[base->proc]))
                report_failure(base, STAGE_PING);
        early->sys = -1;
        if (base->sets_sysctls && (early->sys = sysctl_open(early->mounts[base->proc])) < 0)
                report_failure(base, STAGE_SYSCTL);
        root_cover_early(base, early->mounts);
}

/* The directories by which a process gets what it is given, whatever the root has in their place.
 */
typedef struct Rooms {
        int dev;
        int pts; /* -1: where /dev has it */
} Rooms;

/* What every process goes through that executes a command, once it stands in the container's root
 * tree. `holder` as in Early. */
static _Noreturn void set_up_process(const SandboxBase *base, const int *fds, const Rooms *rooms,
                                     int holder)
{
        const SandboxPlan *plan = base->plan;
        int master = -1;
        sigset_t none;

        if (!steps_open_stdio(rooms->dev))
                report_failure(base, STAGE_STDIO);
        /* a command beside an init takes it into a session of its own, see init_stay() */
        if (plan->attributes.terminal &&
            (master = steps_open_terminal(&plan->attributes, rooms->pts, !plan->attributes.init)) <
                    0)
                report_failure(base, STAGE_TERMINAL);
        root_close(rooms->pts);
        for (size_t i = 0; i < plan->n_targets; i++)
                if (dup2(fds[plan->first_target + i], plan->targets[i]) < 0)
                        report_failure(base, STAGE_STDIO);
        /* when all fds are in place, and while there is no filter: it may refuse openat2 */
        if (steps_is_magic(AT_FDCWD, plan->working_directory))
                report_failure(base, STAGE_WORKING_DIRECTORY);
        if (steps_is_magic_command(plan))
                report_failure(base, STAGE_EXEC);
        /* not earlier: the fds that came had to be lifted above a low RLIMIT_NOFILE */
        if (!steps_set_attributes(plan))
                report_failure(base, STAGE_LIMITS);
        /* after all steps that need rights over the mounts, before the capabilities to keep are
         * set */
        if (holder >= 0 && !steps_enter_inner(holder))
                report_failure(base, STAGE_INNER);
        /* the service's keyring must not be ours; a kernel without keyrings has none to share */
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
                report_failure(base, STAGE_KEYRING);
        /* after all steps whose calls the filter refuses; while we may load it without
         * no_new_privs */
        if (plan->seccomp.filter && !steps_load_filter(base))
                report_failure(base, STAGE_SECCOMP);
        if (!steps_drop_capabilities(plan))
                report_failure(base, STAGE_CAPABILITIES);
        /* with the rights of the command: a directory that it could not enter must not become its
         * own */
        if (chdir(plan->working_directory) < 0)
                report_failure(base, STAGE_WORKING_DIRECTORY);
        if (plan->home_index >= 0 && faccessat(AT_FDCWD, "/root", X_OK, 0) < 0)
                plan->environment[plan->home_index] = (char *) "HOME=/";
        if (plan->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                report_failure(base, STAGE_NO_NEW_PRIVS);
        if (!report(base, (SandboxReport){.stage = STAGE_EXEC}, master))
                _exit(255);
        if (plan->waits)
                wait_for(base, SANDBOX_EXEC);
        /* at the very last, so that PID 1 has no more rights than the command */
        if (plan->attributes.init)
                init_stay(base);
        /* All that is left above the targets, the sync socket included, goes at exec. A blocked
         * signal would survive it: the service reads its own by signalfd. */
        syscall(SYS_close_range, SANDBOX_FD_BASE, ~0u, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        /* last of all, for nobody knows what they refuse */
        steps_load_more_filters(base);
        steps_execute(base);
}

static _Noreturn void set_up_late(const SandboxBase *base, const Early *early)
{
        const SandboxPlan *plan = base->plan;
        Rooms rooms = {early->mounts[base->dev], -1};
        int fds[SANDBOX_FDS_MAX];

        if (!steps_receive_go(base, fds))
                report_failure(base, STAGE_STDIO);
        /* an empty root need not have it, and root_enter() closes what is low */
        if (plan->attributes.terminal)
                rooms.pts = fcntl(early->mounts[base->pts], F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        root_enter(base, early->mounts, fds);
        if (sethostname(plan->hostname, plan->hostname_length) < 0)
                report_failure(base, STAGE_HOSTNAME);
        if (plan->domainname &&
            syscall(SYS_setdomainname, plan->domainname, plan->domainname_length) < 0)
                report_failure(base, STAGE_HOSTNAME);
        /* before the caller's fds take the place of this one */
        for (size_t i = 0; i < plan->n_sysctls; i++)
                if (!sysctl_set(early->sys, &plan->sysctls[i]))
                        report_failure_at(base, STAGE_SYSCTL, (uint32_t) i);
        if (early->sys >= 0)
                root_close(early->sys);
        set_up_process(base, fds, &rooms, early->holder);
}

_Noreturn void sandbox_child(const SandboxBase *base)
{
        Early early;

        set_up_early(base, &early);
        set_up_late(base, &early);
}

/* Until join_processes() nobody in the container sees the process, so what ties it to the
 * service and to the host goes before. The process that goes on inside waits until the service
 * knows of it: nothing is executed that nobody would supervise. */
_Noreturn void sandbox_child_join(const SandboxBase *base)
{
        Rooms rooms = {.pts = -1};
        int fds[SANDBOX_FDS_MAX];

        leave_service(base);
        if (!steps_receive_go(base, fds))
                report_failure(base, STAGE_STDIO);
        if (!join_namespaces(base) || !join_processes(base))
                report_failure(base, STAGE_JOIN);
        wait_for(base, SANDBOX_MAPPED);
        if ((rooms.dev = join_open_dev()) < 0 && errno != ENOENT)
                report_failure(base, STAGE_STDIO);
        set_up_process(base, fds, &rooms, -1);
}
