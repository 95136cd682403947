#include "dbus/spec-decode.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "dbus/options.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"
#include "service/util/fd.h"

static bool malformed(GError **error, int r, const char *what)
{
        return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, -r, "cannot read %s", what);
}

void spawn_fds_init(SpawnFds *fds)
{
        fds->n = 0;
        fds->root = -1;
}

void spawn_fds_clear(SpawnFds *fds)
{
        fd_clear(&fds->root);
        for (size_t i = 0; i < fds->n; i++)
                fd_close(fds->list[i].source);
        fds->n = 0;
}

/* -- bytes and lists of them -- */

/* `ay` or `s`, as a C string. One NUL at the end is what GLib's byte strings carry; one inside
 * would cut it short behind its caller's back. */
static bool read_bytes(sd_bus_message *message, char type, const char *what, char **ret,
                       GError **error)
{
        const void *bytes;
        size_t size;
        int r;

        if (type == 's') {
                const char *text;
                if ((r = sd_bus_message_read_basic(message, 's', &text)) < 0)
                        return malformed(error, r, what);
                *ret = g_strdup(text);
                return true;
        }
        if ((r = sd_bus_message_read_array(message, 'y', &bytes, &size)) < 0)
                return malformed(error, r, what);
        if (size > 0 && ((const char *) bytes)[size - 1] == '\0')
                size--;
        if (size > 0 && memchr(bytes, 0, size))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s contains a NUL byte", what);
        *ret = g_strndup(size ? bytes : "", size);
        return true;
}

/* `as` or `aay`. Stops at the limits: four million empty strings are read no further than that. */
static bool read_list(sd_bus_message *message, const char *element, const char *what, char ***ret,
                      GError **error)
{
        g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
        size_t total = 0;
        int r = sd_bus_message_enter_container(message, 'a', element);

        if (r < 0)
                return malformed(error, r, what);
        while ((r = sd_bus_message_at_end(message, false)) == 0) {
                char *string = NULL;
                if (list->len == ARGV_MAX)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s has more than the %u strings allowed", what, ARGV_MAX);
                if (!read_bytes(message, strcmp(element, "s") == 0 ? 's' : 'a', what, &string,
                                error))
                        return false;
                g_ptr_array_add(list, string);
                total += strlen(string) + 1;
                if (total > ARGV_BYTES_MAX)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s has more than the %u bytes allowed", what,
                                         ARGV_BYTES_MAX);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return malformed(error, r, what);
        g_ptr_array_add(list, NULL);
        *ret = (char **) g_ptr_array_steal(list, NULL);
        return true;
}

/* -- options -- */

static bool read_uint64(sd_bus_message *message, const char *what, uint64_t *ret, GError **error)
{
        int r = sd_bus_message_read_basic(message, 't', ret);

        return r < 0 ? malformed(error, r, what) : true;
}

static bool read_bool(sd_bus_message *message, const char *what, bool *ret, GError **error)
{
        int value, r = sd_bus_message_read_basic(message, 'b', &value);

        if (r < 0)
                return malformed(error, r, what);
        *ret = value;
        return true;
}

/* One of `words`, NULL-terminated; *ret is its place. */
static bool read_word(sd_bus_message *message, const char *what, const char *const *words,
                      unsigned *ret, GError **error)
{
        g_autofree char *word = NULL, *all = NULL;

        if (!read_bytes(message, 's', what, &word, error))
                return false;
        for (unsigned i = 0; words[i]; i++)
                if (strcmp(words[i], word) == 0) {
                        *ret = i;
                        return true;
                }
        all = g_strjoinv("', '", (char **) words);
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s is '%s', not one of '%s'", what,
                         word, all);
}

static bool decode_Id(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        return read_bytes(message, 's', "Id", &spec->id, error);
}

static bool decode_MemoryMax(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        if (!read_uint64(message, "MemoryMax", &spec->memory_max, error))
                return false;
        if (spec->memory_max == 0)
                spec->memory_max = UINT64_MAX;
        return true;
}

static bool decode_MemorySwapMax(sd_bus_message *message, RunSpec *spec, SpawnFds *fds,
                                 GError **error)
{
        spec->has_memory_swap_max = true;
        return read_uint64(message, "MemorySwapMax", &spec->memory_swap_max, error);
}

static bool decode_TasksMax(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        spec->has_tasks_max = true;
        return read_uint64(message, "TasksMax", &spec->tasks_max, error);
}

static bool decode_Environment(sd_bus_message *message, RunSpec *spec, SpawnFds *fds,
                               GError **error)
{
        return read_list(message, "ay", "Environment", &spec->environment, error);
}

