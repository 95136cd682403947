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
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox/child/root.h"

#define MS_REC_SLAVE                                                                               \
        ((1ul << 14) | (1ul << 19)) /* MS_REC | MS_SLAVE; sys/mount.h clashes with linux/mount.h   \
                                     */

/* One record, with a file descriptor beside it if `fd` is not -1. */
static bool report(const SandboxBase *base, SandboxReport record, int fd)
{
        struct iovec iov = {.iov_base = &record, .iov_len = sizeof record};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

        if (fd >= 0) {
                memset(&control, 0, sizeof control);
                message.msg_control = &control;
                message.msg_controllen = sizeof control;
                control.header.cmsg_level = SOL_SOCKET;
                control.header.cmsg_type = SCM_RIGHTS;
                control.header.cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
        }
        return sendmsg(base->sync_fd, &message, MSG_NOSIGNAL) == (ssize_t) sizeof record;
}

_Noreturn void sandbox_fail_at(const SandboxBase *base, SandboxStage stage, uint32_t index)
{
        report(base, (SandboxReport){stage, errno ? errno : EINVAL, index}, -1);
        _exit(255);
}

_Noreturn void sandbox_fail(const SandboxBase *base, SandboxStage stage)
{
        sandbox_fail_at(base, stage, 0);
}

/* The end of the stream means that the service is gone: nobody would supervise what came next. */
static void wait_for(const SandboxBase *base, char word)
{
        char got = 0;

        while (read(base->sync_fd, &got, 1) < 0 && errno == EINTR)
                ;
        if (got != word)
                _exit(255);
}

/* A pid written by the service instead would stop all forks of the machine for 5 to 11 ms
 * (measured). */
static bool enter_cgroups(const SandboxBase *base)
{
        for (const int *fd = base->cgroup_fds; *fd >= 0; fd++)
                if (write(*fd, "0", 1) != 1)
                        return false;
        return true;
}

/* The fds that come with SANDBOX_GO, lifted out of the targets' way. */
static bool receive_go(const SandboxBase *base, int fds[SANDBOX_FDS_MAX])
{
        char word = 0;
        struct iovec iov = {.iov_base = &word, .iov_len = 1};
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(SANDBOX_FDS_MAX * sizeof(int))];
        } control;
        struct msghdr message = {.msg_iov = &iov,
                                 .msg_iovlen = 1,
                                 .msg_control = &control,
                                 .msg_controllen = sizeof control};

        while (recvmsg(base->sync_fd, &message, MSG_CMSG_CLOEXEC) < 0 && errno == EINTR)
                ;
        if (word != SANDBOX_GO)
                _exit(255);
        /* only now is there a plan */
        size_t n = base->plan->first_target + base->plan->n_targets;
        if (n > SANDBOX_FDS_MAX || message.msg_controllen < sizeof control.header ||
            control.header.cmsg_len != CMSG_LEN(n * sizeof(int)))
                return false;
        memcpy(fds, CMSG_DATA(&control.header), n * sizeof(int));
        for (size_t i = 0; i < n; i++) {
                int low = fds[i];
                fds[i] = fcntl(low, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
                sandbox_close(low);
                if (fds[i] < 0)
                        return false;
        }
        return true;
}

/* The service's bus connection, its log, other containers' sockets and terminals: gone before
 * anything else, for this process may wait for days. */
static bool close_others(const SandboxBase *base)
{
        unsigned first = 0;

        for (size_t i = 0; i < base->n_keep_fds; i++) {
                unsigned keep = (unsigned) base->keep_fds[i];
                if (keep > first && syscall(SYS_close_range, first, keep - 1, 0) < 0)
                        return false;
                first = keep + 1;
        }
        return syscall(SYS_close_range, first, ~0u, 0) == 0;
}

/* CLONE_CLEAR_SIGHAND has cleared all handlers, but what is ignored stays so, over exec too. The
 * service ignores SIGPIPE and, since its start, nothing else. */
static bool reset_signals(void)
{
        struct sigaction action = {.sa_handler = SIG_DFL};

        return sigaction(SIGPIPE, &action, NULL) == 0;
}

