#include "service/container/adoption.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/cgroup/stats.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/proc.h"

/* A container must not make a start of the service long by many. */
#define FDS_LOOKED_AT       256u
#define PROCESSES_LOOKED_AT 32u

/* The other end of the container's pipe, through any fd of its process that is this pipe and no
 * other. */
static int find_pipe(pid_t pid, uint64_t inode)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int) pid);
        g_autofree char *wanted = g_strdup_printf("pipe:[%" G_GUINT64_FORMAT "]", inode);
        g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
        const char *name;

        for (unsigned i = 0; directory && i < FDS_LOOKED_AT && (name = g_dir_read_name(directory));
             i++) {
                g_autofree char *link = g_build_filename(path, name, NULL);
                g_autofree char *target = g_file_read_link(link, NULL);
                struct stat status;
                struct statfs fs;
                if (g_strcmp0(target, wanted) != 0)
                        continue;
                /* first without opening what it is: the container may change it meanwhile */
                autofd int pinned = open(link, O_PATH | O_CLOEXEC);
                if (pinned < 0 || fstat(pinned, &status) < 0 || !S_ISFIFO(status.st_mode) ||
                    status.st_ino != inode || fstatfs(pinned, &fs) < 0 || fs.f_type != PIPEFS_MAGIC)
                        continue;
                g_autofree char *again = g_strdup_printf("/proc/self/fd/%d", pinned);
                return open(again, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        }
        return -1;
}

/* With `Init` PID 1 has no pipe any more, and whatever writes to it is another process. */
static int find_pipe_in(const Cgroup *cgroup, pid_t first, uint64_t inode)
{
        g_autoptr(GArray) pids = g_array_new(false, false, sizeof(pid_t));
        int found = find_pipe(first, inode);

        if (found < 0)
                cgroup_list_processes(cgroup, PROCESSES_LOOKED_AT, pids);
        for (guint i = 0; i < pids->len && found < 0; i++)
                found = find_pipe(g_array_index(pids, pid_t, i), inode);
        return found;
}

/* Is it surely the process that the record tells of? Its number may be another's by now, so the
 * pidfd comes first: what is checked afterwards is true of what it holds as long as that lives. */
bool adoption_find(CgroupTree *cgroups, IdRanges *ranges, const ContainerInfo *info,
                   ContainerAdoption *ret, GError **error)
{
        autofd int pidfd = (int) syscall(SYS_pidfd_open, info->pid, 0);
        g_autoptr(Cgroup) cgroup = NULL;
        IdMap *map = NULL;
        uint64_t start;

        if (pidfd < 0 || !proc_start_time(info->pid, &start) || start != info->start_time)
                return error_set(error, RUNTIME_ERROR_FAILED, "it has ended while no service ran");
        if (*info->control_group && !proc_is_in_cgroup(info->pid, info->control_group))
                return error_set(error, RUNTIME_ERROR_FAILED, "its process is not in its cgroup");
        if (syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) < 0)
                return error_set(error, RUNTIME_ERROR_FAILED, "it has ended while no service ran");
        if (!cgroup_open(cgroups, info->owner, info->serial, &cgroup, error) ||
            !id_map_adopt(ranges, info->id_base, info->owner, container_info_maps_range(info), &map,
                          error))
                return false;
        int source =
                info->pipe && !info->terminal ? find_pipe_in(cgroup, info->pid, info->pipe) : -1;
        *ret = (ContainerAdoption){
                .pidfd = steal_fd(&pidfd),
                .source = source,
                .cgroup = g_steal_pointer(&cgroup),
                .map = map,
        };
        return true;
}
