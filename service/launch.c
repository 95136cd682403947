#include "service/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/error.h"
#include "service/limits.h"
#include "service/sandbox-child.h"
#include "service/seccomp.h"
#include "service/util/capability.h"
#include "service/util/fd.h"

#define TTY_GID 5

/* Fds that only the clone may see: all at SANDBOX_FD_BASE or above, all closed when the launch is
 * over. */
typedef struct LaunchFds {
        int list[SPAWN_FDS_MAX + MOUNTS_MAX + 8];
        size_t n;
} LaunchFds;

static void launch_fds_clear(LaunchFds *fds)
{
        for (size_t i = 0; i < fds->n; i++)
                fd_close(fds->list[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LaunchFds, launch_fds_clear)

/* Returns a copy of `fd` in the high range, or -1. */
static int lift(LaunchFds *fds, int fd)
{
        int high = fcntl(fd, F_DUPFD_CLOEXEC, SANDBOX_FD_BASE);

        if (high >= 0)
                fds->list[fds->n++] = high;
        return high;
}

static int compare_fds(const void *a, const void *b)
{
        return *(const int *) a - *(const int *) b;
}

static bool has_target(const SandboxFd *fds, size_t n, int target)
{
        for (size_t i = 0; i < n; i++)
                if (fds[i].target == target)
                        return true;
        return false;
}

static RootfsTree root_tree(const LaunchInput *input)
{
        return (RootfsTree){
                .fd = input->tree_fd,
                .path = input->spec->rootfs,
                .attributes = (input->spec->read_only_root ? MOUNT_ATTR_RDONLY : 0) |
                              (input->spec->no_new_privileges ? MOUNT_ATTR_NOSUID : 0),
        };
}

/* Set-id bits count in the root tree at most: what is bound was not made to be one. */
static unsigned mount_attributes(const MountSpec *mount)
{
        return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (mount->read_only ? MOUNT_ATTR_RDONLY : 0) |
               (mount->no_exec ? MOUNT_ATTR_NOEXEC : 0);
}

static RootfsTree mount_tree(const LaunchInput *input, size_t index)
{
        const MountSpec *mount = &input->spec->mounts[index];

        return (RootfsTree){
                .fd = mount->source ? input->sources[index].fd : -1,
                .path = mount->source,
                .is_source = true,
                .attributes = mount_attributes(mount),
        };
}

/* The caller's fds, then what is missing of 0, 1 and 2. */
static bool plan_fds(const LaunchInput *input, LaunchFds *lifted, SandboxFd *fds, size_t *ret_n)
{
        autofd int null = -1;
        size_t n = 0;

        for (; n < input->n_fds; n++) {
                fds[n].target = input->fds[n].target;
                if ((fds[n].source = lift(lifted, input->fds[n].source)) < 0)
                        return false;
        }
        if (!input->spec->terminal) {
                int output = input->output_fd;
                null = open("/dev/null", O_RDWR | O_CLOEXEC);
                if (null < 0)
                        return false;
                for (int target = 0; target < 3; target++) {
                        if (has_target(fds, n, target))
                                continue;
                        fds[n].target = target;
                        fds[n].source = lift(lifted, target == 0 || output < 0 ? null : output);
                        if (fds[n++].source < 0)
                                return false;
                }
        }
        *ret_n = n;
        return true;
}

/* The mounts as the child takes them; their clones get their attributes when the ids are mapped. */
static bool plan_mounts(const LaunchInput *input, LaunchFds *lifted, SandboxMount *mounts,
                        GError **error)
{
        for (size_t i = 0; i < input->spec->n_mounts; i++) {
                const MountSpec *mount = &input->spec->mounts[i];
                autofd int clone = -1;
                mounts[i] = (SandboxMount){
                        .fd = -1,
                        .target = mount->target + 1,
                        .is_directory = !mount->source || input->sources[i].is_directory,
                        .size = mount->size,
                        .mode = mount->mode,
                        .attributes = mount_attributes(mount),
                };
                if (!mount->source)
                        continue;
                const RootfsTree source = mount_tree(input, i);
                if (!rootfs_clone(&source, &clone, error))
                        return false;
                if ((mounts[i].fd = lift(lifted, clone)) < 0)
                        return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                               "cannot copy a file descriptor");
        }
        return true;
}

/* Each with the ids of its owner, but for what the caller was allowed to see with the host's. */
static bool protect_trees(const LaunchInput *input, const SandboxPlan *plan, pid_t pid,
                          GError **error)
{
        const RootfsTree root = root_tree(input);
        autofd int own = -1, host = -1;

        if (!id_map_open_mount_namespace(input->map, pid, &own, error) ||
            !rootfs_protect(&root, plan->root_fd, own, error) ||
            (run_spec_has_privileged_mount(input->spec) &&
             !id_map_open_host_namespace(input->map, pid, &host, error)))
                return false;
        for (size_t i = 0; i < plan->n_mounts; i++) {
                const RootfsTree source = mount_tree(input, i);
                int ids = input->spec->mounts[i].is_privileged ? host : own;
                if (source.path && !rootfs_protect(&source, plan->mounts[i].fd, ids, error))
                        return false;
        }
        return true;
}

static bool clone_error(const LaunchInput *input, int errnum, GError **error)
{
        switch (errnum) {
        case ENOMEM:
                if (input->spec->memory_max != UINT64_MAX)
                        return error_set(error, RUNTIME_ERROR_MEMORY_TOO_LOW,
                                         "a memory limit of %" G_GUINT64_FORMAT
                                         " bytes is too low to start a process",
                                         input->spec->memory_max);
                return error_set_errno(error, RUNTIME_ERROR_NO_MEMORY, errnum,
                                       "cannot clone a process");
        case EAGAIN:
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errnum,
                                       "cannot clone a process (a limit of processes is reached)");
        case ENOSPC:
                return error_set_errno(
                        error, RUNTIME_ERROR_LIMITS_EXCEEDED, errnum,
                        "cannot clone into new namespaces (see sysctl user.max_*_namespaces)");
        case EPERM:
                return error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, errnum,
                                       "this system lets the service make no user namespaces");
        case ENOSYS:
        case EINVAL:
                return error_set_errno(
                        error, RUNTIME_ERROR_NOT_SUPPORTED, errnum,
                        "this kernel cannot clone3() into new namespaces and a cgroup");
        default:
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errnum,
                                       "cannot clone into new namespaces");
        }
}

