/* Order matters everywhere in this file; each step says why it stands where it does.
 *
 * The child is the caller's own: whoever called the runtime gets its exit status. It is born into
 * the namespaces that the bundle wants, sets them up while the parent looks on, and then waits on a
 * socket in the state directory for somebody to start it, long after the parent has gone. */

#include "service/sandbox/child/oci/oci.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/sandbox/child/join.h"
#include "service/sandbox/child/oci/hooks.h"
#include "service/sandbox/child/oci/process.h"
#include "service/sandbox/child/oci/tree.h"
#include "service/sandbox/child/report.h"
#include "service/sandbox/child/root.h"
#include "service/sandbox/child/steps.h"
#include "service/sandbox/child/sysctl.h"

/* The end of the stream means that the parent is gone: nobody would know of what came next. */
static void wait_for(const SandboxBase *base, char word)
{
        char got = 0;

        while (read(base->sync_fd, &got, 1) < 0 && errno == EINTR)
                ;
        if (got != word)
                _exit(255);
}

static void leave_parent(const SandboxBase *base, const OciPlan *plan)
{
        struct sigaction action = {.sa_handler = SIG_DFL};

        prctl(PR_SET_NAME, SANDBOX_COMM, 0, 0, 0);
        /* before anybody inside can see it: this is the runtime's memory */
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        /* what is ignored stays so over clone and exec */
        for (int number = 1; number < 32; number++)
                sigaction(number, &action, NULL);
        if (plan->lock >= 0)
                root_close(plan->lock);
        if (!steps_enter_cgroups(base))
                report_failure(base, STAGE_CGROUP);
}

/* A proc that no tree has a say in: of the container's processes, or where they are the host's, or
 * a user namespace may not make one, the host's own. */
