#include "service/container/container.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/watch.h"

#define CLEAN_RETRY_MSEC     10u /* doubled each time */
#define CLEAN_RETRY_MSEC_MAX 5000u
#define EXIT_LOOK_MSEC       50u
#define EXIT_LOOKS           100u
#define OOM_LOOK_MSEC        5u
#define OOM_LOOKS            400u

struct Container {
        ContainerInfo info;
        Order *order;
        const ContainerHooks *hooks;
        void *data;

        int pidfd, sync_fd, mount_namespace;
        Watch *pidfd_watch, *sync_watch, *oom_watch;
        guint timer; /* of the set-up, or of Stop */
        guint look;  /* again at what came with no more than a hint: an exit, an OOM kill */
        Cgroup *cgroup;
        IdMap *map;
        Output *output;

        unsigned oom_looks;
        bool execute;   /* exec is wanted as soon as all is ready */
        bool executing; /* nothing is left to do but exec */
        bool adopted;   /* no child of ours: we cannot wait for it */
        unsigned exit_looks;
        bool timed_out;  /* Stop's signal was not enough, or the set-up took too long */
        GError *failure; /* why it could not be set up or executed */
        guint clean_timer;
        guint clean_delay;
};

static void timer_clear(guint *timer)
{
        if (*timer)
                g_source_remove(*timer);
        *timer = 0;
}

static void set_state(Container *container, ContainerState state)
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

/* -- clean-up: an exit is told before it, a failure after it -- */

static gboolean on_clean(void *data)
{
        Container *container = data;
        g_autoptr(GError) error = NULL;

        container->clean_timer = 0;
        fd_clear(&container->mount_namespace);
        if (container->cgroup && !cgroup_remove(container->cgroup, &error)) {
                /* processes that are still going away, one in an uninterruptible sleep perhaps */
                cgroup_kill(container->cgroup, NULL);
                if (container->clean_delay >= 320)
                        g_warning("container %s: %s; trying again", container->info.id,
                                  error->message);
                container->clean_timer = g_timeout_add(container->clean_delay, on_clean, container);
                container->clean_delay = MIN(container->clean_delay * 2, CLEAN_RETRY_MSEC_MAX);
                return G_SOURCE_REMOVE;
        }
        g_clear_pointer(&container->cgroup, cgroup_free);
        /* only now can no process have one of these ids */
        g_clear_pointer(&container->map, id_map_free);
        /* who is told of a failure finds nothing of it left */
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

static void close_process(Container *container)
{
        watch_clear(&container->pidfd_watch);
        watch_clear(&container->sync_watch);
        watch_clear(&container->oom_watch);
        timer_clear(&container->timer);
        timer_clear(&container->look);
        fd_clear(&container->pidfd);
        fd_clear(&container->sync_fd);
        container->info.pid = 0;
}

static void set_result(Container *container, const siginfo_t *status)
{
        ContainerInfo *info = &container->info;

        info->code = status->si_status;
        if (status->si_code == 0)
                info->result = info->oom_kills > 0 ? RESULT_OOM_KILL : RESULT_UNKNOWN;
        else if (status->si_code == CLD_EXITED && info->code == 0)
                info->result = RESULT_SUCCESS;
        else if (info->oom_kills >
                 0) { /* a shell may have told of its child's end before its own came */
                info->result = RESULT_OOM_KILL;
                info->code = SIGKILL;
        } else if (status->si_code == CLD_EXITED)
                info->result = RESULT_EXIT_CODE;
        else if (container->timed_out && info->code == SIGKILL)
                info->result = RESULT_TIMEOUT;
        else
                info->result = status->si_code == CLD_DUMPED ? RESULT_CORE_DUMP : RESULT_SIGNAL;
}

/* Ended without a word of its own about why. */
static void set_silent_failure(Container *container, const siginfo_t *status)
{
        if (container->failure)
                return;
        if (container->info.oom_kills > 0)
                cgroup_memory_too_low(container->info.memory_max,
                                      "start the command: killed for memory", &container->failure);
        else if (container->timed_out)
                error_set(&container->failure, RUNTIME_ERROR_SETUP_FAILED,
                          "the container was not set up within %u ms", SETUP_TIMEOUT_MSEC);
        else
                error_set(&container->failure, RUNTIME_ERROR_SETUP_FAILED,
                          "the container's process ended during set-up (%s %d)",
                          status->si_code == CLD_EXITED ? "status" : "signal", status->si_status);
}

static void handle_report(Container *container);

static void on_process_end(int fd, GIOCondition condition, void *data);

static gboolean on_exit_look(void *data)
{
        Container *container = data;

        container->look = 0;
        on_process_end(container->pidfd, G_IO_IN, container);
        return G_SOURCE_REMOVE;
}

/* The kernel tells strangers of the exit code once the process is reaped, which its parent may take
 * its time for. False: look again later. */
static bool read_exit(Container *container, siginfo_t *ret)
{
        int status, known = proc_exit_status(container->pidfd, &status);

        if (known > 0) {
                ret->si_code = WIFEXITED(status)   ? CLD_EXITED
                               : WCOREDUMP(status) ? CLD_DUMPED
                                                   : CLD_KILLED;
                ret->si_status = WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status);
                return true;
        }
        if (known == 0 && container->exit_looks++ < EXIT_LOOKS) {
                watch_clear(&container->pidfd_watch);
                watch_clear(&container->oom_watch);
                timer_clear(&container->look);
                container->look = g_timeout_add(EXIT_LOOK_MSEC, on_exit_look, container);
                return false;
        }
        ret->si_code = 0;
        return true;
}

