/* The reference: what the kernel's own work for one container costs, asked for by plain C.
 *
 * It gives a command the service's default profile, with no bus, no loop and no state. It shares no
 * code with the service but the text of the seccomp filter, so that it shows what is possible, not
 * what we happen to do. What does not depend on the run is made once, outside the measured time, as
 * the service makes it at start: the template of /dev, the filter's program, the parent directories
 * in cgroupfs, the list of paths to mask.
 *
 * One run, in the parent:
 *   1. open the root tree                openat2(O_PATH | O_DIRECTORY)
 *   2. clone its mount                   open_tree(OPEN_TREE_CLONE, recursive)
 *   3. clone /dev, read-only             open_tree(OPEN_TREE_CLONE), mount_setattr
 *   4. make the leaves                   mkdirat in v2, v1 memory and v1 pids; openat of the v2 one
 *   5. set the limits                    memory.limit_in_bytes, memory.memsw.limit_in_bytes,
 * pids.max (on v2: memory.max, memory.oom.group, memory.swap.max, pids.max)
 *   6. watch for OOM                     eventfd, cgroup.event_control (on v2: memory.events)
 *   7. open what the child enters by     openat of both v1 `tasks`
 *   8. output and sync                   pipe2, socketpair
 *   9. be born                           clone3(user, mount, pid, uts, ipc, net namespace, into the
 * v2 leaf, pidfd)
 *  10. map the ids                       write uid_map, gid_map
 *  11. protect the root tree             openat ns/user, mount_setattr(read-only, nosuid, nodev,
 * id-mapped, private)
 *  12. say "go", hold the mounts         write; openat ns/mnt: their end then falls to 25, not into
 * the child's exit
 *  24. read output, await the end        poll, read, waitid(P_PIDFD): the exit is known, "to exit"
 * ends here
 *  25. clean up                          rmdir of the three leaves, close
 * In the child:
 *  13. enter the v1 leaves               write "0" to both `tasks`
 *  14. wait for "go", become root        read, setgroups, setresgid, setresuid, setsid
 *  15. cgroup namespace, no propagation  unshare, mount(slave, recursive)
 *  16. new mounts                        fsopen, fsconfig, fsmount of proc, sysfs, devpts, tmpfs,
 * tmpfs, mqueue
 *  17. the root                          move_mount, fchdir, pivot_root, umount2(detach), chdir
 *  18. attach the mounts                 openat2(no links), move_mount, each of seven
 *  19. mask                              as the kernel has them: up to five empty tmpfs, seven
 * /dev/null, six read-only binds
 *  20. host name and loopback            sethostname, socket, ioctl(SIOCSIFFLAGS)
 *  21. stdio, attributes, keyring        dup2, umask, setpriority, setrlimit,
 * sched_setscheduler, keyctl
 *  22. capabilities and filter           prctl(bounding set, ambient), capset, chdir, faccessat,
 * no_new_privs, seccomp
 *  23. execute                           close_range, sigprocmask, execve
 *
 * What the service does besides and a plain program need not: it tells that exec has succeeded
 * before it tells of the exit, holds a created container back, checks each limit by reading it,
 * places any fds.
 *
 * With --profile each step's time is told: parent and child write clock_gettime() (no system call)
 * into a page that they share. The marks are always taken, some 50 of 25 ns each, so that both
 * modes measure the same. */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/if.h>
#include <linux/keyctl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/seccomp.h"
#include "tests/bench/rounds.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#define MOUNT_PRIVATE   (1u << 18) /* MS_PRIVATE; sys/mount.h clashes with linux/mount.h */
#define MOUNT_REC_SLAVE ((1ul << 14) | (1ul << 19))
#define UMOUNT_DETACH   2
#define ID_BASE         1610612736u /* a range that nobody else has */
#define ID_COUNT        65536u
#define TASKS_MAX       "4096"

/* -- marks: when each step was done -- */

