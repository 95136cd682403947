#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/reference.h"

#define MOUNT_PRIVATE (1u << 18)  /* MS_PRIVATE; sys/mount.h clashes with linux/mount.h */
#define ID_BASE       1610612736u /* a range that nobody else has */
#define ID_COUNT      65536u

static void clone_mounts(Run *run)
{
        struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
                               .resolve = RESOLVE_NO_MAGICLINKS};
        struct mount_attr attributes = {
                .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC,
                .attr_clr = MOUNT_ATTR_NODEV,
                .propagation = MOUNT_PRIVATE,
        };

        run->tree = (int) syscall(SYS_openat2, AT_FDCWD, run->order->rootfs, &how, sizeof how);
        if (run->tree < 0)
                err(1, "rootfs '%s'", run->order->rootfs);
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

        write_text(pids, "pids.max", run->order->tasks_text);
        if (run->order->memory == 0)
                return;
        if (reference.controllers_in_v2) {
                write_text(memory, "memory.max", run->order->memory_text);
                write_text(memory, "memory.oom.group", "1");
                if (faccessat(memory, "memory.swap.max", F_OK, 0) == 0)
                        write_text(memory, "memory.swap.max", "0");
                return;
        }
        write_text(memory, "memory.limit_in_bytes", run->order->memory_text);
        if (faccessat(memory, "memory.memsw.limit_in_bytes", F_OK, 0) == 0)
                write_text(memory, "memory.memsw.limit_in_bytes", run->order->memory_text);
}

static void watch_oom(Run *run)
{
        char text[32];

        if (run->order->memory == 0)
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

static bool needs_leaf(const Run *run, int hierarchy)
{
        return reference.parents[hierarchy] >= 0 &&
               (hierarchy == V2 || !reference.controllers_in_v2) &&
               (hierarchy != MEMORY || run->order->memory > 0);
}

static void make_leaves(Run *run)
{
        for (int i = 0; i < _HIERARCHIES; i++) {
                if (needs_leaf(run, i)) {
                        if (mkdirat(reference.parents[i], run->name, 0755) < 0)
                                err(1, "cannot make the leaf %s", run->name);
                        run->leaves[i] = openat(reference.parents[i], run->name,
                                                O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                }
                mark(P_LEAF_V2 + i);
        }
        set_limits(run);
        mark(P_LIMITS);
        watch_oom(run);
        mark(P_OOM);
        for (int i = MEMORY; i < _HIERARCHIES; i++)
                if (run->leaves[i] >= 0)
                        run->tasks[i] = openat(run->leaves[i], "tasks", O_WRONLY | O_CLOEXEC);
        mark(P_ENTRIES);
}

/* With all capabilities. */
static bool become(uid_t uid)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        struct __user_cap_data_struct data[2];

        return syscall(SYS_capget, &header, data) == 0 &&
               syscall(SYS_setresuid, -1, uid, -1) == 0 &&
               (data[0].effective = data[0].permitted, data[1].effective = data[1].permitted,
                true) &&
               syscall(SYS_capset, &header, data) == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
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
        /* whoever makes a user namespace owns it: not root, whose share the kernel would count */
        if (!become(ID_BASE + ID_COUNT - 1))
                err(1, "cannot be nobody for a moment");
        run->pid = (pid_t) syscall(SYS_clone3, &arguments, sizeof arguments);
        if (run->pid == 0)
                run_child(run);
        if (!become(0) || run->pid < 0)
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
        run->proc = proc;
}

/* False at its end. */
static bool read_output(const Run *run)
{
        char buffer[4096];
        ssize_t n = read(run->output[0], buffer, sizeof buffer);

        if (n > 0 && reference.show)
                fwrite(buffer, 1, (size_t) n, stdout);
        return n > 0;
}

static void await(const Run *run, Sample *sample)
{
        struct pollfd polled[2] = {{.fd = run->pidfd, .events = POLLIN},
                                   {.fd = run->output[0], .events = POLLIN}};
        siginfo_t status = {0};

        while (poll(polled, 2, -1) >= 0 && !(polled[0].revents & POLLIN))
                if (polled[1].revents && !read_output(run))
                        polled[1].fd = -1;
        while (polled[1].fd >= 0 && read_output(run))
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
                if (run->leaves[i] >= 0)
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

/* The last reference to the mount namespace makes whoever drops it wait for the kernel: not the
 * child at its exit, then, but us, after that is known. */
static void let_go(Run *run)
{
        if (write(run->sync[0], "g", 1) != 1)
                warn("cannot let the child go");
        run->mounts = openat(run->proc, "ns/mnt", O_RDONLY | O_CLOEXEC);
        close(run->proc);
        close(run->tree);
        close(run->root);
        close(run->dev);
        close(run->output[1]);
        close(run->sync[1]);
}

Sample run_once(const ContainerOrder *order)
{
        Run run = {.order = order,
                   .leaves = {-1, -1, -1, -1},
                   .tasks = {-1, -1, -1, -1},
                   .oom_event = -1,
                   .oom_control = -1};
        Sample sample = {0};

        snprintf(run.name, sizeof run.name, "%u", reference.serial);
        reference.serial += reference.serial_step;
        mark(P_BEGIN);
        clone_mounts(&run);
        make_leaves(&run);
        start(&run);
        map_ids(&run);
        let_go(&run);
        mark(P_GO);
        await(&run, &sample);
        mark(P_EXIT);
        clean(&run);
        sample.nsec = shared->at[P_EXIT] - shared->at[P_BEGIN];
        sample.whole_nsec = shared->at[P_CLOSE] - shared->at[P_BEGIN];
        return sample;
}