/* Those that a command with more capabilities may want to work on. */
static uint64_t work_namespaces(const RunSpec *spec)
{
        return CLONE_NEWUTS | CLONE_NEWIPC | (spec->host_network ? 0 : CLONE_NEWNET);
}

static pid_t clone_child(const LaunchInput *input, const SandboxPlan *plan, int *ret_pidfd)
{
        struct clone_args args = {
                .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | CLONE_NEWNS | CLONE_NEWPID,
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) ret_pidfd,
        };
        int birth = cgroup_birth_fd(input->cgroup);

        if (input->spec->user_namespace != USER_NAMESPACE_HOST)
                args.flags |= CLONE_NEWUSER;
        if (!plan->inner_namespaces)
                args.flags |= work_namespaces(input->spec);
        if (birth >= 0) {
                args.flags |= CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t) birth;
        }
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
                sandbox_child(plan);
        return pid;
}

static bool unspare(pid_t pid, GError **error)
{
        char path[64];
        int r;

        g_snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int) pid);
        r = fd_write_file_at(AT_FDCWD, path, "0");
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, -r, "cannot write '%s'",
                                       path)
                     : true;
}

/* While the child waits: whatever needs its pid or its user namespace. */
static bool prepare_child(const LaunchInput *input, const SandboxPlan *plan, pid_t pid,
                          GError **error)
{
        if (input->profile->is_spared && !unspare(pid, error))
                return false;
        return id_map_apply(input->map, pid, error) && protect_trees(input, plan, pid, error);
}

/* It waits for GO or sets itself up; killed, it is gone at once. */
static void abandon_child(int pidfd)
{
        syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
        while (waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED) < 0 && errno == EINTR)
                ;
}

static bool run_child(const LaunchInput *input, const SandboxPlan *plan, Launched *launched,
                      GError **error)
{
        const char go = SANDBOX_GO;
        char path[64];

        launched->pid = clone_child(input, plan, &launched->pidfd);
        if (launched->pid < 0)
                return clone_error(input, errno, error);
        if (!prepare_child(input, plan, launched->pid, error)) {
                abandon_child(launched->pidfd);
                fd_clear(&launched->pidfd);
                return false;
        }
        /* The last reference to a mount namespace waits for an RCU grace period when it goes (0.05
         * to 0.5 ms): not between the end of the command and the word of it, then, but in the
         * clean-up after that. */
        g_snprintf(path, sizeof path, "/proc/%d/ns/mnt", (int) launched->pid);
        launched->mount_namespace = open(path, O_RDONLY | O_CLOEXEC);
        /* if it has died meanwhile (for memory, say), the pidfd tells */
        (void) !send(launched->sync_fd, &go, 1, MSG_NOSIGNAL);
        return true;
}

