#include "service/spec/run-spec.h"

#include <limits.h>
#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* what the original page of Go gave its shell */
#define DEFAULT_PS1 "PS1=[\\u@\\h \\W]\\$ "

RunSpec *run_spec_new(void)
{
        RunSpec *spec = g_new0(RunSpec, 1);

        spec->memory_max = UINT64_MAX;
        spec->memory_swap_max = 0;
        spec->tasks_max = TASKS_MAX_DEFAULT;
        spec->read_only_root = true;
        spec->seccomp = true;
        spec->no_new_privileges = true;
        return spec;
}

void run_spec_free(RunSpec *spec)
{
        if (!spec)
                return;
        g_free(spec->rootfs);
        g_strfreev(spec->argv);
        g_strfreev(spec->environment);
        g_free(spec->id);
        g_free(spec->hostname);
        g_free(spec->working_directory);
        for (size_t i = 0; i < spec->n_mounts; i++)
                mount_spec_clear(&spec->mounts[i]);
        g_free(spec->mounts);
        g_free(spec);
}

bool run_spec_writes_to_host(const RunSpec *spec)
{
        bool writes = !spec->read_only_root;

        for (size_t i = 0; i < spec->n_mounts; i++)
                writes = writes || (spec->mounts[i].source && !spec->mounts[i].read_only);
        return writes;
}

bool run_spec_has_privileged_mount(const RunSpec *spec)
{
        for (size_t i = 0; i < spec->n_mounts; i++)
                if (spec->mounts[i].is_privileged)
                        return true;
        return false;
}

bool run_spec_id_is_valid(const char *id)
{
        size_t length = strlen(id);

        if (length == 0 || length > ID_LENGTH_MAX || !g_ascii_isalnum(id[0]))
                return false;
        for (const char *c = id; *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("_.-", *c))
                        return false;
        return true;
}

static bool check_rootfs(const RunSpec *spec, GError **error)
{
        bool is_empty = !spec->rootfs || !*spec->rootfs;

        if (spec->has_root_fd)
                return is_empty || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                             "rootfs and RootFD exclude each other");
        if (is_empty)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "rootfs is empty, not a path, and there is no RootFD");
        if (strlen(spec->rootfs) > ROOTFS_PATH_MAX)
                return error_set(
                        error, RUNTIME_ERROR_ROOTFS_INVALID,
                        "rootfs is a path of %zu bytes, more than the %u that a path can have",
                        strlen(spec->rootfs), ROOTFS_PATH_MAX);
        if (*spec->rootfs != '/')
                return error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
                                 "rootfs '%s' is not an absolute path", spec->rootfs);
        return true;
}

static bool check_argv(const RunSpec *spec, GError **error)
{
        if (!spec->argv || !spec->argv[0])
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "argv is empty: no command to run");
        if (!*spec->argv[0])
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "argv[0] is an empty string, not a command");
        return true;
}

static bool check_sizes(const RunSpec *spec, GError **error)
{
        char **const lists[] = {spec->argv, spec->environment};
        const char *const names[] = {"argv", "Environment"};
        size_t total = 0;

        for (size_t l = 0; l < G_N_ELEMENTS(lists); l++) {
                size_t i = 0;
                for (; lists[l] && lists[l][i]; i++) {
                        size_t length = strlen(lists[l][i]);
                        if (length > ARG_LENGTH_MAX)
                                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                                 "%s[%zu] has %zu bytes, more than the %u allowed",
                                                 names[l], i, length, ARG_LENGTH_MAX);
                        total += length + 1;
                }
                if (i > ARGV_MAX)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s has more than the %u strings allowed", names[l],
                                         ARGV_MAX);
        }
        if (total > ARGV_BYTES_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "argv and Environment have %zu bytes, more than the %u allowed",
                                 total, ARGV_BYTES_MAX);
        return true;
}

static bool check_environment(const RunSpec *spec, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (char **pair = spec->environment; pair && *pair; pair++) {
                const char *equals = strchr(*pair, '=');
                if (!equals || equals == *pair)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Environment[%zu] is not NAME=VALUE",
                                         (size_t) (pair - spec->environment));
                if (!g_hash_table_add(seen, g_strndup(*pair, (size_t) (equals - *pair))))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Environment[%zu] sets a variable a second time",
                                         (size_t) (pair - spec->environment));
        }
        return true;
}

static bool check_names(const RunSpec *spec, GError **error)
{
        size_t length = spec->hostname ? strlen(spec->hostname) : 1;

        if (spec->id && !run_spec_id_is_valid(spec->id))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Id must match [a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}");
        if (length == 0 || length > HOSTNAME_LENGTH_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "Hostname has %zu bytes, not 1 to %u", length,
                                 HOSTNAME_LENGTH_MAX);
        for (const char *c = spec->hostname; c && *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("_.-", *c))
                        return error_set(
                                error, RUNTIME_ERROR_INVALID_ARGS,
                                "Hostname may have letters, digits, '-', '_' and '.' only");
        return true;
}

static bool check_working_directory(const RunSpec *spec, GError **error)
{
        const char *path = spec->working_directory;

        if (path && (*path != '/' || strlen(path) > ROOTFS_PATH_MAX))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "WorkingDirectory must be an absolute path of at most %u bytes",
                                 ROOTFS_PATH_MAX);
        return true;
}

