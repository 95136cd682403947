/* Order matters everywhere in this file; each step says why it stands where it does.
 *
 * The child is born into new user, mount, pid, uts, ipc and net namespaces and its v2 cgroup leaf,
 * a copy of the service. It enters its v1 leaves and cuts what ties it to the host, then waits for
 * SANDBOX_GO: meanwhile the parent maps the ids and id-maps the root tree. If the parent dies, the
 * socket ends and so does the child: nothing of the root tree has been executed then. */

#include "service/sandbox-child.h"

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

#define MS_REC_SLAVE                                                                               \
        ((1ul << 14) | (1ul << 19)) /* MS_REC | MS_SLAVE; sys/mount.h clashes with linux/mount.h   \
                                     */
#define UMOUNT_DETACH 2

/* One record, with a file descriptor beside it if `fd` is not -1. */
static bool report(const SandboxPlan *plan, SandboxReport record, int fd)
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
        return sendmsg(plan->sync_fd, &message, MSG_NOSIGNAL) == (ssize_t) sizeof record;
}

static _Noreturn void fail(const SandboxPlan *plan, SandboxStage stage)
{
        report(plan, (SandboxReport){.stage = stage, .error = errno ? errno : EINVAL}, -1);
        _exit(255);
}

/* The end of the stream means that the service is gone: nobody would supervise what came next. */
static void wait_for(const SandboxPlan *plan, char word)
{
        char got = 0;

        while (read(plan->sync_fd, &got, 1) < 0 && errno == EINTR)
                ;
        if (got != word)
                _exit(255);
}

/* A pid written by the service instead would stop all forks of the machine for 5 to 11 ms
 * (measured). */
static bool enter_cgroups(const SandboxPlan *plan)
{
        for (const int *fd = plan->cgroup_fds; *fd >= 0; fd++)
                if (write(*fd, "0", 1) != 1)
                        return false;
        return true;
}

/* The service's bus connection, other containers' sockets and terminals: gone before anything else,
 * for a created container may wait here for days. */
static bool close_others(const SandboxPlan *plan)
{
        unsigned first = 3;

        for (size_t i = 0; i < plan->n_keep_fds; i++) {
                unsigned keep = (unsigned) plan->keep_fds[i];
                if (keep > first && syscall(SYS_close_range, first, keep - 1, 0) < 0)
                        return false;
                if (keep >= first)
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

static bool set_ids(const SandboxPlan *plan)
{
        /* raw: libc's wrappers signal other threads, and a cloned copy has none */
        return (!plan->set_groups || syscall(SYS_setgroups, 0, NULL) == 0) &&
               syscall(SYS_setresgid, 0, 0, 0) == 0 && syscall(SYS_setresuid, 0, 0, 0) == 0;
}

typedef struct MountOption {
        const char *key, *value;
} MountOption;

/* A new file system as a detached mount, or -1. */
static int new_mount(const char *type, const MountOption *options, size_t n, unsigned attributes)
{
        int mount = -1;
        int fs = (int) syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);

        if (fs < 0)
                return -1;
        for (size_t i = 0; i < n; i++)
                if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[i].key, options[i].value,
                            0) < 0)
                        return -1;
        if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
                mount = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
        close(fs);
        return mount;
}

/* Opens a mount point that must be a real one: the root tree is hostile, no link is followed. */
static int open_target(int dir, const char *path, uint64_t flags)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | flags,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int fd;

        /* EAGAIN: somebody renames on the host while we look; bounded, or a race could hold us here
         */
        for (int tries = 0; tries < 32; tries++) {
                fd = (int) syscall(SYS_openat2, dir, path, &how, sizeof how);
                if (fd >= 0 || errno != EAGAIN)
                        return fd;
        }
        return fd;
}

