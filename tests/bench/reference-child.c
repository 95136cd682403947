#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
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
#include <unistd.h>

#include "tests/bench/reference.h"

#define MOUNT_REC_SLAVE ((1ul << 14) | (1ul << 19)) /* sys/mount.h clashes with linux/mount.h */
#define UMOUNT_DETACH   2
#define ENVIRONMENT_MAX 32

static _Noreturn void fail(int step)
{
        shared->error = errno;
        shared->error_step = step;
        _exit(255);
}

static int new_mount(const char *type, const char *const *options, unsigned attributes)
{
        int fs = (int) syscall(SYS_fsopen, type, FSOPEN_CLOEXEC);
        int mount;

        if (fs < 0)
                return -1;
        for (; options && *options; options += 2)
                if (syscall(SYS_fsconfig, fs, FSCONFIG_SET_STRING, options[0], options[1], 0) < 0)
                        return -1;
        if (syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
                return -1;
        mount = (int) syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
        close(fs);
        return mount;
}

static bool attach(int mount, int dir, const char *path, uint64_t flags)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | flags,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int target = (int) syscall(SYS_openat2, dir, path, &how, sizeof how);
        bool done = target >= 0 && syscall(SYS_move_mount, mount, "", target, "",
                                           MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;

        close(target);
        return done;
}

static const char *const cover_options[] = {"size", "4096", "mode", "0555", NULL};
#define SAFE (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

/* A tmpfs with an empty directory and an empty file, which are cloned over what is covered; -1
 * before Linux 6.15, which clones nothing that is attached nowhere. */
static int make_covers(void)
{
        const unsigned clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
        int covers = new_mount("tmpfs", cover_options, SAFE), copy;

        if (covers < 0 || mkdirat(covers, "directory", 0555) < 0 ||
            close(openat(covers, "file", O_CREAT | O_CLOEXEC, 0444)) < 0)
                fail(C_MASK);
        copy = (int) syscall(SYS_open_tree, covers, "directory", clone);
        if (copy < 0) {
                close(covers);
                return -1;
        }
        close(copy);
        return covers;
}

/* `dir`: the mount of proc or sysfs. */
static bool cover(const Mask *mask, int dir, int dev, int covers)
{
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
        const unsigned clone = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
        bool is_null = mask->kind == EMPTY_FILE && covers < 0;
        int mount;

        if (mask->kind == READ_ONLY)
                mount = (int) syscall(SYS_open_tree, dir, mask->path, clone);
        else if (covers >= 0)
                mount = (int) syscall(SYS_open_tree, covers,
                                      mask->kind == EMPTY_DIRECTORY ? "directory" : "file", clone);
        else if (is_null)
                mount = (int) syscall(SYS_open_tree, dev, "null", clone);
        else
                mount = new_mount("tmpfs", cover_options, SAFE | MOUNT_ATTR_RDONLY);
        if (mount < 0 || (!is_null && syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH,
                                              &attributes, sizeof attributes) < 0))
                return false;
        return attach(mount, dir, mask->path, 0);
}