static void on_process_end(int fd, GIOCondition condition, void *data)
{
        Container *container = data;
        siginfo_t status = {0};

        /* what it said comes before how it ended */
        handle_report(container);
        if (container->adopted) {
                if (!read_exit(container, &status))
                        return;
        } else if (waitid(P_PIDFD, (id_t) fd, &status, WEXITED | WNOHANG) < 0 || status.si_pid == 0)
                return;
        if (container->cgroup)
                container->info.oom_kills = cgroup_oom_kills(container->cgroup);
        container->info.exited_usec = (uint64_t) g_get_real_time();
        close_process(container);
        bool was_running = container->info.state == CONTAINER_RUNNING ||
                           container->info.state == CONTAINER_PAUSED;
        bool was_created = container->info.state == CONTAINER_CREATED && !container->executing;
        set_state(container, CONTAINER_STOPPED);
        if (was_running || was_created)
                set_result(container, &status);
        else {
                container->info.result = RESULT_SETUP_FAILED;
                set_silent_failure(container, &status);
        }
        output_finish(container->output);
        if (!container->failure)
                container->hooks->exited(container, container->data);
        begin_clean(container);
}

/* -- set-up -- */

static gboolean on_timer(void *data)
{
        Container *container = data;

        container->timer = 0;
        container->timed_out = true;
        container_kill(container, true, SIGKILL, NULL);
        return G_SOURCE_REMOVE;
}

static void handle_ready(Container *container, int terminal)
{
        if (terminal >= 0) {
                container->info.terminal = true;
                container->hooks->terminal(container, terminal, container->data);
                output_set_source(container->output, terminal, true);
        }
        if (container->execute) {
                container->executing = true;
                return;
        }
        timer_clear(&container->timer);
        set_state(container, CONTAINER_CREATED);
        container->hooks->created(container, container->data);
}

/* Asked of one that was killed for memory: a zombie keeps its name. */
static bool has_executed(const Container *container)
{
        char path[32], name[32];

        snprintf(path, sizeof path, "/proc/%d/comm", (int) container->info.pid);
        return fd_read_file_at(AT_FDCWD, path, name, sizeof name) > 0 &&
               strcmp(name, SANDBOX_COMM "\n") != 0;
}

/* The stream ended when nothing but exec was left to do: either exec closed it, or the process
 * died. If it died for memory the kernel has counted that before. Looking has taken the event, so
 * whoever is left goes too; and if that was before exec, its end is near, and tells the rest. */
