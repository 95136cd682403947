#include "service/spec/process-spec.h"

#include <limits.h>
#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"

#define DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* the prompt that the Go original gives its shell */
#define DEFAULT_PS1 "PS1=[\\u@\\h \\W]\\$ "

void process_spec_init(ProcessSpec *spec)
{
        *spec = (ProcessSpec){
                .bounding_set = UINT64_MAX,
                .seccomp = true,
                .no_new_privileges = true,
                .attributes = {.umask = 022},
        };
}

void process_spec_init_join(ProcessSpec *spec)
{
        *spec = (ProcessSpec){
                .bounding_set = UINT64_MAX,
                .attributes = {.umask = 022,
                               .uid = PROCESS_ID_OPEN,
                               .gid = PROCESS_ID_OPEN,
                               .n_groups = PROCESS_GROUPS_OPEN,
                               .user_capabilities = PROCESS_CAPABILITIES_OPEN},
        };
}

void process_spec_clear(ProcessSpec *spec)
{
        g_free(spec->argv);
        g_free(spec->environment);
        g_free(spec->working_directory);
        filters_clear(&spec->filters);
        *spec = (ProcessSpec){0};
}

/* -- checks -- */

static bool check_argv(const ProcessSpec *spec, GError **error)
{
        if (!spec->argv || !spec->argv[0])
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "argv is empty: no command to run");
        if (!*spec->argv[0])
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "argv[0] is an empty string, not a command");
        return true;
}

static bool check_sizes(const ProcessSpec *spec, GError **error)
{
        char **const lists[] = {spec->argv, spec->environment};
        const char *const names[] = {"argv", "Environment"};
        size_t total = 0;

        for (size_t l = 0; l < G_N_ELEMENTS(lists); l++) {
                for (size_t i = 0; lists[l] && lists[l][i]; i++) {
                        size_t length = strlen(lists[l][i]);
                        if (length > ARG_LENGTH_MAX)
                                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                                 "%s[%zu] has %zu bytes, more than the %u allowed",
                                                 names[l], i, length, ARG_LENGTH_MAX);
                        total += length + 1 + sizeof(char *);
                }
        }
        if (total > ARGV_BYTES_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "argv and Environment have %zu bytes, a pointer for each string "
                                 "included, more than the %u that the kernel takes",
                                 total, ARGV_BYTES_MAX);
        return true;
}

/* What is set unless the caller says otherwise. A name alone takes it away. */
static const char *const defaults[] = {"HOME=/root", DEFAULT_PATH, DEFAULT_PS1, "TERM=linux"};

static bool has_name(const char *assignment, const char *name, size_t length)
{
        return strncmp(assignment, name, length) == 0 &&
               (assignment[length] == '=' || assignment[length] == '\0');
}

static bool is_default(const char *name)
{
        for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++)
                if (has_name(defaults[i], name, strlen(name)))
                        return *name;
        return false;
}

static bool check_environment(const ProcessSpec *spec, GError **error)
{
        g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

        for (char **pair = spec->environment; pair && *pair; pair++) {
                size_t length = strcspn(*pair, "=");
                if (length == 0 || (!(*pair)[length] && !is_default(*pair)))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Environment[%zu] is not NAME=VALUE",
                                         (size_t) (pair - spec->environment));
                if (!g_hash_table_add(seen, g_strndup(*pair, length)))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Environment[%zu] sets a variable a second time",
                                         (size_t) (pair - spec->environment));
        }
        return true;
}

static bool check_working_directory(const ProcessSpec *spec, GError **error)
{
        const char *path = spec->working_directory;

        if (path && (*path != '/' || strlen(path) > ROOTFS_PATH_MAX))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "WorkingDirectory must be an absolute path of at most %u bytes",
                                 ROOTFS_PATH_MAX);
        return true;
}

static bool check_capabilities(const ProcessSpec *spec, GError **error)
{
        uint64_t outside =
                (spec->capabilities | spec->attributes.user_capabilities) & ~spec->bounding_set;

        return !outside || error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                     "Capabilities has %s, which CapabilityBoundingSet leaves out",
                                     capability_name((unsigned) __builtin_ctzll(outside)));
}

static bool check_filters(const ProcessSpec *spec, GError **error)
{
        if (spec->seccomp_log && !spec->seccomp)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "SeccompLog tells what the filter refuses, and Seccomp says that "
                                 "there is none");
        return spec->filters.n == 0 || spec->no_new_privileges ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "SeccompFilters needs NoNewPrivileges");
}

bool process_spec_validate(const ProcessSpec *spec, GError **error)
{
        return check_argv(spec, error) && check_sizes(spec, error) &&
               check_environment(spec, error) && check_working_directory(spec, error) &&
               check_capabilities(spec, error) && check_filters(spec, error);
}

/* -- what is executed -- */

static bool is_set(char *const *environment, const char *pair)
{
        for (; environment && *environment; environment++)
                if (has_name(*environment, pair, strcspn(pair, "=")))
                        return true;
        return false;
}

char **process_spec_list_environment(const ProcessSpec *spec, int *ret_home_index)
{
        size_t n_own = spec->environment ? g_strv_length(spec->environment) : 0, n = 0;
        char **list = g_new(char *, G_N_ELEMENTS(defaults) + n_own + 1);

        *ret_home_index = -1;
        for (size_t i = 0; i < G_N_ELEMENTS(defaults); i++) {
                bool is_term = i == G_N_ELEMENTS(defaults) - 1;
                if ((is_term && !spec->attributes.terminal) ||
                    is_set(spec->environment, defaults[i]))
                        continue;
                bool is_home = i == 0, is_root = spec->attributes.uid == 0;
                if (is_home && is_root)
                        *ret_home_index = (int) n;
                list[n++] = (char *) (is_home && !is_root ? "HOME=/" : defaults[i]);
        }
        for (size_t i = 0; i < n_own; i++)
                if (strchr(spec->environment[i], '='))
                        list[n++] = spec->environment[i];
        list[n] = NULL;
        return list;
}

static const char *find_search(char *const *environment)
{
        const char *search = "/bin:/usr/bin"; /* as execvp(3) does without PATH */

        for (; *environment; environment++)
                if (g_str_has_prefix(*environment, "PATH="))
                        search = *environment + strlen("PATH=");
        return search;
}

/* An empty PATH finds nothing, nor does a name that no file can have: what is executed then does
 * not exist, and the error names the command. */
bool process_spec_foreach_exec_path(const ProcessSpec *spec, char *const *environment,
                                    ExecPathFunc function, void *data)
{
        const char *name = spec->argv[0], *search = find_search(environment);

        if (strchr(name, '/'))
                return function(NULL, 0, name, data);
        if (!*search || strlen(name) > NAME_MAX)
                return function("/nonexistent", strlen("/nonexistent"), name, data);
        for (unsigned i = 0; i < EXEC_PATHS_MAX; i++) {
                /* the last candidate is all that is left, with its colons: nothing that exists */
                size_t length = i == EXEC_PATHS_MAX - 1 ? strlen(search) : strcspn(search, ":");
                if (!function(length ? search : ".", length ? length : 1, name, data))
                        return false;
                if (!search[length])
                        break;
                search += length + 1;
        }
        return true;
}