#define PARENT_STEPS(X)                                                                            \
        X(P_BEGIN, "begin")                                                                        \
        X(P_OPEN, "open the root tree")                                                            \
        X(P_CLONE_ROOT, "clone its mount")                                                         \
        X(P_CLONE_DEV, "clone /dev, read-only")                                                    \
        X(P_LEAF_V2, "make the v2 leaf")                                                           \
        X(P_LEAF_MEMORY, "make the memory leaf")                                                   \
        X(P_LEAF_PIDS, "make the pids leaf")                                                       \
        X(P_LIMITS, "set the limits")                                                              \
        X(P_OOM, "watch for OOM")                                                                  \
        X(P_ENTRIES, "open the tasks files")                                                       \
        X(P_PIPES, "output pipe, sync socket")                                                     \
        X(P_CLONE, "clone3")                                                                       \
        X(P_MAPS, "map the ids")                                                                   \
        X(P_PROTECT, "id-map and protect the root tree")                                           \
        X(P_GO, "hold the mounts, say go, close")                                                  \
        X(P_EXIT, "await the exit")                                                                \
        X(P_RMDIR_V2, "remove the v2 leaf")                                                        \
        X(P_RMDIR_MEMORY, "remove the memory leaf")                                                \
        X(P_RMDIR_PIDS, "remove the pids leaf")                                                    \
        X(P_CLOSE, "close all, unmount")
#define CHILD_STEPS(X)                                                                             \
        X(C_BORN, "born (from clone3's begin)")                                                    \
        X(C_ENTER, "enter the v1 leaves")                                                          \
        X(C_WAIT, "wait for go")                                                                   \
        X(C_IDS, "ids, session")                                                                   \
        X(C_CGROUPNS, "cgroup namespace")                                                          \
        X(C_SLAVE, "cut propagation")                                                              \
        X(C_PROC, "new proc")                                                                      \
        X(C_SYS, "new sysfs")                                                                      \
        X(C_PTS, "new devpts")                                                                     \
        X(C_SHM, "new tmpfs for shm")                                                              \
        X(C_TMP, "new tmpfs for tmp")                                                              \
        X(C_MQUEUE, "new mqueue")                                                                  \
        X(C_ATTACH_ROOT, "attach the root")                                                        \
        X(C_PIVOT, "pivot_root")                                                                   \
        X(C_DETACH, "detach the host's tree")                                                      \
        X(C_ATTACH, "attach the seven mounts")                                                     \
        X(C_MASK, "mask")                                                                          \
        X(C_HOSTNAME, "host name")                                                                 \
        X(C_LOOPBACK, "loopback up")                                                               \
        X(C_STDIO, "stdio, attributes, keyring")                                                   \
        X(C_CAPABILITIES, "capabilities")                                                          \
        X(C_SECCOMP, "no_new_privs, seccomp")                                                      \
        X(C_EXECUTE, "before execve")

enum {
#define X(name, words) name,
        PARENT_STEPS(X) CHILD_STEPS(X)
#undef X
                _STEPS
};
static const char *const step_words[] = {
#define X(name, words) words,
        PARENT_STEPS(X) CHILD_STEPS(X)
#undef X
};

static struct Shared {
        uint64_t at[_STEPS];
        int error_step, error; /* what the child could not do */
} * shared;

static inline void mark(int step)
{
        shared->at[step] = now_nsec();
}

/* -- what does not depend on the run -- */

enum { V2, MEMORY, PIDS, _HIERARCHIES };

typedef struct Mask {
        const char *path;
        enum { EMPTY_FILE, EMPTY_DIRECTORY, READ_ONLY } kind;
} Mask;

static Mask masks[] = {
        {"proc/acpi", EMPTY_DIRECTORY},    {"proc/asound", EMPTY_DIRECTORY},
        {"proc/interrupts", EMPTY_FILE},   {"proc/kcore", EMPTY_FILE},
        {"proc/keys", EMPTY_FILE},         {"proc/latency_stats", EMPTY_FILE},
        {"proc/sched_debug", EMPTY_FILE},  {"proc/scsi", EMPTY_DIRECTORY},
        {"proc/timer_list", EMPTY_FILE},   {"proc/timer_stats", EMPTY_FILE},
        {"proc/bus", READ_ONLY},           {"proc/fs", READ_ONLY},
        {"proc/irq", READ_ONLY},           {"proc/pressure", READ_ONLY},
        {"proc/sys", READ_ONLY},           {"proc/sysrq-trigger", READ_ONLY},
        {"sys/firmware", EMPTY_DIRECTORY}, {"sys/devices/virtual/powercap", EMPTY_DIRECTORY},
};

