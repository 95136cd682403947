#include "service/sandbox/compile.h"

#include <linux/mount.h>
#include <string.h>
#include <sys/resource.h>

#include "service/sandbox/compile-tree.h"
#include "service/sandbox/seccomp.h"
#include "service/sandbox/verdict.h"
#include "service/sandbox/writer.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"
#include "service/util/envelope.h"

/* -- what an order asks for -- */

uint64_t compile_namespaces(const Order *order)
{
        uint64_t all = SANDBOX_NAMESPACES;

        if (order->tree.user_namespace == USER_NAMESPACE_HOST)
                all &= ~(uint64_t) CLONE_NEWUSER;
        if (!tree_spec_has_own_network(&order->tree))
                all &= ~(uint64_t) CLONE_NEWNET;
        return all;
}

/* A second user namespace locks the mounts. Without a first one the command is the host's root,
 * whom no lock would hold. */
static bool wants_inner(const Order *order)
{
        return order->tree.user_namespace != USER_NAMESPACE_HOST &&
               order->process.capabilities & CAPABILITY(SYS_ADMIN);
}

/* The namespaces that a command with CAP_SYS_ADMIN may want to work on. */
uint64_t compile_inner_namespaces(const Order *order)
{
        return wants_inner(order)
                       ? compile_namespaces(order) & (CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET)
                       : 0;
}

/* What is made in a root of the container's own makes it read-only late, see root_is_sealed. */
unsigned compile_root_attributes(const Order *order)
{
        const TreeSpec *tree = &order->tree;
        bool is_own = tree->empty_root || tree->is_volatile;

        return (tree_spec_root_is_read_only(tree) && !is_own ? MOUNT_ATTR_RDONLY : 0) |
               (order->process.no_new_privileges ? MOUNT_ATTR_NOSUID : 0);
}

/* Set-id bits count in the root tree at most: a bound tree was not made to be a root. */
unsigned compile_mount_attributes(const MountSpec *mount)
{
        return MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (mount->read_only ? MOUNT_ATTR_RDONLY : 0) |
               (mount->no_exec ? MOUNT_ATTR_NOEXEC : 0);
}

Rights compile_rights(const LaunchInput *input)
{
        const Profile *profile = input->profile;
        const Order *order = input->order;
        const ProcessSpec *process = &order->process;
        /* what the container plants there would be the host's root's, or another user's */
        bool plants =
                (tree_spec_writes_to_host(&order->tree) && id_map_shows_root(input->made->map)) ||
                tree_spec_has_privileged_mount(&order->tree);
        Rights rights = {
                .capabilities = profile->capabilities & ~(plants ? profile->file_capabilities : 0),
                .no_new_privileges = process->no_new_privileges,
                .has_inner_namespace = wants_inner(order),
                .has_user_namespace = order->tree.user_namespace != USER_NAMESPACE_HOST,
                .keeps_groups = order->tree.user_namespace == USER_NAMESPACE_KEEP_ID,
        };

        if (order->tree.user_namespace == USER_NAMESPACE_HOST)
                rights.capabilities &= profile->own_capabilities;
        rights.capabilities |= process->capabilities;
        rights.capabilities &= process->bounding_set;
        rights.uid = process->attributes.uid;
        rights.gid = process->attributes.gid;
        rights.n_groups = process->attributes.n_groups;
        memcpy(rights.groups, process->attributes.groups, sizeof rights.groups);
        if (rights.uid != 0)
                rights.user_capabilities =
                        process->attributes.user_capabilities & rights.capabilities;
        if (process->seccomp)
                rights.filter = process->seccomp_strict ? RIGHTS_FILTER_STRICT
                                : plants                ? RIGHTS_FILTER_SET_ID_REFUSED
                                                        : RIGHTS_FILTER_DEFAULT;
        /* where it plants, those for sockets alone: by the other calls it could make namespaces of
         * its own, and give capabilities to a file there */
        uint64_t opening = process->capabilities &
                           (plants ? CAPABILITY(NET_ADMIN) | CAPABILITY(NET_RAW) : UINT64_MAX);
        rights.tells_refusals = process->seccomp_log;
        if (rights.filter != RIGHTS_FILTER_NONE && rights.filter != RIGHTS_FILTER_STRICT &&
            seccomp_opens(opening))
                rights.filter_capabilities = opening;
        return rights;
}

/* -- writing a plan into the shared memory, with the child's addresses in it -- */

static bool write_strv(Writer *writer, char *const *strv, char ***ret)
{
        guint n = g_strv_length((char **) strv);
        char **copy = reserve(writer, (n + 1) * sizeof *copy);
        size_t size = 0;

        for (guint i = 0; i < n; i++)
                size += strlen(strv[i]) + 1;
        char *at = copy ? reserve(writer, size) : NULL;
        if (!at)
                return false;
        for (guint i = 0; i < n; i++) {
                size = strlen(strv[i]) + 1;
                copy[i] = theirs(writer, at);
                at = (char *) memcpy(at, strv[i], size) + size;
        }
        copy[n] = NULL;
        *ret = theirs(writer, copy);
        return true;
}

