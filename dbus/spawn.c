#include "dbus/spawn.h"

#include <string.h>

#include "dbus/connection/error-map.h"
#include "dbus/connection/unconfined.h"
#include "dbus/paths.h"
#include "dbus/server.h"
#include "dbus/decode/made-with.h"
#include "dbus/decode/spec-decode.h"
#include "polkit/actions.h"
#include "service/rootfs/id-map.h"
#include "service/rootfs/lookup.h"
#include "service/rootfs/mount.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

/* A call of Run, Spawn or Create, on its way to a container. */
typedef struct Spawn {
        Server *server;
        Request *request;
        Order *order;
} Spawn;

static Spawn *spawn_new(Server *server, Request *request, Order *order)
{
        Spawn *spawn = g_new(Spawn, 1);

        *spawn = (Spawn){server, request, order};
        return spawn;
}

static void spawn_free(void *data)
{
        Spawn *spawn = data;

        order_free(spawn->order);
        g_free(spawn);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Spawn, spawn_free)

static void on_spawned(Container *container, GError *error, void *data)
{
        Request *request = data;

        if (error) {
                request_refuse(request, error);
                return;
        }
        g_autofree char *path = path_of_container(container_info(container));
        request_done(request, "o", path);
}

static void on_authorized(Request *request, void *data)
{
        g_autoptr(Spawn) spawn = data;
        Server *server = spawn->server;
        Order *order = spawn->order;

        order->made_with = made_with_read(request_message(request), order);
        if (order->watch_bus && !server->options.peer)
                order->watcher = waiting_watcher(
                        server->options.bus, sd_bus_message_get_sender(request_message(request)));
        manager_create(server->manager, g_steal_pointer(&spawn->order), on_spawned, request);
}

/* Quotes as for a shell, so that only equal commands look alike. */
char *spawn_quote(char *const *argv)
{
        GString *text = g_string_new(NULL);

        for (; *argv; argv++) {
                g_autofree char *word = g_shell_quote(*argv);
                bool is_plain = **argv &&
                                strspn(*argv, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                              "0123456789_-./:=@%+,") == strlen(*argv);
                g_string_append_printf(text, "%s%s", text->len ? " " : "", is_plain ? *argv : word);
        }
        return g_string_free(text, FALSE);
}

/* Takes over the places that the look-up found. A rule of polkit's must judge what will run, not
 * how it was spelled: a tree given as an fd gets the path that it has now, and goes by that path
 * from here on. */
static bool take_found(Order *order, Place *found, GError **error)
{
        TreeSpec *tree = &order->tree;

        if (!tree->empty_root) {
                fd_close(tree->root.fd); /* the caller's RootFD, in favour of the look-up's fd */
                tree->root = *found++;
        }
        for (size_t i = 0; i < tree->n_mounts; i++) {
                MountSpec *mount = &tree->mounts[i];
                if (!mount_spec_is_bind(mount))
                        continue;
                mount->place = *found++;
                mount->is_absent = mount->place.fd < 0;
                /* with its own ids the container can write just where its caller can */
                mount->is_privileged = mount_spec_writes_to_host(mount) &&
                                       tree->user_namespace != USER_NAMESPACE_KEEP_ID &&
                                       !id_map_is_own(order->owner, mount->place.uid);
                mount->uncovers = mount->type == MOUNT_TYPE_BIND_ONE && !mount->is_absent &&
                                  mount->place.is_directory && order->owner->uid != 0 &&
                                  rootfs_has_mounts(mount->place.fd);
        }
        if (!tree->has_root_fd)
                return true;
        g_free(tree->rootfs);
        tree->rootfs = rootfs_path_of(tree->root.fd);
        return tree->rootfs || error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
                                         "RootFD is not reachable by a path any more");
}

static char *path_for_rule(int fd, const char *noun, const char *path, GError **error)
{
        char *now = rootfs_path_of(fd);

        if (!now)
                error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
                          "%s '%s' is not reachable by a path any more", noun, path);
        return now;
}

/* The path that the root tree has now; no path has the words for an empty root. Owned. */
static char *describe_root(const TreeSpec *tree, GError **error)
{
        return tree->empty_root ? g_strdup("an empty root")
                                : path_for_rule(tree->root.fd, "rootfs", tree->rootfs, error);
}

