#include "service/sandbox/launch.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/socket.h>

#include "service/sandbox/seccomp.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"
#include "service/util/fd.h"

/* -- what is mounted -- */

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

/* -- writing a plan into the memory that the child has, too: with its addresses in it -- */

typedef struct Writer {
        char *at;
        size_t left;
        uintptr_t shift; /* from ours to theirs */
} Writer;

static void *theirs(const Writer *writer, void *place)
{
        return (void *) ((uintptr_t) place + writer->shift);
}

static void *reserve(Writer *writer, size_t size)
{
        void *place = writer->at;

        size = (size + 7) & ~(size_t) 7;
        if (size > writer->left)
                return NULL;
        writer->at += size;
        writer->left -= size;
        return place;
}

static bool write_bytes(Writer *writer, const void *bytes, size_t size, void *ret)
{
        void *copy = reserve(writer, size);

        if (!copy)
                return false;
        if (size > 0)
                memcpy(copy, bytes, size);
        *(void **) ret = theirs(writer, copy);
        return true;
}

static bool write_string(Writer *writer, const char *text, const char **ret)
{
        return write_bytes(writer, text, strlen(text) + 1, ret);
}

static bool write_strv(Writer *writer, char *const *strv, char ***ret)
{
        guint n = g_strv_length((char **) strv);
        char **copy = reserve(writer, (n + 1) * sizeof *copy);

        for (guint i = 0; copy && i < n; i++)
                if (!write_string(writer, strv[i], (const char **) &copy[i]))
                        return false;
        if (!copy)
                return false;
        copy[n] = NULL;
        *ret = theirs(writer, copy);
        return true;
}

static bool write_filter(Writer *writer, const SeccompProgram *program, SandboxPlan *plan)
{
        plan->seccomp.len = program->program.len;
        return write_bytes(writer, program->program.filter,
                           program->program.len * sizeof program->program.filter[0],
                           &plan->seccomp.filter);
}

static bool write_command(Writer *writer, const RunSpec *spec, SandboxPlan *plan)
{
        g_auto(GStrv) environment = run_spec_build_environment(spec, &plan->home_index);
        g_auto(GStrv) exec_paths = run_spec_build_exec_paths(spec, environment);

        return write_strv(writer, spec->argv, &plan->argv) &&
               write_strv(writer, environment, &plan->environment) &&
               write_strv(writer, exec_paths, &plan->exec_paths);
}

_Static_assert(MOUNTS_MAX + SPAWN_FDS_MAX + 3 <= SANDBOX_FDS_MAX,
               "the root, mounts, the caller's, and 1 and 2");

/* Their fds come behind the root's, in their order. */
static bool write_mounts(Writer *writer, const LaunchInput *input, SandboxPlan *plan)
{
        const RunSpec *spec = input->spec;
        SandboxMount mounts[MOUNTS_MAX];
        int next = 1;

        for (size_t i = 0; i < spec->n_mounts; i++) {
                const MountSpec *mount = &spec->mounts[i];
                SandboxMount *copy = &mounts[i];
                *copy = (SandboxMount){
                        .fd = mount->source ? next++ : -1,
                        .is_directory = !mount->source || input->sources[i].is_directory,
                        .attributes = mount_attributes(mount),
                };
                if (!write_string(writer, mount->target + 1, &copy->target) ||
                    (mount->size && !write_string(writer, mount->size, &copy->size)) ||
                    (mount->mode && !write_string(writer, mount->mode, &copy->mode)))
                        return false;
        }
        plan->n_mounts = spec->n_mounts;
        plan->first_target = (size_t) next;
        return write_bytes(writer, mounts, spec->n_mounts * sizeof mounts[0], &plan->mounts);
}

