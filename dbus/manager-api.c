#include <string.h>

#include "dbus/error-map.h"
#include "dbus/names.h"
#include "dbus/server-internal.h"
#include "dbus/spec-decode.h"
#include "polkit/actions.h"
#include "service/rootfs/id-map.h"
#include "service/rootfs/lookup.h"
#include "service/util/fd.h"

/* -- Run, Spawn, Create: decode, look the tree up, ask, create, answer -- */

typedef struct Spawn {
        Request *request;
        RunSpec *spec;
        SpawnFds fds;
        RootfsFound tree;
        RootfsFound sources[MOUNTS_MAX]; /* of the spec's mounts; of a tmpfs, fd is -1 */
        bool execute;
} Spawn;

static Spawn *spawn_new(bool execute)
{
        Spawn *spawn = g_new0(Spawn, 1);

        spawn_fds_init(&spawn->fds);
        spawn->tree.fd = -1;
        for (size_t i = 0; i < MOUNTS_MAX; i++)
                spawn->sources[i].fd = -1;
        spawn->execute = execute;
        return spawn;
}

static void spawn_free(void *data)
{
        Spawn *spawn = data;

        run_spec_free(spawn->spec);
        spawn_fds_clear(&spawn->fds);
        fd_close(spawn->tree.fd);
        for (size_t i = 0; i < MOUNTS_MAX; i++)
                fd_close(spawn->sources[i].fd);
        g_free(spawn);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Spawn, spawn_free)

static void on_spawned(Container *container, GError *error, void *data)
{
        Request *request = data;
        Server *server = request_server(request);

        if (error) {
                request_refuse(request, error);
                return;
        }
        server_watch_caller(server, container);
        g_autofree char *path = server_container_path(container_info(container));
        request_done(request, "o", path);
}

static void on_authorized(Request *request, void *data)
{
        g_autoptr(Spawn) spawn = data;
        Server *server = request_server(request);
        g_autofree char *watcher = NULL;

        if (spawn->spec->watch_bus && !server->options.peer)
                watcher =
                        server_watcher(server, sd_bus_message_get_sender(request_message(request)));

        manager_create(server->manager,
                       &(ManagerCreate){
                               .spec = g_steal_pointer(&spawn->spec),
                               .owner = request_caller(request),
                               .watcher = watcher,
                               .tree_fd = spawn->tree.fd,
                               .tree_gid = spawn->tree.gid,
                               .sources = spawn->sources,
                               .fds = spawn->fds.list,
                               .n_fds = spawn->fds.n,
                               .execute = spawn->execute,
                       },
                       on_spawned, request);
}

/* As a shell would have to be told it: what looks alike is alike. */
static char *quote(char *const *argv)
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

/* Takes over what was found. A rule must judge what will run, not how it was spelled: a tree given
 * as an fd gets the path it has now, and that names it from here on. */
