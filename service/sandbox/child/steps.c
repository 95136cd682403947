#include "service/sandbox/child/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/if.h>
#include <linux/magic.h>
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
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/sandbox/child/report.h"
#include "service/sandbox/child/root.h"

#define NULL_DEVICE 0x103 /* as makedev(1, 3), which is a function of libc */

/* The child enters by itself the leaves that it was not born into: if the service wrote the pid
 * instead, all forks of the machine would stop for 5 to 11 ms (measured). */
bool steps_enter_cgroups(const SandboxBase *base)
{
        for (const int *fd = base->cgroup_fds; *fd >= 0; fd++)
                if (write(*fd, "0", 1) != 1)
                        return false;
        return true;
}

/* The service's bus connection, its log, other containers' sockets and terminals: gone before
 * anything else, for this process may wait for days. */
bool steps_close_others(const SandboxBase *base)
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
bool steps_reset_signals(void)
{
        struct sigaction action = {.sa_handler = SIG_DFL};

        return sigaction(SIGPIPE, &action, NULL) == 0;
}

bool steps_set_ids(const SandboxBase *base)
{
        /* raw: libc's wrappers signal other threads, and a cloned copy has none */
        return (!base->set_groups || syscall(SYS_setgroups, 0, NULL) == 0) &&
               syscall(SYS_setresgid, base->gid, base->gid, base->gid) == 0 &&
               syscall(SYS_setresuid, base->uid, base->uid, base->uid) == 0 &&
               /* again: a change of ids may undo it (fs.suid_dumpable), and this is still the
                * service's memory */
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
        root_close(fd);
        return done;
}

/* CAP_SYS_ADMIN in the user namespace that owns our mounts could clear their flags and take them
 * down. Mounts are locked only in a copy of the mount namespace that another user namespace owns:
 * so there is a second one. Capabilities count only for what their own user namespace owns, so
 * network, host name and IPC have to be the second one's from the start, for the mounts show them.
 * A process holds the second user namespace until all is mounted: we could not come back from it,
 * and only from outside can more than one id be mapped. Returns the pidfd of that process, -1 on
 * failure. */
int steps_hold_inner(const SandboxBase *base)
{
        int pidfd = -1, high = -1, proc = root_new_mount(&(NewMount){.type = "proc"});
        struct clone_args args = {
                .flags = CLONE_NEWUSER | CLONE_PIDFD | base->inner_namespaces,
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) &pidfd,
        };
        pid_t pid;
        bool done;

        if (proc < 0)
                return -1;
        /* Its files in /proc belong to its user, and so to us, only if it may be traced; nobody but
         * us could trace it. */
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
        pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                for (;;)
                        syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        done = pid > 0 && write_map(proc, pid, "/uid_map", base->inner_uids) &&
               write_map(proc, pid, "/gid_map", base->inner_gids) &&
               syscall(SYS_setns, pidfd, base->inner_namespaces) == 0;
        root_close(proc);
        /* out of the way of the mounts' fds and of the caller's */
        if (done)
                high = fcntl(pidfd, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        if (pidfd >= 0)
                root_close(pidfd);
        return high;
}

bool steps_enter_inner(int holder)
{
        if (syscall(SYS_setns, holder, CLONE_NEWUSER) < 0 || unshare(CLONE_NEWNS) < 0 ||
            syscall(SYS_pidfd_send_signal, holder, SIGKILL, NULL, 0) < 0)
                return false;
        while (syscall(SYS_waitid, P_PIDFD, holder, NULL, WEXITED, NULL) < 0)
                if (errno != EINTR)
                        return false;
        return true;
}

bool steps_raise_loopback(void)
{
        struct ifreq request = {.ifr_name = "lo"};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool done;

        if (fd < 0)
                return errno == EAFNOSUPPORT; /* a kernel without IPv4 has nothing to raise */
        request.ifr_flags = IFF_UP;
        done = ioctl(fd, SIOCSIFFLAGS, &request) == 0;
        root_close(fd);
        return done;
}

/* By this setting of the network namespace ping needs no raw socket, and so no capability. `proc`
 * is the container's own, which nothing covers yet. */
bool steps_let_ping(const SandboxBase *base, int proc)
{
        size_t length = strlen(base->ping_groups);
        int fd = (int) syscall(SYS_openat, proc, "sys/net/ipv4/ping_group_range",
                               O_WRONLY | O_CLOEXEC);
        bool done;

        if (fd < 0)
                return errno == ENOENT; /* a kernel without IPv4 */
        done = write(fd, base->ping_groups, length) == (ssize_t) length;
        root_close(fd);
        return done;
}