/* The caller's fds, then the output where 1 and 2 are missing. `fds` gets the sources. */
static bool write_targets(Writer *writer, const LaunchInput *input, int *fds, SandboxPlan *plan)
{
        int targets[SANDBOX_FDS_MAX];
        size_t n = 0;
        bool has[3] = {false, false, false};

        for (; n < input->n_fds; n++) {
                targets[n] = input->fds[n].target;
                fds[n] = input->fds[n].source;
                if (targets[n] >= 0 && targets[n] < 3)
                        has[targets[n]] = true;
        }
        for (int target = 1; target < 3 && !plan->terminal && input->output_fd >= 0; target++) {
                if (has[target])
                        continue;
                targets[n] = target;
                fds[n++] = input->output_fd;
        }
        plan->n_targets = n;
        return write_bytes(writer, targets, n * sizeof targets[0], &plan->targets);
}

/* Without a user namespace it is root, whom no lock would hold. */
static bool wants_inner(const RunSpec *spec)
{
        return spec->user_namespace != USER_NAMESPACE_HOST &&
               spec->capabilities & CAPABILITY(SYS_ADMIN);
}

/* What the options take from the default profile, or add to it. */
static Rights rights_of(const LaunchInput *input)
{
        const Profile *profile = input->profile;
        const RunSpec *spec = input->spec;
        /* what it writes belongs to the host's root there */
        bool plants = (run_spec_writes_to_host(spec) && id_map_shows_root(input->map)) ||
                      run_spec_has_privileged_mount(spec);
        Rights rights = {
                .capabilities = profile->capabilities & ~(plants ? profile->file_capabilities : 0),
                .no_new_privileges = spec->no_new_privileges,
                .has_inner_namespace = wants_inner(spec),
        };

        if (spec->user_namespace == USER_NAMESPACE_HOST)
                rights.capabilities &= profile->own_capabilities;
        rights.capabilities |= spec->capabilities;
        if (spec->seccomp)
                rights.filter = plants ? RIGHTS_FILTER_SET_ID_REFUSED : RIGHTS_FILTER_DEFAULT;
        /* not where it plants: with namespaces of its own it could give capabilities to a file */
        if (rights.filter == RIGHTS_FILTER_DEFAULT && seccomp_opens(spec->capabilities))
                rights.filter_capabilities = spec->capabilities;
        return rights;
}

static bool write_rights(Writer *writer, const Profile *profile, const Rights *rights,
                         SandboxPlan *plan, GError **error)
{
        g_autoptr(SeccompProgram) own = NULL;
        const SeccompProgram *filter = rights->filter == RIGHTS_FILTER_SET_ID_REFUSED
                                               ? profile->seccomp_set_id
                                       : rights->filter == RIGHTS_FILTER_DEFAULT ? profile->seccomp
                                                                                 : NULL;

        plan->capabilities = rights->capabilities;
        plan->no_new_privileges = rights->no_new_privileges;
        if (rights->filter_capabilities) {
                if (!seccomp_program_new(SECCOMP_SET_ID_ALLOWED, rights->filter_capabilities, &own,
                                         error))
                        return false;
                filter = own;
        }
        return !filter || write_filter(writer, filter, plan) ||
               error_set(error, RUNTIME_ERROR_SETUP_FAILED, "the system-call filter is too large");
}

static bool write_plan(const LaunchInput *input, const Rights *rights, const Sandbox *sandbox,
                       int *fds, GError **error)
{
        const Profile *profile = input->profile;
        const RunSpec *spec = input->spec;
        Writer writer = {.at = (char *) sandbox->plan,
                         .left = SANDBOX_PLAN_SIZE,
                         .shift = sandbox->their_plan - (uintptr_t) sandbox->plan};
        SandboxPlan plan = {
                .waits = !input->execute,
                .terminal = spec->terminal,
                .hostname_length = strlen(input->hostname),
                .files_soft = profile->files_soft,
                .files_hard = profile->files_hard,
                .last_capability = profile->last_capability,
        };

        reserve(&writer, sizeof plan);
        if (!write_rights(&writer, profile, rights, &plan, error))
                return false;
        if (!write_string(&writer, input->hostname, &plan.hostname) ||
            !write_string(&writer, spec->working_directory ? spec->working_directory : "/",
                          &plan.working_directory) ||
            !write_mounts(&writer, input, &plan) ||
            !write_targets(&writer, input, fds + plan.first_target, &plan) ||
            !write_command(&writer, spec, &plan))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "argv and Environment are too large");
        *sandbox->plan = plan;
        return true;
}

