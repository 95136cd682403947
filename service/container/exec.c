#include "service/container/exec.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/container/process.h"
#include "service/container/status/words.h"
#include "service/container/usage.h"
#include "service/rootfs/id-map.h"
#include "service/sandbox/join.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/watch.h"

struct Exec {
        ExecInfo info;
        Container *container;
        Order *order; /* until exec, as the container's */
        const ExecHooks *hooks;
        void *data;

        Sandbox *joiner; /* until it has joined */
        Watch *joiner_watch;
        guint joiner_timer;
        Process *process; /* from then on, until the end */
        Output *output;
        StatusFd *status;      /* NULL: none, or its last line is said */
        uint64_t oom_kills;    /* of the container, before this */
        uint64_t started_usec; /* by the monotonic clock */
        bool timed_out;
        GError *failure;
};

/* -- what it may do -- */

static bool settle_rights(const ContainerInfo *info, Order *order, Rights *ret, GError **error)
{
        uint32_t n_ids = !info->rights.has_user_namespace  ? 0
                         : container_info_maps_range(info) ? ID_RANGE_SIZE
                                                           : 1;

        if (!info->has_rights)
                return error_set(error, RUNTIME_ERROR_NOT_SUPPORTED,
                                 "container '%s' was started by a version of the service that did "
                                 "not record its rights",
                                 info->id);
        return rights_settle_join(&info->rights, n_ids, &order->process, ret, error);
}

/* -- the end -- */

static void stop_joining(Exec *exec)
{
        watch_clear(&exec->joiner_watch);
        if (exec->joiner_timer)
                g_source_remove(exec->joiner_timer);
        exec->joiner_timer = 0;
        g_clear_pointer(&exec->joiner, join_cancel);
}

static void set_result(Exec *exec, const siginfo_t *status)
{
        ExecInfo *info = &exec->info;

        info->code = status->si_status;
        if (status->si_code == 0)
                info->result = RESULT_UNKNOWN;
        else if (status->si_code == CLD_EXITED)
                info->result = info->code == 0 ? RESULT_SUCCESS : RESULT_EXIT_CODE;
        else if (info->code == SIGKILL &&
                 container_info(exec->container)->oom_kills > exec->oom_kills)
                info->result = RESULT_OOM_KILL;
        else
                info->result = status->si_code == CLD_DUMPED ? RESULT_CORE_DUMP : RESULT_SIGNAL;
}

/* Whatever step failed: if the container is ending, that is why. */
static bool has_container_ended(const Exec *exec)
{
        int pidfd = container_pidfd(exec->container);

        return pidfd < 0 || poll(&(struct pollfd){.fd = pidfd, .events = POLLIN}, 1, 0) > 0 ||
               proc_is_ending(container_info(exec->container)->pid);
}

static void fail(Exec *exec)
{
        const char *id = container_info(exec->container)->id;

        exec->info.state = CONTAINER_STOPPED;
        exec->info.result = RESULT_SETUP_FAILED;
        exec->info.pid = 0;
        if (has_container_ended(exec)) {
                g_clear_error(&exec->failure);
                error_set(&exec->failure, RUNTIME_ERROR_INVALID_STATE, "container '%s' has ended",
                          id);
        }
        if (!exec->failure && exec->timed_out)
                error_set(&exec->failure, RUNTIME_ERROR_SETUP_FAILED,
                          "the process did not join container '%s' within %u ms", id,
                          SETUP_TIMEOUT_MSEC);
        if (!exec->failure)
                error_set(&exec->failure, RUNTIME_ERROR_SETUP_FAILED,
                          "the process ended while it joined container '%s'", id);
        exec->hooks->failed(exec, exec->failure, exec->data);
}

static void on_ended(const siginfo_t *status, void *data)
{
        Exec *exec = data;
        bool was_running = exec->info.state == CONTAINER_RUNNING;

        usage_take_process(&exec->info.usage, exec->process);
        g_clear_pointer(&exec->process, process_free);
        output_finish(exec->output);
        if (!was_running) {
                fail(exec);
                return;
        }
        exec->info.state = CONTAINER_STOPPED;
        exec->info.pid = 0;
        set_result(exec, status);
        usage_set_wall(&exec->info.usage, (uint64_t) g_get_monotonic_time() - exec->started_usec);
        exec->hooks->ended(exec, exec->data);
}