static struct Reference {
        const char *rootfs, *parent;
        char **command;
        uint64_t memory;
        char memory_text[24];

        int parents[_HIERARCHIES]; /* directories for the leaves; -1: no such hierarchy */
        bool controllers_in_v2;
        char *parent_paths[_HIERARCHIES];
        int dev_fd;
        size_t n_masks;
        int last_capability;
        SeccompProgram *filter;
        unsigned serial;
} reference = {.parents = {-1, -1, -1}, .parent = "/naive-reference", .memory = 64 << 20};

/* The mount point of a hierarchy: of v2 if `controller` is NULL. */
static char *find_hierarchy(const char *controller)
{
        FILE *file = fopen("/proc/self/mounts", "re");
        char line[4096], point[4096], type[64], options[1024], *found = NULL;

        while (file && !found && fgets(line, sizeof line, file)) {
                if (sscanf(line, "%*s %4095s %63s %1023s", point, type, options) != 3)
                        continue;
                if (controller ? strcmp(type, "cgroup") == 0 && strstr(options, controller)
                               : strcmp(type, "cgroup2") == 0)
                        found = strdup(point);
        }
        if (file)
                fclose(file);
        return found;
}

static void write_text(int dir, const char *name, const char *text)
{
        int fd = openat(dir, name, O_WRONLY | O_CLOEXEC);

        if (fd < 0 || write(fd, text, strlen(text)) < 0)
                err(1, "cannot write '%s' to %s", text, name);
        close(fd);
}

static void open_parent(int which, const char *controller)
{
        char *mount = find_hierarchy(controller), path[PATH_MAX];

        if (!mount)
                return;
        snprintf(path, sizeof path, "%s%s", mount, reference.parent);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                err(1, "cannot make %s", path);
        reference.parents[which] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (reference.parents[which] < 0)
                err(1, "cannot open %s", path);
        reference.parent_paths[which] = strdup(path);
        free(mount);
}

static void open_parents(void)
{
        open_parent(V2, NULL);
        open_parent(MEMORY, "memory");
        open_parent(PIDS, "pids");
        if (reference.parents[V2] < 0)
                errx(77, "there is no cgroup2 mount: the reference needs it to be born into");
        if (reference.parents[MEMORY] >= 0 && reference.parents[PIDS] >= 0)
                return;
        write_text(reference.parents[V2], "cgroup.subtree_control", "+memory +pids");
        reference.controllers_in_v2 = true;
}

static void close_parents(void)
{
        for (int i = 0; i < _HIERARCHIES; i++)
                if (reference.parent_paths[i])
                        rmdir(reference.parent_paths[i]);
}

static const struct {
        const char *name;
        unsigned major, minor;
} nodes[] = {{"null", 1, 3},   {"zero", 1, 5},    {"full", 1, 7},
             {"random", 1, 8}, {"urandom", 1, 9}, {"tty", 5, 0}};
static const char *const links[][2] = {{"fd", "/proc/self/fd"},
                                       {"stdin", "/proc/self/fd/0"},
                                       {"stdout", "/proc/self/fd/1"},
                                       {"stderr", "/proc/self/fd/2"},
                                       {"ptmx", "pts/ptmx"}};
static const char *const dev_directories[] = {"pts", "shm", "mqueue"};
static char dev_path[] = "/run/naive-reference-XXXXXX";

#define N(array) (sizeof(array) / sizeof((array)[0]))

