#include "service/sandbox/launch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "service/rootfs/mount.h"
#include "service/sandbox/compile.h"
#include "service/sandbox/outside.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

bool launch_fits_prepared(const Order *order)
{
        return order->tree.user_namespace == USER_NAMESPACE_AUTO && order->tree.sysctls.n == 0 &&
               compile_namespaces(order) == SANDBOX_NAMESPACES && !compile_inner_namespaces(order);
}

static bool make_sandbox(const LaunchInput *input, Sandbox **ret, GError **error)
{
        g_autoptr(GError) local = NULL;
        uint64_t memory_max = input->order->resources.memory_max;
        const SandboxInput early = {
                .profile = input->profile,
                .map = input->made->map,
                .cgroup = input->made->cgroup,
                .owner = input->order->owner->uid,
                .keeps_groups_of = input->order->tree.user_namespace == USER_NAMESPACE_KEEP_ID
                                           ? input->order->owner
                                           : NULL,
                .namespaces = compile_namespaces(input->order),
                .inner_namespaces = compile_inner_namespaces(input->order),
                .network = &input->order->tree.network_namespace,
                .sets_sysctls = input->order->tree.sysctls.n > 0,
        };

        if (sandbox_new(&early, ret, &local))
                return true;
        if (local->code == RUNTIME_ERROR_NO_MEMORY && memory_max != UINT64_MAX)
                return cgroup_memory_too_low(memory_max, "start a process", error);
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
}

/* Detached mounts of all trees: the root, then those that are bound. */
typedef struct Trees {
        int fds[MOUNTS_MAX + 1];
        RootfsTree of[MOUNTS_MAX + 1];
        size_t n;
} Trees;

static void trees_clear(Trees *trees)
{
        for (size_t i = 0; i < trees->n; i++)
                fd_close(trees->fds[i]);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Trees, trees_clear)

static bool add_tree(Trees *trees, const RootfsTree *tree, int user_namespace, GError **error)
{
        if (!rootfs_clone(tree, &trees->fds[trees->n], error))
                return false;
        trees->of[trees->n++] = *tree;
        return rootfs_protect(tree, &trees->fds[trees->n - 1], user_namespace, error);
}

static bool add_root(Trees *trees, const Order *order, int user_namespace, GError **error)
{
        const TreeSpec *spec = &order->tree;
        const RootfsTree root = {.fd = spec->root.fd,
                                 .path = spec->rootfs,
                                 .is_alone = spec->is_volatile,
                                 .attributes = compile_root_attributes(order),
                                 .owner = order->owner};

        return spec->empty_root ||
               (add_tree(trees, &root, user_namespace, error) &&
                (!spec->is_volatile ||
                 rootfs_add_layer(&root, spec->root_size, &trees->fds[0], error)));
}

/* Each tree shows the container's ids, but for a mount in which the caller was allowed to see the
 * host's. */
static bool prepare_trees(const LaunchInput *input, pid_t pid, Trees *trees, GError **error)
{
        const TreeSpec *spec = &input->order->tree;
        IdMap *map = input->made->map;
        autofd int own = -1, host = -1;

        if (!id_map_open_mount_namespace(map, pid, &own, error) ||
            !add_root(trees, input->order, own, error) ||
            (tree_spec_has_privileged_mount(spec) &&
             !id_map_open_host_namespace(map, pid, &host, error)))
                return false;
        for (size_t i = 0; i < spec->n_mounts; i++) {
                const MountSpec *mount = &spec->mounts[i];
                const RootfsTree source = {.fd = mount->place.fd,
                                           .path = mount->source,
                                           .is_source = true,
                                           .is_alone = mount->type == MOUNT_TYPE_BIND_ONE,
                                           .attributes = compile_mount_attributes(mount),
                                           .owner = input->order->owner};
                if (mount_spec_is_bind(mount) && !mount->is_absent &&
                    !add_tree(trees, &source, mount->is_privileged ? host : own, error))
                        return false;
        }
        return rootfs_check_whole(trees->of, trees->n, error);
}