static bool attach(int mount, int dir, const char *path, uint64_t flags)
{
        int target = open_target(dir, path, flags);
        bool done;

        if (target < 0)
                return false;
        done = syscall(SYS_move_mount, mount, "", target, "",
                       MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;
        close(target);
        return done;
}

/* Covers one path of our own proc or sysfs, found from its mount: the directory that it is mounted
 * on may have got another name meanwhile. The sources are ours too: an empty tmpfs, our /dev/null,
 * or the path itself, never a file of the root tree. */
static bool mask(const SandboxMask *what, int dir, int dev)
{
        const bool is_read_only = what->kind == MASK_READ_ONLY;
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
        int mount;

        if (what->kind == MASK_EMPTY_DIRECTORY)
                mount = new_mount("tmpfs", (MountOption[]){{"size", "4096"}, {"mode", "0555"}}, 2,
                                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                          MOUNT_ATTR_NOEXEC);
        else
                mount = (int) syscall(SYS_open_tree, is_read_only ? dir : dev,
                                      is_read_only ? what->path : "null",
                                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (mount < 0)
                return false;
        if (is_read_only && syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH, &attributes,
                                    sizeof attributes) < 0)
                return false;
        if (!attach(mount, dir, what->path, 0))
                return false;
        close(mount);
        return true;
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
        close(fd);
        return done;
}

/* CAP_SYS_ADMIN in the user namespace that owns our mounts could clear their flags and take them
 * down: they are locked only in a copy that another one owns. But capabilities count for what their
 * own namespace owns, so network, host name and IPC have to be the second one's, from the start:
 * the mounts show them. A process holds it until all is mounted, for we cannot come back from it;
 * and only from outside can more than one id be mapped. Returns its pidfd, -1 on failure. */
static int hold_inner(const SandboxPlan *plan)
{
        int pidfd = -1, high = -1, proc = new_mount("proc", NULL, 0, 0);
        struct clone_args args = {
                .flags = CLONE_NEWUSER | CLONE_PIDFD | plan->inner_namespaces,
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
        done = pid > 0 && write_map(proc, pid, "/uid_map", plan->inner_map) &&
               write_map(proc, pid, "/gid_map", plan->inner_map) &&
               syscall(SYS_setns, pidfd, plan->inner_namespaces) == 0;
        close(proc);
        /* out of the way of the mounts' fds and of the caller's */
        if (done)
                high = fcntl(pidfd, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        close(pidfd);
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

static bool mount_one(const SandboxMount *what)
{
        const MountOption options[] = {{"size", what->size}, {"mode", what->mode}};
        size_t first = what->size ? 0 : 1, end = what->mode ? 2 : 1;
        int directory = what->is_directory ? -1 : open_target(AT_FDCWD, what->target, O_DIRECTORY);
        int mount = what->fd;
        bool done;

        if (directory >= 0) { /* the kernel says EINVAL, as it does for much else */
                errno = EISDIR;
                return false;
        }
        if (mount < 0)
                mount = new_mount("tmpfs", options + first, end - first, what->attributes);
        done = mount >= 0 &&
               attach(mount, AT_FDCWD, what->target, what->is_directory ? O_DIRECTORY : 0);
        if (done)
                close(mount);
        return done;
}

/* After all that is ours, and in the caller's order, for one may lie in another. Nothing is made in
 * the tree: a target is there, or it is an error. */
static void mount_others(const SandboxPlan *plan)
{
        for (uint32_t i = 0; i < plan->n_mounts; i++) {
                if (mount_one(&plan->mounts[i]))
                        continue;
                report(plan, (SandboxReport){STAGE_MOUNT, errno ? errno : EINVAL, i}, -1);
                _exit(255);
        }
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
        close(fd);
        return done;
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
                close(slave);
        /* out of the way of the caller's fds: one of theirs must never go to the service as the
         * terminal */
        slave = fcntl(master, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);
        close(master);
        return slave;
}

static bool reset_attributes(const SandboxPlan *plan)
{
        struct rlimit files = {plan->files_soft, plan->files_hard};
        struct sched_param normal = {0};

        umask(022);
        setpriority(PRIO_PROCESS, 0,
                    0); /* refused where the service is less than normal: then so are we */
        return setrlimit(RLIMIT_NOFILE, &files) == 0 &&
               sched_setscheduler(0, SCHED_OTHER, &normal) == 0;
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

static void mount_root(const SandboxPlan *plan)
{
        const unsigned safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        const MountOption pts[] = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}};
        const MountOption shm[] = {{"mode", "1777"}, {"size", "65536k"}};
        const MountOption tmp[] = {{"mode", "1777"}};
        int proc_fd, sys_fd, pts_fd, shm_fd, tmp_fd, mqueue_fd;

        /* Made while the host's proc and sysfs are still visible: the kernel asks for that in a
         * user namespace, so that nothing masked on the host comes to light here. */
        if ((proc_fd = new_mount("proc", NULL, 0, safe)) < 0)
                fail(plan, STAGE_NEW_PROC);
        if ((sys_fd = plan->sys_fd) < 0 &&
            (sys_fd = new_mount("sysfs", NULL, 0, safe | MOUNT_ATTR_RDONLY)) < 0)
                fail(plan, STAGE_NEW_SYS);
        if ((pts_fd = new_mount("devpts", pts, plan->has_tty_gid ? 3 : 2,
                                MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)) < 0)
                fail(plan, STAGE_NEW_PTS);
        if ((shm_fd = new_mount("tmpfs", shm, 2, safe)) < 0 ||
            (tmp_fd = new_mount("tmpfs", tmp, 1, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) < 0)
                fail(plan, STAGE_NEW_TMP);
        if ((mqueue_fd = new_mount("mqueue", NULL, 0, safe)) < 0)
                fail(plan, STAGE_NEW_MQUEUE);

        /* Attached on top of the host's "/", which needs no directory of its own; then "." is the
         * new root for both arguments, and what is detached by "." is the host's tree, now on top
         * of it. */
        if (syscall(SYS_move_mount, plan->root_fd, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                fail(plan, STAGE_ATTACH_ROOT);
        if (fchdir(plan->root_fd) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
                fail(plan, STAGE_PIVOT_ROOT);
        if (syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0 || chdir("/") < 0)
                fail(plan, STAGE_DETACH_OLD_ROOT);
        close(plan->root_fd);

        /* After the pivot links in the tree can lead nowhere but into it; ours are not followed at
         * all. */
        if (!attach(proc_fd, AT_FDCWD, "proc", O_DIRECTORY))
                fail(plan, STAGE_MOUNT_PROC);
        if (!attach(sys_fd, AT_FDCWD, "sys", O_DIRECTORY))
                fail(plan, STAGE_MOUNT_SYS);
        if (!attach(plan->dev_fd, AT_FDCWD, "dev", O_DIRECTORY))
                fail(plan, STAGE_MOUNT_DEV);
        if (!attach(pts_fd, plan->dev_fd, "pts", O_DIRECTORY) ||
            !attach(shm_fd, plan->dev_fd, "shm", O_DIRECTORY) ||
            !attach(mqueue_fd, plan->dev_fd, "mqueue", O_DIRECTORY))
                fail(plan, STAGE_MOUNT_DEV_ENTRY);
        if (!attach(tmp_fd, AT_FDCWD, "tmp", O_DIRECTORY) &&
            errno != ENOENT) /* a tree need not have one */
                fail(plan, STAGE_MOUNT_TMP);
        for (size_t i = 0; i < plan->n_masks; i++)
                if (!mask(&plan->masks[i], plan->masks[i].in_sys ? sys_fd : proc_fd,
                          plan->dev_fd) &&
                    errno != ENOENT) /* was there when the service began */
                        fail(plan, STAGE_MASK);
        /* the mounts' own fds: all that was kept has higher numbers */
        close(plan->dev_fd);
        syscall(SYS_close_range, 3, SANDBOX_FD_BASE - 1, 0);
}

/* By the links in /proc that lead to whatever a process holds runc's hosts were entered and its own
 * program was replaced (CVE-2024-21626, CVE-2019-5736). */
static bool is_magic(const char *path)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_NO_MAGICLINKS,
        };
        int fd = (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);

        if (fd >= 0)
                close(fd);
        return fd < 0 && errno == ELOOP;
}

static bool is_magic_command(const SandboxPlan *plan)
{
        for (const char *const *path = plan->exec_paths; *path; path++)
                if (is_magic(*path))
                        return true;
        return false;
}

/* Candidates in order, as execvp does: EACCES is remembered, absence goes on to the next. */
static _Noreturn void execute(const SandboxPlan *plan)
{
        int error = ENOENT;

        for (const char *const *path = plan->exec_paths; *path; path++) {
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
        fail(plan, STAGE_EXEC);
}

_Noreturn void sandbox_child(const SandboxPlan *plan)
{
        int master = -1, holder = -1;
        sigset_t none;

        prctl(PR_SET_NAME, SANDBOX_COMM, 0, 0, 0);
        if (!enter_cgroups(plan))
                fail(plan, STAGE_CGROUP);
        if (!close_others(plan))
                fail(plan, STAGE_CLOSE_FDS);
        if (!reset_signals())
                fail(plan, STAGE_SIGNALS);
        if (setsid() < 0)
                fail(plan, STAGE_SESSION);
        /* all leaves are entered by now, so the namespace is rooted at them */
        if (unshare(CLONE_NEWCGROUP) < 0)
                fail(plan, STAGE_CGROUP_NAMESPACE);
        if (syscall(SYS_mount, NULL, "/", NULL, MS_REC_SLAVE, NULL) < 0)
                fail(plan, STAGE_PROPAGATION);
        /* what follows needs the parent's work; what came before went on beside it */
        wait_for(plan, SANDBOX_GO);
        /* before any file is made: an unmapped id can own none */
        if (!set_ids(plan))
                fail(plan, STAGE_IDS);
        if (plan->inner_namespaces && (holder = hold_inner(plan)) < 0)
                fail(plan, STAGE_INNER);
        mount_root(plan);
        mount_others(plan);
        if (sethostname(plan->hostname, plan->hostname_length) < 0)
                fail(plan, STAGE_HOSTNAME);
        if (plan->sys_fd < 0 && !raise_loopback())
                fail(plan, STAGE_LOOPBACK);
        if (plan->terminal && (master = open_terminal()) < 0)
                fail(plan, STAGE_TERMINAL);
        for (size_t i = 0; i < plan->n_fds; i++)
                if (dup2(plan->fds[i].source, plan->fds[i].target) < 0)
                        fail(plan, STAGE_STDIO);
        /* with all the fds that there will be, and while there is no filter, which may refuse
         * openat2 */
        if (is_magic(plan->working_directory))
                fail(plan, STAGE_WORKING_DIRECTORY);
        if (is_magic_command(plan))
                fail(plan, STAGE_EXEC);
        if (!reset_attributes(plan))
                fail(plan, STAGE_LIMITS);
        /* after all that needs rights over the mounts, before those that are kept are chosen */
        if (holder >= 0 && !enter_inner(holder))
                fail(plan, STAGE_INNER);
        /* the service's keyring must not be ours; a kernel without keyrings has none to share */
        if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS)
                fail(plan, STAGE_KEYRING);
        /* after all that needs a call which the filter refuses; while we may load one without
         * no_new_privs */
        if (plan->seccomp && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, plan->seccomp) < 0)
                fail(plan, STAGE_SECCOMP);
        if (!drop_capabilities(plan))
                fail(plan, STAGE_CAPABILITIES);
        /* with the rights of the command, for a path it could not enter must not be its directory
         */
        if (chdir(plan->working_directory) < 0)
                fail(plan, STAGE_WORKING_DIRECTORY);
        if (plan->home_index >= 0 && faccessat(AT_FDCWD, "/root", X_OK, 0) < 0)
                plan->environment[plan->home_index] = (char *) "HOME=/";
        if (plan->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                fail(plan, STAGE_NO_NEW_PRIVS);
        if (!report(plan, (SandboxReport){.stage = STAGE_EXEC}, master))
                _exit(255);
        if (plan->waits)
                wait_for(plan, SANDBOX_EXEC);
        /* All that is left above the targets, the sync socket included, goes at exec. A blocked
         * signal would survive it: the service reads its own by signalfd. */
        syscall(SYS_close_range, SANDBOX_FD_BASE, ~0u, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        execute(plan);
}