/* What the options take from the default profile, or add to it. */
static bool plan_rights(const LaunchInput *input, SandboxPlan *plan, SeccompProgram **ret_filter,
                        GError **error)
{
        const Profile *profile = input->profile;
        const RunSpec *spec = input->spec;
        bool has_user_namespace = spec->user_namespace != USER_NAMESPACE_HOST;
        /* what it writes belongs to the host's root there */
        bool plants = (run_spec_writes_to_host(spec) && id_map_shows_root(input->map)) ||
                      run_spec_has_privileged_mount(spec);

        plan->capabilities = profile->capabilities & ~(plants ? profile->file_capabilities : 0);
        if (!has_user_namespace)
                plan->capabilities &= profile->own_capabilities;
        plan->capabilities |= spec->capabilities;
        plan->no_new_privileges = spec->no_new_privileges;
        if (spec->seccomp)
                plan->seccomp = &(plants ? profile->seccomp_set_id : profile->seccomp)->program;
        /* not where it plants: with namespaces of its own it could give capabilities to a file */
        if (spec->seccomp && !plants && seccomp_opens(spec->capabilities)) {
                if (!seccomp_program_new(SECCOMP_SET_ID_ALLOWED, spec->capabilities, ret_filter,
                                         error))
                        return false;
                plan->seccomp = &(*ret_filter)->program;
        }
        /* without a user namespace it is root, whom no lock would hold */
        if (has_user_namespace && spec->capabilities & CAPABILITY(SYS_ADMIN))
                plan->inner_namespaces = work_namespaces(spec) | CLONE_NEWCGROUP;
        return true;
}

bool launch(const LaunchInput *input, Launched *ret, GError **error)
{
        g_auto(LaunchFds) lifted = {.n = 0};
        SandboxFd fds[SPAWN_FDS_MAX + 3];
        SandboxMount mounts[MOUNTS_MAX];
        const RootfsTree root = root_tree(input);
        autofd int tree = -1, dev = -1, sys = -1, mine = -1, theirs = -1;
        const Profile *profile = input->profile;
        g_autoptr(SeccompProgram) filter = NULL;
        char inner_map[32];
        int sockets[2], entries[CGROUP_ENTRY_FDS_MAX + 1];
        SandboxPlan plan = {
                .cgroup_fds = entries,
                .waits = !input->execute,
                .set_groups = id_map_allows_set_groups(input->map),
                .has_tty_gid = id_map_has_gid(input->map, TTY_GID),
                .terminal = input->spec->terminal,
                .hostname = input->hostname,
                .hostname_length = strlen(input->hostname),
                .working_directory =
                        input->spec->working_directory ? input->spec->working_directory : "/",
                .masks = profile->masks,
                .n_masks = profile->n_masks,
                .mounts = mounts,
                .n_mounts = input->spec->n_mounts,
                .files_soft = profile->files_soft,
                .files_hard = profile->files_hard,
                .last_capability = profile->last_capability,
                .sys_fd = -1,
                .inner_map = inner_map,
                .argv = input->spec->argv,
                .fds = fds,
        };

        g_snprintf(inner_map, sizeof inner_map, "0 0 %u", id_map_size(input->map));
        if (!plan_rights(input, &plan, &filter, error) || !rootfs_clone(&root, &tree, error) ||
            !plan_mounts(input, &lifted, mounts, error) ||
            !profile_clone_dev(profile, &dev, error) ||
            (input->spec->host_network && !profile_make_host_sys(&sys, error)))
                return false;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot make a socket");
        mine = sockets[0];
        theirs = sockets[1];
        if ((plan.sync_fd = lift(&lifted, theirs)) < 0 ||
            (plan.root_fd = lift(&lifted, tree)) < 0 || (plan.dev_fd = lift(&lifted, dev)) < 0 ||
            (sys >= 0 && (plan.sys_fd = lift(&lifted, sys)) < 0) ||
            !plan_fds(input, &lifted, fds, &plan.n_fds))
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot copy a file descriptor");
        for (unsigned i = 0; i <= CGROUP_ENTRY_FDS_MAX; i++)
                entries[i] = i < CGROUP_ENTRY_FDS_MAX ? cgroup_entry_fd(input->cgroup, i) : -1;
        qsort(lifted.list, lifted.n, sizeof lifted.list[0], compare_fds);
        plan.keep_fds = lifted.list;
        plan.n_keep_fds = lifted.n;

        g_auto(GStrv) environment = run_spec_build_environment(input->spec, &plan.home_index);
        g_auto(GStrv) exec_paths = run_spec_build_exec_paths(input->spec, environment);
        plan.environment = environment;
        plan.exec_paths = (const char *const *) exec_paths;

        Launched launched = {.pid = -1, .pidfd = -1, .sync_fd = mine, .mount_namespace = -1};
        if (!run_child(input, &plan, &launched, error))
                return false;
        fcntl(mine, F_SETFL, O_NONBLOCK);
        steal_fd(&mine);
        *ret = launched;
        return true;
}

