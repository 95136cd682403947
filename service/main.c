/* naive-runcd: options, signals, the loop, and when it ends. What the loop serves is built in
 * build.c. */

#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "service/build.h"
#include "service/idle-exit.h"
#include "service/program.h"
#include "service/receive.h"
#include "service/settle.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/watch.h"

typedef struct Program {
        ServiceOptions options;
        char *config;
        int idle_timeout; /* -1: as configured */
        gboolean version;
        Service service;
        GMainLoop *loop;
        int status;
        IdleExit *idle_exit; /* NULL when embedded: such a service ends with its caller */
        int signals;
        Watch *signal_watch;
        guint watchdog;
        bool stopping;
} Program;

/* -- the end -- */

static void quit(Program *program, int status)
{
        if (status != 0)
                program->status = status;
        g_main_loop_quit(program->loop);
}

/* On a bus, containers go on running, and the next start takes them over. On a private connection
 * no service comes after this one, so all containers end. */
static void stop(Program *program, int status)
{
        bool is_embedded = service_is_embedded(&program->service);

        if (status != 0)
                program->status = status;
        if (!program->stopping)
                sd_notify(0, "STOPPING=1");
        program->stopping = true;
        server_refuse(program->service.server);
        if (is_embedded)
                manager_kill_all(program->service.manager);
        if (!is_embedded || manager_is_idle(program->service.manager))
                quit(program, status);
}

static void on_signal(int fd, GIOCondition condition, void *data)
{
        Program *program = data;
        struct signalfd_siginfo info;

        if (read(fd, &info, sizeof info) == (ssize_t) sizeof info) {
                g_message("signal %u: stopping", info.ssi_signo);
                stop(program, 0);
        }
}

static void on_bus_lost(int error, void *data)
{
        Program *program = data;
        bool is_end_of_peer = service_is_embedded(&program->service);

        receive_end();
        if (!is_end_of_peer)
                g_warning("the bus is lost: %s", g_strerror(error));
        stop(program, is_end_of_peer ? 0 : 1);
}

static void on_activity(void *data)
{
        Program *program = data;

        if (program->stopping && manager_is_idle(program->service.manager))
                quit(program, 0);
        else if (!program->stopping && program->idle_exit)
                idle_exit_activity(program->idle_exit);
}

/* If the loop hangs, systemd ends the service; the containers live on. */
static gboolean on_watchdog(void *data)
{
        sd_notify(0, "WATCHDOG=1");
        return G_SOURCE_CONTINUE;
}

static void on_idle_exit(int status, void *data)
{
        quit(data, status);
}

/* -- the beginning -- */

static bool parse_options(Program *program, int argc, char **argv, GError **error)
{
        ServiceOptions *options = &program->options;
        const GOptionEntry entries[] = {
                {"address", 0, 0, G_OPTION_ARG_STRING, &options->address,
                 "Bus to serve on (default: the system bus)", "ADDRESS"},
                {"state-dir", 0, 0, G_OPTION_ARG_FILENAME, &options->state_dir,
                 "Directory for runtime state (default: /run/naive-runc)", "DIR"},
                {"config", 0, 0, G_OPTION_ARG_FILENAME, &program->config,
                 "Configuration file (default: " CONFIG_PATH ")", "FILE"},
                {"cgroup-parent", 0, 0, G_OPTION_ARG_STRING, &options->cgroup_parent,
                 "Where the containers' cgroups go (default: the containers' unit)", "PATH"},
                {"idle-timeout", 0, 0, G_OPTION_ARG_INT, &program->idle_timeout,
                 "Exit after so long without work; 0: never", "SECONDS"},
                {"embedded", 0, 0, G_OPTION_ARG_INT, &options->embedded,
                 "Serve one caller on this socket instead of a bus", "FD"},
                {"version", 0, 0, G_OPTION_ARG_NONE, &program->version, "Show the version", NULL},
                {NULL},
        };
        g_autoptr(GOptionContext) context = g_option_context_new(NULL);

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

/* systemd waits for READY=1; the service has its name by now. */
static void report_ready(Program *program)
{
        uint64_t watchdog_usec;

        sd_notify(0, "READY=1");
        if (sd_watchdog_enabled(0, &watchdog_usec) > 0)
                program->watchdog =
                        g_timeout_add((guint) (watchdog_usec / 2000), on_watchdog, NULL);
}

static bool begin(Program *program, GError **error)
{
        Service *service = &program->service;
        bool is_embedded = service_is_embedded(service);

        if (!config_load(&service->config, program->config ? program->config : CONFIG_PATH,
                         error) ||
            !settle_process(is_embedded, &program->signals, error))
                return false;
        program->signal_watch = watch_new(program->signals, G_IO_IN, on_signal, program);
        if (!service_open(service, error))
                return false;
        if (is_embedded)
                return true;
        report_ready(program);
        program->idle_exit = idle_exit_new(&(IdleExitOptions){
                .bus = service->bus,
                .server = service->server,
                .manager = service->manager,
                .timeout_sec = program->idle_timeout >= 0 ? (uint32_t) program->idle_timeout
                                                          : service->config.idle_timeout_sec,
                .done = on_idle_exit,
                .data = program,
        });
        return true;
}

static void end(Program *program)
{
        /* first, because service_close() still calls on_activity() */
        g_clear_pointer(&program->idle_exit, idle_exit_free);
        if (program->watchdog)
                g_source_remove(program->watchdog);
        watch_clear(&program->signal_watch);
        service_close(&program->service);
        fd_close(program->signals);
        g_main_loop_unref(program->loop);
}

static void options_clear(Program *program)
{
        g_free(program->options.address);
        g_free(program->options.state_dir);
        g_free(program->options.cgroup_parent);
        g_free(program->config);
}

static int complain(const GError *error, int status)
{
        g_printerr("naive-runcd: %s\n", error->message);
        return status;
}

int main(int argc, char **argv)
{
        Program program = {.signals = -1, .idle_timeout = -1, .options.embedded = -1};
        g_auto(GStrv) arguments = g_strdupv(argv); /* a copy: parsing takes options out of argv */
        g_autoptr(GError) error = NULL;

        g_log_writer_default_set_use_stderr(TRUE);
        if (!parse_options(&program, argc, argv, &error))
                return complain(error, 2);
        if (program.version) {
                g_print("naive-runcd " PROJECT_VERSION "\n");
                return 0;
        }
        if (!program_protect(arguments, &error))
                return complain(error, 1);
        program.loop = g_main_loop_new(NULL, FALSE);
        program.options.activity = (Activity){on_activity, &program};
        program.options.bus_lost = on_bus_lost;
        program.options.data = &program;
        service_init(&program.service, &program.options);
        if (begin(&program, &error))
                g_main_loop_run(program.loop);
        else
                program.status = complain(error, 1);
        end(&program);
        options_clear(&program);
        return program.status;
}
