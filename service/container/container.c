#include "service/container/container.h"

#include <signal.h>
#include <sys/wait.h>

#include "service/cgroup/cpu-time.h"
#include "service/cgroup/freeze.h"
#include "service/cgroup/hit.h"
#include "service/cgroup/live/update.h"
#include "service/container/end/ending.h"
#include "service/container/internal.h"
#include "service/container/usage.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"

#define CLEAN_RETRY_MSEC     10u /* doubled each time */
#define CLEAN_RETRY_MSEC_MAX 5000u

bool container_is_starting(const Container *container)
{
        return container->info.state == CONTAINER_CREATED &&
               process_is_executing(container->process);
}

void container_set_state(Container *container, ContainerState state)
{
        static const unsigned legal[_CONTAINER_STATE_MAX] = {
                [CONTAINER_CREATING] =
                        1u << CONTAINER_CREATED | 1u << CONTAINER_RUNNING | 1u << CONTAINER_STOPPED,
                [CONTAINER_CREATED] = 1u << CONTAINER_RUNNING | 1u << CONTAINER_STOPPED,
                [CONTAINER_RUNNING] = 1u << CONTAINER_PAUSED | 1u << CONTAINER_STOPPED,
                [CONTAINER_PAUSED] = 1u << CONTAINER_RUNNING | 1u << CONTAINER_STOPPED,
        };

        g_assert(legal[container->info.state] & 1u << state);
        container->info.state = state;
}

/* -- clean-up: `exited` is called before it, `failed` after it -- */

static gboolean on_clean(void *data)
{
        Container *container = data;
        g_autoptr(GError) error = NULL;

        container->clean_timer = 0;
        fd_clear(&container->mount_namespace);
        if (container->cgroup && !cgroup_remove(container->cgroup, &error)) {
                /* some processes are not gone yet, perhaps one in an uninterruptible sleep */
                cgroup_kill(container->cgroup, NULL);
                if (container->clean_delay >= 320)
                        g_warning("container %s: %s; trying again", container->info.id,
                                  error->message);
                container->clean_timer = g_timeout_add(container->clean_delay, on_clean, container);
                container->clean_delay = MIN(container->clean_delay * 2, CLEAN_RETRY_MSEC_MAX);
                return G_SOURCE_REMOVE;
        }
        g_clear_pointer(&container->cgroup, cgroup_free);
        /* only now can no process have one of these ids any more */
        g_clear_pointer(&container->map, id_map_free);
        /* called now, so that whoever hears of the failure finds nothing left of the container */
        if (container->failure)
                container->hooks->failed(container, container->failure, container->data);
        container->hooks->cleaned(container, container->data);
        return G_SOURCE_REMOVE;
}

static void begin_clean(Container *container)
{
        container->clean_delay = CLEAN_RETRY_MSEC;
        on_clean(container);
}

/* -- the end -- */

/* Nothing needs the order once the command is executed, and argv and environment may be a megabyte.
 */
static void drop_order(Container *container)
{
        g_clear_pointer(&container->order, order_free);
}

static void close_process(Container *container)
{
        pressure_end(&container->pressure);
        denials_end(&container->denials);
        oom_watch_end(&container->oom);
        deadline_end(&container->deadline);
        cpu_time_end(&container->cpu_time);
        container_end_pausing(container);
        watch_clear(&container->freezer_watch);
        fd_clear(&container->freezer_fd);
        g_clear_pointer(&container->process, process_free);
        container->info.pid = 0;
}

/* The process ended without reporting why. */
static void set_silent_failure(Container *container, const siginfo_t *status)
{
        if (container->failure)
                return;
        if (container->info.oom_kills > 0)
                cgroup_memory_too_low(container->info.memory_max,
                                      "start the command: killed for memory", &container->failure);
        else if (container->overdue.is_over)
                error_set(&container->failure, RUNTIME_ERROR_SETUP_FAILED,
                          "the container was not set up within %u ms", SETUP_TIMEOUT_MSEC);
        else
                error_set(&container->failure, RUNTIME_ERROR_SETUP_FAILED,
                          "the container's process ended during set-up (%s %d)",
                          status->si_code == CLD_EXITED ? "status" : "signal", status->si_status);
}