/* A pipe that has ended already. */
static int open_nothing(void)
{
        int ends[2];

        if (syscall(SYS_pipe2, ends, 0) < 0)
                return -1;
        root_close(ends[1]);
        return ends[0];
}

/* Opens /dev/null as 0, 1 and 2; what was asked for comes in its place later. Opens it by the mount
 * of our /dev, for the directory on which that lies may have got another name meanwhile. In a
 * container that is there already, whoever may mount can have put a file there that the command
 * must not read: the process that joins has all rights still. An empty root need not have a /dev.
 */
bool steps_open_stdio(int dev)
{
        int null =
                dev < 0 ? open_nothing()
                        : (int) syscall(SYS_openat, dev, "null", O_RDWR | O_NOFOLLOW | O_NONBLOCK);
        struct stat status;

        if (null < 0 || fstat(null, &status) < 0)
                return false;
        errno = ENODEV;
        if (dev >= 0 && (!S_ISCHR(status.st_mode) || status.st_rdev != NULL_DEVICE))
                return false;
        for (int i = 0; i < 3; i++)
                if (dup2(null, i) < 0)
                        return false;
        if (null > 2)
                root_close(null);
        if (dev >= 0)
                root_close(dev);
        return true;
}

/* The service trusts what it gets as a terminal: nothing that is mounted on the name in devpts, a
 * file of the caller's, may come in its place. In a devpts nobody but the kernel makes names. */
static int open_ptmx(int pts)
{
        struct open_how how = {.flags = O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW,
                               .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS};
        int dir = pts >= 0 ? pts
                           : (int) syscall(SYS_openat, AT_FDCWD, "/dev/pts",
                                           O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        struct statfs fs;
        int master;

        if (dir < 0 || syscall(SYS_fstatfs, dir, &fs) < 0)
                return -1;
        errno = ENODEV;
        if (fs.f_type != DEVPTS_SUPER_MAGIC)
                return -1;
        master = (int) syscall(SYS_openat2, dir, "ptmx", &how, sizeof how);
        if (dir != pts)
                root_close(dir);
        return master;
}

/* The container's own terminal, made in its own devpts; the peer is opened through the master,
 * never by a name inside the tree. Returns the master, -1 on failure. */
int steps_open_terminal(const ProcessAttributes *attributes, int pts, bool is_taken)
{
        int unlock = 0, master = open_ptmx(pts), slave;

        if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock) < 0)
                return -1;
        slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
        if (slave < 0 || (is_taken && ioctl(slave, TIOCSCTTY, 0) < 0))
                return -1;
        /* the group stays: that of devpts */
        if (attributes->uid != 0 && syscall(SYS_fchown, slave, attributes->uid, -1) < 0)
                return -1;
        for (int i = 0; i < 3; i++)
                if (dup2(slave, i) < 0)
                        return -1;
        if (slave > 2)
                root_close(slave);
        /* out of the way of the caller's fds, none of which must ever go to the service as the
         * terminal */
        slave = fcntl(master, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        root_close(master);
        return slave;
}

bool steps_reset_scheduling(void)
{
        struct sched_param normal = {0};

        /* Both are refused where the service itself has less than normal priority, or SCHED_IDLE:
         * then the container has as little. */
        setpriority(PRIO_PROCESS, 0, 0);
        return sched_setscheduler(0, SCHED_OTHER, &normal) == 0 || errno == EPERM;
}

bool steps_set_attributes(const SandboxPlan *plan)
{
        umask(plan->attributes.umask);
        for (size_t i = 0; i < plan->n_limits; i++) {
                const SandboxLimit *limit = &plan->limits[i];
                if (setrlimit((__rlimit_resource_t) limit->resource,
                              &(struct rlimit){limit->soft, limit->hard}) < 0)
                        return false;
        }
        for (unsigned i = 0; i < N_PROCESS_LIMITS; i++) {
                static const __rlimit_resource_t resources[] = {
#define X(NAME) RLIMIT_##NAME,
                        PROCESS_LIMITS(X)
#undef X
                };
                const ProcessLimit *limit = &plan->attributes.limits[i];
                if (limit->is_given &&
                    setrlimit(resources[i], &(struct rlimit){limit->soft, limit->hard}) < 0)
                        return false;
        }
        return true;
}