LaunchEvent launch_read(int sync_fd, SandboxReport *ret_report, int *ret_terminal)
{
        SandboxReport record;
        int terminal;
        ssize_t n = fd_receive(sync_fd, &record, sizeof record, &terminal);

        if (n == -EAGAIN)
                return LAUNCH_AGAIN;
        if (n != (ssize_t) sizeof record) {
                fd_close(terminal);
                return LAUNCH_END;
        }
        if (record.stage == STAGE_EXEC && record.error == 0) {
                *ret_terminal = terminal;
                return LAUNCH_READY;
        }
        fd_close(terminal);
        *ret_report = record;
        return LAUNCH_FAILED;
}

bool launch_execute(int sync_fd)
{
        const char word = SANDBOX_EXEC;

        return send(sync_fd, &word, 1, MSG_NOSIGNAL) == 1;
}

static const char *stage_words(uint32_t stage)
{
        static const char *const words[_STAGE_MAX] = {
#define X(name, text) [name] = text,
                SANDBOX_STAGES(X)
#undef X
        };

        return stage < _STAGE_MAX ? words[stage] : "do something unknown";
}

static void exec_error(int errnum, const RunSpec *spec, GError **error)
{
        const char *command = spec->argv[0];

        switch (errnum) {
        case ENOENT:
        case ENOTDIR:
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_FOUND,
                          "command '%s' not found in rootfs '%s'", command, spec->rootfs);
                break;
        case ELIBBAD:
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                          "command '%s' in rootfs '%s': the interpreter it needs is missing",
                          command, spec->rootfs);
                break;
        case ENOEXEC:
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                          "command '%s' in rootfs '%s' is of no format that this kernel executes",
                          command, spec->rootfs);
                break;
        case E2BIG:
                error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errnum,
                                "argv and Environment of command '%s'", command);
                break;
        default:
                error_set_errno(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, errnum,
                                "command '%s' in rootfs '%s'", command, spec->rootfs);
        }
}

/* What something was to be mounted on: one of the profile's, or asked for. */
static void target_error(const SandboxReport *report, const RunSpec *spec, const char *target,
                         GError **error)
{
        bool is_asked = report->stage == STAGE_MOUNT;
        RuntimeError code = is_asked ? RUNTIME_ERROR_MOUNT_INVALID : RUNTIME_ERROR_ROOTFS_INVALID;

        if (report->error == ENOENT)
                error_set(error, code, "rootfs '%s' has no %s'%s' to mount on", spec->rootfs,
                          is_asked ? "" : "directory ", target);
        else if (report->error == ELOOP)
                error_set(error, code, "rootfs '%s': its '%s' is %s", spec->rootfs, target,
                          is_asked ? "a symbolic link, or behind one"
                                   : "not a directory but a symbolic link");
        else if (report->error == ENOTDIR)
                error_set(error, code,
                          "rootfs '%s': its '%s' is not a directory but something else",
                          spec->rootfs, target);
        else if (report->error == EISDIR)
                error_set(error, code, "rootfs '%s': its '%s' is a directory, the source is none",
                          spec->rootfs, target);
        else
                error_set_errno(error, code, report->error, "rootfs '%s': cannot mount on its '%s'",
                                spec->rootfs, target);
}

void launch_report_to_error(const SandboxReport *report, const RunSpec *spec, GError **error)
{
        static const char *const targets[] = {[STAGE_MOUNT_PROC] = "proc",
                                              [STAGE_MOUNT_SYS] = "sys",
                                              [STAGE_MOUNT_DEV] = "dev",
                                              [STAGE_MOUNT_TMP] = "tmp"};
        const char *target = report->stage < G_N_ELEMENTS(targets) ? targets[report->stage] : NULL;

        if (report->stage == STAGE_MOUNT && report->index < spec->n_mounts)
                target = spec->mounts[report->index].target;
        if (report->error == ENOMEM && spec->memory_max != UINT64_MAX) {
                error_set(error, RUNTIME_ERROR_MEMORY_TOO_LOW,
                          "a memory limit of %" G_GUINT64_FORMAT " bytes is too low to %s",
                          spec->memory_max, stage_words(report->stage));
        } else if (report->stage == STAGE_EXEC) {
                exec_error(report->error, spec, error);
        } else if (target) {
                target_error(report, spec, target, error);
        } else if (report->stage == STAGE_WORKING_DIRECTORY) {
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, report->error,
                                "WorkingDirectory '%s' in rootfs '%s'",
                                spec->working_directory ? spec->working_directory : "/",
                                spec->rootfs);
        } else {
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, report->error,
                                "cannot %s (rootfs '%s')", stage_words(report->stage),
                                spec->rootfs);
        }
}