/* Everybody in the container, and without a raw socket. */
static bool let_ping(int proc)
{
        int fd = openat(proc, "sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC);
        bool done = fd >= 0 && write(fd, "0 65535", 7) == 7;

        close(fd);
        return done;
}

static void mount_all(const Run *run)
{
        static const char *const pts_options[] = {"ptmxmode", "0666", "mode", "0620", "max",
                                                  "32",       "gid",  "5",    NULL};
        static const char *const shm_options[] = {"mode", "1777", "size", "65536k", NULL};
        static const char *const tmp_options[] = {"mode", "1777", NULL};
        int proc, sys, pts, shm, tmp, mqueue, covers;

        if ((proc = new_mount("proc", NULL, SAFE)) < 0 || !let_ping(proc))
                fail(C_PROC);
        mark(C_PROC);
        if ((sys = new_mount("sysfs", NULL, SAFE | MOUNT_ATTR_RDONLY)) < 0)
                fail(C_SYS);
        mark(C_SYS);
        if ((pts = new_mount("devpts", pts_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)) < 0)
                fail(C_PTS);
        mark(C_PTS);
        if ((shm = new_mount("tmpfs", shm_options, SAFE)) < 0)
                fail(C_SHM);
        mark(C_SHM);
        if ((tmp = new_mount("tmpfs", tmp_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) < 0)
                fail(C_TMP);
        mark(C_TMP);
        if ((mqueue = new_mount("mqueue", NULL, SAFE)) < 0)
                fail(C_MQUEUE);
        mark(C_MQUEUE);
        if (syscall(SYS_move_mount, run->root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) < 0)
                fail(C_ATTACH_ROOT);
        mark(C_ATTACH_ROOT);
        if (fchdir(run->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0)
                fail(C_PIVOT);
        mark(C_PIVOT);
        if (syscall(SYS_umount2, ".", UMOUNT_DETACH) < 0 || chdir("/") < 0)
                fail(C_DETACH);
        mark(C_DETACH);
        if (!attach(proc, AT_FDCWD, "proc", O_DIRECTORY) ||
            !attach(sys, AT_FDCWD, "sys", O_DIRECTORY) ||
            !attach(run->dev, AT_FDCWD, "dev", O_DIRECTORY) ||
            !attach(pts, run->dev, "pts", O_DIRECTORY) ||
            !attach(shm, run->dev, "shm", O_DIRECTORY) ||
            !attach(mqueue, run->dev, "mqueue", O_DIRECTORY) ||
            !attach(tmp, AT_FDCWD, "tmp", O_DIRECTORY))
                fail(C_ATTACH);
        mark(C_ATTACH);
        covers = make_covers();
        for (size_t i = 0; i < reference.n_masks; i++)
                if (!cover(&reference.masks[i], reference.masks[i].in_sys ? sys : proc, run->dev,
                           covers) &&
                    errno != ENOENT)
                        fail(C_MASK);
        mark(C_MASK);
}

static bool raise_loopback(void)
{
        struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        bool done = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &request) == 0;

        close(fd);
        return done;
}

/* Asks nothing of the id maps. */
static bool settle(void)
{
        struct rlimit files = {reference.files_soft, reference.files_hard};
        struct sched_param normal = {0};

        umask(022);
        setpriority(PRIO_PROCESS, 0, 0);
        return setrlimit(RLIMIT_NOFILE, &files) == 0 &&
               sched_setscheduler(0, SCHED_OTHER, &normal) == 0;
}

static bool place_stdio(const Run *run)
{
        return dup2(reference.null_fd, 0) >= 0 && dup2(run->output[1], 1) >= 0 &&
               dup2(run->output[1], 2) >= 0;
}

#define CAP(name) (UINT64_C(1) << CAP_##name)
#define KEPT_CAPABILITIES                                                                          \
        (CAP(AUDIT_WRITE) | CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) | CAP(FSETID) |           \
         CAP(KILL) | CAP(MKNOD) | CAP(NET_BIND_SERVICE) | CAP(SETFCAP) | CAP(SETGID) |             \
         CAP(SETPCAP) | CAP(SETUID) | CAP(SYS_CHROOT))

static bool drop_bounding_set(void)
{
        for (int i = 0; i <= reference.last_capability; i++)
                if (!(KEPT_CAPABILITIES & (UINT64_C(1) << i)) &&
                    prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
                        return false;
        return true;
}

static bool drop_capabilities(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {
                {.effective = (uint32_t) KEPT_CAPABILITIES,
                 .permitted = (uint32_t) KEPT_CAPABILITIES},
                {.effective = (uint32_t) (KEPT_CAPABILITIES >> 32),
                 .permitted = (uint32_t) (KEPT_CAPABILITIES >> 32)},
        };

        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
               syscall(SYS_capset, &header, data) == 0;
}

/* While the parent maps the ids and the root tree: all that does not need them. */
static void prepare_early(const Run *run)
{
        for (int i = 0; i < _HIERARCHIES; i++)
                if (run->tasks[i] >= 0 && write(run->tasks[i], "0", 1) != 1)
                        fail(C_ENTER);
        mark(C_ENTER);
        if (setsid() < 0 || unshare(CLONE_NEWCGROUP) < 0)
                fail(C_CGROUPNS);
        mark(C_CGROUPNS);
        if (syscall(SYS_mount, NULL, "/", NULL, MOUNT_REC_SLAVE, NULL) < 0)
                fail(C_SLAVE);
        mark(C_SLAVE);
        if (sethostname(run->order->hostname, strlen(run->order->hostname)) < 0)
                fail(C_HOSTNAME);
        mark(C_HOSTNAME);
        if (!raise_loopback())
                fail(C_LOOPBACK);
        mark(C_LOOPBACK);
        if (!settle() || !drop_bounding_set() || !place_stdio(run))
                fail(C_SETTLE);
        mark(C_SETTLE);
}

/* None of /proc's own links to what a process holds. */
static int open_inside(const char *path, uint64_t flags)
{
        struct open_how how = {.flags = O_PATH | O_CLOEXEC | flags,
                               .resolve = RESOLVE_NO_MAGICLINKS};

        return (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static bool enter(const char *path)
{
        int fd = open_inside(path, O_DIRECTORY);

        return fd >= 0 && fchdir(fd) == 0 && close(fd) == 0;
}

/* The service's own defaults, and what the order says. */
static void fill_environment(const Run *run, const char **environment)
{
        size_t n = 0;

        environment[n++] = faccessat(AT_FDCWD, "/root", X_OK, 0) < 0 ? "HOME=/" : "HOME=/root";
        environment[n++] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        environment[n++] = "PS1=# ";
        for (char **pair = run->order->environment; *pair && n < ENVIRONMENT_MAX; pair++)
                environment[n++] = *pair;
        environment[n] = NULL;
}

_Noreturn void run_child(const Run *run)
{
        const char *environment[ENVIRONMENT_MAX + 1];
        sigset_t nothing;
        char go;

        mark(C_BORN);
        prepare_early(run);
        if (read(run->sync[1], &go, 1) != 1)
                fail(C_WAIT);
        mark(C_WAIT);
        if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
            syscall(SYS_setresuid, 0, 0, 0) < 0 ||
            (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS))
                fail(C_IDS);
        mark(C_IDS);
        mount_all(run);
        if (!drop_capabilities() || !enter("/") || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                fail(C_CAPABILITIES);
        fill_environment(run, environment);
        mark(C_CAPABILITIES);
        if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &reference.filter->program) < 0)
                fail(C_SECCOMP);
        mark(C_SECCOMP);
        if (close(open_inside(run->order->argv[0], 0)) < 0)
                fail(C_EXECUTE);
        syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&nothing);
        sigprocmask(SIG_SETMASK, &nothing, NULL);
        mark(C_EXECUTE);
        execve(run->order->argv[0], run->order->argv, (char *const *) environment);
        fail(C_EXECUTE);
}
