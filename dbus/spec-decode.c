#include "dbus/spec-decode.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dbus/arguments.h"
#include "dbus/options.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"

/* -- one fd -- */

/* Refuses an fd by which more can be reached than the fd itself gives: a directory, or a mere path.
 * Does not ask the file system, which might never answer: the kernel knows the type. */
static bool check_fd(int fd, const char *what, GError **error)
{
        struct statx status;
        int flags = fcntl(fd, F_GETFL);

        if (flags < 0 || statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &status) < 0)
                return error_set_errno(error, RUNTIME_ERROR_INVALID_ARGS, errno, "%s", what);
        if (flags & O_PATH)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "%s is open as a path only, not to read or write", what);
        if (S_ISDIR(status.stx_mode))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s is a directory", what);
        return true;
}

static bool has_fd(const Order *order, unsigned target)
{
        for (size_t i = 0; i < order->n_fds; i++)
                if (order->fds[i].target == (int) target)
                        return true;
        return false;
}

/* Reads an fd that becomes `target` inside. */
static bool take_fd(sd_bus_message *message, Order *order, unsigned target, const char *what,
                    GError **error)
{
        int fd;

        if (!arguments_read_fd(message, what, &fd, error))
                return false;
        if (order->n_fds == SPAWN_FDS_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "more than the %u fds allowed",
                                 SPAWN_FDS_MAX);
        if (!check_fd(fd, what, error))
                return false;
        if ((fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot keep %s", what);
        order_add_fd(order, fd, (int) target);
        return true;
}

/* -- options -- */

/* Decodes an option that is read as it is, into one field of the order. */
#define DECODE(Key, reader, field)                                                                 \
        static bool decode_##Key(sd_bus_message *message, Order *order, GError **error)            \
        {                                                                                          \
                return reader(message, #Key, &order->field, error);                                \
        }

static bool read_string(sd_bus_message *message, const char *what, char **ret, GError **error)
{
        return arguments_read_bytes(message, 's', what, ret, error);
}

static bool read_path(sd_bus_message *message, const char *what, char **ret, GError **error)
{
        return arguments_read_bytes(message, 'a', what, ret, error);
}

static bool read_byte_strings(sd_bus_message *message, const char *what, char ***ret,
                              GError **error)
{
        return arguments_read_list(message, "ay", what, ret, error);
}

DECODE(Id, read_string, id)
DECODE(Environment, read_byte_strings, process.environment)
DECODE(WorkingDirectory, read_path, process.working_directory)
DECODE(Hostname, read_string, tree.hostname)
DECODE(Terminal, arguments_read_bool, process.attributes.terminal)
DECODE(ReadOnlyRoot, arguments_read_bool, tree.read_only_root)
DECODE(NoNewPrivileges, arguments_read_bool, process.no_new_privileges)
DECODE(WatchBus, arguments_read_bool, watch_bus)
DECODE(Remove, arguments_read_bool, remove)

static bool decode_MemoryMax(sd_bus_message *message, Order *order, GError **error)
{
        uint64_t *max = &order->resources.memory_max;

        if (!arguments_read_uint64(message, "MemoryMax", max, error))
                return false;
        if (*max == 0)
                *max = UINT64_MAX;
        return true;
}

static bool decode_MemorySwapMax(sd_bus_message *message, Order *order, GError **error)
{
        order->resources.has_memory_swap_max = true;
        return arguments_read_uint64(message, "MemorySwapMax", &order->resources.memory_swap_max,
                                     error);
}

static bool decode_TasksMax(sd_bus_message *message, Order *order, GError **error)
{
        order->resources.has_tasks_max = true;
        return arguments_read_uint64(message, "TasksMax", &order->resources.tasks_max, error);
}

static bool decode_UMask(sd_bus_message *message, Order *order, GError **error)
{
        uint32_t *umask = &order->process.attributes.umask;
        int r = sd_bus_message_read_basic(message, 'u', umask);

        if (r < 0)
                return arguments_malformed(error, r, "UMask");
        return *umask <= 0777 ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS, "UMask is 0%o, not 0 to 0777", *umask);
}

/* Reads one (ayaysas). */
static bool read_mount(sd_bus_message *message, MountSpec *ret, GError **error)
{
        g_autofree char *source = NULL, *target = NULL, *type = NULL;
        g_autofree char **options = NULL;
        int r = sd_bus_message_enter_container(message, 'r', "ayaysas");

        if (r < 0)
                return arguments_malformed(error, r, "Mounts");
        if (!arguments_read_bytes(message, 'a', "a mount source", &source, error) ||
            !arguments_read_bytes(message, 'a', "a mount target", &target, error) ||
            !arguments_read_bytes(message, 's', "a mount type", &type, error) ||
            !arguments_read_list(message, "s", "mount options", &options, error))
                return false;
        if ((r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "Mounts");
        const MountWords words = {source, target, type, options};
        return mount_spec_parse(&words, ret, error);
}

static bool decode_Mounts(sd_bus_message *message, Order *order, GError **error)
{
        int r = sd_bus_message_enter_container(message, 'a', "(ayaysas)");

        if (r < 0)
                return arguments_malformed(error, r, "Mounts");
        TreeSpec *tree = &order->tree;
        tree->mounts = g_new(MountSpec, MOUNTS_MAX);
        while ((r = sd_bus_message_at_end(message, false)) == 0) {
                if (tree->n_mounts == MOUNTS_MAX)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Mounts has more than the %u allowed", MOUNTS_MAX);
                mount_spec_init(&tree->mounts[tree->n_mounts]);
                if (!read_mount(message, &tree->mounts[tree->n_mounts++], error))
                        return false;
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "Mounts");
        return true;
}

/* Only keeps the fd. What it is, the look-up's child finds out, for its file system may never
 * answer. */
static bool decode_RootFD(sd_bus_message *message, Order *order, GError **error)
{
        int fd;

        if (!arguments_read_fd(message, "RootFD", &fd, error))
                return false;
        if ((order->tree.root.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3)) < 0)
                return error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                       "cannot keep RootFD");
        order->tree.has_root_fd = true;
        return true;
}

/* The fds have been read before the options. */
static bool take_standard_fd(sd_bus_message *message, Order *order, unsigned target,
                             const char *what, GError **error)
{
        return has_fd(order, target)
                       ? error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                   "%s and fd %u are both given: they are the same descriptor",
                                   what, target)
                       : take_fd(message, order, target, what, error);
}

