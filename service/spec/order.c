#include "service/spec/order.h"

#include <string.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/capability.h"
#include "service/util/fd.h"

Order *order_new(void)
{
        Order *order = g_new0(Order, 1);

        order->status_fd = -1;
        process_spec_init(&order->process);
        tree_spec_init(&order->tree);
        resources_init(&order->resources);
        return order;
}

void order_add_fd(Order *order, int source, int target)
{
        order->fds = g_renew(OrderFd, order->fds, order->n_fds + 1);
        order->fds[order->n_fds++] = (OrderFd){source, target};
}

void order_close_fds(Order *order)
{
        tree_spec_close(&order->tree);
        for (size_t i = 0; i < order->n_fds; i++)
                fd_clear(&order->fds[i].source);
}

void order_free(Order *order)
{
        if (!order)
                return;
        order_close_fds(order);
        fd_close(order->status_fd);
        process_spec_clear(&order->process);
        tree_spec_clear(&order->tree);
        credentials_free(order->owner);
        g_free(order->id);
        g_free(order->watcher);
        g_strfreev(order->labels);
        g_clear_pointer(&order->made_with, g_variant_unref);
        g_free(order->fds);
        g_free(order);
}

bool order_id_is_valid(const char *id)
{
        size_t length = strlen(id);

        if (length == 0 || length > ID_LENGTH_MAX || !g_ascii_isalnum(id[0]))
                return false;
        for (const char *c = id; *c; c++)
                if (!g_ascii_isalnum(*c) && !strchr("_.-", *c))
                        return false;
        return true;
}

static bool check_id(const Order *order, GError **error)
{
        return !order->id || order_id_is_valid(order->id) ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "Id must match [a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}");
}

static bool check_terminal(const Order *order, GError **error)
{
        for (size_t i = 0; order->process.attributes.terminal && i < order->n_fds; i++)
                if (order->fds[i].target < 3)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "Terminal and fd %d exclude each other",
                                         order->fds[i].target);
        return true;
}

static bool check_watch(const Order *order, GError **error)
{
        if (!order->watch_fd)
                return true;
        if (order->status_fd < 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "WatchFD needs StatusFD");
        return !order->status_is_read ||
               error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                         "WatchFD needs a StatusFD that is open to be written alone: this one is "
                         "its own reader");
}

bool order_validate_process(const Order *order, GError **error)
{
        return check_terminal(order, error) && process_spec_validate(&order->process, error);
}

/* The content of each file that is to come from an fd: one of the order's, and no other file's. */
static bool check_file_fds(const Order *order, GError **error)
{
        const TreeSpec *tree = &order->tree;
        bool taken[SPAWN_FD_NUMBER_MAX + 1] = {false};

        for (size_t i = 0; i < tree->n_mounts; i++) {
                const MountSpec *mount = &tree->mounts[i];
                bool found = mount->type != MOUNT_TYPE_DATA_FD;
                for (size_t k = 0; k < order->n_fds && !found; k++)
                        found = order->fds[k].target == (int) mount->fd;
                if (!found || (mount->type == MOUNT_TYPE_DATA_FD && taken[mount->fd]))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "the content of '%s' is to come from fd %u, which %s",
                                         mount->target, mount->fd,
                                         found ? "another file has taken" : "there is not");
                if (mount->type == MOUNT_TYPE_DATA_FD)
                        taken[mount->fd] = true;
        }
        return true;
}

bool order_validate(const Order *order, GError **error)
{
        return check_watch(order, error) && check_id(order, error) &&
               tree_spec_validate(&order->tree, error) && check_file_fds(order, error) &&
               order_validate_process(order, error) && resources_validate(&order->resources, error);
}

/* What only root can ask for: to be spared by the OOM killer, or that a crash of the command starts
 * the host's handler. */