static bool take_found(Spawn *spawn, RootfsFound *found, GError **error)
{
        RunSpec *spec = spawn->spec;

        spawn->tree = *found++;
        for (size_t i = 0; i < spec->n_mounts; i++) {
                MountSpec *mount = &spec->mounts[i];
                if (!mount->source)
                        continue;
                spawn->sources[i] = *found++;
                mount->is_privileged =
                        !mount->read_only &&
                        !id_map_is_own(request_caller(spawn->request), spawn->sources[i].uid);
        }
        if (!spec->has_root_fd)
                return true;
        g_free(spec->rootfs);
        spec->rootfs = rootfs_path_of(spawn->tree.fd);
        return spec->rootfs || error_set(error, RUNTIME_ERROR_ROOTFS_INVALID,
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

/* "/srv/data:/data:ro tmpfs:/scratch:rw", each word quoted where it has to be. */
static char *describe_mounts(const Spawn *spawn, GError **error)
{
        const RunSpec *spec = spawn->spec;
        g_auto(GStrv) words = g_new0(char *, spec->n_mounts + 1);

        for (size_t i = 0; i < spec->n_mounts; i++) {
                const MountSpec *mount = &spec->mounts[i];
                g_autofree char *source =
                        mount->source ? path_for_rule(spawn->sources[i].fd, "mount source",
                                                      mount->source, error)
                                      : g_strdup("tmpfs");
                if (!source)
                        return NULL;
                words[i] = g_strdup_printf("%s:%s:%s", source, mount->target,
                                           mount->read_only ? "ro" : "rw");
        }
        return quote(words);
}

static void ask(Spawn *consumed, GError **error)
{
        g_autoptr(Spawn) spawn = consumed;
        Request *request = spawn->request;
        const RunSpec *spec = spawn->spec;
        g_autofree char *tree = path_for_rule(spawn->tree.fd, "rootfs", spec->rootfs, error);
        g_autofree char *mounts = tree ? describe_mounts(spawn, error) : NULL;
        g_autofree char *command = quote(spec->argv);
        g_auto(GStrv) deviations = run_spec_deviations(spec);
        g_autofree char *deviations_line = g_strjoinv(" ", deviations);
        g_autofree char *memory = g_strdup_printf("%" G_GUINT64_FORMAT, spec->memory_max);
        const char *const details[] = {
                DETAIL_ROOTFS,
                tree,
                DETAIL_COMMAND_LINE,
                command,
                DETAIL_MEMORY_MAX,
                spec->memory_max == UINT64_MAX ? "infinity" : memory,
                DETAIL_MOUNTS,
                mounts,
                DETAIL_ID,
                spec->id ? spec->id : "",
                DETAIL_DEVIATIONS,
                deviations_line,
                DETAIL_VERB,
                sd_bus_message_get_member(request_message(request)),
                NULL,
        };

        if (!mounts)
                return;
        bool privileged = run_spec_is_privileged(spec);
        request_authorize(request,
                          &(RequestQuestion){
                                  .action = privileged ? ACTION_RUN_PRIVILEGED : ACTION_RUN,
                                  .details = details,
                                  .next = on_authorized,
                                  .free_data = spawn_free,
                                  .data = g_steal_pointer(&spawn),
                          });
}

static void on_tree(RootfsFound *found, GError *error, void *data)
{
        g_autoptr(Spawn) spawn = data;
        g_autoptr(GError) gone = NULL;
        Request *request = spawn->request;

        request_set_lookup(request, NULL, NULL, NULL);
        if (error || !take_found(spawn, found, &gone)) {
                request_refuse(request, error ? error : gone);
                return;
        }
        if (!request_is_asked(request)) {
                on_authorized(request, g_steal_pointer(&spawn));
                return;
        }
        ask(g_steal_pointer(&spawn), &gone);
        if (gone)
                request_fail(request, gone);
}

/* `spawn` is consumed. */
static int begin_spawn(Server *server, sd_bus_message *message, Spawn *consumed,
                       sd_bus_error *ret_error)
{
        g_autoptr(Spawn) spawn = consumed;
        GError *error = NULL;
        const Credentials *caller = server_caller(server, message, &error);

        /* what cannot be admitted is worth no password */
        if (!caller || !manager_admit(server->manager, spawn->spec, caller, &error) ||
            !(spawn->request = request_new(server, message, caller, &error)))
                return reply_error(ret_error, error);
        const RunSpec *spec = spawn->spec;
        RootfsSource sources[1 + MOUNTS_MAX] = {
                {.path = spec->has_root_fd ? NULL : spec->rootfs, .fd = spawn->fds.root}};
        RootfsRequest look_up = {.sources = sources, .n = 1, .owner = caller};
        for (size_t i = 0; i < spec->n_mounts; i++)
                if (spec->mounts[i].source)
                        sources[look_up.n++].path = spec->mounts[i].source;
        Spawn *looking = g_steal_pointer(&spawn);
        RootfsLookup *lookup = rootfs_lookup(server->lookups, &look_up, on_tree, looking);
        if (lookup)
                request_set_lookup(looking->request, lookup, spawn_free, looking);
        return 1;
}

static int method_run(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        g_autoptr(Spawn) spawn = spawn_new(true);
        GError *error = NULL;

        if (!spec_decode_run(message, &spawn->spec, &error))
                return reply_error(ret_error, error);
        return begin_spawn(data, message, g_steal_pointer(&spawn), ret_error);
}

/* Spawn and Create */
static int method_spawn(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        bool execute = strcmp(sd_bus_message_get_member(message), "Spawn") == 0;
        g_autoptr(Spawn) spawn = spawn_new(execute);
        GError *error = NULL;

        if (!spec_decode_spawn(message, &spawn->spec, &spawn->fds, &error))
                return reply_error(ret_error, error);
        return begin_spawn(data, message, g_steal_pointer(&spawn), ret_error);
}

/* -- reading -- */

static bool parse_name(const char *name, const Credentials *caller, uid_t *ret_owner,
                       const char **ret_id, GError **error)
{
        const char *slash = strchr(name, '/');
        guint64 owner = caller->uid;

        if (slash) {
                g_autofree char *number = g_strndup(name, (gsize) (slash - name));
                if (!g_ascii_string_to_unsigned(number, 10, 0, UINT32_MAX - 1, &owner, NULL))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "'%s' is not a container's id, nor uid/id", name);
        }
        *ret_owner = (uid_t) owner;
        *ret_id = slash ? slash + 1 : name;
        return true;
}

#define NO_CONTAINER "there is no container '%s'"

static void answer_no_container(Request *request, const char *id)
{
        g_autoptr(GError) error = NULL;

        error_set(&error, RUNTIME_ERROR_NO_SUCH_CONTAINER, NO_CONTAINER, id);
        request_fail(request, error);
}

static void answer_container(Request *request, uid_t owner, const char *id)
{
        Container *container = manager_find(request_server(request)->manager, owner, id);

        if (!container) {
                answer_no_container(request, id);
                return;
        }
        g_autofree char *path = server_container_path(container_info(container));
        request_done(request, "o", path);
}

/* A stranger gets the same answer for another's container as for none, unless polkit lets it look.
 */
static void on_may_inspect(Request *request, void *data)
{
        g_autofree char *name = data;
        uid_t owner;
        const char *id;

        if (parse_name(name, request_caller(request), &owner, &id, NULL))
                answer_container(request, owner, id);
}

static void on_may_not_inspect(Request *request, void *data)
{
        const char *slash = strchr(data, '/');

        answer_no_container(request, slash + 1);
}

static int method_get_container(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Server *server = data;
        const char *name, *id;
        uid_t owner;
        GError *error = NULL;
        const Credentials *caller = server_caller(server, message, &error);
        int r = sd_bus_message_read(message, "s", &name);

        if (r < 0)
                return r;
        if (!caller || !parse_name(name, caller, &owner, &id, &error))
                return reply_error(ret_error, error);
        if (server_may_see(caller, owner)) {
                Container *container = manager_find(server->manager, owner, id);
                if (!container)
                        return sd_bus_error_setf(ret_error, ERROR_NO_SUCH_CONTAINER, NO_CONTAINER,
                                                 id);
                g_autofree char *path = server_container_path(container_info(container));
                return sd_bus_reply_method_return(message, "o", path);
        }
        Request *request = request_new(server, message, caller, &error);
        if (!request)
                return reply_error(ret_error, error);
        g_autofree char *owner_text = g_strdup_printf("%u", owner);
        const char *const details[] = {DETAIL_ID,      id,  DETAIL_OWNER, owner_text, DETAIL_VERB,
                                       "GetContainer", NULL};
        request_authorize(request, &(RequestQuestion){
                                           .action = ACTION_INSPECT,
                                           .details = details,
                                           .next = on_may_inspect,
                                           .refused = on_may_not_inspect,
                                           .free_data = g_free,
                                           .data = g_strdup(name),
                                   });
        return 1;
}

static int append_container(sd_bus_message *reply, Container *container)
{
        const ContainerInfo *info = container_info(container);
        g_autofree char *path = server_container_path(info);

        return sd_bus_message_append(reply, "(ssuto)", info->id,
                                     container_state_to_string(info->state), info->owner,
                                     info->created_usec, path);
}

/* No filter is known yet, so any key is an unknown one. */
static int method_list_containers(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        Server *server = data;
        GError *error = NULL;
        const Credentials *caller = server_caller(server, message, &error);
        sd_bus_message *reply = NULL;

        if (!caller)
                return reply_error(ret_error, error);
        int r = sd_bus_message_enter_container(message, 'a', "{sv}");
        if (r >= 0)
                r = sd_bus_message_at_end(message, false);
        if (r < 0)
                return r;
        if (r == 0)
                return sd_bus_error_set(ret_error, SD_BUS_ERROR_INVALID_ARGS,
                                        "unknown key in the filter");
        g_autoptr(GPtrArray) list =
                manager_list(server->manager, caller->uid == 0 ? UID_ANY : caller->uid);
        r = sd_bus_message_new_method_return(message, &reply);
        if (r >= 0)
                r = sd_bus_message_open_container(reply, 'a', "(ssuto)");
        for (guint i = 0; i < list->len && r >= 0; i++)
                r = append_container(reply, list->pdata[i]);
        if (r >= 0)
                r = sd_bus_message_close_container(reply);
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);
        sd_bus_message_unref(reply);
        return r < 0 ? r : 1;
}