bool launch(const LaunchInput *input, Launched *ret, GError **error)
{
        g_autoptr(Sandbox) sandbox = g_steal_pointer(&input->made->sandbox);
        g_auto(Trees) trees = {.n = 0};
        const Rights rights = compile_rights(input);
        int fds[SANDBOX_FDS_MAX];

        if ((!sandbox && !make_sandbox(input, &sandbox, error)) ||
            !outside_set_attributes(sandbox->pid, &input->order->process.attributes, error) ||
            !prepare_trees(input, sandbox->pid, &trees, error))
                return false;
        memcpy(fds, trees.fds, trees.n * sizeof fds[0]);
        if (!compile_plan(input, &rights, sandbox, fds, error) ||
            !sandbox_go(sandbox, fds, trees.n + sandbox->plan->n_targets + sandbox->plan->n_sources,
                        error))
                return false;
        *ret = (Launched){
                .pid = sandbox->pid,
                .pidfd = steal_fd(&sandbox->pidfd),
                .sync_fd = steal_fd(&sandbox->sync_fd),
                .mount_namespace = steal_fd(&sandbox->mount_namespace),
                .rights = rights,
        };
        return true;
}

/* -- listening -- */

LaunchEvent launch_read(int sync_fd, SandboxReport *ret_report, int *ret_terminal)
{
        SandboxReport record;
        int terminal;
        ssize_t n = fd_receive(sync_fd, &record, sizeof record, &terminal);

        /* ECONNRESET: the child ended without reading our last word. The kernel says so once,
         * before it gives what the child reported: read again. */
        if (n == -ECONNRESET)
                n = fd_receive(sync_fd, &record, sizeof record, &terminal);
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
        if (record.stage == STAGE_SECCOMP && record.error == 0 && terminal >= 0) {
                *ret_terminal = terminal;
                return LAUNCH_ASKS;
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

/* Where a step failed: "rootfs '/srv/x'"; for a process that joins, which knows no path of the
 * host, "container 'web'". Owned. */
static char *place_words(const Order *order)
{
        if (order->tree.empty_root)
                return g_strdup("the empty root");
        return order->tree.rootfs ? g_strdup_printf("rootfs '%s'", order->tree.rootfs)
                                  : g_strdup_printf("container '%s'", order->id);
}

static void exec_error(int errnum, const Order *order, GError **error)
{
        const char *command = order->process.argv[0];
        g_autofree char *place = place_words(order);

        switch (errnum) {
        case ENOENT:
        case ENOTDIR:
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_FOUND, "command '%s' not found in %s",
                          command, place);
                break;
        case ELIBBAD:
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                          "command '%s' in %s: the interpreter it needs is missing", command,
                          place);
                break;
        case SANDBOX_EMAGIC:
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                          "command '%s' in %s leads through a magic symbolic link of /proc",
                          command, place);
                break;
        case ENOEXEC:
                error_set(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                          "command '%s' in %s is of no format that this kernel executes", command,
                          place);
                break;
        case E2BIG:
                error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                          "argv and Environment of command '%s' are longer than the kernel takes: "
                          "a quarter of the limit of the stack (2 MiB of 8), a pointer for each "
                          "string included",
                          command);
                break;
        default:
                error_set_errno(error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE, errnum,
                                "command '%s' in %s", command, place);
        }
}

/* The error for a target on which a step could not mount: of the profile's own mounts, or of a
 * mount that was asked for. */