static int open_proc(const SandboxBase *base)
{
        int proc = root_new_mount(&(NewMount){.type = "proc"});
        struct statfs fs;

        if (proc < 0)
                proc = (int) syscall(SYS_openat, AT_FDCWD, "/proc",
                                     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (proc < 0 || syscall(SYS_fstatfs, proc, &fs) < 0)
                report_failure(base, STAGE_SYSCTL);
        errno = ENODEV;
        if (fs.f_type != PROC_SUPER_MAGIC)
                report_failure(base, STAGE_SYSCTL);
        return proc;
}

static void set_up_namespaces(const SandboxBase *base, const OciPlan *plan)
{
        if (setsid() < 0)
                report_failure(base, STAGE_SESSION);
        /* all leaves are entered by now, so the namespace is rooted at them */
        if (plan->makes_cgroup_namespace && unshare(CLONE_NEWCGROUP) < 0)
                report_failure(base, STAGE_CGROUP_NAMESPACE);
        wait_for(base, SANDBOX_MAPPED);
        /* before any file is made: an unmapped id cannot own a file */
        if (plan->has_user_namespace && !steps_set_ids(base))
                report_failure(base, STAGE_IDS);
        if (base->raises_loopback && !steps_raise_loopback())
                report_failure(base, STAGE_LOOPBACK);
        /* before anything is mounted, so that the host sees none of it */
        if (syscall(SYS_mount, NULL, "/", NULL, plan->propagation, NULL) < 0)
                report_failure(base, STAGE_PROPAGATION);
}

static void set_names_and_settings(const SandboxBase *base, const OciPlan *plan)
{
        const SandboxPlan *process = &plan->process;
        int proc, sys;

        if (process->hostname && sethostname(process->hostname, process->hostname_length) < 0)
                report_failure(base, STAGE_HOSTNAME);
        if (process->domainname &&
            syscall(SYS_setdomainname, process->domainname, process->domainname_length) < 0)
                report_failure(base, STAGE_HOSTNAME);
        if (process->n_sysctls == 0 && !plan->apparmor && plan->personality == UINT64_MAX)
                return;
        proc = open_proc(base);
        if (process->n_sysctls > 0 && (sys = sysctl_open(proc)) < 0)
                report_failure(base, STAGE_SYSCTL);
        for (size_t i = 0; i < process->n_sysctls; i++)
                if (!sysctl_set(sys, &process->sysctls[i]))
                        report_failure_at(base, STAGE_SYSCTL, (uint32_t) i);
        if (process->n_sysctls > 0)
                root_close(sys);
        if (!oci_process_confine(plan, proc))
                report_failure(base, STAGE_USER);
        root_close(proc);
}

/* Everything but what the process has from its caller, and these two; -1 is none. */
static bool close_others(const OciPlan *plan, int a, int b)
{
        unsigned first = plan->kept_fds;
        int order[2] = {a < b ? a : b, a < b ? b : a};

        for (int i = 0; i < 2; i++) {
                unsigned keep = (unsigned) order[i];
                if (order[i] < 0)
                        continue;
                if (keep > first && syscall(SYS_close_range, first, keep - 1, 0) < 0)
                        return false;
                first = keep + 1;
        }
        return syscall(SYS_close_range, first, ~0u, 0) == 0;
}

/* Whoever starts it may die before it has heard that it was understood: then somebody else can.
 * Others connect only to see whether somebody waits. The listener goes with the start. */
static void wait_for_start(SandboxBase *base, int listener)
{
        const SandboxReport understood = {.stage = STAGE_EXEC};
        char word = 0;

        for (;;) {
                base->sync_fd = (int) syscall(SYS_accept4, listener, NULL, NULL, SOCK_CLOEXEC);
                if (base->sync_fd < 0 && errno != EINTR && errno != ECONNABORTED)
                        _exit(255);
                while (base->sync_fd >= 0 && read(base->sync_fd, &word, 1) < 0 && errno == EINTR)
                        ;
                if (base->sync_fd >= 0 && word == SANDBOX_EXEC && report(base, understood, -1))
                        break;
                if (base->sync_fd >= 0)
                        root_close(base->sync_fd);
                word = 0;
        }
        root_close(listener);
}

static void become_user(const SandboxBase *base, const OciPlan *plan)
{
        bool is_there;

        umask(plan->umask);
        oci_process_own_stdio(plan);
        /* first with the rights of who sets it up, as other runtimes do: images rely on it */
        is_there = oci_process_go_to_work(plan);
        if (!is_there && errno != EACCES && errno != EPERM)
                report_failure(base, STAGE_WORKING_DIRECTORY);
        if (steps_is_magic_command(&plan->process))
                report_failure(base, STAGE_EXEC);
        if (!plan->keeps_keyring && syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 &&
            errno != ENOSYS)
                report_failure(base, STAGE_KEYRING);
        if (!oci_process_become_user(plan))
                report_failure(base, STAGE_USER);
        if (!is_there && !oci_process_go_to_work(plan))
                report_failure(base, STAGE_WORKING_DIRECTORY);
        if (!oci_process_can_execute(plan))
                report_failure(base, STAGE_EXEC);
}

/* Late, for a low limit would be in the way; what is more than the parent has, it has raised. */
static void set_limits(const SandboxBase *base, const SandboxPlan *process)
{
        for (size_t i = 0; i < process->n_limits; i++) {
                const SandboxLimit *limit = &process->limits[i];
                if (setrlimit((__rlimit_resource_t) limit->resource,
                              &(struct rlimit){limit->soft, limit->hard}) < 0)
                        report_failure_at(base, STAGE_LIMITS, (uint32_t) i);
        }
}

static void report_ready(const SandboxBase *base, const OciPlan *plan, int master)
{
        if (master >= 0 && plan->rows && plan->columns &&
            ioctl(master, TIOCSWINSZ,
                  &(struct winsize){.ws_row = plan->rows, .ws_col = plan->columns}) < 0)
                report_failure(base, STAGE_TERMINAL);
        if (!report(base, (SandboxReport){.stage = STAGE_EXEC}, master))
                _exit(255);
        if (!close_others(plan, base->sync_fd, plan->start))
                report_failure(base, STAGE_CLOSE_FDS);
}

/* From here on nothing of the host's is held but the socket on which somebody will start it. */
static _Noreturn void await_and_execute(const SandboxBase *base, const OciPlan *plan)
{
        SandboxBase own = *base;
        sigset_t none;

        wait_for(base, OCI_KEEP);
        /* Before the filter and while nothing is given up: no bundle's filter can break this. The
         * process is its user's, and cannot be traced. */
        root_close(base->sync_fd);
        wait_for_start(&own, plan->start);
        set_limits(&own, &plan->process);
        /* a hook of the tree's is the tree's code, as the command is */
        oci_hooks_run(&own, plan, plan->start_hooks, plan->n_start_hooks, oci_process_drop_all);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        /* what the filter may refuse afterwards is execve() at most, and what report() needs */
        syscall(SYS_close_range, plan->kept_fds, ~0u, CLOSE_RANGE_CLOEXEC);
        if (!oci_process_drop_all(plan))
                report_failure(&own, STAGE_CAPABILITIES);
        steps_execute(&own);
}

_Noreturn void sandbox_child_oci(const SandboxBase *base, const OciPlan *plan)
{
        int master = -1;
        OciTree tree;

        leave_parent(base, plan);
        set_up_namespaces(base, plan);
        const mode_t mask = umask(0); /* what is made gets the mode that was said */
        oci_tree_attach(base, plan, &tree);
        /* the host's hooks find the tree complete, and all namespaces */
        if (!report(base, (SandboxReport){.stage = STAGE_CREATE_HOOK}, -1))
                _exit(255);
        wait_for(base, OCI_PIVOT);
        umask(mask);
        oci_hooks_run(base, plan, plan->create_hooks, plan->n_create_hooks, NULL);
        umask(0);
        if (plan->process.attributes.terminal)
                oci_tree_open_terminal(base, plan, &tree, &master);
        /* while the host's proc is there: without that, a user namespace could make no other; after
         * the host's hooks, which make the network of which settings may be */
        set_names_and_settings(base, plan);
        oci_tree_cover(base, plan, &tree);
        oci_tree_enter(base, plan, &tree);
        become_user(base, plan);
        report_ready(base, plan, master);
        await_and_execute(base, plan);
}

/* It stays in the host's pid namespace: as an orphan it would else be the container's own. */
_Noreturn void sandbox_child_oci_between(const SandboxBase *base, const OciPlan *plan)
{
        struct clone_args args = {
                .flags = CLONE_PARENT | CLONE_PARENT_SETTID | plan->new_namespaces,
                .parent_tid = (uint64_t) (uintptr_t) base->joined,
        };
        const int none = -1;
        SandboxBase inside = *base;
        pid_t pid;

        leave_parent(base, plan);
        inside.cgroup_fds = &none;
        if ((plan->pid_namespace >= 0 &&
             syscall(SYS_setns, plan->pid_namespace, CLONE_NEWPID) < 0) ||
            syscall(SYS_setns, plan->user_namespace, CLONE_NEWUSER) < 0 || !steps_set_ids(base))
                report_failure(base, STAGE_JOIN);
        pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid < 0)
                report_failure(base, STAGE_JOIN);
        if (pid > 0)
                _exit(0);
        sandbox_child_oci(&inside, plan);
}

