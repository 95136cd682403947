#include "service/build.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dbus/connection/bus-source.h"
#include "dbus/container-api.h"
#include "dbus/exec/exec-api.h"
#include "dbus/manager-api.h"
#include "dbus/names.h"
#include "service/isolate.h"
#include "service/receive.h"
#include "service/sandbox/launch.h"
#include "service/sandbox/memory.h"
#include "service/sandbox/profile.h"
#include "service/settle.h"
#include "service/spec/error.h"
#include "service/util/bus-auto.h"
#include "service/util/fd.h"

#define LOCK_WAIT_MSEC 5000 /* for a predecessor that is just ending */
#define FLUSH_WAIT_SEC 2

bool service_is_embedded(const Service *service)
{
        return service->options.embedded >= 0;
}

void service_init(Service *service, const ServiceOptions *options)
{
        *service = (Service){.options = *options,
                             .state_dir = -1,
                             .records = -1,
                             .lock = -1,
                             .id_claim = -1,
                             .is_root = geteuid() == 0,
                             .store = fd_store_new()};
        config_init(&service->config);
}

/* -- the state directory and its lock; when embedded, the caller at the other end -- */

static const char *state_path(const Service *service)
{
        return service->options.state_dir ? service->options.state_dir : "/run/naive-runc";
}

static bool open_state_directory(Service *service, GError **error)
{
        const char *path = state_path(service);
        struct stat status;

        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot make '%s'",
                                       path);
        service->state_dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
        if (service->state_dir < 0 || fstat(service->state_dir, &status) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot open '%s'",
                                       path);
        if (status.st_uid != geteuid() || (status.st_mode & 077))
                return error_set(error, RUNTIME_ERROR_FAILED,
                                 "'%s' must belong to user %u alone (mode 0700)", path, geteuid());
        return true;
}