/* What comes first in the description of a mount: the path that its source has now, or its type,
 * which has no slash in front. Owned; NULL on error. */
static char *describe_source(const MountSpec *mount, GError **error)
{
        if (mount_spec_is_bind(mount))
                return path_for_rule(mount->place.fd, "mount source", mount->source, error);
        return mount->type == MOUNT_TYPE_SYMLINK ? g_strdup_printf("symlink=%s", mount->source)
                                                 : g_strdup(mount_spec_type_name(mount));
}

/* "/srv/data:/data:ro tmpfs:/scratch:rw", each word quoted where it has to be. */
static char *describe_mounts(const TreeSpec *tree, GError **error)
{
        g_auto(GStrv) words = g_new0(char *, tree->n_mounts + 1);
        size_t n = 0;

        for (size_t i = 0; i < tree->n_mounts; i++) {
                const MountSpec *mount = &tree->mounts[i];
                if (mount->is_absent)
                        continue;
                g_autofree char *source = describe_source(mount, error);
                if (!source)
                        return NULL;
                words[n++] = g_strdup_printf("%s:%s:%s", source, mount->target,
                                             mount->read_only ? "ro" : "rw");
        }
        return spawn_quote(words);
}

static char *describe_memory(uint64_t max)
{
        return max == UINT64_MAX ? g_strdup("infinity")
                                 : g_strdup_printf("%" G_GUINT64_FORMAT, max);
}

static bool may_be_sandbox(const Spawn *spawn)
{
        const Credentials *caller = spawn->order->owner;

        return order_qualifies_as_sandbox(spawn->order) && caller_is_unconfined(caller) &&
               (caller->has_process_fd || !spawn->server->options.sandbox_needs_process_fd);
}

/* Who confines itself while polkit is asked is not the caller that polkit was asked about. */
static void on_sandbox(Request *request, void *data)
{
        g_autoptr(Spawn) spawn = data;
        g_autoptr(GError) error = NULL;

        if (may_be_sandbox(spawn)) {
                order_make_sandbox(spawn->order);
                on_authorized(request, g_steal_pointer(&spawn));
                return;
        }
        error_set(&error, RUNTIME_ERROR_ACCESS_DENIED,
                  "the caller has ended or has less rights than when polkit was asked");
        request_refuse(request, error);
}

static void ask_or_fail(Spawn *consumed, const char *action);

static void on_no_sandbox(Request *request, void *data)
{
        ask_or_fail(data, ACTION_RUN);
}

static void put_question(Spawn *consumed, const char *action, const char *const *details)
{
        bool is_sandbox = strcmp(action, ACTION_SANDBOX) == 0;

        request_authorize(consumed->request,
                          &(RequestQuestion){
                                  .action = action,
                                  .details = details,
                                  .is_quiet = is_sandbox,
                                  .goes_on = is_sandbox,
                                  .next = is_sandbox ? on_sandbox : on_authorized,
                                  .refused = is_sandbox ? on_no_sandbox : NULL,
                                  .free_data = spawn_free,
                                  .data = consumed,
                          });
}

static void ask(Spawn *consumed, const char *action, GError **error)
{
        g_autoptr(Spawn) spawn = consumed;
        const Order *order = spawn->order;
        bool is_sandbox = strcmp(action, ACTION_SANDBOX) == 0;
        g_auto(CallerWords) caller = {0};
        if (is_sandbox)
                caller_describe(order->owner, &caller);
        g_autofree char *tree = describe_root(&order->tree, error);
        g_autofree char *mounts = tree ? describe_mounts(&order->tree, error) : NULL;
        g_autofree char *command = spawn_quote(order->process.argv);
        g_auto(GStrv) deviations = order_deviations(order);
        g_autofree char *deviations_line = g_strjoinv(" ", deviations);
        g_autofree char *memory = describe_memory(order_memory_max(order, is_sandbox));
        const char *const details[] = {
                DETAIL_ROOTFS,
                tree,
                DETAIL_COMMAND_LINE,
                command,
                DETAIL_MEMORY_MAX,
                memory,
                DETAIL_MOUNTS,
                mounts,
                DETAIL_ID,
                order->id ? order->id : "",
                DETAIL_DEVIATIONS,
                deviations_line,
                DETAIL_VERB,
                sd_bus_message_get_member(request_message(spawn->request)),
                is_sandbox ? DETAIL_EXECUTABLE : NULL,
                caller.executable,
                DETAIL_UNIT,
                caller.unit,
                DETAIL_LABEL,
                caller.label,
                NULL,
        };

        if (mounts)
                put_question(g_steal_pointer(&spawn), action, details);
}