static void add_attributes(GStrvBuilder *list, const ProcessAttributes *attributes)
{
        const ProcessLimit *core = &attributes->limits[PROCESS_LIMIT_CORE];

        if (attributes->oom_score_adjust < 0) {
                g_autofree char *text =
                        g_strdup_printf("OOMScoreAdjust=%d", attributes->oom_score_adjust);
                g_strv_builder_add(list, text);
        }
        if (core->is_given && core->hard > 1)
                g_strv_builder_add(list, "LimitCORE");
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

/* Whoever made the network's user namespace may do there whatever a container could. */
static bool has_others_network(const Order *order)
{
        const NetworkNamespace *network = &order->tree.network_namespace;

        return network->is_given &&
               !(network->has_owner && order->owner && network->owner == order->owner->uid);
}

char **order_deviations(const Order *order)
{
        static const char *const user_namespaces[] = {[USER_NAMESPACE_SELF] = "UserNamespace=self",
                                                      [USER_NAMESPACE_HOST] = "UserNamespace=host",
                                                      [USER_NAMESPACE_KEEP_ID] =
                                                              "UserNamespace=keep-id"};
        const ProcessSpec *process = &order->process;
        const TreeSpec *tree = &order->tree;
        g_autoptr(GStrvBuilder) list = g_strv_builder_new();
        g_autofree char *capabilities =
                process->capabilities ? list_capabilities(process->capabilities) : NULL;

        if (tree->user_namespace != USER_NAMESPACE_AUTO)
                g_strv_builder_add(list, user_namespaces[tree->user_namespace]);
        if (tree->host_network)
                g_strv_builder_add(list, "Network=host");
        if (has_others_network(order))
                g_strv_builder_add(list, "NetworkNamespaceFD=privileged");
        if (capabilities)
                g_strv_builder_add(list, capabilities);
        if (!process->seccomp)
                g_strv_builder_add(list, "Seccomp=unconfined");
        if (!process->no_new_privileges)
                g_strv_builder_add(list, "NoNewPrivileges=no");
        if (tree_spec_root_writes_to_host(tree))
                g_strv_builder_add(list, "ReadOnlyRoot=no");
        if (tree_spec_has_privileged_mount(tree) || tree_spec_uncovers(tree))
                g_strv_builder_add(list, "Mounts=privileged");
        add_attributes(list, &process->attributes);
        return g_strv_builder_end(list);
}

bool order_fd_is_file(const Order *order, int target)
{
        for (size_t i = 0; i < order->tree.n_mounts; i++)
                if (order->tree.mounts[i].type == MOUNT_TYPE_DATA_FD &&
                    (int) order->tree.mounts[i].fd == target)
                        return true;
        return false;
}

/* A volatile root does not qualify: its lower tree is read with root's rights where the file system
 * has a mind of its own about the caller's. Nor does what takes memory from others. */
static bool has_no_more_than_caller(const Order *order)
{
        g_auto(GStrv) deviations = order_deviations(order);

        return order->owner->uid != 0 && order->tree.user_namespace == USER_NAMESPACE_KEEP_ID &&
               g_strv_length(deviations) == 1 && /* that */
               !order->tree.is_volatile && order->process.seccomp_strict &&
               order->process.bounding_set == 0 && order->resources.memory_low == 0;
}

bool order_qualifies_as_sandbox(const Order *order)
{
        return order->owner && order->watch_bus && has_no_more_than_caller(order);
}

uint64_t order_memory_max(const Order *order, bool as_sandbox)
{
        return as_sandbox && !order->resources.has_memory_max ? SANDBOX_MEMORY_MAX_DEFAULT
                                                              : order->resources.memory_max;
}

void order_make_sandbox(Order *order)
{
        order->is_sandbox = true;
        order->resources.memory_max = order_memory_max(order, true);
}

bool order_is_privileged(const Order *order)
{
        return tree_spec_has_privileged_mount(&order->tree) || tree_spec_uncovers(&order->tree) ||
               order->tree.user_namespace == USER_NAMESPACE_HOST || order->tree.host_network ||
               has_others_network(order) || order->process.capabilities ||
               !order->process.seccomp || !order->process.no_new_privileges;
}
