#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/oci/engine/child.h"
#include "cli/oci/engine/namespaces.h"
#include "cli/oci/engine/user-namespace.h"
#include "service/sandbox/child/oci/oci.h"
#include "service/spec/error.h"
#include "service/util/fd.h"

/* -- the plan -- */

static const OciInnerHook *write_hooks(Build *build, const OciHooks *hooks)
{
        OciInnerHook *list = build_own(build, g_new0(OciInnerHook, hooks->n + 1));

        for (size_t i = 0; i < hooks->n; i++) {
                const OciHook *hook = &hooks->items[i];
                char **alone = build_own(build, g_new0(char *, 2));
                alone[0] = hook->path;
                list[i] =
                        (OciInnerHook){hook->path, hook->args && hook->args[0] ? hook->args : alone,
                                       hook->env, hook->timeout};
        }
        return list;
}

/* The way by which the root is named is the bundle's, and so its maker's: links are followed. */
static bool open_root(Build *build, GError **error)
{
        const OciSpec *spec = build->input->spec;
        char *path = g_path_is_absolute(spec->root_path)
                             ? g_strdup(spec->root_path)
                             : g_build_filename(build->input->bundle, spec->root_path, NULL);
        const struct mount_attr slave = {
                .propagation = spec->root_propagation & MS_PRIVATE ? MS_PRIVATE : MS_SLAVE};
        int tree = (int) syscall(SYS_open_tree, AT_FDCWD, build_own(build, path),
                                 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);

        build_own_fd(build, tree);
        if (tree < 0)
                return error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
                                 "root.path: cannot open '%s'%s%s", path,
                                 errno == ENOENT ? ", which does not exist" : ": ",
                                 errno == ENOENT ? "" : g_strerror(errno));
        if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &slave,
                    sizeof slave) < 0)
                return error_set_errno(error, RUNTIME_ERROR_ROOTFS_INVALID, errno,
                                       "root.path: cannot make '%s' a mount of its own", path);
        build->plan.root = tree;
        build->plan.root_path = path;
        return true;
}

static bool write_sysctls(Build *build, GError **error)
{
        const OciPairs *pairs = &build->input->spec->sysctls;
        SandboxSysctl *list = build_own(build, g_new0(SandboxSysctl, pairs->n + 1));

        for (size_t i = 0; i < pairs->n; i++) {
                char *path =
                        build_own(build, g_strdelimit(g_strdup(pairs->items[i].key), ".", '/'));
                list[i] =
                        (SandboxSysctl){path, pairs->items[i].value, strlen(pairs->items[i].value)};
        }
        build->plan.process.sysctls = list;
        build->plan.process.n_sysctls = pairs->n;
        return true;
}

static void write_names(Build *build)
{
        const OciSpec *spec = build->input->spec;
        SandboxPlan *process = &build->plan.process;

        if (!oci_spec_find_namespace(spec, CLONE_NEWUTS))
                return; /* the names would be the host's */
        process->hostname = spec->hostname;
        process->hostname_length = spec->hostname ? strlen(spec->hostname) : 0;
        process->domainname = spec->domainname;
        process->domainname_length = spec->domainname ? strlen(spec->domainname) : 0;
}

static bool write_plan(Build *build, GError **error)
{
        const OciSpec *spec = build->input->spec;
        OciPlan *plan = &build->plan;

        build->is_nested = user_namespace_is_nested();
        if (!namespaces_open(build, error) || !open_root(build, error) ||
            !build_process(build, plan->root, error) || !build_mounts(build, plan->root, error) ||
            !build_devices(build, error) || !write_sysctls(build, error) ||
            !build_make_state(build, error))
                return false;
        write_names(build);
        plan->no_pivot = build->input->no_pivot;
        plan->root_read_only = spec->root_read_only;
        plan->has_console = true;
        /* never shared: what is mounted would appear on the host, until the pivot */
        plan->propagation = MS_REC | (spec->root_propagation & MS_PRIVATE ? MS_PRIVATE : MS_SLAVE);
        plan->root_propagation = spec->root_propagation;
        if (spec->has_personality)
                plan->personality = spec->personality;
        plan->create_hooks = write_hooks(build, &spec->hooks[OCI_HOOK_CREATE_CONTAINER]);
        plan->n_create_hooks = spec->hooks[OCI_HOOK_CREATE_CONTAINER].n;
        plan->start_hooks = write_hooks(build, &spec->hooks[OCI_HOOK_START_CONTAINER]);
        plan->n_start_hooks = spec->hooks[OCI_HOOK_START_CONTAINER].n;
        build_finish(build);
        return true;
}

/* -- the process -- */