/* -- set-up -- */

static void on_overdue(void *data)
{
        Exec *exec = data;

        exec->timed_out = true;
        process_signal(exec->process, SIGKILL);
}

static void on_ready(int terminal, void *data)
{
        Exec *exec = data;

        if (terminal >= 0)
                output_set_source(exec->output, terminal, true);
}

static void on_failed(const SandboxReport *report, void *data)
{
        Exec *exec = data;

        launch_report_to_error(report, exec->order, &exec->failure);
}

static void on_executed(void *data)
{
        Exec *exec = data;

        if (!process_has_executed(exec->process))
                return; /* killed at that moment: on_ended() follows */
        g_clear_pointer(&exec->order, order_free);
        exec->info.state = CONTAINER_RUNNING;
        exec->started_usec = (uint64_t) g_get_monotonic_time();
        exec->hooks->started(exec, exec->data);
}

static void on_asks(int listener, void *data)
{
        container_take_listener(((Exec *) data)->container, listener);
}

static const ProcessHooks process_hooks = {
        .ready = on_ready,
        .asks = on_asks,
        .failed = on_failed,
        .executed = on_executed,
        .overdue = on_overdue,
        .ended = on_ended,
};

static void on_joiner(int fd, GIOCondition condition, void *data)
{
        Exec *exec = data;
        SandboxReport report;
        Launched launched;

        watch_clear(&exec->joiner_watch); /* before its fd is closed */
        bool has_joined = join_finish(exec->joiner, &launched, &report);

        stop_joining(exec);
        if (!has_joined) {
                if (report.stage != _STAGE_MAX)
                        on_failed(&report, exec);
                fail(exec);
                return;
        }
        exec->info.pid = launched.pid;
        exec->process = process_new(&launched, true, &process_hooks, exec);
}

static gboolean on_joiner_overdue(void *data)
{
        Exec *exec = data;

        exec->joiner_timer = 0;
        exec->timed_out = true;
        syscall(SYS_pidfd_send_signal, exec->joiner->pidfd, SIGKILL, NULL, 0);
        return G_SOURCE_REMOVE;
}

/* One pipe for stdout and stderr, unless the caller gave both or a terminal carries them. */
static bool open_pipe(const Exec *exec, int ends[2], GError **error)
{
        const Order *order = exec->order;
        const IdMap *map = container_map(exec->container);
        uint64_t inode;
        unsigned given = 0;

        for (size_t i = 0; i < order->n_fds; i++)
                if (order->fds[i].target == 1 || order->fds[i].target == 2)
                        given++;
        return order->process.attributes.terminal || given == 2 ||
               output_open_pipe(ends, id_map_root_uid(map), id_map_root_gid(map), &inode, error);
}

static bool start(Exec *exec, const Profile *profile, const Rights *rights, GError **error)
{
        Container *container = exec->container;
        int ends[2] = {-1, -1};

        if (!open_pipe(exec, ends, error))
                return false;
        autofd int mine = ends[0], theirs = ends[1];
        const JoinInput input = {
                .order = exec->order,
                .profile = profile,
                .rights = rights,
                .cgroup = container_cgroup(container),
                .pidfd = container_pidfd(container),
                .pid = container_info(container)->pid,
                .output_fd = theirs,
        };
        if (!join(&input, &exec->joiner, error))
                return false;
        if (mine >= 0)
                output_set_source(exec->output, steal_fd(&mine), false);
        exec->joiner_watch = watch_new(exec->joiner->pidfd, G_IO_IN, on_joiner, exec);
        exec->joiner_timer = g_timeout_add(SETUP_TIMEOUT_MSEC, on_joiner_overdue, exec);
        order_close_fds(exec->order); /* the joiner has them */
        return true;
}