static void on_ended(const siginfo_t *status, void *data)
{
        Container *container = data;
        ContainerInfo *info = &container->info;

        container_end_resuming(container);
        info->exited_usec = (uint64_t) g_get_real_time();
        if (container->cgroup) {
                info->oom_kills = cgroup_oom_kills(container->cgroup);
                info->limit_hit = cgroup_limit_hit(container->cgroup, info->oom_kills);
                usage_take(info, container->cgroup);
                container_tell_rest(container);
        }
        bool was_running = container_state_is_running(info->state);
        bool was_created = info->state == CONTAINER_CREATED && !container_is_starting(container);
        close_process(container);
        container_set_state(container, CONTAINER_STOPPED);
        if (was_running || was_created)
                ending_judge(info, status, &container->overdue);
        else {
                info->result = RESULT_SETUP_FAILED;
                set_silent_failure(container, status);
        }
        output_finish(container->output);
        drop_order(container);
        if (!container->failure)
                container->hooks->exited(container, container->data);
        begin_clean(container);
}

/* -- set-up -- */

static void on_overdue(void *data)
{
        Container *container = data;

        container->overdue.is_over = true;
        container_kill(container, true, SIGKILL, NULL);
}

static void on_deadline(void *data)
{
        Container *container = data;

        container->overdue.limit = LIMIT_HIT_RUN_TIME;
        on_overdue(container);
}

static void on_cpu_time(void *data)
{
        Container *container = data;

        container->overdue.limit = LIMIT_HIT_CPU_TIME;
        on_overdue(container);
}

static void limit_time(Container *container)
{
        const ContainerInfo *info = &container->info;

        deadline_begin(&container->deadline, info->deadline_usec, on_deadline, container);
        cpu_time_begin(&container->cpu_time, container->cgroup, info->cpu_time_max, on_cpu_time,
                       container);
}

static void on_ready(int terminal, void *data)
{
        Container *container = data;

        if (terminal >= 0) {
                container->info.terminal = true;
                container->hooks->terminal(container, terminal, container->data);
                output_set_source(container->output, terminal, true);
        }
        if (process_is_executing(container->process))
                return;
        container_set_state(container, CONTAINER_CREATED);
        container->hooks->created(container, container->data);
}

static void on_failed(const SandboxReport *report, void *data)
{
        Container *container = data;

        launch_report_to_error(report, container->order, &container->failure);
}

/* Either exec closed the socket, or the process died at that moment. The kernel counts an OOM kill
 * before it closes the socket, so read the counter. Reading it takes the event from the watch, so
 * the rest of the group is killed here. If the kill came before exec, on_ended() follows and tells
 * the rest. */
static void on_executed(void *data)
{
        Container *container = data;

        container->info.oom_kills = cgroup_oom_kills(container->cgroup);
        if (container->info.oom_kills > 0) {
                cgroup_kill(container->cgroup, NULL);
                if (!process_has_executed(container->process))
                        return;
        }
        container->info.deadline_usec = deadline_after(container->order->resources.run_time_max);
        container->info.cpu_time_max = container->order->resources.cpu_time_max;
        limit_time(container);
        drop_order(container);
        container->info.started_usec = (uint64_t) g_get_real_time();
        container_set_state(container, CONTAINER_RUNNING);
        container->hooks->started(container, container->data);
        container_tell_out_of_memory(container);
}

static void on_asks(int listener, void *data)
{
        container_take_listener(data, listener);
}

static const ProcessHooks process_hooks = {
        .ready = on_ready,
        .asks = on_asks,
        .failed = on_failed,
        .executed = on_executed,
        .overdue = on_overdue,
        .ended = on_ended,
};

/* One pipe for stdout and stderr, unless the caller gave both or a terminal carries them. */
static bool open_pipe(Container *container, const IdMap *map, int ends[2], GError **error)
{
        const Order *order = container->order;
        unsigned given = 0;

        for (size_t i = 0; i < order->n_fds; i++)
                if (order->fds[i].target == 1 || order->fds[i].target == 2)
                        given++;
        /* the pipe belongs to the container's root, or nobody inside could open /dev/stdout */
        return order->process.attributes.terminal || given == 2 ||
               output_open_pipe(ends, id_map_root_uid(map), id_map_root_gid(map),
                                &container->info.pipe, error);
}

/* A limit that nobody could tell to be met is refused. */
static bool check_cpu_time(const Container *container, GError **error)
{
        uint64_t used;

        return container->order->resources.cpu_time_max == 0 ||
               cgroup_cpu_time(container->cgroup, &used, error);
}

static bool start_process(Container *container, const ContainerEngine *engine, Prepared *made,
                          GError **error)
{
        int ends[2] = {-1, -1};
        Launched launched;

        if (!check_cpu_time(container, error) || !open_pipe(container, made->map, ends, error)) {
                g_clear_pointer(&made->sandbox, sandbox_free);
                return false;
        }
        autofd int mine = ends[0], theirs = ends[1];
        const LaunchInput input = {
                .order = container->order,
                .profile = engine->profile,
                .made = made,
                .output_fd = theirs,
        };
        if (!engine->launch(&input, &launched, error))
                return false;
        if (mine >= 0)
                output_set_source(container->output, steal_fd(&mine), false);
        container->process =
                process_new(&launched, container->order->execute, &process_hooks, container);
        container->mount_namespace = launched.mount_namespace;
        container->info.pid = launched.pid;
        container->info.id_base = id_map_base(made->map);
        container->info.rights = launched.rights;
        container->info.has_rights = true;
        container->info.filters = filters_copy(&container->order->process.filters);
        return true;
}

