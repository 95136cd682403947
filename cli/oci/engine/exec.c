#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/oci/engine/child.h"
#include "service/sandbox/child/oci/oci.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

static const struct {
        int type;
        const char *file;
} kinds[] = {
        {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mnt"},        {CLONE_NEWPID, "pid"},
        {CLONE_NEWNET, "net"},   {CLONE_NEWIPC, "ipc"},       {CLONE_NEWUTS, "uts"},
        {CLONE_NEWTIME, "time"}, {CLONE_NEWCGROUP, "cgroup"},
};

static bool gone(GError **error)
{
        return error_set(error, RUNTIME_ERROR_INVALID_STATE, "container not running");
}

/* What was read by the number is of the process of the pidfd if that is still there afterwards. */
static bool is_alive(const EngineInput *input)
{
        return syscall(SYS_pidfd_send_signal, input->init_pidfd, 0, NULL, 0) == 0;
}

/* Those in which the container is and we are not: to join one's own user namespace is an error. */
static bool find_namespaces(const EngineInput *input, uint64_t *ret, GError **error)
{
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
                g_autofree char *theirs =
                        g_strdup_printf("/proc/%d/ns/%s", (int) input->init, kinds[i].file);
                g_autofree char *ours = g_strconcat("/proc/self/ns/", kinds[i].file, NULL);
                struct stat their_status, our_status;
                if (stat(ours, &our_status) < 0)
                        continue; /* a kernel without such namespaces */
                if (stat(theirs, &their_status) < 0)
                        return gone(error);
                if (their_status.st_ino != our_status.st_ino ||
                    their_status.st_dev != our_status.st_dev)
                        *ret |= (uint64_t) kinds[i].type;
        }
        return is_alive(input) || gone(error);
}

static bool write_plan(Build *build, GError **error)
{
        const EngineInput *input = build->input;
        g_autofree char *path = g_strdup_printf("/proc/%d/root", (int) input->init);
        autofd int root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);

        if (root < 0 || !is_alive(input))
                return gone(error);
        return build_make_state(build, error) && build_process(build, root, error);
}

/* v2 takes no process in a cgroup that hands controllers down to others below: an init that has
 * divided its own so is in one of those. */
static pid_t clone_into(const EngineInput *input, struct clone_args *args)
{
        pid_t pid = (pid_t) syscall(SYS_clone3, args, sizeof *args);

        if (pid >= 0 || (errno != EBUSY && errno != EOPNOTSUPP) || input->init_cgroup < 0)
                return pid;
        args->cgroup = (uint64_t) input->init_cgroup;
        return (pid_t) syscall(SYS_clone3, args, sizeof *args);
}

static bool make_joiner(Build *build, uint64_t namespaces, EngineChild *child, GError **error)
{
        const EngineInput *input = build->input;
        int theirs, first = build_own_fd(build, fcntl(input->init_pidfd, F_DUPFD_CLOEXEC, 3));
        struct clone_args args = {
                .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND |
                         (input->birth_cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) &child->pidfd,
                .cgroup = input->birth_cgroup >= 0 ? (uint64_t) input->birth_cgroup : 0,
        };

        if (!child_make_sockets(build, &child->sync_fd, &theirs, error))
                return false;
        const SandboxBase base = {
                .sync_fd = theirs,
                .cgroup_fds = input->cgroup_entries,
                .set_groups = true,
                .join = first,
                .join_namespaces = namespaces,
                .joined = &build->plan.state->joined,
                .plan = &build->plan.process,
        };
        child->pid = clone_into(input, &args);
        if (child->pid == 0)
                sandbox_child_oci_join(&base, &build->plan);
        if (child->pid < 0)
                return error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot start a process in the container's cgroup");
        build_close_fds(build);
        return true;
}

bool engine_exec(const EngineInput *input, EngineChild *ret, GError **error)
{
        g_auto(EngineChild) child = {.pid = -1, .pidfd = -1, .sync_fd = -1, .master = -1};
        uint64_t namespaces = 0;
        g_auto(Build) build;

        build_init(&build, input);
        if (!find_namespaces(input, &namespaces, error) || !write_plan(&build, error) ||
            !make_joiner(&build, namespaces, &child, error) ||
            !child_expect(&child, &build, STAGE_EXEC, error) ||
            !child_await_between(&child, &build, error) ||
            !child_set_oom_score(child.pid, input->process, error) ||
            !child_set_scheduling(child.pid, input->process, error) ||
            !child_raise_limits(child.pid, input->process, error) ||
            !child_hand_over_terminal(&child, input->console_socket, error))
                return false;
        *ret = child;
        child = (EngineChild){.pid = -1, .pidfd = -1, .sync_fd = -1, .master = -1};
        return true;
}