static int get_version(sd_bus *bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *data, sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", PROJECT_VERSION);
}

/* A stranger learns no more than how many containers it has itself. */
static int get_n_containers(sd_bus *bus, const char *path, const char *interface,
                            const char *property, sd_bus_message *reply, void *data,
                            sd_bus_error *error)
{
        Server *server = data;
        sd_bus_message *call = sd_bus_get_current_message(bus);
        const Credentials *caller = call ? server_caller(server, call, NULL) : NULL;

        if (!caller)
                return sd_bus_message_append(reply, "u", 0u);
        if (caller->uid == 0)
                return sd_bus_message_append(reply, "u", manager_count(server->manager));
        g_autoptr(GPtrArray) own = manager_list(server->manager, caller->uid);
        return sd_bus_message_append(reply, "u", own->len);
}

static int get_cgroup_mode(sd_bus *bus, const char *path, const char *interface,
                           const char *property, sd_bus_message *reply, void *data,
                           sd_bus_error *error)
{
        Server *server = data;

        return sd_bus_message_append(reply, "s",
                                     cgroup_mode_to_string(server->options.cgroup_mode));
}

/* -- vtables: entries are open to all, for it is polkit that decides, in one place -- */

static const sd_bus_vtable runc_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Run", SD_BUS_ARGS("s", rootfs, "t", memMax, "as", argv),
                                SD_BUS_RESULT("o", container), method_run,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_VTABLE_END,
};