/* -- life -- */

bool exec_may_begin(const Container *container, GError **error)
{
        const ContainerInfo *info = container_info(container);

        /* see index.c for its labels */
        if (info->belongs_to)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "cannot execute a command in container '%s': it belongs to %s, "
                                 "and its runtime alone knows its filter and all of its cgroups: "
                                 "use its own command for that, or 'naive-oci --root %s exec %s'",
                                 info->id, info->belongs_to, info->labels[3], info->labels[1]);
        if (info->state == CONTAINER_RUNNING)
                return true;
        return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                         "cannot execute in container '%s': it is %s", info->id,
                         container_state_to_string(info->state));
}

bool exec_new(Container *container, const Profile *profile, unsigned number, Order *consumed,
              Exec **ret, GError **error)
{
        g_autoptr(Order) order = consumed;
        const ContainerInfo *info = container_info(container);
        Rights rights;

        if (!exec_may_begin(container, error) || !settle_rights(info, order, &rights, error))
                return false;
        Exec *exec = g_new0(Exec, 1);
        exec->info = (ExecInfo){
                .number = number, .state = CONTAINER_CREATING, .watcher = g_strdup(order->watcher)};
        exec->container = container;
        exec->oom_kills = info->oom_kills;
        exec->output = output_new();
        exec->order = g_steal_pointer(&order);
        exec->order->id = g_strdup(info->id);
        exec->order->resources.memory_max = info->memory_max;
        exec->order->process.filters = filters_copy(&info->filters);
        if (start(exec, profile, &rights, error)) {
                *ret = exec;
                return true;
        }
        exec_free(exec);
        return false;
}

void exec_set_status(Exec *exec, StatusFd *status)
{
        exec->status = status;
}

void exec_say(Exec *exec, const char *path)
{
        const ExecInfo *info = &exec->info;
        g_autofree char *line = NULL;

        if (!exec->status)
                return;
        if (info->state != CONTAINER_STOPPED) {
                line = status_words_running(path, container_info(exec->container)->id, info->pid);
                status_fd_say(exec->status, line);
                return;
        }
        line = status_words_stopped(info->result, info->code, LIMIT_HIT_NONE, &info->usage);
        status_fd_finish(g_steal_pointer(&exec->status), line);
}

void exec_set_hooks(Exec *exec, const ExecHooks *hooks, void *data)
{
        exec->hooks = hooks;
        exec->data = data;
}

void exec_drop_watcher(Exec *exec)
{
        g_clear_pointer(&exec->info.watcher, g_free);
}

void exec_release(Exec *exec)
{
        if (exec->info.state == CONTAINER_RUNNING)
                g_clear_pointer(&exec->process, process_free);
}

void exec_free(Exec *exec)
{
        if (!exec)
                return;
        stop_joining(exec);
        if (exec->process) {
                process_signal(exec->process, SIGKILL);
                process_reap(exec->process);
        }
        process_free(exec->process);
        status_fd_free(exec->status);
        output_free(exec->output);
        order_free(exec->order);
        g_clear_error(&exec->failure);
        g_free(exec->info.watcher);
        g_free(exec);
}

const ExecInfo *exec_info(const Exec *exec)
{
        return &exec->info;
}

Container *exec_container(const Exec *exec)
{
        return exec->container;
}

Output *exec_output(Exec *exec)
{
        return exec->output;
}

int exec_pidfd(const Exec *exec)
{
        return exec->process ? process_pidfd(exec->process) : -1;
}

bool exec_kill(Exec *exec, int signal, GError **error)
{
        const char *id = container_info(exec->container)->id;
        int sent;

        if (!exec->process)
                return error_set(error, RUNTIME_ERROR_INVALID_STATE,
                                 "cannot signal exec %u of container '%s': it has ended",
                                 exec->info.number, id);
        sent = process_signal(exec->process, signal);
        return sent >= 0 ||
               error_set_errno(error, RUNTIME_ERROR_FAILED, -sent,
                               "cannot signal exec %u of container '%s'", exec->info.number, id);
}
