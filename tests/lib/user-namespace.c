#include "tests/lib/user-namespace.h"

#include <fcntl.h>
#include <glib.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"

int make_user_namespace(unsigned inside, unsigned outside)
{
        struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0)
                for (;;)
                        syscall(SYS_pause);
        g_autofree char *map = g_strdup_printf("%u %u 1", inside, outside);
        g_autofree char *directory = g_strdup_printf("/proc/%d", (int) pid);
        autofd int proc = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(fd_write_file_at(proc, "uid_map", map), ==, 0);
        g_assert_cmpint(fd_write_file_at(proc, "gid_map", map), ==, 0);
        int fd = openat(proc, "ns/user", O_RDONLY | O_CLOEXEC);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return fd;
}
