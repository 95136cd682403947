#include "cli/oci/cgroup/oom.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/util/fd.h"

/* v2 tells of every change of its counters. */
static uint64_t read_kills(int fd)
{
        char text[1024];
        ssize_t n = pread(fd, text, sizeof text - 1, 0);

        if (n < 0)
                return 0;
        text[n] = '\0';
        const char *line = strstr(text, "\noom_kill ");
        return line ? g_ascii_strtoull(line + strlen("\noom_kill "), NULL, 10) : 0;
}

/* v1 tells through an eventfd, also of the cgroup's end. */
static void open_legacy(int directory, OciOom *oom)
{
        autofd int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

        oom->control = openat(directory, "memory.oom_control", O_RDONLY | O_CLOEXEC);
        g_autofree char *text = g_strdup_printf("%d %d", event, oom->control);
        if (event >= 0 && oom->control >= 0 &&
            fd_write_file_at(directory, "cgroup.event_control", text) >= 0)
                oom->fd = steal_fd(&event);
}

void oci_oom_open(const PathCgroup *cgroup, OciOom *ret)
{
        bool is_unified = false;
        int directory = path_cgroup_of(cgroup, "memory", &is_unified);

        *ret = (OciOom){.fd = -1, .events = is_unified ? POLLPRI : POLLIN, .control = -1};
        if (directory >= 0 && !is_unified)
                open_legacy(directory, ret);
        if (directory < 0 || !is_unified)
                return;
        ret->fd = openat(directory, "memory.events", O_RDONLY | O_CLOEXEC);
        ret->kills = ret->fd < 0 ? 0 : read_kills(ret->fd);
}

bool oci_oom_has_come(OciOom *oom)
{
        uint64_t before = oom->kills, count;
        struct stat status;

        if (oom->events == POLLIN)
                return read(oom->fd, &count, sizeof count) == sizeof count &&
                       fstat(oom->control, &status) == 0 && status.st_nlink > 0;
        oom->kills = read_kills(oom->fd);
        return oom->kills > before;
}

void oci_oom_close(OciOom *oom)
{
        fd_clear(&oom->fd);
        fd_clear(&oom->control);
}