static void handle_executed(Container *container)
{
        if (cgroup_oom_kills(container->cgroup) > 0) {
                cgroup_kill(container->cgroup, NULL);
                if (!has_executed(container))
                        return;
        }
        timer_clear(&container->timer);
        container->info.started_usec = (uint64_t) g_get_real_time();
        set_state(container, CONTAINER_RUNNING);
        container->hooks->started(container, container->data);
}

static void handle_report(Container *container)
{
        while (container->sync_fd >= 0) {
                SandboxReport report;
                int terminal = -1;
                switch (launch_read(container->sync_fd, &report, &terminal)) {
                case LAUNCH_AGAIN:
                        return;
                case LAUNCH_READY:
                        handle_ready(container, terminal);
                        break;
                case LAUNCH_FAILED:
                        if (!container->failure)
                                launch_report_to_error(&report, container->order,
                                                       &container->failure);
                        break;
                case LAUNCH_END:
                        watch_clear(&container->sync_watch);
                        fd_clear(&container->sync_fd);
                        if (container->executing && !container->failure)
                                handle_executed(container);
                        break;
                }
        }
}

static void on_sync(int fd, GIOCondition condition, void *data)
{
        handle_report(data);
}

static void on_oom(int fd, GIOCondition condition, void *data);

static void watch_oom(Container *container)
{
        short events = 0;
        int fd = cgroup_oom_fd(container->cgroup, &events);

        if (fd >= 0)
                container->oom_watch = watch_new(fd, (GIOCondition) events, on_oom, container);
}

/* v1 has no group kill: whoever is left of the group goes with the first that is killed. */
static bool end_for_memory(Container *container)
{
        container->info.oom_kills = cgroup_oom_kills(container->cgroup);
        if (container->info.oom_kills == 0)
                return false;
        cgroup_kill(container->cgroup, NULL);
        return true;
}

static gboolean on_oom_soon(void *data)
{
        Container *container = data;

        bool is_ended = end_for_memory(container);
        if (!is_ended && --container->oom_looks > 0)
                return G_SOURCE_CONTINUE;
        container->look = 0;
        if (!is_ended)
                watch_oom(container);
        return G_SOURCE_REMOVE;
}

/* v1 tells of it before the kill is done and counted: a few looks more, then it was no kill. */
static void on_oom(int fd, GIOCondition condition, void *data)
{
        Container *container = data;

        bool is_ended = end_for_memory(container);
        if (!is_ended && condition & G_IO_PRI)
                return; /* v2 counts first, and tells of pressure as well */
        watch_clear(&container->oom_watch);
        if (is_ended)
                return;
        container->oom_looks = OOM_LOOKS;
        container->look = g_timeout_add(OOM_LOOK_MSEC, on_oom_soon, container);
}

static void watch_process(Container *container)
{
        container->sync_watch = watch_new(container->sync_fd, G_IO_IN, on_sync, container);
        container->pidfd_watch = watch_new(container->pidfd, G_IO_IN, on_process_end, container);
        watch_oom(container);
        container->timer = g_timeout_add(SETUP_TIMEOUT_MSEC, on_timer, container);
}

/* One pipe for stdout and stderr, unless the caller gave both or a terminal carries them. */
static bool open_pipe(Container *container, const IdMap *map, int ends[2], GError **error)
{
        const Order *order = container->order;
        unsigned given = 0;

        for (size_t i = 0; i < order->n_fds; i++)
                if (order->fds[i].target == 1 || order->fds[i].target == 2)
                        given++;
        /* the container root's file, or nobody there could open /dev/stdout anew */
        return order->process.attributes.terminal || given == 2 ||
               output_open_pipe(ends, id_map_root_uid(map), id_map_root_gid(map),
                                &container->info.pipe, error);
}