static bool decode_WorkingDirectory(sd_bus_message *message, RunSpec *spec, SpawnFds *fds,
                                    GError **error)
{
        return read_bytes(message, 'a', "WorkingDirectory", &spec->working_directory, error);
}

static bool decode_Hostname(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        return read_bytes(message, 's', "Hostname", &spec->hostname, error);
}

/* One (ayaysas). */
static bool read_mount(sd_bus_message *message, MountSpec *ret, GError **error)
{
        g_autofree char *source = NULL, *target = NULL, *type = NULL;
        g_auto(GStrv) options = NULL;
        int r = sd_bus_message_enter_container(message, 'r', "ayaysas");

        if (r < 0)
                return malformed(error, r, "Mounts");
        if (!read_bytes(message, 'a', "a mount source", &source, error) ||
            !read_bytes(message, 'a', "a mount target", &target, error) ||
            !read_bytes(message, 's', "a mount type", &type, error) ||
            !read_list(message, "s", "mount options", &options, error))
                return false;
        if ((r = sd_bus_message_exit_container(message)) < 0)
                return malformed(error, r, "Mounts");
        const MountWords words = {source, target, type, options};
        return mount_spec_parse(&words, ret, error);
}

static bool decode_Mounts(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        int r = sd_bus_message_enter_container(message, 'a', "(ayaysas)");

        if (r < 0)
                return malformed(error, r, "Mounts");
        spec->mounts = g_new0(MountSpec, MOUNTS_MAX);
        while ((r = sd_bus_message_at_end(message, false)) == 0) {
                if (spec->n_mounts == MOUNTS_MAX)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Mounts has more than the %u allowed", MOUNTS_MAX);
                if (!read_mount(message, &spec->mounts[spec->n_mounts++], error))
                        return false;
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return malformed(error, r, "Mounts");
        return true;
}

/* Only kept: what it is, the look-up's child finds out, for its file system may never answer. */
static bool decode_RootFD(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        int fd, r = sd_bus_message_read_basic(message, 'h', &fd);

        if (r < 0)
                return malformed(error, r, "RootFD");
        if ((fds->root = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot keep RootFD");
        spec->has_root_fd = true;
        return true;
}

static bool decode_Terminal(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        return read_bool(message, "Terminal", &spec->terminal, error);
}

static bool decode_ReadOnlyRoot(sd_bus_message *message, RunSpec *spec, SpawnFds *fds,
                                GError **error)
{
        return read_bool(message, "ReadOnlyRoot", &spec->read_only_root, error);
}

static bool decode_UserNamespace(sd_bus_message *message, RunSpec *spec, SpawnFds *fds,
                                 GError **error)
{
        static const char *const modes[] = {[USER_NAMESPACE_AUTO] = "auto",
                                            [USER_NAMESPACE_SELF] = "self",
                                            [USER_NAMESPACE_HOST] = "host",
                                            NULL};
        unsigned mode;

        if (!read_word(message, "UserNamespace", modes, &mode, error))
                return false;
        spec->has_user_namespace = true;
        spec->user_namespace = (UserNamespaceMode) mode;
        return true;
}

static bool decode_Network(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        static const char *const modes[] = {"private", "host", NULL};
        unsigned mode;

        if (!read_word(message, "Network", modes, &mode, error))
                return false;
        spec->host_network = mode == 1;
        return true;
}

/* What is in the default set anyway adds nothing. */
static bool decode_Capabilities(sd_bus_message *message, RunSpec *spec, SpawnFds *fds,
                                GError **error)
{
        g_auto(GStrv) names = NULL;
        uint64_t bit;

        if (!read_list(message, "s", "Capabilities", &names, error))
                return false;
        for (char **name = names; *name; name++) {
                if (!capability_from_name(*name, &bit))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Capabilities: there is no capability '%s'", *name);
                spec->capabilities |= bit & ~CAPABILITIES_DEFAULT;
        }
        return true;
}

static bool decode_Seccomp(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        static const char *const modes[] = {"default", "unconfined", NULL};
        unsigned mode;

        if (!read_word(message, "Seccomp", modes, &mode, error))
                return false;
        spec->seccomp = mode == 0;
        return true;
}

static bool decode_NoNewPrivileges(sd_bus_message *message, RunSpec *spec, SpawnFds *fds,
                                   GError **error)
{
        return read_bool(message, "NoNewPrivileges", &spec->no_new_privileges, error);
}

static bool decode_WatchBus(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        return read_bool(message, "WatchBus", &spec->watch_bus, error);
}

static bool decode_Remove(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        return read_bool(message, "Remove", &spec->remove, error);
}

static const struct {
        const char *key, *signature;
        bool (*decode)(sd_bus_message *, RunSpec *, SpawnFds *, GError **);
} options[] = {
#define X(Key, signature, flag, metavar, help) {#Key, signature, decode_##Key},
        SPAWN_OPTIONS(X)
#undef X
};

static bool read_option(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, uint64_t *seen,
                        GError **error)
{
        const char *key, *contents;
        char type;
        int r = sd_bus_message_read_basic(message, 's', &key);

        if (r < 0)
                return malformed(error, r, "options");
        for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
                if (strcmp(options[i].key, key) != 0)
                        continue;
                if (*seen & UINT64_C(1) << i)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "option %s is given twice", key);
                *seen |= UINT64_C(1) << i;
                if ((r = sd_bus_message_peek_type(message, &type, &contents)) < 0)
                        return malformed(error, r, "options");
                if (strcmp(contents, options[i].signature) != 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "option %s has type '%s', not '%s'", key, contents,
                                         options[i].signature);
                if ((r = sd_bus_message_enter_container(message, 'v', contents)) < 0)
                        return malformed(error, r, key);
                if (!options[i].decode(message, spec, fds, error))
                        return false;
                r = sd_bus_message_exit_container(message);
                return r < 0 ? malformed(error, r, key) : true;
        }
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "unknown option '%s'", key);
}