/* -- launching -- */

bool launch_fits_prepared(const RunSpec *spec)
{
        return spec->user_namespace == USER_NAMESPACE_AUTO && !spec->host_network &&
               !wants_inner(spec);
}

static bool make_sandbox(const LaunchInput *input, Sandbox **ret, GError **error)
{
        g_autoptr(GError) local = NULL;
        const SandboxInput early = {
                .profile = input->profile,
                .map = input->map,
                .cgroup = input->cgroup,
                .host_users = input->spec->user_namespace == USER_NAMESPACE_HOST,
                .host_network = input->spec->host_network,
                .inner = wants_inner(input->spec),
        };

        if (sandbox_new(&early, ret, &local))
                return true;
        if (local->code == RUNTIME_ERROR_NO_MEMORY && input->spec->memory_max != UINT64_MAX)
                return cgroup_memory_too_low(input->spec->memory_max, "start a process", error);
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
}

/* Detached mounts of all trees: the root, then those that are bound. */
typedef struct Trees {
        int fds[MOUNTS_MAX + 1];
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
        trees->n++;
        return rootfs_protect(tree, trees->fds[trees->n - 1], user_namespace, error);
}

/* Each with the ids of its owner, but for what the caller was allowed to see with the host's. */
static bool prepare_trees(const LaunchInput *input, pid_t pid, Trees *trees, GError **error)
{
        const RootfsTree root = root_tree(input);
        autofd int own = -1, host = -1;

        if (!id_map_open_mount_namespace(input->map, pid, &own, error) ||
            !add_tree(trees, &root, own, error) ||
            (run_spec_has_privileged_mount(input->spec) &&
             !id_map_open_host_namespace(input->map, pid, &host, error)))
                return false;
        for (size_t i = 0; i < input->spec->n_mounts; i++) {
                const RootfsTree source = mount_tree(input, i);
                int ids = input->spec->mounts[i].is_privileged ? host : own;
                if (source.path && !add_tree(trees, &source, ids, error))
                        return false;
        }
        return true;
}

bool launch(const LaunchInput *input, Launched *ret, GError **error)
{
        g_autoptr(Sandbox) sandbox = input->sandbox;
        g_auto(Trees) trees = {.n = 0};
        const Rights rights = rights_of(input);
        int fds[SANDBOX_FDS_MAX];

        if ((!sandbox && !make_sandbox(input, &sandbox, error)) ||
            !prepare_trees(input, sandbox->pid, &trees, error))
                return false;
        memcpy(fds, trees.fds, trees.n * sizeof fds[0]);
        if (!write_plan(input, &rights, sandbox, fds, error) ||
            !sandbox_go(sandbox, fds, trees.n + sandbox->plan->n_targets, error))
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

        /* it ended with a word of ours unread: told first, and once, before what it said itself */
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
        case SANDBOX_EMAGIC:
                error_set(
                        error, RUNTIME_ERROR_COMMAND_NOT_EXECUTABLE,
                        "command '%s' in rootfs '%s' leads through a magic symbolic link of /proc",
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
        if (report->error == ENOMEM) {
                cgroup_memory_too_low(spec->memory_max, stage_words(report->stage), error);
        } else if (report->stage == STAGE_EXEC) {
                exec_error(report->error, spec, error);
        } else if (target) {
                target_error(report, spec, target, error);
        } else if (report->stage == STAGE_WORKING_DIRECTORY && report->error == SANDBOX_EMAGIC) {
                error_set(
                        error, RUNTIME_ERROR_SETUP_FAILED,
                        "WorkingDirectory '%s' in rootfs '%s' leads through a magic symbolic link "
                        "of /proc",
                        spec->working_directory, spec->rootfs);
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