static void make_dev(void)
{
        if (!mkdtemp(dev_path))
                err(1, "cannot make %s", dev_path);
        reference.dev_fd = open(dev_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        chmod(dev_path, 0755);
        for (size_t i = 0; i < N(nodes); i++)
                if (mknodat(reference.dev_fd, nodes[i].name, S_IFCHR | 0666,
                            makedev(nodes[i].major, nodes[i].minor)) < 0)
                        err(1, "cannot make the node %s", nodes[i].name);
        for (size_t i = 0; i < N(links); i++)
                if (symlinkat(links[i][1], reference.dev_fd, links[i][0]) < 0)
                        err(1, "cannot make the link %s", links[i][0]);
        for (size_t i = 0; i < N(dev_directories); i++)
                if (mkdirat(reference.dev_fd, dev_directories[i], 0755) < 0)
                        err(1, "cannot make the directory %s", dev_directories[i]);
}

static void remove_dev(void)
{
        for (size_t i = 0; i < N(nodes); i++)
                unlinkat(reference.dev_fd, nodes[i].name, 0);
        for (size_t i = 0; i < N(links); i++)
                unlinkat(reference.dev_fd, links[i][0], 0);
        for (size_t i = 0; i < N(dev_directories); i++)
                unlinkat(reference.dev_fd, dev_directories[i], AT_REMOVEDIR);
        rmdir(dev_path);
}

static void prepare(void)
{
        GError *error = NULL;
        struct stat status;
        char path[256];

        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                      0);
        if (shared == MAP_FAILED)
                err(1, "cannot map a page");
        if (!seccomp_program_new(SECCOMP_SET_ID_ALLOWED, 0, &reference.filter, &error))
                errx(1, "%s", error->message);
        snprintf(reference.memory_text, sizeof reference.memory_text, "%" PRIu64, reference.memory);
        for (size_t i = 0; i < N(masks); i++) {
                snprintf(path, sizeof path, "/%s", masks[i].path);
                if (stat(path, &status) == 0) {
                        masks[reference.n_masks] = masks[i];
                        if (masks[i].kind != READ_ONLY)
                                masks[reference.n_masks].kind =
                                        S_ISDIR(status.st_mode) ? EMPTY_DIRECTORY : EMPTY_FILE;
                        reference.n_masks++;
                }
        }
        while (prctl(PR_CAPBSET_READ, reference.last_capability + 1, 0, 0, 0) >= 0)
                reference.last_capability++;
        make_dev();
        open_parents();
}

static void unprepare(void)
{
        close_parents();
        remove_dev();
        seccomp_program_free(reference.filter);
}

/* -- the child -- */

typedef struct Run {
        int tree, root, dev;
        int leaves[_HIERARCHIES], tasks[_HIERARCHIES];
        int oom_event, oom_control;
        int output[2], sync[2];
        int pidfd, mounts;
        pid_t pid;
        char name[16];
} Run;

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

static bool attach(int mount, const char *path, uint64_t flags)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW | flags,
                .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };
        int target = (int) syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
        bool done = target >= 0 && syscall(SYS_move_mount, mount, "", target, "",
                                           MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) == 0;

        close(target);
        close(mount);
        return done;
}

static bool cover(const Mask *mask)
{
        static const char *const options[] = {"size", "4096", "mode", "0555", NULL};
        struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
        int mount;

        if (mask->kind == EMPTY_DIRECTORY)
                mount = new_mount("tmpfs", options,
                                  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
                                          MOUNT_ATTR_NOEXEC);
        else
                mount = (int) syscall(SYS_open_tree, AT_FDCWD,
                                      mask->kind == READ_ONLY ? mask->path : "dev/null",
                                      OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (mount < 0 ||
            (mask->kind == READ_ONLY && syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH,
                                                &attributes, sizeof attributes) < 0))
                return false;
        return attach(mount, mask->path, 0);
}