#define DECODE_STANDARD(Key, target)                                                               \
        static bool decode_##Key(sd_bus_message *message, Order *order, GError **error)            \
        {                                                                                          \
                return take_standard_fd(message, order, target, #Key, error);                      \
        }

DECODE_STANDARD(StandardInput, STDIN_FILENO)
DECODE_STANDARD(StandardOutput, STDOUT_FILENO)
DECODE_STANDARD(StandardError, STDERR_FILENO)

static bool decode_UserNamespace(sd_bus_message *message, Order *order, GError **error)
{
        static const char *const modes[] = {[USER_NAMESPACE_AUTO] = "auto",
                                            [USER_NAMESPACE_SELF] = "self",
                                            [USER_NAMESPACE_HOST] = "host",
                                            NULL};
        unsigned mode;

        if (!arguments_read_word(message, "UserNamespace", modes, &mode, error))
                return false;
        order->tree.has_user_namespace = true;
        order->tree.user_namespace = (UserNamespaceMode) mode;
        return true;
}

static bool decode_Network(sd_bus_message *message, Order *order, GError **error)
{
        static const char *const modes[] = {"private", "host", NULL};
        unsigned mode;

        if (!arguments_read_word(message, "Network", modes, &mode, error))
                return false;
        order->tree.host_network = mode == 1;
        return true;
}

/* What is in the default set anyway adds nothing. */
static bool decode_Capabilities(sd_bus_message *message, Order *order, GError **error)
{
        g_autofree char **names = NULL;
        uint64_t bit;

        if (!arguments_read_list(message, "s", "Capabilities", &names, error))
                return false;
        for (char **name = names; *name; name++) {
                if (!capability_from_name(*name, &bit))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Capabilities: there is no capability '%s'", *name);
                order->process.capabilities |= bit & ~CAPABILITIES_DEFAULT;
        }
        return true;
}

static bool decode_Seccomp(sd_bus_message *message, Order *order, GError **error)
{
        static const char *const modes[] = {"default", "unconfined", NULL};
        unsigned mode;

        if (!arguments_read_word(message, "Seccomp", modes, &mode, error))
                return false;
        order->process.seccomp = mode == 0;
        return true;
}

static const struct {
        const char *key, *signature;
        bool (*decode)(sd_bus_message *, Order *, GError **);
} options[] = {
#define X(Key, signature, flag, metavar, help) {#Key, signature, decode_##Key},
        SPAWN_OPTIONS(X)
#undef X
};

static bool read_option(sd_bus_message *message, Order *order, uint64_t *seen, GError **error)
{
        const char *key, *contents;
        char type;
        int r = sd_bus_message_read_basic(message, 's', &key);

        if (r < 0)
                return arguments_malformed(error, r, "options");
        for (size_t i = 0; i < G_N_ELEMENTS(options); i++) {
                if (strcmp(options[i].key, key) != 0)
                        continue;
                if (*seen & UINT64_C(1) << i)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "option %s is given twice", key);
                *seen |= UINT64_C(1) << i;
                if ((r = sd_bus_message_peek_type(message, &type, &contents)) < 0)
                        return arguments_malformed(error, r, "options");
                if (strcmp(contents, options[i].signature) != 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "option %s has type '%s', not '%s'", key, contents,
                                         options[i].signature);
                if ((r = sd_bus_message_enter_container(message, 'v', contents)) < 0)
                        return arguments_malformed(error, r, key);
                if (!options[i].decode(message, order, error))
                        return false;
                r = sd_bus_message_exit_container(message);
                return r < 0 ? arguments_malformed(error, r, key) : true;
        }
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "unknown option '%s'", key);
}

