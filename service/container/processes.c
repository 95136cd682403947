#include "service/container/processes.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/cgroup/stats.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "service/util/watch.h"

/* What the child tells of a process, in memory that it shares. */
typedef struct Slot {
        pid_t pid;
        bool is_ours; /* false: it has ended, and its number may be another's */
        char command[COMMAND_LENGTH_MAX + 1];
} Slot;

struct ProcessesLook {
        RootfsLookups *lookups;
        uid_t uid;
        Slot *slots;
        size_t n;
        int pidfd;
        Watch *watch;
        guint timeout;
        ProcessesFunc function;
        void *data;
};

/* -- the child: a copy of the service, so it calls nothing of GLib -- */

static bool is_inside(int process, const char *control_group)
{
        char text[8192];
        char *rest = text;
        size_t length = strlen(control_group);
        ProcCgroup cgroup;

        if (fd_read_file_at(process, "cgroup", text, sizeof text) <= 0)
                return false;
        while (proc_next_cgroup(&rest, &cgroup))
                if (strncmp(cgroup.path, control_group, length) == 0 &&
                    (!cgroup.path[length] || cgroup.path[length] == '/'))
                        return true;
        return false;
}

/* The directory of the process stays that process's, whoever gets its number later. The name is the
 * kernel's own memory, and can be read in any case. */
static void read_name(Slot *slot, const char *control_group)
{
        char path[32], name[32];

        snprintf(path, sizeof path, "/proc/%d", (int) slot->pid);
        autofd int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process < 0 || !is_inside(process, control_group))
                return;
        ssize_t length = fd_read_file_at(process, "comm", name, sizeof name);
        if (length <= 0)
                return;
        name[length - 1] = '\0'; /* the newline */
        snprintf(slot->command, sizeof slot->command, "[%s]", name);
        slot->is_ours = true;
}

/* May never come back. */
static void read_arguments(Slot *slot, const char *control_group)
{
        char path[32], text[COMMAND_LENGTH_MAX];

        snprintf(path, sizeof path, "/proc/%d", (int) slot->pid);
        autofd int process = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        autofd int file = process < 0 ? -1 : openat(process, "cmdline", O_RDONLY | O_CLOEXEC);
        ssize_t length = file < 0 ? -1 : read(file, text, sizeof text);

        while (length > 0 && !text[length - 1])
                length--;
        if (length <= 0 || !is_inside(process, control_group))
                return;
        for (ssize_t i = 0; i < length; i++)
                slot->command[i] = text[i] ? text[i] : ' ';
        slot->command[length] = '\0';
}

static _Noreturn void read_all(pid_t service, Slot *slots, size_t n, const char *control_group)
{
        proc_detach(service, NULL, 0);
        setpriority(PRIO_PROCESS, 0, 19); /* how much there is to read, the container decides */
        for (size_t i = 0; i < n; i++)
                read_name(&slots[i], control_group);
        for (size_t i = 0; i < n; i++)
                if (slots[i].is_ours)
                        read_arguments(&slots[i], control_group);
        _exit(0);
}

/* -- the service -- */

static void look_free(ProcessesLook *look)
{
        watch_clear(&look->watch);
        if (look->timeout)
                g_source_remove(look->timeout);
        fd_close(look->pidfd);
        if (look->slots)
                munmap(look->slots, look->n * sizeof(Slot));
        g_free(look);
}

static void line_clear(void *data)
{
        g_free(((ProcessLine *) data)->command);
}

/* A child that was killed may still hold the memory, but it writes no more. */
static void tell(ProcessesLook *look)
{
        g_autoptr(GArray) lines = g_array_new(FALSE, FALSE, sizeof(ProcessLine));
        ProcessesFunc function = look->function;
        void *data = look->data;

        g_array_set_clear_func(lines, line_clear);
        for (size_t i = 0; i < look->n; i++) {
                const Slot *slot = &look->slots[i];
                size_t length = strnlen(slot->command, COMMAND_LENGTH_MAX);
                if (!slot->is_ours)
                        continue;
                ProcessLine line = {slot->pid, g_utf8_make_valid(slot->command, (gssize) length)};
                g_array_append_val(lines, line);
        }
        look_free(look);
        function(lines, data);
}

static void give_up(ProcessesLook *look)
{
        watch_clear(&look->watch);
        rootfs_lookups_abandon(look->lookups, look->uid, steal_fd(&look->pidfd));
}

void processes_cancel(void *data)
{
        give_up(data);
        look_free(data);
}

static void on_exit_of_child(int pidfd, GIOCondition condition, void *data)
{
        waitid(P_PIDFD, (id_t) pidfd, &(siginfo_t){0}, WEXITED);
        tell(data);
}

static gboolean on_timeout(void *data)
{
        ProcessesLook *look = data;

        look->timeout = 0;
        give_up(look);
        tell(look);
        return G_SOURCE_REMOVE;
}

static bool start_child(ProcessesLook *look, const char *control_group, GError **error)
{
        struct clone_args args = {.flags = CLONE_PIDFD,
                                  .exit_signal = SIGCHLD,
                                  .pidfd = (uint64_t) (uintptr_t) &look->pidfd};
        pid_t service = getpid();
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);

        if (pid == 0)
                read_all(service, look->slots, look->n, control_group);
        return pid > 0 || error_set_errno(error, RUNTIME_ERROR_LIMITS_EXCEEDED, errno,
                                          "cannot make a process to look at processes");
}

static bool make_slots(ProcessesLook *look, const GArray *pids, GError **error)
{
        void *slots = mmap(NULL, MAX(pids->len, 1) * sizeof(Slot), PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (slots == MAP_FAILED)
                return error_set_errno(error, RUNTIME_ERROR_NO_MEMORY, errno,
                                       "cannot make room for a list of processes");
        look->slots = slots;
        look->n = MAX(pids->len, 1);
        for (guint i = 0; i < pids->len; i++)
                look->slots[i].pid = g_array_index(pids, pid_t, i);
        return true;
}

ProcessesLook *processes_look(const Container *container, RootfsLookups *lookups,
                              ProcessesFunc function, void *data, GError **error)
{
        const ContainerInfo *info = container_info(container);
        const Cgroup *cgroup = container_cgroup(container);

        if (info->state == CONTAINER_STOPPED || !cgroup) {
                error_set(error, RUNTIME_ERROR_INVALID_STATE,
                          "container '%s' has no processes: it is %s", info->id,
                          container_state_to_string(info->state));
                return NULL;
        }
        if (!rootfs_lookups_has_room(lookups, info->owner, error))
                return NULL;
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));
        cgroup_list_processes(cgroup, PROCESSES_MAX, pids);
        ProcessesLook *look = g_new0(ProcessesLook, 1);
        *look = (ProcessesLook){.lookups = lookups,
                                .uid = info->owner,
                                .pidfd = -1,
                                .function = function,
                                .data = data};
        if (!make_slots(look, pids, error) || !start_child(look, info->control_group, error)) {
                look_free(look);
                return NULL;
        }
        look->watch = watch_new(look->pidfd, G_IO_IN, on_exit_of_child, look);
        look->timeout = g_timeout_add(PROCESSES_TIMEOUT_MSEC, on_timeout, look);
        return look;
}