static void mount_all(const Run *run)
{
        static const char *const pts_options[] = {"ptmxmode", "0666", "mode", "0620",
                                                  "gid",      "5",    NULL};
        static const char *const shm_options[] = {"mode", "1777", "size", "65536k", NULL};
        static const char *const tmp_options[] = {"mode", "1777", NULL};
        const unsigned safe = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
        int proc, sys, pts, shm, tmp, mqueue;

        if ((proc = new_mount("proc", NULL, safe)) < 0)
                fail(C_PROC);
        mark(C_PROC);
        if ((sys = new_mount("sysfs", NULL, safe | MOUNT_ATTR_RDONLY)) < 0)
                fail(C_SYS);
        mark(C_SYS);
        if ((pts = new_mount("devpts", pts_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC)) < 0)
                fail(C_PTS);
        mark(C_PTS);
        if ((shm = new_mount("tmpfs", shm_options, safe)) < 0)
                fail(C_SHM);
        mark(C_SHM);
        if ((tmp = new_mount("tmpfs", tmp_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)) < 0)
                fail(C_TMP);
        mark(C_TMP);
        if ((mqueue = new_mount("mqueue", NULL, safe)) < 0)
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
        if (!attach(proc, "proc", O_DIRECTORY) || !attach(sys, "sys", O_DIRECTORY) ||
            !attach(run->dev, "dev", O_DIRECTORY) || !attach(pts, "dev/pts", O_DIRECTORY) ||
            !attach(shm, "dev/shm", O_DIRECTORY) || !attach(mqueue, "dev/mqueue", O_DIRECTORY) ||
            !attach(tmp, "tmp", O_DIRECTORY))
                fail(C_ATTACH);
        mark(C_ATTACH);
        for (size_t i = 0; i < reference.n_masks; i++)
                if (!cover(&masks[i]) && errno != ENOENT)
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

static bool settle(const Run *run)
{
        struct rlimit none = {0, 0};
        struct sched_param normal = {0};
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

        umask(022);
        setpriority(PRIO_PROCESS, 0, 0);
        return dup2(null, 0) >= 0 && dup2(run->output[1], 1) >= 0 && dup2(run->output[1], 2) >= 0 &&
               setrlimit(RLIMIT_CORE, &none) == 0 &&
               sched_setscheduler(0, SCHED_OTHER, &normal) == 0 &&
               (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS);
}

#define CAP(name) (UINT64_C(1) << CAP_##name)

static bool drop_capabilities(void)
{
        const uint64_t kept = CAP(AUDIT_WRITE) | CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FOWNER) |
                              CAP(FSETID) | CAP(KILL) | CAP(MKNOD) | CAP(NET_BIND_SERVICE) |
                              CAP(NET_RAW) | CAP(SETFCAP) | CAP(SETGID) | CAP(SETPCAP) |
                              CAP(SETUID) | CAP(SYS_CHROOT);
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2] = {
                {.effective = (uint32_t) kept, .permitted = (uint32_t) kept},
                {.effective = (uint32_t) (kept >> 32), .permitted = (uint32_t) (kept >> 32)},
        };

        for (int i = 0; i <= reference.last_capability; i++)
                if (!(kept & (UINT64_C(1) << i)) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0)
                        return false;
        return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0 &&
               syscall(SYS_capset, &header, data) == 0;
}

static _Noreturn void child(const Run *run)
{
        char *environment[] = {
                (char *) "HOME=/root", (char *) "PS1=# ",
                (char *) "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
        sigset_t nothing;
        char go;

        mark(C_BORN);
        for (int i = 0; i < _HIERARCHIES; i++)
                if (run->tasks[i] >= 0 && write(run->tasks[i], "0", 1) != 1)
                        fail(C_ENTER);
        mark(C_ENTER);
        if (read(run->sync[1], &go, 1) != 1)
                fail(C_WAIT);
        mark(C_WAIT);
        if (syscall(SYS_setgroups, 0, NULL) < 0 || syscall(SYS_setresgid, 0, 0, 0) < 0 ||
            syscall(SYS_setresuid, 0, 0, 0) < 0 || setsid() < 0)
                fail(C_IDS);
        mark(C_IDS);
        if (unshare(CLONE_NEWCGROUP) < 0)
                fail(C_CGROUPNS);
        mark(C_CGROUPNS);
        if (syscall(SYS_mount, NULL, "/", NULL, MOUNT_REC_SLAVE, NULL) < 0)
                fail(C_SLAVE);
        mark(C_SLAVE);
        mount_all(run);
        if (sethostname(run->name, strlen(run->name)) < 0)
                fail(C_HOSTNAME);
        mark(C_HOSTNAME);
        if (!raise_loopback())
                fail(C_LOOPBACK);
        mark(C_LOOPBACK);
        if (!settle(run))
                fail(C_STDIO);
        mark(C_STDIO);
        if (!drop_capabilities() || chdir("/") < 0)
                fail(C_CAPABILITIES);
        if (faccessat(AT_FDCWD, "/root", X_OK, 0) < 0)
                environment[0] = (char *) "HOME=/";
        mark(C_CAPABILITIES);
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &reference.filter->program) < 0)
                fail(C_SECCOMP);
        mark(C_SECCOMP);
        syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
        sigemptyset(&nothing);
        sigprocmask(SIG_SETMASK, &nothing, NULL);
        mark(C_EXECUTE);
        execve(reference.command[0], reference.command, environment);
        fail(C_EXECUTE);
}

