#include <errno.h>
#include <fcntl.h>

#include "dbus/decode/arguments.h"
#include "dbus/decode/decoders.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"

DECODE(Hostname, arguments_read_string, tree.hostname)
DECODE(EmptyRoot, arguments_read_bool, tree.empty_root)
DECODE(Volatile, arguments_read_bool, tree.is_volatile)

bool decode_ReadOnlyRoot(sd_bus_message *message, Order *order, GError **error)
{
        order->tree.has_read_only_root = true;
        return arguments_read_bool(message, "ReadOnlyRoot", &order->tree.read_only_root, error);
}

bool decode_RootSize(sd_bus_message *message, Order *order, GError **error)
{
        order->tree.has_root_size = true;
        return arguments_read_uint64(message, "RootSize", &order->tree.root_size, error);
}

/* Reads one (ayaysas). The source may be the content of a file. */
static bool read_mount(sd_bus_message *message, MountSpec *ret, GError **error)
{
        g_autofree char *target = NULL, *type = NULL;
        g_autofree char **options = NULL;
        const void *source;
        size_t size;
        int r = sd_bus_message_enter_container(message, 'r', "ayaysas");

        if (r >= 0)
                r = sd_bus_message_read_array(message, 'y', &source, &size);
        if (r < 0)
                return arguments_malformed(error, r, "Mounts");
        if (!arguments_read_bytes(message, 'a', "a mount target", &target, error) ||
            !arguments_read_bytes(message, 's', "a mount type", &type, error) ||
            !arguments_read_list(message, "s", "mount options", &options, error))
                return false;
        if ((r = sd_bus_message_exit_container(message)) < 0)
                return arguments_malformed(error, r, "Mounts");
        const MountWords words = {source, size, target, type, options};
        return mount_spec_parse(&words, ret, error);
}

bool decode_Mounts(sd_bus_message *message, Order *order, GError **error)
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
bool decode_RootFD(sd_bus_message *message, Order *order, GError **error)
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

bool decode_UserNamespace(sd_bus_message *message, Order *order, GError **error)
{
        static const char *const modes[] = {[USER_NAMESPACE_AUTO] = "auto",
                                            [USER_NAMESPACE_SELF] = "self",
                                            [USER_NAMESPACE_HOST] = "host",
                                            [USER_NAMESPACE_KEEP_ID] = "keep-id",
                                            NULL};
        unsigned mode;

        if (!arguments_read_word(message, "UserNamespace", modes, &mode, error))
                return false;
        order->tree.has_user_namespace = true;
        order->tree.user_namespace = (UserNamespaceMode) mode;
        return true;
}

bool decode_Network(sd_bus_message *message, Order *order, GError **error)
{
        static const char *const modes[] = {"private", "host", NULL};
        unsigned mode;

        if (!arguments_read_word(message, "Network", modes, &mode, error))
                return false;
        order->tree.has_network = true;
        order->tree.host_network = mode == 1;
        return true;
}