/* -- the parts of a plan -- */

static bool write_rights(Writer *writer, const Profile *profile, const Rights *rights,
                         SandboxPlan *plan, GError **error)
{
        g_autoptr(SeccompProgram) own = NULL;
        const SeccompProgram *const filters[_RIGHTS_FILTER_MAX] = {
                [RIGHTS_FILTER_DEFAULT] = profile->seccomp,
                [RIGHTS_FILTER_SET_ID_REFUSED] = profile->seccomp_set_id,
                [RIGHTS_FILTER_STRICT] = profile->seccomp_strict,
        };
        const SeccompProgram *filter = filters[rights->filter];

        plan->capabilities = rights->capabilities;
        plan->no_new_privileges = rights->no_new_privileges;
        if (rights->filter_capabilities) {
                if (!seccomp_program_new(seccomp_variant(rights->filter),
                                         rights->filter_capabilities, &own, error))
                        return false;
                filter = own;
        }
        if (!filter)
                return true;
        struct sock_filter *copy = (struct sock_filter *) writer->at;
        plan->seccomp.len = filter->program.len;
        if (!write_bytes(writer, filter->program.filter,
                         filter->program.len * sizeof filter->program.filter[0],
                         &plan->seccomp.filter))
                return error_set(error, RUNTIME_ERROR_SETUP_FAILED,
                                 "the system-call filter is too large");
        plan->seccomp_asks = rights->tells_refusals;
        if (plan->seccomp_asks)
                verdict_let_ask(copy, filter->program.len);
        return true;
}

static bool write_filters(Writer *writer, const Filters *filters, SandboxPlan *plan)
{
        const struct sock_filter *code =
                filters->n > 0 ? g_bytes_get_data(filters->code, NULL) : NULL;
        struct sock_fprog programs[FILTERS_MAX];

        for (uint32_t i = 0; i < filters->n; i++) {
                programs[i].len = (unsigned short) filters->lengths[i];
                if (!write_bytes(writer, code, filters->lengths[i] * sizeof *code,
                                 &programs[i].filter))
                        return false;
                code += filters->lengths[i];
        }
        plan->n_filters = filters->n;
        return write_bytes(writer, programs, filters->n * sizeof programs[0], &plan->filters);
}

typedef struct ExecPaths {
        Writer *writer;
        char *list[EXEC_PATHS_MAX + 1];
        size_t n;
} ExecPaths;

static bool write_exec_path(const char *directory, size_t length, const char *name, void *data)
{
        ExecPaths *paths = data;
        size_t size = strlen(name) + 1;
        char *copy = paths->n < EXEC_PATHS_MAX
                             ? reserve(paths->writer, directory ? length + 1 + size : size)
                             : NULL;

        if (!copy)
                return false;
        paths->list[paths->n++] = theirs(paths->writer, copy);
        if (directory) {
                memcpy(copy, directory, length);
                copy[length] = '/';
                copy += length + 1;
        }
        memcpy(copy, name, size);
        return true;
}

static bool write_command(Writer *writer, const ProcessSpec *process, SandboxPlan *plan)
{
        g_autofree char **environment = process_spec_list_environment(process, &plan->home_index);
        ExecPaths paths = {.writer = writer};

        if (!write_strv(writer, process->argv, &plan->argv) ||
            !write_strv(writer, environment, &plan->environment) ||
            !process_spec_foreach_exec_path(process, environment, write_exec_path, &paths))
                return false;
        paths.list[paths.n] = NULL;
        return write_bytes(writer, paths.list, (paths.n + 1) * sizeof paths.list[0],
                           &plan->exec_paths);
}

_Static_assert(MOUNTS_MAX + SPAWN_FDS_MAX + 3 <= SANDBOX_FDS_MAX,
               "the root, mounts, the caller's, and 1 and 2");

/* One of the caller's fds, at its place behind the trees. */
static void put_fd(int source, size_t place, int *fds, SandboxPlan *plan)
{
        EnvelopeNote note;

        fds[place] = source;
        if (envelope_read(source, &note))
                plan->envelopes |= UINT64_C(1) << place;
}

/* The caller's fds for the command, then the output where 1 and 2 are missing. `fds` gets the
 * sources. */
static bool write_targets(Writer *writer, const LaunchInput *input, int *fds, SandboxPlan *plan)
{
        const Order *order = input->order;
        int targets[SANDBOX_FDS_MAX];
        size_t n = 0;
        bool has[3] = {false, false, false};

        for (size_t i = 0; i < order->n_fds; i++) {
                int target = order->fds[i].target;
                if (order_fd_is_file(order, target))
                        continue;
                put_fd(order->fds[i].source, n, fds, plan);
                targets[n++] = target;
                if (target >= 0 && target < 3)
                        has[target] = true;
        }
        for (int target = 1; target < 3 && input->output_fd >= 0; target++) {
                if (has[target])
                        continue;
                targets[n] = target;
                fds[n++] = input->output_fd;
        }
        plan->n_targets = n;
        return write_bytes(writer, targets, n * sizeof targets[0], &plan->targets);
}