static void drop_leaf(Container *container)
{
        g_autoptr(GError) error = NULL;

        if (container->cgroup && !cgroup_remove(container->cgroup, &error))
                g_warning("container %s: %s", container->info.id, error->message);
        g_clear_pointer(&container->cgroup, cgroup_free);
        g_clear_pointer(&container->map, id_map_free);
}

bool container_launch(Container *container, const ContainerEngine *engine, Prepared *made,
                      GError **error)
{
        container->cgroup = made->cgroup;
        container->map = made->map;
        g_free(container->info.control_group);
        container->info.control_group = g_strdup(cgroup_path(made->cgroup));
        bool is_started = start_process(container, engine, made, error);
        *made = (Prepared){0};
        if (!is_started) {
                drop_leaf(container);
                return false;
        }
        order_close_fds(container->order); /* the process has them */
        oom_watch_begin(&container->oom, container->cgroup, &container->info.oom_kills, false);
        return true;
}

void container_adopt(Container *container, const ContainerAdoption *how)
{
        container->process =
                process_adopt(container->info.pid, how->pidfd, &process_hooks, container);
        container->cgroup = how->cgroup;
        container->map = how->map;
        /* The kernel's word, not the record's: a predecessor may have died in between. */
        container->info.state =
                cgroup_is_told_to_freeze(how->cgroup) ? CONTAINER_PAUSED : CONTAINER_RUNNING;
        if (container->info.belongs_to)
                container_follow(container);
        container->info.memory_max = cgroup_memory_max(how->cgroup, container->info.memory_max);
        limit_time(container);
        if (how->source >= 0)
                output_set_source(container->output, how->source, container->info.terminal);
        oom_watch_begin(&container->oom, container->cgroup, &container->info.oom_kills, true);
}

void container_look_for_end(Container *container)
{
        siginfo_t status = {0};

        if (container->process && process_look_for_end(container->process, &status))
                on_ended(&status, container);
}

/* -- life -- */

Container *container_new(ContainerInfo *info, Order *order, const ContainerHooks *hooks, void *data)
{
        Container *container = g_new0(Container, 1);

        container->info = *info;
        *info = (ContainerInfo){0};
        container->order = order;
        if (order && !order->tree.hostname)
                order->tree.hostname = g_strdup(container->info.id);
        container->hooks = hooks;
        container->data = data;
        container->mount_namespace = container->pausing.events_fd = container->freezer_fd = -1;
        container->output = output_new();
        container_begin_telling(container);
        return container;
}

void container_release(Container *container)
{
        close_process(container);
        g_clear_pointer(&container->status, status_fd_release);
        g_clear_pointer(&container->cgroup, cgroup_free);
}

void container_free(Container *container)
{
        if (!container)
                return;
        if (container->clean_timer)
                g_source_remove(container->clean_timer);
        if (container->process && !container->info.belongs_to) {
                container_kill(container, true, SIGKILL, NULL);
                if (!process_reap(container->process))
                        g_warning("container %s of user %u was killed and does not end",
                                  container->info.id, container->info.owner);
        }
        close_process(container);
        fd_close(container->mount_namespace);
        drop_leaf(container);
        status_fd_free(container->status);
        output_free(container->output);
        order_free(container->order);
        g_clear_error(&container->failure);
        container_info_clear(&container->info);
        g_free(container);
}

const ContainerInfo *container_info(const Container *container)
{
        return &container->info;
}

const Order *container_order(const Container *container)
{
        return container->order;
}

Output *container_output(Container *container)
{
        return container->output;
}

int container_pidfd(const Container *container)
{
        return container->process ? process_pidfd(container->process) : -1;
}

Cgroup *container_cgroup(const Container *container)
{
        return container->cgroup;
}

const IdMap *container_map(const Container *container)
{
        return container->map;
}

bool container_is_live(const Container *container)
{
        return container->process;
}

bool container_is_clean(const Container *container)
{
        return !container->process && !container->cgroup && !container->map;
}

void container_set_remove(Container *container)
{
        container->info.remove = true;
}

void container_drop_watcher(Container *container)
{
        g_clear_pointer(&container->info.watcher, g_free);
}