/* -- the parent -- */

static void clone_mounts(Run *run)
{
        struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                               .resolve = RESOLVE_NO_MAGICLINKS};
        struct mount_attr attributes = {
                .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                .attr_clr = MOUNT_ATTR_NODEV,
        };

        run->tree = (int) syscall(SYS_openat2, AT_FDCWD, reference.rootfs, &how, sizeof how);
        if (run->tree < 0)
                err(1, "rootfs '%s'", reference.rootfs);
        mark(P_OPEN);
        run->root =
                (int) syscall(SYS_open_tree, run->tree, "",
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
        if (run->root < 0)
                err(1, "cannot clone the mount of the root tree");
        mark(P_CLONE_ROOT);
        run->dev = (int) syscall(SYS_open_tree, reference.dev_fd, "",
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
        if (run->dev < 0 || syscall(SYS_mount_setattr, run->dev, "", AT_EMPTY_PATH, &attributes,
                                    sizeof attributes) < 0)
                err(1, "cannot clone /dev");
        mark(P_CLONE_DEV);
}

static void set_limits(const Run *run)
{
        int memory = run->leaves[reference.controllers_in_v2 ? V2 : MEMORY];
        int pids = run->leaves[reference.controllers_in_v2 ? V2 : PIDS];

        write_text(pids, "pids.max", TASKS_MAX);
        if (reference.memory == 0)
                return;
        if (reference.controllers_in_v2) {
                write_text(memory, "memory.max", reference.memory_text);
                write_text(memory, "memory.oom.group", "1");
                if (faccessat(memory, "memory.swap.max", F_OK, 0) == 0)
                        write_text(memory, "memory.swap.max", "0");
                return;
        }
        write_text(memory, "memory.limit_in_bytes", reference.memory_text);
        if (faccessat(memory, "memory.memsw.limit_in_bytes", F_OK, 0) == 0)
                write_text(memory, "memory.memsw.limit_in_bytes", reference.memory_text);
}

static void watch_oom(Run *run)
{
        char text[32];

        if (reference.memory == 0)
                return;
        if (reference.controllers_in_v2) {
                run->oom_control = openat(run->leaves[V2], "memory.events", O_RDONLY | O_CLOEXEC);
                return;
        }
        run->oom_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        run->oom_control = openat(run->leaves[MEMORY], "memory.oom_control", O_RDONLY | O_CLOEXEC);
        snprintf(text, sizeof text, "%d %d", run->oom_event, run->oom_control);
        write_text(run->leaves[MEMORY], "cgroup.event_control", text);
}

static void make_leaves(Run *run)
{
        for (int i = 0; i < _HIERARCHIES; i++) {
                if (reference.parents[i] >= 0) {
                        if (mkdirat(reference.parents[i], run->name, 0755) < 0)
                                err(1, "cannot make a leaf in %s", reference.parent_paths[i]);
                        run->leaves[i] = openat(reference.parents[i], run->name,
                                                O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                }
                mark(P_LEAF_V2 + i);
        }
        set_limits(run);
        mark(P_LIMITS);
        watch_oom(run);
        mark(P_OOM);
        for (int i = MEMORY; i <= PIDS && !reference.controllers_in_v2; i++)
                run->tasks[i] = openat(run->leaves[i], "tasks", O_WRONLY | O_CLOEXEC);
        mark(P_ENTRIES);
}

static void start(Run *run)
{
        struct clone_args arguments = {
                .flags = CLONE_PIDFD | CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS |
                         CLONE_NEWIPC | CLONE_NEWNET | CLONE_INTO_CGROUP,
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) &run->pidfd,
                .cgroup = (uint64_t) run->leaves[V2],
        };

        if (pipe2(run->output, O_CLOEXEC) < 0 ||
            socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, run->sync) < 0)
                err(1, "cannot make a pipe");
        mark(P_PIPES);
        run->pid = (pid_t) syscall(SYS_clone3, &arguments, sizeof arguments);
        if (run->pid == 0)
                child(run);
        if (run->pid < 0)
                err(1, "cannot clone");
        mark(P_CLONE);
}

