/* naive-runcd: options, wiring, the loop, an orderly exit. Everything is built before the bus name
 * is taken, so that no caller ever sees a half-built service. */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "dbus/connection/bus-source.h"
#include "dbus/container-api.h"
#include "dbus/manager-api.h"
#include "dbus/names.h"
#include "dbus/server.h"
#include "service/cgroup/cgroup.h"
#include "service/fd-store.h"
#include "service/idle-exit.h"
#include "service/isolate.h"
#include "service/manager/manager.h"
#include "service/program.h"
#include "service/sandbox/launch.h"
#include "service/sandbox/memory.h"
#include "service/sandbox/profile.h"
#include "service/spec/config.h"
#include "service/spec/error.h"
#include "service/util/bus-auto.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

#define LOCK_WAIT_MSEC 5000 /* a predecessor that is on its way out */
#define FLUSH_WAIT_SEC 2

typedef struct Options {
        char *address, *state_dir, *config, *cgroup_parent;
        int idle_timeout; /* -1: as configured */
        int embedded;     /* fd of a private connection; -1: none */
        gboolean version;
} Options;

typedef struct Service {
        Options options;
        Config config;
        GMainLoop *loop;
        int status;
        int state_dir, records, lock; /* -1 when embedded */
        CgroupTree *cgroups;
        IdRanges *ranges;
        int id_claim; /* of an embedded one of root's, else -1 */
        Profile *profile;
        GError *profile_error; /* why there is none */
        sd_bus *bus;
        GSource *source;
        Server *server;
        Manager *manager;
        FdStore *store;
        Journal *journal;
        IdleExit *idle_exit; /* NULL when embedded: that ends with its caller */
        Watch *signal_watch;
        guint watchdog;
        int signals;
        bool stopping;
} Service;

/* -- the end -- */

static void quit(Service *service, int status)
{
        if (status != 0)
                service->status = status;
        g_main_loop_quit(service->loop);
}

/* On a bus the workload is not the service's to lose: what runs goes on and is taken over by the
 * next start. On a private connection there is no next one: all ends. */
static void stop(Service *service, int status)
{
        if (status != 0)
                service->status = status;
        if (!service->stopping)
                sd_notify(0, "STOPPING=1");
        service->stopping = true;
        server_refuse(service->server);
        if (service->records < 0)
                manager_kill_all(service->manager);
        if (service->records >= 0 || manager_is_idle(service->manager))
                quit(service, status);
}

static void on_signal(int fd, GIOCondition condition, void *data)
{
        Service *service = data;
        struct signalfd_siginfo info;

        if (read(fd, &info, sizeof info) == (ssize_t) sizeof info) {
                g_message("signal %u: stopping", info.ssi_signo);
                stop(service, 0);
        }
}

static void on_bus_lost(int error, void *data)
{
        Service *service = data;
        bool is_end_of_peer = service->options.embedded >= 0;

        if (!is_end_of_peer)
                g_warning("the bus is lost: %s", g_strerror(error));
        stop(service, is_end_of_peer ? 0 : 1);
}

static void on_activity(void *data)
{
        Service *service = data;

        if (service->stopping && manager_is_idle(service->manager))
                quit(service, 0);
        else if (!service->stopping && service->idle_exit)
                idle_exit_activity(service->idle_exit);
}

/* A loop that hangs, in closing a caller's file on a dead file system perhaps, is ended by systemd;
 * the containers live on. */
static gboolean on_watchdog(void *data)
{
        sd_notify(0, "WATCHDOG=1");
        return G_SOURCE_CONTINUE;
}

static void on_idle_exit(int status, void *data)
{
        quit(data, status);
}

/* A live container costs several fds. The containers get the limits as they were. */
static void raise_file_limit(void)
{
        struct rlimit files;

        if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
                files.rlim_cur = files.rlim_max;
                setrlimit(RLIMIT_NOFILE, &files);
        }
}

/* -- the beginning -- */

static bool parse_options(Options *options, int argc, char **argv, GError **error)
{
        const GOptionEntry entries[] = {
                {"address", 0, 0, G_OPTION_ARG_STRING, &options->address,
                 "Bus to serve on (default: the system bus)", "ADDRESS"},
                {"state-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->state_dir,
                 "Directory for runtime state (default: /run/naive-runc)", "DIR"},
                {"config", 0, 0, G_OPTION_ARG_FILENAME, &options->config,
                 "Configuration file (default: " CONFIG_PATH ")", "FILE"},
                {"cgroup-parent", 0, 0, G_OPTION_ARG_STRING, &options->cgroup_parent,
                 "Where the containers' cgroups go (default: the unit's own)", "PATH"},
                {"idle-timeout", 0, 0, G_OPTION_ARG_INT, &options->idle_timeout,
                 "Exit after so long without work; 0: never", "SECONDS"},
                {"embedded", 0, 0, G_OPTION_ARG_INT, &options->embedded,
                 "Serve one caller on this socket instead of a bus", "FD"},
                {"version", 0, 0, G_OPTION_ARG_NONE, &options->version, "Show the version", NULL},
                {NULL},
        };
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);

        options->idle_timeout = -1;
        options->embedded = -1;
        g_option_context_set_summary(context,
                                     "Runs commands in root file systems for callers on D-Bus.");
        g_option_context_add_main_entries(context, entries, NULL);
        if (!g_option_context_parse(context, &argc, &argv, error))
                return false;
        if (argc > 1)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "unexpected argument '%s'",
                                 argv[1]);
        return true;
}