static bool open_state(Service *service, GError **error)
{
        const char *path = state_path(service);

        if (!open_state_directory(service, error))
                return false;
        if (mkdirat(service->state_dir, "containers", 0700) < 0 && errno != EEXIST)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot make '%s/containers'", path);
        service->records =
                openat(service->state_dir, "containers", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        service->lock =
                openat(service->state_dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (service->records < 0 || service->lock < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot open files in '%s'", path);
        for (int waited = 0; flock(service->lock, LOCK_EX | LOCK_NB) < 0; waited += 20) {
                if (errno != EWOULDBLOCK || waited >= LOCK_WAIT_MSEC)
                        return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                               "another instance holds '%s/lock'", path);
                g_usleep(20000);
        }
        return true;
}

/* Asks the kernel who is at the other end. */
static bool identify_peer(int fd, Credentials *peer, GError **error)
{
        struct ucred credentials;
        socklen_t length = sizeof credentials;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "fd %d is no connected socket", fd);
        if (credentials.uid != geteuid())
                return error_set(error, RUNTIME_ERROR_ACCESS_DENIED,
                                 "the caller on fd %d is user %u, not %u", fd, credentials.uid,
                                 geteuid());
        peer->uid = credentials.uid;
        return true;
}

static bool open_place(Service *service, GError **error)
{
        if (!service_is_embedded(service))
                return open_state(service, error);
        if (!identify_peer(service->options.embedded, &service->peer, error) || !isolate(error))
                return false;
        /* in the user namespace that isolate() has made, the caller is user 0 */
        service->peer.uid = 0;
        return true;
}

/* -- what containers need: ids, cgroups, a profile -- */

/* Containers of an embedded service must not share ids or cgroups with anybody else's. */
static bool claim_ids(Service *service, uint32_t *start, uint32_t *count, GError **error)
{
        if (!open_state_directory(service, error) ||
            !id_ranges_claim(service->state_dir, start, count, &service->id_claim, error))
                return false;
        fd_clear(&service->state_dir);
        return true;
}

static bool open_ids(Service *service, GError **error)
{
        bool is_embedded = service_is_embedded(service);
        uint32_t start = service->config.id_range_start, count = service->config.id_range_count;

        if (!is_embedded)
                count = id_ranges_of_service(count);
        else if (!service->is_root)
                count = 0;
        else if (!claim_ids(service, &start, &count, error))
                return false;
        service->ranges = id_ranges_new(start, count);
        return is_embedded || id_ranges_keep(service->ranges, service->state_dir, error);
}

static void open_cgroups(Service *service)
{
        Config *config = &service->config;
        const char *parent = service->options.cgroup_parent;
        g_autofree char *own = NULL;

        if (service_is_embedded(service) && service->is_root)
                own = g_strdup_printf("/system.slice/naive-runc-embedded-%d", (int) getpid());
        service->cgroups = cgroup_tree_new(parent ? parent : own);
        /* A user's own service may have no cgroups to set limits in: then the default TasksMax must
         * not make every run fail. */
        if (service_is_embedded(service) && cgroup_tree_mode(service->cgroups) == CGROUP_MODE_NONE)
                config->tasks_max = UINT64_MAX;
        if (!service_is_embedded(service))
                cgroup_tree_set_ceilings(
                        service->cgroups,
                        &(CgroupLimits){
                                .memory_max = config->user_memory_max,
                                .memory_swap_max =
                                        config->user_memory_max == UINT64_MAX ? CGROUP_NO_LIMIT : 0,
                                .tasks_max = config->user_tasks_max,
                        },
                        &(CgroupLimits){
                                .memory_max = config->sandbox_memory_max,
                                .memory_swap_max = config->sandbox_memory_max == UINT64_MAX
                                                           ? CGROUP_NO_LIMIT
                                                           : 0,
                                .tasks_max = config->sandbox_tasks_max,
                        });
}

static bool open_resources(Service *service, GError **error)
{
        if (!open_ids(service, error))
                return false;
        open_cgroups(service);
        if (!profile_new(service->state_dir, &service->profile, &service->profile_error))
                g_warning("no container can be started: %s", service->profile_error->message);
        settle_file_limit();
        memory_hide_libraries();
        return true;
}

/* -- the wiring -- */

static bool open_bus(Service *service, GError **error)
{
        const char *address = service->options.address;
        int r = sd_bus_new(&service->bus);

        if (r >= 0 && service->options.embedded >= 0) {
                sd_id128_t id;
                (void) ((r = sd_id128_randomize(&id)) >= 0 &&
                        (r = sd_bus_set_fd(service->bus, service->options.embedded,
                                           service->options.embedded)) >= 0 &&
                        (r = sd_bus_set_server(service->bus, true, id)) >= 0 &&
                        (r = sd_bus_negotiate_fds(service->bus, true)) >= 0 &&
                        (r = sd_bus_start(service->bus)) >= 0);
        } else if (r >= 0 && address) {
                (void) ((r = sd_bus_set_address(service->bus, address)) >= 0 &&
                        (r = sd_bus_set_bus_client(service->bus, true)) >= 0 &&
                        (r = sd_bus_negotiate_fds(service->bus, true)) >= 0 &&
                        (r = sd_bus_start(service->bus)) >= 0);
        } else if (r >= 0) {
                service->bus = sd_bus_unref(service->bus);
                r = sd_bus_open_system(&service->bus);
        }
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot connect to the bus");
        if (!service_is_embedded(service))
                receive_guard(sd_bus_get_fd(service->bus));
        return true;
}

/* Prepared sandboxes are of no use on a private connection, which runs one command, nor where no
 * cgroup can limit a run: there the service admits none. */
static unsigned count_prepared(const Service *service)
{
        bool is_of_use = !service_is_embedded(service) &&
                         cgroup_tree_mode(service->cgroups) != CGROUP_MODE_NONE;

        return is_of_use ? service->config.prepared_sandboxes : 0;
}

static ServiceFeatures find_features(const Service *service)
{
        ServiceFeatures features = {
                .has_id_ranges = service->is_root,
                .no_sandbox = service->profile ? NULL : service->profile_error->message,
        };

        cgroup_find_abilities(service->cgroups, &features.cgroups);
        return features;
}

static void wire(Service *service)
{
        bool is_embedded = service_is_embedded(service);

        service->journal = is_embedded ? NULL : journal_new(JOURNAL_SOCKET);
        service->server = server_new(&(ServerOptions){
                .bus = service->bus,
                .peer = is_embedded ? &service->peer : NULL,
                .cgroups = service->cgroups,
                .features = find_features(service),
                .sandbox_needs_process_fd = service->config.sandbox_needs_process_fd != 0,
                .activity = service->options.activity,
                .senders = {receive_next, receive_learned},
        });
        service->manager = manager_new(
                &(ManagerOptions){
                        .config = &service->config,
                        .cgroups = service->cgroups,
                        .profile = service->profile,
                        .profile_error = service->profile ? NULL : service->profile_error->message,
                        .records = service->records,
                        .state_dir = is_embedded ? 0 : service->state_dir,
                        .has_id_ranges = service->is_root,
                        .ranges = service->ranges,
                        .launch = launch,
                        .prepared = count_prepared(service),
                        .journal = service->journal,
                        .keeper = is_embedded ? (FdKeeper){0} : fd_store_keeper(service->store),
                },
                &signals_events, service->server->signals);
        if (!is_embedded) {
                manager_restore(service->manager);
                fd_store_forget_untaken(service->store);
        }
}

static bool serve(Service *service, GError **error)
{
        if (!server_attach(service->server, service->manager, error) ||
            !manager_api_export(service->server, error) ||
            !container_api_export(service->server, error) ||
            !exec_api_export(service->server, error))
                return false;
        service->source = bus_source_attach(service->bus, NULL, service->options.bus_lost,
                                            service->options.data);
        const BusTurn turn = intake_turn(service->server->intake);
        bus_source_set_turn(service->source, &turn);
        if (service_is_embedded(service))
                return true;
        int r = sd_bus_request_name(service->bus, BUS_NAME, 0);
        return r < 0 ? error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot own the bus name " BUS_NAME)
                     : true;
}

bool service_open(Service *service, GError **error)
{
        if (!open_place(service, error) || !open_resources(service, error) ||
            !open_bus(service, error))
                return false;
        wire(service);
        return serve(service, error);
}

/* -- the end -- */

/* Sends the signals and replies that are still queued, for FLUSH_WAIT_SEC at most: a bus that does
 * not take them must not hold up the end. */
static void flush(Service *service)
{
        gint64 deadline = g_get_monotonic_time() + FLUSH_WAIT_SEC * G_USEC_PER_SEC;

        while (service->bus && sd_bus_is_open(service->bus) > 0 &&
               g_get_monotonic_time() < deadline) {
                uint64_t queued = 0;
                if (sd_bus_get_n_queued_write(service->bus, &queued) < 0 || queued == 0)
                        break;
                if (sd_bus_process(service->bus, NULL) <= 0)
                        sd_bus_wait(service->bus, 100000);
        }
}

void service_close(Service *service)
{
        if (service->server)
                server_cancel(service->server);
        flush(service);
        server_free(service->server);
        manager_free(service->manager);
        fd_store_free(service->store);
        journal_free(service->journal);
        if (service->source) {
                g_source_destroy(service->source);
                g_source_unref(service->source);
        }
        receive_end();
        sd_bus_close_unref(service->bus);
        profile_free(service->profile);
        g_clear_error(&service->profile_error);
        if (service->cgroups)
                cgroup_tree_sweep(service->cgroups);
        cgroup_tree_free(service->cgroups);
        id_ranges_free(service->ranges);
        fd_close(service->id_claim);
        fd_close(service->records);
        fd_close(service->lock); /* from here on a successor may begin */
        fd_close(service->state_dir);
}