static bool make_start_socket(Build *build, GError **error)
{
        int listener = build_own_fd(build, socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        g_snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/" OCI_SOCKET,
                   build->input->state_directory);
        build->plan.start = listener;
        build->plan.lock = build->input->state_directory;
        return (listener >= 0 &&
                bind(listener, (struct sockaddr *) &address, sizeof address) == 0 &&
                listen(listener, 8) == 0) ||
               error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                               "cannot make the socket '" OCI_SOCKET "' in the state directory");
}

/* Born into its cgroup if that is of v2; all others it enters by itself. */
static pid_t clone_child(const Build *build, uint64_t flags, int sync, int *ret_pidfd)
{
        const EngineInput *input = build->input;
        const OciPlan *plan = &build->plan;
        struct clone_args args = {
                .flags = CLONE_PIDFD | CLONE_CLEAR_SIGHAND | flags |
                         (input->birth_cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
                .exit_signal = SIGCHLD,
                .pidfd = (uint64_t) (uintptr_t) ret_pidfd,
                .cgroup = input->birth_cgroup >= 0 ? (uint64_t) input->birth_cgroup : 0,
        };
        const SandboxBase base = {
                .sync_fd = sync,
                .cgroup_fds = input->cgroup_entries,
                .set_groups = true,
                .raises_loopback = plan->new_namespaces & CLONE_NEWNET,
                .joined = &plan->state->joined,
                .plan = &plan->process,
        };
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);

        if (pid == 0 && plan->user_namespace >= 0)
                sandbox_child_oci_between(&base, plan);
        if (pid == 0)
                sandbox_child_oci(&base, plan);
        return pid;
}

static bool make_child(Build *build, EngineChild *child, GError **error)
{
        bool is_between = build->plan.user_namespace >= 0;
        int theirs;
        Saved saved;

        if (!child_make_sockets(build, &child->sync_fd, &theirs, error))
                return false;
        bool done = namespaces_enter(build, &saved, error);
        if (done) {
                child->pid = clone_child(build, is_between ? 0 : build->plan.new_namespaces, theirs,
                                         &child->pidfd);
                done = child->pid > 0 ||
                       error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errno,
                                       "cannot start a process in new namespaces");
        }
        namespaces_return(&saved);
        build_close_fds(build); /* the child has them */
        return done;
}

/* -- its set-up -- */

static bool write_state(const Build *build, pid_t pid, GError **error)
{
        const EngineInput *input = build->input;
        OciHookState *state = build->plan.state;
        g_autofree char *creating = input->state(input->user_data, "creating", pid);
        g_autofree char *created = input->state(input->user_data, "created", pid);

        state->creating_length = strlen(creating);
        state->created_length = strlen(created);
        if (state->creating_length > OCI_STATE_MAX || state->created_length > OCI_STATE_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "annotations: hooks cannot be told more than 1 MiB");
        memcpy(state->creating, creating, state->creating_length);
        memcpy(state->created, created, state->created_length);
        return engine_run_hooks(&input->spec->hooks[OCI_HOOK_PRESTART], "prestart", creating,
                                error) &&
               engine_run_hooks(&input->spec->hooks[OCI_HOOK_CREATE_RUNTIME], "createRuntime",
                                creating, error);
}

static bool set_up(EngineChild *child, const Build *build, GError **error)
{
        const EngineInput *input = build->input;
        const OciSpec *spec = input->spec;

        if ((build->plan.new_namespaces & CLONE_NEWUSER &&
             !user_namespace_map(child->pid, &spec->uid_maps, &spec->gid_maps, error)) ||
            !child_set_oom_score(child->pid, input->process, error) ||
            !child_raise_limits(child->pid, input->process, error))
                return false;
        child_say(child->sync_fd, SANDBOX_MAPPED); /* if it has ended, the next report tells */
        if (!child_expect(child, build, STAGE_CREATE_HOOK, error) ||
            !write_state(build, child->pid, error))
                return false;
        if (!child_set_scheduling(child->pid, input->process, error))
                return false;
        child_say(child->sync_fd, OCI_PIVOT);
        return child_expect(child, build, STAGE_EXEC, error) &&
               child_hand_over_terminal(child, input->console_socket, error);
}

bool engine_create(const EngineInput *input, EngineChild *ret, GError **error)
{
        g_auto(EngineChild) child = {.pid = -1, .pidfd = -1, .sync_fd = -1, .master = -1};
        g_auto(Build) build;

        build_init(&build, input);
        if (!write_plan(&build, error) || !make_start_socket(&build, error))
                return false;
        if (!make_child(&build, &child, error) ||
            (build.plan.user_namespace >= 0 && !child_await_between(&child, &build, error)) ||
            !set_up(&child, &build, error)) {
                unlinkat(input->state_directory, OCI_SOCKET, 0);
                return false;
        }
        *ret = child;
        child = (EngineChild){.pid = -1, .pidfd = -1, .sync_fd = -1, .master = -1};
        return true;
}