#define SPAWN_ARGS SD_BUS_ARGS("ay", rootfs, "aay", argv, "a{uh}", fds, "a{sv}", options)

static const sd_bus_vtable manager_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_METHOD_WITH_ARGS("Spawn", SPAWN_ARGS, SD_BUS_RESULT("o", container), method_spawn,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("Create", SPAWN_ARGS, SD_BUS_RESULT("o", container), method_spawn,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("GetContainer", SD_BUS_ARGS("s", id), SD_BUS_RESULT("o", container),
                                method_get_container, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_METHOD_WITH_ARGS("ListContainers", SD_BUS_ARGS("a{sv}", filter),
                                SD_BUS_RESULT("a(ssuto)", containers), method_list_containers,
                                SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_SIGNAL_WITH_ARGS("ContainerNew", SD_BUS_ARGS("s", id, "o", path), 0),
        SD_BUS_SIGNAL_WITH_ARGS("ContainerRemoved", SD_BUS_ARGS("s", id, "o", path), 0),
        SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_PROPERTY("NContainers", "u", get_n_containers, 0, 0),
        SD_BUS_PROPERTY("CgroupMode", "s", get_cgroup_mode, 0, SD_BUS_VTABLE_PROPERTY_CONST),
        SD_BUS_VTABLE_END,
};

bool manager_api_export(Server *server, GError **error)
{
        sd_bus *bus = server->options.bus;
        int r = sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, INTERFACE_RUNC, runc_vtable,
                                         server);

        if (r >= 0)
                r = sd_bus_add_object_vtable(bus, NULL, MANAGER_PATH, INTERFACE_MANAGER,
                                             manager_vtable, server);
        if (r >= 0)
                r = sd_bus_add_object_manager(bus, NULL, MANAGER_PATH);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot export " MANAGER_PATH)
                     : true;
}