static bool read_options(sd_bus_message *message, Order *order, GError **error)
{
        uint64_t seen = 0;
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
                if (!read_option(message, order, &seen, error))
                        return false;
                r = sd_bus_message_exit_container(message);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "options");
        return true;
}

/* -- fds -- */

static bool read_fd(sd_bus_message *message, Order *order, GError **error)
{
        char what[16];
        uint32_t target;
        int r = sd_bus_message_read_basic(message, 'u', &target);

        if (r < 0)
                return arguments_malformed(error, r, "fds");
        if (target > SPAWN_FD_NUMBER_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "fd number %u is above %u",
                                 target, SPAWN_FD_NUMBER_MAX);
        if (has_fd(order, target))
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "fd number %u is given twice",
                                 target);
        g_snprintf(what, sizeof what, "fd %u", target);
        return take_fd(message, order, target, what, error);
}

static bool read_fds(sd_bus_message *message, Order *order, GError **error)
{
        int r = sd_bus_message_enter_container(message, 'a', "{uh}");

        while (r >= 0 && (r = sd_bus_message_enter_container(message, 'e', "uh")) > 0) {
                if (!read_fd(message, order, error))
                        return false;
                r = sd_bus_message_exit_container(message);
        }
        if (r < 0 || (r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "fds");
        return true;
}

/* -- methods -- */

bool spec_decode_run(sd_bus_message *message, Order **ret, GError **error)
{
        g_autoptr(Order) order = order_new();

        if (!arguments_read_bytes(message, 's', "rootfs", &order->tree.rootfs, error) ||
            !decode_MemoryMax(message, order, error) ||
            !arguments_read_list(message, "s", "argv", &order->process.argv, error) ||
            !order_validate(order, error))
                return false;
        *ret = g_steal_pointer(&order);
        return true;
}

bool spec_decode_spawn(sd_bus_message *message, Order **ret, GError **error)
{
        g_autoptr(Order) order = order_new();

        if (!arguments_read_bytes(message, 'a', "rootfs", &order->tree.rootfs, error) ||
            !arguments_read_list(message, "ay", "argv", &order->process.argv, error) ||
            !read_fds(message, order, error) || !read_options(message, order, error) ||
            !order_validate(order, error))
                return false;
        *ret = g_steal_pointer(&order);
        return true;
}