static void map_ids(Run *run)
{
        struct mount_attr attributes = {
                .attr_set =
                        MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY | MOUNT_ATTR_IDMAP,
                .propagation = MOUNT_PRIVATE,
        };
        char path[64], map[48];

        snprintf(path, sizeof path, "/proc/%d", (int) run->pid);
        int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        snprintf(map, sizeof map, "0 %u %u", ID_BASE, ID_COUNT);
        write_text(proc, "uid_map", map);
        write_text(proc, "gid_map", map);
        mark(P_MAPS);
        int space = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
        attributes.userns_fd = (uint64_t) space;
        if (space < 0 || syscall(SYS_mount_setattr, run->root, "", AT_EMPTY_PATH | AT_RECURSIVE,
                                 &attributes, sizeof attributes) < 0)
                err(1, "cannot id-map the root tree");
        close(space);
        mark(P_PROTECT);
        run->mounts = openat(proc, "ns/mnt", O_RDONLY | O_CLOEXEC);
        close(proc);
}

static void await(Run *run, Sample *sample)
{
        struct pollfd polled[2] = {{.fd = run->pidfd, .events = POLLIN},
                                   {.fd = run->output[0], .events = POLLIN}};
        siginfo_t status = {0};
        char buffer[4096];

        while (poll(polled, 2, -1) >= 0 && !(polled[0].revents & POLLIN))
                if (polled[1].revents && read(run->output[0], buffer, sizeof buffer) <= 0)
                        polled[1].fd = -1;
        while (polled[1].fd >= 0 && read(run->output[0], buffer, sizeof buffer) > 0)
                ;
        waitid(P_PIDFD, (id_t) run->pidfd, &status, WEXITED);
        sample->status = status.si_code == CLD_EXITED ? status.si_status : 128 + status.si_status;
        if (shared->error) {
                warnx("cannot %s: %s", step_words[shared->error_step], strerror(shared->error));
                shared->error = 0;
        }
}

static void close_if(int fd)
{
        if (fd >= 0)
                close(fd);
}

static void clean(Run *run)
{
        for (int i = 0; i < _HIERARCHIES; i++) {
                if (reference.parents[i] >= 0)
                        while (unlinkat(reference.parents[i], run->name, AT_REMOVEDIR) < 0 &&
                               errno == EBUSY)
                                sched_yield();
                mark(P_RMDIR_V2 + i);
        }
        for (int i = 0; i < _HIERARCHIES; i++) {
                close_if(run->leaves[i]);
                close_if(run->tasks[i]);
        }
        close_if(run->oom_event);
        close_if(run->oom_control);
        close(run->output[0]);
        close(run->sync[0]);
        close(run->pidfd);
        close_if(run->mounts);
        mark(P_CLOSE);
}