static void ask_or_fail(Spawn *consumed, const char *action)
{
        g_autoptr(GError) error = NULL;
        Request *request = consumed->request;

        ask(consumed, action, &error);
        if (error)
                request_fail(request, error);
}

static void on_tree(Place *found, GError *error, void *data)
{
        g_autoptr(Spawn) spawn = data;
        g_autoptr(GError) gone = NULL;
        Request *request = spawn->request;

        request_set_lookup(request, NULL, NULL, NULL);
        if (error || !take_found(spawn->order, found, &gone)) {
                request_refuse(request, error ? error : gone);
                return;
        }
        if (!request_is_asked(request)) {
                on_authorized(request, g_steal_pointer(&spawn));
                return;
        }
        const char *action = order_is_privileged(spawn->order) ? ACTION_RUN_PRIVILEGED
                             : may_be_sandbox(spawn)           ? ACTION_SANDBOX
                                                               : ACTION_RUN;
        ask_or_fail(g_steal_pointer(&spawn), action);
}

/* Lists the root tree, if there is one, and the sources of mounts. */
static size_t list_sources(const TreeSpec *tree, RootfsSource sources[1 + MOUNTS_MAX])
{
        size_t n = 0;

        if (!tree->empty_root)
                sources[n++] = (RootfsSource){.path = tree->has_root_fd ? NULL : tree->rootfs,
                                              .fd = tree->root.fd,
                                              .is_tree = true};
        for (size_t i = 0; i < tree->n_mounts; i++)
                if (mount_spec_is_bind(&tree->mounts[i]))
                        sources[n++] = (RootfsSource){.path = tree->mounts[i].source,
                                                      .is_optional = tree->mounts[i].is_optional};
        return n;
}

static void look_up(Spawn *spawn)
{
        RootfsSource sources[1 + MOUNTS_MAX];
        const TreeSpec *tree = &spawn->order->tree;
        Credentials *owner = spawn->order->owner;
        bool asks_for_group = tree->user_namespace == USER_NAMESPACE_KEEP_ID &&
                              !id_map_knows_primary_group(owner);
        const RootfsRequest request = {.sources = sources,
                                       .n = list_sources(tree, sources),
                                       .owner = owner,
                                       .learns = asks_for_group ? owner : NULL};

        if (request.n == 0 && !request.learns) {
                on_tree(NULL, NULL, spawn);
                return;
        }
        Request *waiting = spawn->request;
        RootfsLookup *lookup = rootfs_lookup(spawn->server->lookups, &request, on_tree, spawn);
        if (lookup) /* else on_tree() was called already, and has freed it */
                request_set_lookup(waiting, lookup, spawn_free, spawn);
}

/* Admits the order, which is consumed, and begins to look up its trees. */
static int begin(Server *server, sd_bus_message *message, sd_bus_message_handler_t again,
                 Order *consumed, sd_bus_error *ret_error)
{
        g_autoptr(Order) order = consumed;
        GError *error = NULL;
        const Credentials *caller = callers_get(server->callers, message, &error);
        Request *request;

        if (caller)
                order->owner = credentials_copy(caller);
        /* an order that cannot be admitted is not worth a password */
        if (!caller || !manager_admit(server->manager, order, &error) ||
            !request_new(server->requests, message, caller, again, &request, &error))
                return error_map_set(ret_error, error);
        if (!request)
                return 1;
        look_up(spawn_new(server, request, g_steal_pointer(&order)));
        return 1;
}

int spawn_method_run(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Order *order = NULL;
        GError *error = NULL;

        if (!spec_decode_run(message, &order, &error))
                return error_map_set(ret_error, error);
        order->execute = true;
        return begin(data, message, spawn_method_run, order, ret_error);
}

int spawn_method_spawn(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Order *order = NULL;
        GError *error = NULL;

        if (!spec_decode_spawn(message, &order, &error))
                return error_map_set(ret_error, error);
        order->execute = strcmp(sd_bus_message_get_member(message), "Spawn") == 0;
        return begin(data, message, spawn_method_spawn, order, ret_error);
}