static bool check_mounts(const RunSpec *spec, GError **error)
{
        for (size_t i = 0; i < spec->n_mounts; i++)
                for (size_t k = 0; k < i; k++)
                        if (strcmp(spec->mounts[i].target, spec->mounts[k].target) == 0)
                                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                                 "Mounts has the target '%s' twice",
                                                 spec->mounts[i].target);
        return true;
}

static bool check_limits(const RunSpec *spec, GError **error)
{
        if (spec->tasks_max == 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "TasksMax 0 leaves no room for the command");
        return true;
}

bool run_spec_validate(const RunSpec *spec, GError **error)
{
        static bool (*const checks[])(const RunSpec *, GError **) = {
                check_rootfs,      check_argv,   check_sizes,
                check_environment, check_names,  check_working_directory,
                check_mounts,      check_limits,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(checks); i++)
                if (!checks[i](spec, error))
                        return false;
        return true;
}

static char *list_capabilities(uint64_t mask)
{
        GString *text = g_string_new("Capabilities=");

        for (unsigned i = 0; capability_name(i); i++)
                if (mask & UINT64_C(1) << i)
                        g_string_append_printf(text, "%s+%s",
                                               mask & ((UINT64_C(1) << i) - 1) ? "," : "",
                                               capability_name(i));
        return g_string_free(text, FALSE);
}

char **run_spec_deviations(const RunSpec *spec)
{
        static const char *const user_namespaces[] = {[USER_NAMESPACE_SELF] = "UserNamespace=self",
                                                      [USER_NAMESPACE_HOST] = "UserNamespace=host"};
        g_autoptr(GStrvBuilder) list = g_strv_builder_new();
        g_autofree char *capabilities = list_capabilities(spec->capabilities);

        if (spec->user_namespace != USER_NAMESPACE_AUTO)
                g_strv_builder_add(list, user_namespaces[spec->user_namespace]);
        if (spec->host_network)
                g_strv_builder_add(list, "Network=host");
        if (spec->capabilities)
                g_strv_builder_add(list, capabilities);
        if (!spec->seccomp)
                g_strv_builder_add(list, "Seccomp=unconfined");
        if (!spec->no_new_privileges)
                g_strv_builder_add(list, "NoNewPrivileges=no");
        if (!spec->read_only_root)
                g_strv_builder_add(list, "ReadOnlyRoot=no");
        if (run_spec_has_privileged_mount(spec))
                g_strv_builder_add(list, "Mounts=privileged");
        return g_strv_builder_end(list);
}

bool run_spec_is_privileged(const RunSpec *spec)
{
        return run_spec_has_privileged_mount(spec) || spec->user_namespace == USER_NAMESPACE_HOST ||
               spec->host_network || spec->capabilities || !spec->seccomp ||
               !spec->no_new_privileges;
}

static bool is_set(char *const *environment, const char *pair)
{
        size_t name = strcspn(pair, "=") + 1;

        for (; environment && *environment; environment++)
                if (strncmp(*environment, pair, name) == 0)
                        return true;
        return false;
}

char **run_spec_build_environment(const RunSpec *spec, int *ret_home_index)
{
        const char *const defaults[] = {"HOME=/root", DEFAULT_PATH, DEFAULT_PS1,
                                        spec->terminal ? "TERM=linux" : NULL, NULL};
        g_autoptr(GPtrArray) built = g_ptr_array_new_with_free_func(g_free);

        *ret_home_index = -1;
        for (size_t i = 0; defaults[i]; i++) {
                if (is_set(spec->environment, defaults[i]))
                        continue;
                if (i == 0)
                        *ret_home_index = (int) built->len;
                g_ptr_array_add(built, g_strdup(defaults[i]));
        }
        for (char **pair = spec->environment; pair && *pair; pair++)
                g_ptr_array_add(built, g_strdup(*pair));
        g_ptr_array_add(built, NULL);
        return (char **) g_ptr_array_steal(built, NULL);
}

char **run_spec_build_exec_paths(const RunSpec *spec, char *const *environment)
{
        g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
        const char *search = NULL;

        for (; *environment; environment++)
                if (g_str_has_prefix(*environment, "PATH="))
                        search = *environment + strlen("PATH=");
        if (strchr(spec->argv[0], '/'))
                g_ptr_array_add(paths, g_strdup(spec->argv[0]));
        else if (search && strlen(spec->argv[0]) <= NAME_MAX) {
                g_auto(GStrv) directories = g_strsplit(search, ":", 256);
                for (char **directory = directories; *directory; directory++)
                        g_ptr_array_add(paths,
                                        g_strdup_printf("%s/%s", **directory ? *directory : ".",
                                                        spec->argv[0]));
        }
        /* an empty PATH finds nothing, nor does a name that no file can have; it stays for the
         * error */
        if (paths->len == 0)
                g_ptr_array_add(paths, g_strconcat("/nonexistent/", spec->argv[0], NULL));
        g_ptr_array_add(paths, NULL);
        return (char **) g_ptr_array_steal(paths, NULL);
}