static bool start_process(Container *container, const ContainerEngine *engine, Prepared *made,
                          GError **error)
{
        int ends[2] = {-1, -1};
        Launched launched;

        if (!open_pipe(container, made->map, ends, error)) {
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
        container->pidfd = launched.pidfd;
        container->sync_fd = launched.sync_fd;
        container->mount_namespace = launched.mount_namespace;
        container->info.pid = launched.pid;
        container->info.id_base = id_map_base(made->map);
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
        container->execute = container->order->execute;
        g_free(container->info.control_group);
        container->info.control_group = g_strdup(cgroup_path(made->cgroup));
        bool is_started = start_process(container, engine, made, error);
        *made = (Prepared){0};
        if (!is_started) {
                drop_leaf(container);
                return false;
        }
        order_close_fds(container->order); /* the process has them */
        watch_process(container);
        return true;
}

void container_adopt(Container *container, const ContainerAdoption *how)
{
        container->adopted = true;
        container->pidfd = how->pidfd;
        container->cgroup = how->cgroup;
        container->map = how->map;
        if (how->source >= 0)
                output_set_source(container->output, how->source, container->info.terminal);
        container->pidfd_watch = watch_new(container->pidfd, G_IO_IN, on_process_end, container);
        watch_oom(container);
}

/* -- verbs -- */

static bool wrong_state(const Container *container, const char *verb, GError **error)
{
        return error_set(error, RUNTIME_ERROR_INVALID_STATE, "cannot %s container '%s': it is %s",
                         verb, container->info.id,
                         container->executing && container->info.state == CONTAINER_CREATED
                                 ? "starting"
                                 : container_state_to_string(container->info.state));
}

bool container_start(Container *container, GError **error)
{
        if (container->info.state != CONTAINER_CREATED || container->executing)
                return wrong_state(container, "start", error);
        container->executing = true;
        container->timer = g_timeout_add(SETUP_TIMEOUT_MSEC, on_timer, container);
        launch_execute(container->sync_fd); /* if it is gone, the pidfd tells */
        return true;
}

bool container_kill(Container *container, bool whole, int signal, GError **error)
{
        if (container->pidfd < 0)
                return wrong_state(container, "signal", error);
        if (whole && container->cgroup) {
                if (signal != SIGKILL)
                        return cgroup_signal(container->cgroup, signal, error);
                if (cgroup_kill(container->cgroup, NULL))
                        return true;
                /* without a leaf the end of its PID 1 ends them all */
        }
        if (syscall(SYS_pidfd_send_signal, container->pidfd, signal, NULL, 0) < 0 && errno != ESRCH)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, errno,
                                       "cannot signal container '%s'", container->info.id);
        return true;
}

bool container_stop(Container *container, int signal, uint64_t timeout_usec, GError **error)
{
        if (container->pidfd < 0)
                return wrong_state(container, "stop", error);
        /* one that was never executed has nothing to tidy up */
        if (container->info.state == CONTAINER_CREATED || timeout_usec == 0)
                return container_kill(container, true, SIGKILL, error);
        if (!container_kill(container, false, signal, error))
                return false;
        timer_clear(&container->timer);
        if (timeout_usec != UINT64_MAX)
                container->timer = g_timeout_add(
                        (guint) MIN(timeout_usec / 1000 + 1, G_MAXUINT - 1), on_timer, container);
        return true;
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
        container->pidfd = container->sync_fd = container->mount_namespace = -1;
        container->output = output_new();
        return container;
}

void container_release(Container *container)
{
        close_process(container);
        g_clear_pointer(&container->cgroup, cgroup_free);
}

void container_free(Container *container)
{
        if (!container)
                return;
        timer_clear(&container->clean_timer);
        if (container->pidfd >= 0) {
                container_kill(container, true, SIGKILL, NULL);
                waitid(P_PIDFD, (id_t) container->pidfd, &(siginfo_t){0}, WEXITED);
        }
        close_process(container);
        fd_close(container->mount_namespace);
        drop_leaf(container);
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
        return container->pidfd;
}

bool container_is_live(const Container *container)
{
        return container->pidfd >= 0;
}

bool container_is_clean(const Container *container)
{
        return container->pidfd < 0 && !container->cgroup && !container->map;
}

void container_set_remove(Container *container)
{
        container->info.remove = true;
}