/* Raw calls, as in steps_set_ids(). Root of the container that becomes somebody else loses its
 * capabilities but for those that it keeps until it sets what it is to have. */
static bool become_user(const ProcessAttributes *attributes)
{
        if (attributes->n_groups > 0 &&
            syscall(SYS_setgroups, attributes->n_groups, attributes->groups) < 0)
                return false;
        if (attributes->uid == 0 && attributes->gid == 0)
                return true;
        return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0 &&
               syscall(SYS_setresgid, attributes->gid, attributes->gid, attributes->gid) == 0 &&
               syscall(SYS_setresuid, attributes->uid, attributes->uid, attributes->uid) == 0 &&
               prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0;
}

static bool set_capabilities(uint64_t permitted, uint64_t inheritable)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        const struct __user_cap_data_struct data[2] = {
                {(uint32_t) permitted, (uint32_t) permitted, (uint32_t) inheritable},
                {(uint32_t) (permitted >> 32), (uint32_t) (permitted >> 32),
                 (uint32_t) (inheritable >> 32)},
        };

        return syscall(SYS_capset, &header, data) == 0;
}

bool steps_drop_capabilities(const SandboxPlan *plan)
{
        bool is_root = plan->attributes.uid == 0;
        /* exec gives root the bounding set, and others their ambient set */
        uint64_t ambient = is_root ? 0 : plan->capabilities & plan->attributes.user_capabilities;

        /* the bounding set first: dropping from it needs CAP_SETPCAP */
        for (int i = 0; i <= plan->last_capability; i++)
                if (!(plan->capabilities & (UINT64_C(1) << i)) &&
                    prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
                        return false;
        if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 ||
            !become_user(&plan->attributes) ||
            !set_capabilities(is_root ? plan->capabilities : ambient, ambient))
                return false;
        for (int i = 0; i < 64 && ambient >> i; i++)
                if (ambient >> i & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
                        return false;
        /* again, as in steps_set_ids() */
        return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

/* The listener goes to the service, and no copy of it stays: while there is one, the kernel waits
 * for an answer to each call that it asks about, also when the service has ended. */
bool steps_load_filter(const SandboxBase *base)
{
        const SandboxPlan *plan = base->plan;
        unsigned flags = plan->seccomp_asks ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
        int listener = (int) syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &plan->seccomp);

        if (listener < 0 || !plan->seccomp_asks)
                return listener >= 0;
        bool is_sent = report(base, (SandboxReport){.stage = STAGE_SECCOMP}, listener);
        root_close(listener);
        return is_sent;
}

void steps_load_more_filters(const SandboxBase *base)
{
        const SandboxPlan *plan = base->plan;

        for (size_t i = 0; i < plan->n_filters; i++)
                if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &plan->filters[i]) < 0)
                        report_failure_at(base, STAGE_FILTERS, (uint32_t) i);
}

/* Through the links in /proc that lead to whatever a process holds, runc's hosts were entered
 * (CVE-2024-21626) and its own program was replaced (CVE-2019-5736). A relative path begins at
 * `directory`. */
bool steps_is_magic(int directory, const char *path)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_MAGICLINKS};
        int fd = (int) syscall(SYS_openat2, directory, path, &how, sizeof how);

        if (fd < 0 && errno == ELOOP) {
                how.resolve = 0; /* without this restriction, a mere loop of links is ELOOP still */
                fd = (int) syscall(SYS_openat2, directory, path, &how, sizeof how);
                if (fd >= 0 || errno != ELOOP) {
                        errno = SANDBOX_EMAGIC;
                        return true;
                }
        }
        if (fd >= 0)
                root_close(fd);
        return false;
}

/* Looks from the directory in which the command will be; if there is none, chdir() tells later. */
bool steps_is_magic_command(const SandboxPlan *plan)
{
        int directory = open(plan->working_directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        bool found = false;

        for (char **path = plan->exec_paths; *path && !found; path++)
                found = steps_is_magic(directory, *path);
        if (directory >= 0 && !found)
                root_close(directory);
        return found;
}

/* Candidates in order, as execvp does: EACCES is remembered, absence goes on to the next. */
_Noreturn void steps_execute(const SandboxBase *base)
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
        report_failure(base, STAGE_EXEC);
}