static Sample run_once(void *data)
{
        Run run = {
                .leaves = {-1, -1, -1}, .tasks = {-1, -1, -1}, .oom_event = -1, .oom_control = -1};
        Sample sample = {0};

        snprintf(run.name, sizeof run.name, "%u", ++reference.serial);
        mark(P_BEGIN);
        clone_mounts(&run);
        make_leaves(&run);
        start(&run);
        map_ids(&run);
        if (write(run.sync[0], "g", 1) != 1)
                warn("cannot let the child go");
        close(run.tree);
        close(run.root);
        close(run.dev);
        close(run.output[1]);
        close(run.sync[1]);
        mark(P_GO);
        await(&run, &sample);
        mark(P_EXIT);
        clean(&run);
        sample.nsec = shared->at[P_EXIT] - shared->at[P_BEGIN];
        sample.whole_nsec = shared->at[P_CLOSE] - shared->at[P_BEGIN];
        return sample;
}

/* -- profile -- */

static int compare(const void *a, const void *b)
{
        double one = *(const double *) a, other = *(const double *) b;

        return one < other ? -1 : one > other;
}

static double median(double *values, size_t n)
{
        qsort(values, n, sizeof *values, compare);
        return values[n / 2];
}

/* Lines "who<TAB>step<TAB>microseconds", medians; the child's last is what exec, command and exit
 * take. */
static int profile(size_t count)
{
        double *times = calloc(_STEPS * count, sizeof *times), *rest = calloc(count, sizeof *rest);

        for (size_t run = 0; run < count; run++) {
                if (run_once(NULL).status != 0)
                        return 1;
                for (size_t i = 0; i < _STEPS; i++) {
                        size_t before = i == P_BEGIN ? P_BEGIN : i == C_BORN ? P_PIPES : i - 1;
                        times[i * count + run] =
                                (double) (int64_t) (shared->at[i] - shared->at[before]) / 1e3;
                }
                rest[run] = (double) (shared->at[P_EXIT] - shared->at[C_EXECUTE]) / 1e3;
        }
        for (size_t i = P_BEGIN + 1; i < _STEPS; i++)
                printf("%s\t%s\t%.1f\n", i < C_BORN ? "parent" : "child", step_words[i],
                       median(times + i * count, count));
        printf("child\texecve, command, exit, parent woken\t%.1f\n", median(rest, count));
        free(times);
        free(rest);
        return 0;
}

/* -- modes -- */

static _Noreturn void usage(void)
{
        fprintf(stderr, "usage: reference [--memory BYTES] [--cgroup-parent PATH] MODE ROOTFS "
                        "COMMAND [ARGUMENT…]\n"
                        "modes: --serve | --once | --count N | --profile N\n");
        exit(2);
}

int main(int argc, char **argv)
{
        static const struct option options[] = {{"memory", required_argument, NULL, 'm'},
                                                {"cgroup-parent", required_argument, NULL, 'g'},
                                                {"serve", no_argument, NULL, 's'},
                                                {"once", no_argument, NULL, 'o'},
                                                {"count", required_argument, NULL, 'n'},
                                                {"profile", required_argument, NULL, 'p'},
                                                {0}};
        int mode = 0, option, status = 0;
        unsigned long count = 1;

        while ((option = getopt_long(argc, argv, "+", options, NULL)) >= 0) {
                if (option == 'm')
                        reference.memory = strtoull(optarg, NULL, 10);
                else if (option == 'g')
                        reference.parent = optarg;
                else if (option == '?')
                        usage();
                else
                        mode = option;
                if (option == 'n' || option == 'p')
                        count = strtoul(optarg, NULL, 10);
        }
        if (mode == 0 || argc - optind < 2 || count == 0)
                usage();
        reference.rootfs = argv[optind];
        reference.command = argv + optind + 1;
        prepare();
        if (mode == 'p')
                status = profile(count);
        else if (mode == 's')
                status = serve_rounds(run_once, NULL) ? 0 : 1;
        else
                for (unsigned long i = 0; i < count; i++) {
                        Sample sample = run_once(NULL);
                        status = sample.status ? sample.status : status;
                        if (mode == 'n')
                                print_sample(&sample);
                }
        unprepare();
        return status;
}