/* All that needs rights is done before anybody in the container can see a process: who may trace
 * there, without a user namespace between, could take over one that has more than its command. A
 * filter is therefore there before the last steps, as few as they are. */
_Noreturn void sandbox_child_oci_join(const SandboxBase *base, const OciPlan *plan)
{
        int master = -1;
        OciTree tree;
        sigset_t none;

        leave_parent(base, plan);
        /* by the host's proc; a clone keeps it */
        if (plan->apparmor && !oci_process_confine(plan, open_proc(base)))
                report_failure(base, STAGE_USER);
        if (!close_others(plan, base->sync_fd, base->join))
                report_failure(base, STAGE_CLOSE_FDS);
        if (!join_namespaces(base))
                report_failure(base, STAGE_JOIN);
        tree.root = (int) syscall(SYS_openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (plan->process.attributes.terminal)
                oci_tree_open_terminal(base, plan, &tree, &master);
        become_user(base, plan);
        report_ready(base, plan, master);
        if (!oci_process_drop_all(plan))
                report_failure(base, STAGE_CAPABILITIES);
        if (!join_processes(base))
                report_failure(base, STAGE_JOIN);
        wait_for(base, OCI_KEEP);
        if (plan->process.attributes.terminal && ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0)
                report_failure(base, STAGE_TERMINAL);
        set_limits(base, &plan->process);
        /* again: /proc/self there is only now this process, if the filter lets it look */
        if (steps_is_magic_command(&plan->process))
                report_failure(base, STAGE_EXEC);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        steps_execute(base);
}