static void target_error(const SandboxReport *report, const Order *order, const char *target,
                         GError **error)
{
        bool is_asked = report->stage == STAGE_MOUNT;
        RuntimeError code = is_asked ? RUNTIME_ERROR_MOUNT_INVALID : RUNTIME_ERROR_ROOTFS_INVALID;
        g_autofree char *place = place_words(order);

        if (report->error == ENOENT)
                error_set(error, code, "%s has no %s'%s' to mount on%s", place,
                          is_asked ? "" : "directory ", target,
                          is_asked ? ", and nothing is made but in an empty or volatile root and "
                                     "in a tmpfs of the container's"
                                   : "");
        else if (report->error == ELOOP)
                error_set(error, code, "%s: its '%s' is %s", place, target,
                          is_asked ? "a symbolic link that leads nowhere, or behind one of /proc's"
                                   : "not a directory but a symbolic link");
        else if (report->error == EXDEV)
                error_set(
                        error, code,
                        "%s: its '%s' leads to the root itself, or into what the service mounts on "
                        "/proc, /sys and /dev",
                        place, target);
        else if (report->error == EEXIST)
                error_set(error, code, "%s: its '%s' is there already", place, target);
        else if (report->error == ENOTDIR)
                error_set(error, code, "%s: its '%s' is not a directory but something else", place,
                          target);
        else if (report->error == EISDIR)
                error_set(error, code, "%s: its '%s' is a directory, the source is not", place,
                          target);
        else
                error_set_errno(error, code, report->error, "%s: cannot mount on its '%s'", place,
                                target);
}

/* The target of the step that failed, as a path in the root tree; NULL if it has none there. */
static const char *target_of(const SandboxReport *report, const Order *order)
{
        if (report->stage == STAGE_MOUNT && report->number < order->tree.n_mounts)
                return order->tree.mounts[report->number].target;
        if (report->stage == STAGE_MOUNT_OWN && report->number < PROFILE_STEPS &&
            profile_steps[report->number].at < 0)
                return profile_steps[report->number].target;
        return NULL;
}

static void directory_error(int errnum, const Order *order, GError **error)
{
        g_autofree char *place = place_words(order);
        const char *path =
                order->process.working_directory ? order->process.working_directory : "/";

        if (errnum == SANDBOX_EMAGIC)
                error_set(
                        error, RUNTIME_ERROR_SETUP_FAILED,
                        "WorkingDirectory '%s' in %s leads through a magic symbolic link of /proc",
                        path, place);
        else
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, errnum,
                                "WorkingDirectory '%s' in %s", path, place);
}

static void sysctl_error(int errnum, const Sysctl *sysctl, GError **error)
{
        g_autofree char *key = g_strescape(sysctl->key, NULL);
        g_autofree char *value = g_strescape(sysctl->value, NULL);

        if (errnum == ENOENT)
                error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                          "Sysctl: this kernel has no '%s' for a container", key);
        else if (errnum == EACCES || errnum == EPERM)
                error_set_errno(error, RUNTIME_ERROR_NOT_SUPPORTED, errnum,
                                "Sysctl: this kernel lets no container set '%s'", key);
        else
                error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errnum,
                                "Sysctl: cannot set '%s' to '%s'", key, value);
}

/* /dev is cloned and not made: it alone has no type. */
static const char *early_words(uint32_t number)
{
        const char *type = profile_file_systems[number].type;

        return type ? type : "/dev";
}

void launch_report_to_error(const SandboxReport *report, const Order *order, GError **error)
{
        const char *target = target_of(report, order);
        g_autofree char *place = place_words(order);

        if (report->error == ENOMEM)
                cgroup_memory_too_low(order->resources.memory_max, stage_words(report->stage),
                                      error);
        else if (report->stage == STAGE_FILTERS && report->error == EINVAL)
                error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                          "SeccompFilters[%u] is no program that the kernel takes", report->number);
        else if (report->stage == STAGE_EXEC)
                exec_error(report->error, order, error);
        else if (target)
                target_error(report, order, target, error);
        else if (report->stage == STAGE_SYSCTL && report->number < order->tree.sysctls.n)
                sysctl_error(report->error, &order->tree.sysctls.list[report->number], error);
        else if (report->stage == STAGE_WORKING_DIRECTORY)
                directory_error(report->error, order, error);
        else if (report->stage == STAGE_MOUNT_OWN && report->number < PROFILE_STEPS)
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, report->error,
                                "cannot mount inside /dev, on its '%s' (%s)",
                                profile_steps[report->number].target, place);
        else if (report->stage == STAGE_NEW_MOUNT && report->number < _EARLY_MAX)
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, report->error,
                                "cannot make a new %s (%s)", early_words(report->number), place);
        else
                error_set_errno(error, RUNTIME_ERROR_SETUP_FAILED, report->error, "cannot %s (%s)",
                                stage_words(report->stage), place);
}