/* Behind those, the fds that are read for files, in the order of the mounts. */
static void put_sources(const Order *order, int *fds, SandboxPlan *plan)
{
        for (size_t i = 0; i < order->tree.n_mounts; i++) {
                const MountSpec *mount = &order->tree.mounts[i];
                for (size_t k = 0; k < order->n_fds && mount->type == MOUNT_TYPE_DATA_FD; k++)
                        if (order->fds[k].target == (int) mount->fd)
                                put_fd(order->fds[k].source, plan->n_targets + plan->n_sources++,
                                       fds, plan);
        }
}

static bool write_sysctls(Writer *writer, const Sysctls *sysctls, SandboxPlan *plan)
{
        SandboxSysctl *list = reserve(writer, sysctls->n * sizeof *list);

        if (!list)
                return false;
        for (size_t i = 0; i < sysctls->n; i++) {
                list[i].length = strlen(sysctls->list[i].value);
                if (!write_string(writer, sysctls->list[i].path, &list[i].path) ||
                    !write_string(writer, sysctls->list[i].value, &list[i].value))
                        return false;
        }
        plan->sysctls = theirs(writer, list);
        plan->n_sysctls = sysctls->n;
        if (!sysctls->domainname)
                return true;
        plan->domainname_length = strlen(sysctls->domainname);
        return write_string(writer, sysctls->domainname, &plan->domainname);
}

/* A limit that the order gives was raised from outside, if need be (see outside.h): nobody inside
 * could take it up again if it were set to the service's own first. */
static bool write_limits(Writer *writer, const LaunchInput *input, SandboxPlan *plan)
{
        const Profile *profile = input->profile;
        const SandboxLimit limits[] = {{RLIMIT_NOFILE, profile->files_soft, profile->files_hard}};

        if (input->order->process.attributes.limits[PROCESS_LIMIT_NOFILE].is_given)
                return true;
        plan->n_limits = G_N_ELEMENTS(limits);
        return write_bytes(writer, limits, sizeof limits, &plan->limits);
}

/* What every process is given that executes a command. */
static bool write_process(Writer *writer, const LaunchInput *input, int *fds, SandboxPlan *plan)
{
        const ProcessSpec *process = &input->order->process;
        const char *directory = process->working_directory ? process->working_directory : "/";

        plan->attributes = process->attributes;
        plan->last_capability = input->profile->last_capability;
        if (!write_string(writer, directory, &plan->working_directory) ||
            !write_filters(writer, &process->filters, plan) ||
            !write_targets(writer, input, fds + plan->first_target, plan))
                return false;
        put_sources(input->order, fds + plan->first_target, plan);
        return write_command(writer, process, plan);
}

static Writer writer_for(const Sandbox *sandbox)
{
        Writer writer = {.at = (char *) sandbox->plan,
                         .left = SANDBOX_PLAN_SIZE,
                         .shift = sandbox->their_plan - (uintptr_t) sandbox->plan};

        reserve(&writer, sizeof *sandbox->plan);
        return writer;
}

static bool too_large(GError **error)
{
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "argv and Environment are too large");
}

bool compile_plan(const LaunchInput *input, const Rights *rights, const Sandbox *sandbox, int *fds,
                  GError **error)
{
        const Order *order = input->order;
        Writer writer = writer_for(sandbox);
        SandboxPlan plan = {
                .waits = !order->execute,
                .hostname_length = strlen(order->tree.hostname),
        };

        if (!write_rights(&writer, input->profile, rights, &plan, error))
                return false;
        if (!write_string(&writer, order->tree.hostname, &plan.hostname) ||
            !write_sysctls(&writer, &order->tree.sysctls, &plan) ||
            !compile_tree(&writer, input, &plan) || !write_limits(&writer, input, &plan) ||
            !write_process(&writer, input, fds, &plan))
                return too_large(error);
        *sandbox->plan = plan;
        return true;
}

bool compile_join(const LaunchInput *input, const Rights *rights, const SandboxInherited *inherited,
                  const Sandbox *joiner, int *fds, GError **error)
{
        const SandboxLimits *limits = &inherited->limits;
        Writer writer = writer_for(joiner);
        SandboxPlan plan = {.n_limits = limits->n, .n_kept_groups = inherited->groups->len};

        if (!write_rights(&writer, input->profile, rights, &plan, error))
                return false;
        if (!write_bytes(&writer, limits->list, limits->n * sizeof limits->list[0], &plan.limits) ||
            !write_bytes(&writer, inherited->groups->data,
                         inherited->groups->len * sizeof plan.kept_groups[0], &plan.kept_groups) ||
            !write_process(&writer, input, fds, &plan))
                return too_large(error);
        *joiner->plan = plan;
        return true;
}
