#include "service/util/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/fd.h"

#define FLAG_EXITING 0x4u /* the kernel's PF_EXITING, in /proc/PID/stat */
#define TITLE_FIELD  48u  /* there, from 1; the next one is its end */

void proc_detach(pid_t parent, const int *keep, size_t n)
{
        /* the service may have died before the line above took effect */
        if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != parent)
                _exit(EXIT_FAILURE);
        fd_close_others(keep, n);
}

void proc_drop_rights(void)
{
        struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
        const struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};

        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (syscall(SYS_capset, &header, none) < 0)
                _exit(EXIT_FAILURE);
}

bool proc_start_time(pid_t pid, uint64_t *ret)
{
        char path[32], text[2048];

        snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
        return fd_read_file_at(AT_FDCWD, path, text, sizeof text) > 0 &&
               proc_parse_start_time(text, ret);
}

bool proc_parse_start_time(const char *stat, uint64_t *ret)
{
        /* The name, in parentheses, may contain anything, a parenthesis too: count the fields
         * behind the last one. */
        const char *rest = strrchr(stat, ')');
        unsigned long long start;

        if (!rest || sscanf(rest + 1,
                            " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
                            "%*d %*d %llu",
                            &start) != 1)
                return false;
        *ret = start;
        return true;
}

bool proc_title(char **ret, size_t *ret_size)
{
        char text[2048];
        unsigned long long start, end;
        const char *rest;

        if (fd_read_file_at(AT_FDCWD, "/proc/self/stat", text, sizeof text) <= 0 ||
            !(rest = strrchr(text, ')')))
                return false;
        for (unsigned field = 2; rest && field < TITLE_FIELD; field++)
                rest = strchr(rest + 1, ' ');
        if (!rest || sscanf(rest, "%llu %llu", &start, &end) != 2 || start == 0 || end <= start)
                return false;
        *ret = (char *) (uintptr_t) start;
        *ret_size = (size_t) (end - start);
        return true;
}

bool proc_is_ending(pid_t pid)
{
        char path[32], text[2048];
        const char *rest;
        unsigned flags;

        snprintf(path, sizeof path, "/proc/%d/stat", (int) pid);
        return fd_read_file_at(AT_FDCWD, path, text, sizeof text) <= 0 ||
               !(rest = strrchr(text, ')')) ||
               sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) != 1 || flags & FLAG_EXITING;
}

bool proc_boot_id(char ret[BOOT_ID_SIZE])
{
        char text[64];

        if (fd_read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", text, sizeof text) <
            BOOT_ID_SIZE - 1)
                return false;
        memcpy(ret, text, BOOT_ID_SIZE - 1);
        ret[BOOT_ID_SIZE - 1] = '\0';
        return true;
}

/* "4:memory:/path"; "0::/path" for v2. A path may contain colons. */
bool proc_next_cgroup(char **text, ProcCgroup *ret)
{
        const char *line;

        while ((line = strsep(text, "\n"))) {
                const char *colon = strchr(line, ':');
                colon = colon ? strchr(colon + 1, ':') : NULL;
                if (!colon || colon[1] != '/')
                        continue;
                *ret = (ProcCgroup){strncmp(line, "0::", 3) == 0, colon + 1};
                return true;
        }
        return false;
}

unsigned proc_list_cgroups(pid_t pid, char text[PROC_CGROUP_SIZE], ProcCgroup ret[PROC_CGROUPS_MAX])
{
        char name[32];
        char *rest = text;
        unsigned n = 0;

        snprintf(name, sizeof name, "/proc/%d/cgroup", (int) pid);
        if (fd_read_file_at(AT_FDCWD, name, text, PROC_CGROUP_SIZE) <= 0)
                return 0;
        while (n < PROC_CGROUPS_MAX && proc_next_cgroup(&rest, &ret[n]))
                n++;
        return n;
}

bool proc_is_in_cgroup(pid_t pid, const char *path)
{
        char text[PROC_CGROUP_SIZE];
        ProcCgroup cgroups[PROC_CGROUPS_MAX];
        unsigned n = proc_list_cgroups(pid, text, cgroups);

        for (unsigned i = 0; i < n; i++)
                if (strcmp(cgroups[i].path, path) == 0)
                        return true;
        return false;
}

pid_t proc_of_pidfd(int pidfd)
{
        char path[48], text[1024];
        const char *line;

        snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
        if (fd_read_file_at(AT_FDCWD, path, text, sizeof text) <= 0 ||
            !(line = strstr(text, "\nPid:\t")))
                return 0;
        long pid = strtol(line + strlen("\nPid:\t"), NULL, 10);
        return pid > 0 ? (pid_t) pid : 0; /* -1: it is reaped */
}

/* struct pidfd_info as Linux 6.15 first had the exit code in it; the headers here are older. */
typedef struct PidfdInfo {
        uint64_t mask, cgroupid;
        uint32_t pid, tgid, ppid, ids[8];
        int32_t exit_code;
} PidfdInfo;
#define PIDFD_WITH_EXIT (UINT64_C(1) << 3)
#define PIDFD_GET_INFO_ _IOWR(0xFF, 11, PidfdInfo)

int proc_exit_status(int pidfd, int *ret_status)
{
        PidfdInfo info = {.mask = PIDFD_WITH_EXIT};

        if (ioctl(pidfd, PIDFD_GET_INFO_, &info) < 0)
                return errno == ESRCH ? 0 : -1; /* ESRCH: the process is just being reaped */
        if (!(info.mask & PIDFD_WITH_EXIT))
                return 0;
        *ret_status = info.exit_code;
        return 1;
}