/* What a container inherits of whoever started the service, an administrator's shell perhaps or a
 * unit with a Nice= of its own. It is ours to lose: afterwards the kernel would refuse some of it.
 * On a private connection it is the caller's, who may well have meant it. */
static void reset_attributes(void)
{
        struct sched_param normal = {0};
        cpu_set_t all;

        memset(&all, 0xff, sizeof all);
        personality(PER_LINUX);
        prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0);
        prctl(PR_SET_TIMERSLACK, 50000, 0, 0, 0); /* the kernel's default; 0 would be our own */
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
        sched_setscheduler(0, SCHED_OTHER, &normal);
        sched_setaffinity(0, sizeof all, &all);
        setpriority(PRIO_PROCESS, 0, 0);
}

/* Nothing of ours may be inherited by what we start, read by it, or signalled by a caller. */
static bool settle_process(Service *service, GError **error)
{
        sigset_t signals;

        if (geteuid() == 0 && (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || setgroups(0, NULL) < 0))
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot drop groups");
        /* No core dumps, neither ours nor, since they inherit it, the containers': the host's
         * handler would run as its root on their behalf (CVE-2025-4598). No limit keeps the kernel
         * from piping to a handler, not even 0, except 1, its word for a crash of the handler
         * itself. */
        setrlimit(RLIMIT_CORE, &(struct rlimit){1, 1});
        if (service->options.embedded < 0)
                reset_attributes();
        /* whoever started us may have ignored some; those that cannot be set are not ours to set */
        for (int i = 1; i < _NSIG; i++)
                sigaction(i, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
        sigaction(SIGPIPE, &(struct sigaction){.sa_handler = SIG_IGN}, NULL);
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigprocmask(SIG_BLOCK, &signals, NULL);
        service->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
        if (service->signals < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno, "cannot watch signals");
        service->signal_watch = watch_new(service->signals, G_IO_IN, on_signal, service);
        return true;
}

static bool open_state_directory(Service *service, GError **error)
{
        const char *path =
                service->options.state_dir ? service->options.state_dir : "/run/naive-runc";
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
        const char *path =
                service->options.state_dir ? service->options.state_dir : "/run/naive-runc";

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

/* Containers of an embedded service must not share ids or cgroups with anybody else's. */
static bool open_resources(Service *service, bool is_root, GError **error)
{
        bool is_embedded = service->options.embedded >= 0;
        uint32_t start = service->config.id_range_start, count = service->config.id_range_count;
        g_autofree char *parent = NULL;

        if (!is_embedded) {
                count = id_ranges_of_service(count);
        } else if (is_root) {
                parent = g_strdup_printf("/system.slice/naive-runc-embedded-%d", (int) getpid());
                if (!open_state_directory(service, error) ||
                    !id_ranges_claim(service->state_dir, &start, &count, &service->id_claim, error))
                        return false;
                fd_clear(&service->state_dir);
        }
        service->ranges = id_ranges_new(start, count);
        if (!is_embedded && !id_ranges_keep(service->ranges, service->state_dir, error))
                return false;
        service->cgroups = cgroup_tree_new(
                service->options.cgroup_parent ? service->options.cgroup_parent : parent);
        return true;
}

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
        return true;
}

/* The kernel's word for who is at the other end. */
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

/* On a private connection there is one command, and where there is nothing to limit in, no run is
 * admitted. */
static unsigned count_prepared(const Service *service)
{
        bool is_of_use = service->options.embedded < 0 &&
                         cgroup_tree_mode(service->cgroups) != CGROUP_MODE_NONE;

        return is_of_use ? service->config.prepared_sandboxes : 0;
}

static bool build(Service *service, GError **error)
{
        bool is_embedded = service->options.embedded >= 0, is_root = geteuid() == 0;
        Credentials peer = {0};

        if (is_embedded ? !identify_peer(service->options.embedded, &peer, error) || !isolate(error)
                        : !open_state(service, error))
                return false;
        if (!open_resources(service, is_root, error))
                return false;
        /* a user's own service may have no cgroups to limit in: then there is no default to break
         */
        if (is_embedded && cgroup_tree_mode(service->cgroups) == CGROUP_MODE_NONE)
                service->config.tasks_max = UINT64_MAX;
        if (!is_embedded)
                cgroup_tree_set_ceilings(
                        service->cgroups,
                        &(CgroupLimits){
                                .memory_max = service->config.user_memory_max,
                                .memory_swap_max = service->config.user_memory_max == UINT64_MAX
                                                           ? CGROUP_NO_LIMIT
                                                           : 0,
                                .tasks_max = service->config.user_tasks_max,
                        });
        if (!profile_new(service->state_dir, &service->profile, &service->profile_error))
                g_warning("no container can be started: %s", service->profile_error->message);
        raise_file_limit();
        memory_hide_libraries();
        if (!open_bus(service, error))
                return false;
        service->journal = is_embedded ? NULL : journal_new(JOURNAL_SOCKET);
        peer.uid = 0; /* in its own user namespace that is who the caller is */
        service->server = server_new(&(ServerOptions){
                .bus = service->bus,
                .peer = is_embedded ? &peer : NULL,
                .cgroup_mode = cgroup_tree_mode(service->cgroups),
                .activity = {on_activity, service},
        });
        service->manager = manager_new(
                &(ManagerOptions){
                        .config = &service->config,
                        .cgroups = service->cgroups,
                        .profile = service->profile,
                        .profile_error = service->profile ? NULL : service->profile_error->message,
                        .records = service->records,
                        .has_id_ranges = is_root,
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
        if (!server_attach(service->server, service->manager, error) ||
            !manager_api_export(service->server, error) ||
            !container_api_export(service->server, error))
                return false;
        service->source = bus_source_attach(service->bus, NULL, on_bus_lost, service);
        if (is_embedded)
                return true;
        int r = sd_bus_request_name(service->bus, BUS_NAME, 0);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot own the bus name " BUS_NAME);
        sd_notify(0, "READY=1");
        uint64_t watchdog_usec;
        if (sd_watchdog_enabled(0, &watchdog_usec) > 0)
                service->watchdog =
                        g_timeout_add((guint) (watchdog_usec / 2000), on_watchdog, NULL);
        return true;
}

/* Signals and replies may still be queued; a bus that does not take them is not waited for. */
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

static void clear(Service *service)
{
        g_clear_pointer(&service->idle_exit, idle_exit_free); /* on_activity() still comes */
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
        sd_bus_close_unref(service->bus);
        profile_free(service->profile);
        g_clear_error(&service->profile_error);
        if (service->cgroups)
                cgroup_tree_sweep(service->cgroups);
        cgroup_tree_free(service->cgroups);
        id_ranges_free(service->ranges);
        fd_close(service->id_claim);
        watch_clear(&service->signal_watch);
        if (service->watchdog)
                g_source_remove(service->watchdog);
        fd_close(service->signals);
        fd_close(service->records);
        fd_close(service->lock); /* last: a successor may begin */
        fd_close(service->state_dir);
        g_main_loop_unref(service->loop);
        g_free(service->options.address);
        g_free(service->options.state_dir);
        g_free(service->options.config);
        g_free(service->options.cgroup_parent);
}

int main(int argc, char **argv)
{
        Service service = {
                .state_dir = -1, .records = -1, .lock = -1, .signals = -1, .id_claim = -1};
        g_auto(GStrv) arguments = g_strdupv(argv); /* parsing takes them apart */
        g_autoptr(GError) error = NULL;

        g_log_writer_default_set_use_stderr(TRUE);
        if (!parse_options(&service.options, argc, argv, &error)) {
                g_printerr("naive-runcd: %s\n", error->message);
                return 2;
        }
        if (service.options.version) {
                g_print("naive-runcd " PROJECT_VERSION "\n");
                return 0;
        }
        if (!program_protect(arguments, &error)) {
                g_printerr("naive-runcd: %s\n", error->message);
                return 1;
        }
        service.store = fd_store_new();
        service.loop = g_main_loop_new(NULL, FALSE);
        config_init(&service.config);
        if (!config_load(&service.config,
                         service.options.config ? service.options.config : CONFIG_PATH, &error) ||
            !settle_process(&service, &error) || !build(&service, &error)) {
                g_printerr("naive-runcd: %s\n", error->message);
                clear(&service);
                return 1;
        }
        if (service.options.idle_timeout >= 0)
                service.config.idle_timeout_sec = (uint32_t) service.options.idle_timeout;
        if (service.options.embedded < 0)
                service.idle_exit = idle_exit_new(&(IdleExitOptions){
                        .bus = service.bus,
                        .server = service.server,
                        .manager = service.manager,
                        .timeout_sec = service.config.idle_timeout_sec,
                        .done = on_idle_exit,
                        .data = &service,
                });
        g_main_loop_run(service.loop);
        clear(&service);
        return service.status;
}
