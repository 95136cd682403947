#include "dbus/spawn.h"

#include <string.h>

#include "dbus/error-map.h"
#include "dbus/server-internal.h"
#include "dbus/spec-decode.h"
#include "polkit/actions.h"
#include "service/rootfs/id-map.h"
#include "service/rootfs/lookup.h"
#include "service/util/fd.h"

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

int spawn_method_run(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        g_autoptr(Spawn) spawn = spawn_new(true);
        GError *error = NULL;

        if (!spec_decode_run(message, &spawn->spec, &error))
                return reply_error(ret_error, error);
        return begin_spawn(data, message, g_steal_pointer(&spawn), ret_error);
}

int spawn_method_spawn(sd_bus_message *message, void *data, sd_bus_error *ret_error)
{
        bool execute = strcmp(sd_bus_message_get_member(message), "Spawn") == 0;
        g_autoptr(Spawn) spawn = spawn_new(execute);
        GError *error = NULL;

        if (!spec_decode_spawn(message, &spawn->spec, &spawn->fds, &error))
                return reply_error(ret_error, error);
        return begin_spawn(data, message, g_steal_pointer(&spawn), ret_error);
}