static bool read_options(sd_bus_message *message, RunSpec *spec, SpawnFds *fds, GError **error)
{
        uint64_t seen = 0;
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                if (!read_option(message, spec, fds, &seen, error))
                        return false;
                r = sd_bus_message_exit_container(message);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return malformed(error, r, "options");
        return true;
}

/* -- fds -- */

/* What could be used to reach beyond what the fd itself gives: a directory, or a mere path. Its
 * file system is not asked, for it might never answer: the kernel knows the type. */
static bool check_fd(int fd, unsigned target, GError **error)
{
        struct statx status;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errno, "fd %u", target);
        if (flags & O_PATH)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "fd %u is open as a path only, not to read or write", target);
        if (S_ISDIR(status.stx_mode))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "fd %u is a directory", target);
        return true;
}

static bool read_fd(sd_bus_message *message, SpawnFds *fds, GError **error)
{
        uint32_t target;
        int fd, r = sd_bus_message_read(message, "uh", &target, &fd);

        if (r < 0)
                return malformed(error, r, "fds");
        if (fds->n == SPAWN_FDS_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "more than the %u fds allowed",
                                 SPAWN_FDS_MAX);
        if (target > SPAWN_FD_NUMBER_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "fd number %u is above %u",
                                 target, SPAWN_FD_NUMBER_MAX);
        for (size_t i = 0; i < fds->n; i++)
                if (fds->list[i].target == (int) target)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "fd number %u is given twice", target);
        if (!check_fd(fd, target, error))
                return false;
        if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot keep fd %u", target);
        fds->list[fds->n++] = (SandboxFd){.source = fd, .target = (int) target};
        return true;
}

static bool read_fds(sd_bus_message *message, SpawnFds *fds, GError **error)
{
        int r = sd_bus_message_enter_container(message, 'a', "{uh}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "uh")) > 0) {
                if (!read_fd(message, fds, error))
                        return false;
                r = sd_bus_message_exit_container(message);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return malformed(error, r, "fds");
        return true;
}

static bool check_terminal(const RunSpec *spec, const SpawnFds *fds, GError **error)
{
        for (size_t i = 0; spec->terminal && i < fds->n; i++)
                if (fds->list[i].target < 3)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Terminal and fd %d exclude each other",
                                         fds->list[i].target);
        return true;
}

/* -- methods -- */

bool spec_decode_run(sd_bus_message *message, RunSpec **ret, GError **error)
{
        g_autoptr(RunSpec) spec = run_spec_new();

        if (!read_bytes(message, 's', "rootfs", &spec->rootfs, error) ||
            !decode_MemoryMax(message, spec, NULL, error) ||
            !read_list(message, "s", "argv", &spec->argv, error) || !run_spec_validate(spec, error))
                return false;
        *ret = g_steal_pointer(&spec);
        return true;
}

bool spec_decode_spawn(sd_bus_message *message, RunSpec **ret, SpawnFds *fds, GError **error)
{
        g_autoptr(RunSpec) spec = run_spec_new();

        if (!read_bytes(message, 'a', "rootfs", &spec->rootfs, error) ||
            !read_list(message, "ay", "argv", &spec->argv, error) ||
            !read_fds(message, fds, error) || !read_options(message, spec, fds, error) ||
            !check_terminal(spec, fds, error) || !run_spec_validate(spec, error))
                return false;
        *ret = g_steal_pointer(&spec);
        return true;
}