static bool set_ids(const SandboxBase *base)
{
        /* raw: libc's wrappers signal other threads, and a cloned copy has none */
        return (!base->set_groups || syscall(SYS_setgroups, 0, NULL) == 0) &&
               syscall(SYS_setresgid, 0, 0, 0) == 0 && syscall(SYS_setresuid, 0, 0, 0) == 0 &&
               /* a change of ids may undo it (fs.suid_dumpable), and this is still our memory */
               prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

static bool write_map(int proc, pid_t pid, const char *file, const char *map)
{
        char path[32], *start = path + 16;
        bool done;
        int fd;

        memcpy(start, file, strlen(file) + 1);
        for (; pid > 0; pid /= 10)
                *--start = (char) ('0' + pid % 10);
        fd = (int) syscall(SYS_openat, proc, start, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        done = write(fd, map, strlen(map)) == (ssize_t) strlen(map);
        sandbox_close(fd);
        return done;
}

/* CAP_SYS_ADMIN in the user namespace that owns our mounts could clear their flags and take them
 * down: they are locked only in a copy that another one owns. But capabilities count for what their
 * own namespace owns, so network, host name and IPC have to be the second one's, from the start:
 * the mounts show them. A process holds it until all is mounted, for we cannot come back from it;
 * and only from outside can more than one id be mapped. Returns its pidfd, -1 on failure. */
static int hold_inner(const SandboxBase *base)
{
        int pidfd = -1, high = -1, proc = sandbox_new_mount("proc", NULL, 0, 0);
        struct clone_args args = {
                .flags = CLONE_NEWUSER | CLONE_PIDFD | base->inner_namespaces,
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) &pidfd,
        };
        pid_t pid;
        bool done;

        if (proc < 0)
                return -1;
        /* its files in /proc are its own, and so ours, only if it may be traced: nobody but us can
         */
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                for (;;)
                        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        done = pid > 0 && write_map(proc, pid, "/uid_map", base->inner_map) &&
               write_map(proc, pid, "/gid_map", base->inner_map) &&
               syscall(SYS_setns, pidfd, base->inner_namespaces) == 0;
        sandbox_close(proc);
        /* out of the way of the mounts' fds and of the caller's */
        if (done)
                high = fcntl(pidfd, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        if (pidfd >= 0)
                sandbox_close(pidfd);
        return high;
}

static bool enter_inner(int holder)
{
        if (syscall(SYS_setns, holder, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0 ||
            syscall(SYS_pidfd_send_signal, holder, SIGKILL, NULL, 0) < 0)
                return false;
        while (syscall(SYS_waitid, P_PIDFD, holder, NULL, WEXITED, NULL) < 0)
                if (errno != EINTR)
                        return false;
        return true;
}

static bool raise_loopback(void)
{
        struct ifreq request = {.ifr_name = "lo"};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool done;

        if (fd < 0)
                return errno == EAFNOSUPPORT; /* a kernel without IPv4 has nothing to raise */
        request.ifr_flags = IFF_UP;
        done = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
        sandbox_close(fd);
        return done;
}

/* Nothing to read, nowhere to write to; what was asked for comes in its place. By the mount of our
 * /dev, for the directory that it is mounted on may have got another name meanwhile. */
static bool open_stdio(const SandboxBase *base)
{
        int null = (int) syscall(SYS_openat, base->dev_fd, "null", O_RDWR);

        if (null < 0)
                return false;
        for (int i = 0; i < 3; i++)
                if (dup2(null, i) < 0)
                        return false;
        if (null > 2)
                sandbox_close(null);
        sandbox_close(base->dev_fd);
        return true;
}

/* The container's own terminal, made in its own devpts; the peer is opened through the master,
 * never by a name inside the tree. Returns the master, -1 on failure. */
static int open_terminal(void)
{
        int unlock = 0;
        int master = open("/dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
        int slave;

        if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
                return -1;
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
        if (slave < 0 || ioctl(slave, TIOCSCTTY, 0) < 0)
                return -1;
        for (int i = 0; i < 3; i++)
                if (dup2(slave, i) < 0)
                        return -1;
        if (slave > 2)
                sandbox_close(slave);
        /* out of the way of the caller's fds: one of theirs must never go to the service as the
         * terminal */
        slave = fcntl(master, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        sandbox_close(master);
        return slave;
}

static bool reset_attributes(void)
{
        struct sched_param normal = {0};

        umask(022);
        setpriority(PRIO_PROCESS, 0,
                    0); /* refused where the service is less than normal: then so are we */
        return sched_setscheduler(0, SCHED_OTHER, &normal) == 0;
}

static bool drop_capabilities(const SandboxPlan *plan)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {
                {.effective = (uint32_t) plan->capabilities,
                 .permitted = (uint32_t) plan->capabilities},
                {.effective = (uint32_t) (plan->capabilities >> 32),
                 .permitted = (uint32_t) (plan->capabilities >> 32)},
        };

        /* the bounding set first: dropping from it needs CAP_SETPCAP */
        for (int i = 0; i <= plan->last_capability; i++)
                if (!(plan->capabilities & (UINT64_C(1) << i)) &&
                    prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
                        return false;
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
               syscall(SYS_capset, &header, data) == 0;
}

/* By the links in /proc that lead to whatever a process holds runc's hosts were entered and its own
 * program was replaced (CVE-2024-21626, CVE-2019-5736). A relative path begins at `directory`. */
static bool is_magic(int directory, const char *path)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
        int fd = (int) syscall(SYS_openat2, directory, path, &how, sizeof how);

        if (fd < 0 && errno == ELOOP) {
                how.resolve = 0; /* a mere loop is one without that, too */
                fd = (int) syscall(SYS_openat2, directory, path, &how, sizeof how);
                if (fd >= 0 || errno != ELOOP) {
                        errno = SANDBOX_EMAGIC;
                        return true;
                }
        }
        if (fd >= 0)
                sandbox_close(fd);
        return false;
}

/* Found from where it will be: a directory that is not there is for chdir() to tell. */
static bool is_magic_command(const SandboxPlan *plan)
{
        int directory = open(plan->working_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        bool found = false;

        for (char **path = plan->exec_paths; *path && !found; path++)
                found = is_magic(directory, *path);
        if (directory >= 0 && !found)
                sandbox_close(directory);
        return found;
}

/* Candidates in order, as execvp does: EACCES is remembered, absence goes on to the next. */
static _Noreturn void execute(const SandboxBase *base)
{
        const SandboxPlan *plan = base->plan;
        int error = ENOENT;

        for (char **path = plan->exec_paths; *path; path++) {
                execve(*path, plan->argv, plan->environment);
                if (errno == EACCES)
                        error = EACCES;
                else if (errno != ENOENT && errno != ENOTDIR) {
                        error = errno;
                        break;
                } else if (plan->exec_paths[1] == NULL)
                        error = errno;
                /* a file that is there, yet ENOENT: its interpreter is missing */
                if (errno == ENOENT && faccessat(AT_FDCWD, *path, F_OK, 0) == 0) {
                        error = ELIBBAD;
                        break;
                }
        }
        errno = error;
        sandbox_fail(base, STAGE_EXEC);
}

/* What the early part leaves to the late one. */
typedef struct Early {
        SandboxMounts mounts;
        int holder; /* of the second user namespace; -1: there is none */
} Early;

static void set_up_early(const SandboxBase *base, Early *early)
{
        prctl(PR_SET_NAME, SANDBOX_COMM, 0, 0, 0);
        if (!enter_cgroups(base))
                sandbox_fail(base, STAGE_CGROUP);
        if (!close_others(base))
                sandbox_fail(base, STAGE_CLOSE_FDS);
        if (!reset_signals())
                sandbox_fail(base, STAGE_SIGNALS);
        if (setsid() < 0)
                sandbox_fail(base, STAGE_SESSION);
        if (!reset_attributes())
                sandbox_fail(base, STAGE_LIMITS);
        /* all leaves are entered by now, so the namespace is rooted at them */
        if (unshare(CLONE_NEWCGROUP) < 0)
                sandbox_fail(base, STAGE_CGROUP_NAMESPACE);
        if (syscall(SYS_mount, NULL, "/", NULL, MS_REC_SLAVE, NULL) < 0)
                sandbox_fail(base, STAGE_PROPAGATION);
        /* what came before went on beside the parent's work */
        wait_for(base, SANDBOX_MAPPED);
        /* before any file is made: an unmapped id can own none */
        if (!set_ids(base))
                sandbox_fail(base, STAGE_IDS);
        early->holder = -1;
        if (base->inner_namespaces && (early->holder = hold_inner(base)) < 0)
                sandbox_fail(base, STAGE_INNER);
        if (base->sys_fd < 0 && !raise_loopback())
                sandbox_fail(base, STAGE_LOOPBACK);
        sandbox_make_mounts(base, &early->mounts);
}

static _Noreturn void set_up_late(const SandboxBase *base, const Early *early)
{
        const SandboxPlan *plan = base->plan;
        struct rlimit files;
        int fds[SANDBOX_FDS_MAX], master = -1;
        sigset_t none;

        if (!receive_go(base, fds))
                sandbox_fail(base, STAGE_STDIO);
        sandbox_enter_root(base, &early->mounts, fds);
        if (sethostname(plan->hostname, plan->hostname_length) < 0)
                sandbox_fail(base, STAGE_HOSTNAME);
        if (!open_stdio(base))
                sandbox_fail(base, STAGE_STDIO);
        if (plan->terminal && (master = open_terminal()) < 0)
                sandbox_fail(base, STAGE_TERMINAL);
        for (size_t i = 0; i < plan->n_targets; i++)
                if (dup2(fds[plan->first_target + i], plan->targets[i]) < 0)
                        sandbox_fail(base, STAGE_STDIO);
        /* once all fds are where they will be, and while there is no filter: one may refuse openat2
         */
        if (is_magic(AT_FDCWD, plan->working_directory))
                sandbox_fail(base, STAGE_WORKING_DIRECTORY);
        if (is_magic_command(plan))
                sandbox_fail(base, STAGE_EXEC);
        /* not earlier: what came had to be lifted above a low limit */
        files = (struct rlimit){plan->files_soft, plan->files_hard};
        if (setrlimit(RLIMIT_NOFILE, &files) < 0)
                sandbox_fail(base, STAGE_LIMITS);
        /* after all that needs rights over the mounts, before those that are kept are chosen */
        if (early->holder >= 0 && !enter_inner(early->holder))
                sandbox_fail(base, STAGE_INNER);
        /* the service's keyring must not be ours; a kernel without keyrings has none to share */
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
                sandbox_fail(base, STAGE_KEYRING);
        /* after all that needs a call which the filter refuses; while we may load one without
         * no_new_privs */
        if (plan->seccomp.filter &&
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &plan->seccomp) < 0)
                sandbox_fail(base, STAGE_SECCOMP);
        if (!drop_capabilities(plan))
                sandbox_fail(base, STAGE_CAPABILITIES);
        /* with the rights of the command, for a path it could not enter must not be its directory
         */
        if (chdir(plan->working_directory) < 0)
                sandbox_fail(base, STAGE_WORKING_DIRECTORY);
        if (plan->home_index >= 0 && faccessat(AT_FDCWD, "/root", X_OK, 0) < 0)
                plan->environment[plan->home_index] = (char *) "HOME=/";
        if (plan->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                sandbox_fail(base, STAGE_NO_NEW_PRIVS);
        if (!report(base, (SandboxReport){.stage = STAGE_EXEC}, master))
                _exit(255);
        if (plan->waits)
                wait_for(base, SANDBOX_EXEC);
        /* All that is left above the targets, the sync socket included, goes at exec. A blocked
         * signal would survive it: the service reads its own by signalfd. */
        syscall(SYS_close_range, SANDBOX_FD_BASE, ~0u, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execute(base);
}

_Noreturn void sandbox_child(const SandboxBase *base)
{
        Early early;

        set_up_early(base, &early);
        set_up_late(base, &early);
}
