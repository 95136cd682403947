/* inside: what a process in a container finds itself to be, fact by fact. With a word only
 * that part of it: "calls" tries every system call, "files" opens all of /proc and /sys. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* -- each fact: GROUP NUL NAME NUL VALUE NUL. The name is empty in a list, and where the group has
 * one value. -- */

static void say(const char *group, const char *name, const char *value)
{
        fputs(group, stdout);
        putchar('\0');
        fputs(name, stdout);
        putchar('\0');
        fputs(value, stdout);
        putchar('\0');
}

static void number(const char *group, const char *name, long long value)
{
        char text[32];

        snprintf(text, sizeof text, "%lld", value);
        say(group, name, text);
}

static const char *error_word(int error)
{
        const char *word = error ? strerrorname_np(error) : "ok";

        return word ? word : "?";
}

/* -- files of /proc -- */

static ssize_t slurp(const char *path, char *text, size_t size)
{
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        ssize_t n, total = 0;

        if (fd < 0)
                return -1;
        while ((n = read(fd, text + total, size - 1 - (size_t) total)) > 0)
                total += n;
        close(fd);
        if (n < 0)
                return -1;
        text[total] = '\0';
        return total;
}

static void file(const char *group, const char *name, const char *path)
{
        static char text[1 << 18];
        ssize_t n = slurp(path, text, sizeof text);

        if (n > 0 && text[n - 1] == '\n')
                text[n - 1] = '\0';
        say(group, name, n < 0 ? error_word(errno) : text);
}

static void links(const char *group, const char *directory)
{
        char path[512], target[512];
        DIR *handle = opendir(directory);

        for (struct dirent *entry; handle && (entry = readdir(handle));) {
                ssize_t n;
                if (entry->d_name[0] == '.' ||
                    (int) strtol(entry->d_name, NULL, 10) == dirfd(handle))
                        continue;
                snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
                n = readlink(path, target, sizeof target - 1);
                target[n < 0 ? 0 : n] = '\0';
                say(group, entry->d_name, target);
        }
        if (handle)
                closedir(handle);
}

/* -- what the process is -- */

/* By their numbers. */
static void limits(void)
{
        char name[16], values[64];

        for (int i = 0; i < RLIM_NLIMITS; i++) {
                struct rlimit limit = {0};
                getrlimit(i, &limit);
                snprintf(name, sizeof name, "%d", i);
                snprintf(values, sizeof values, "%lld %lld", (long long) limit.rlim_cur,
                         (long long) limit.rlim_max);
                say("rlimits", name, values);
        }
}

static void scheduling(void)
{
        struct sched_param param = {0};
        cpu_set_t set;

        sched_getparam(0, &param);
        CPU_ZERO(&set);
        sched_getaffinity(0, sizeof set, &set);
        number("scheduling", "policy", sched_getscheduler(0));
        number("scheduling", "priority", param.sched_priority);
        number("scheduling", "nice", getpriority(PRIO_PROCESS, 0));
        number("scheduling", "cpus", CPU_COUNT(&set));
        number("scheduling", "ioprio", syscall(SYS_ioprio_get, 1, 0));
        number("scheduling", "timer_slack", prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0));
}

static void environment(void)
{
        for (char **entry = environ; *entry; entry++) {
                char name[256];
                snprintf(name, sizeof name, "%.*s", (int) strcspn(*entry, "="), *entry);
                say("environment", "", name);
        }
}

static void process(void)
{
        char cwd[4096] = "";
        mode_t mask = umask(0);
        struct utsname names;
        int value = -1;

        umask(mask);
        uname(&names);
        number("process", "pid", getpid());
        number("process", "ppid", getppid());
        number("process", "sid", getsid(0));
        number("process", "pgid", getpgrp());
        number("process", "umask", mask);
        number("process", "securebits", prctl(PR_GET_SECUREBITS, 0, 0, 0, 0));
        number("process", "dumpable", prctl(PR_GET_DUMPABLE, 0, 0, 0, 0));
        number("process", "thp_disable", prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
        number("process", "death_signal",
               prctl(PR_GET_PDEATHSIG, &value, 0, 0, 0) < 0 ? -1 : value);
        number("process", "subreaper",
               prctl(PR_GET_CHILD_SUBREAPER, &value, 0, 0, 0) < 0 ? -1 : value);
        number("process", "personality", personality(0xffffffff));
        say("process", "hostname", names.nodename);
        say("process", "domainname", names.domainname);
        say("process", "cwd", getcwd(cwd, sizeof cwd) ? cwd : error_word(errno));
        number("process", "terminal", open("/dev/tty", O_RDWR | O_CLOEXEC) >= 0);
        file("process", "oom_score_adj", "/proc/self/oom_score_adj");
        file("process", "setgroups", "/proc/self/setgroups");
        say("process", "session keyring",
            error_word(syscall(SYS_keyctl, 0, -3, 0, 0, 0) < 0 ? errno : 0));
}

/* -- the sweep of system calls -- */

#define LAST 480

enum { NATIVE, X32, I386 };

static long call(int entry, long nr, const long *a)
{
#ifdef __x86_64__
        if (entry == X32)
                nr |= 0x40000000;
        if (entry == I386) {
                long result;
                __asm__ volatile("int $0x80"
                                 : "=a"(result)
                                 : "a"(nr), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4])
                                 : "memory", "r8", "r9", "r10", "r11");
                if (result < 0)
                        errno = (int) -result;
                return result < 0 ? -1 : result;
        }
#endif
        return syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* They end, copy, block or unwind whoever makes them, or wait for all the disks of the machine. */
static bool is_left_out(int entry, long nr)
{
        static const long native[] = {
                SYS_exit,  SYS_exit_group, SYS_rt_sigreturn, SYS_sync, SYS_restart_syscall,
#ifdef SYS_fork
                SYS_fork,
#endif
#ifdef SYS_vfork
                SYS_vfork,
#endif
#ifdef SYS_pause
                SYS_pause,
#endif
        };
        static const long i386[] = {0, 1, 2, 29, 36, 119, 173, 190, 252};
        const long *list = entry == I386 ? i386 : native;
        size_t n = entry == I386 ? sizeof i386 / sizeof i386[0] : sizeof native / sizeof native[0];

        for (size_t i = 0; i < n; i++)
                if (list[i] == nr)
                        return true;
        return entry == X32 && nr == 513; /* its rt_sigreturn */
}

/* No pointer, no descriptor and no flag is good, so a call that reached the kernel says so. */
static void attempt(int entry, long nr, char outcome[32])
{
        long bad[6] = {-1, -1, -1, -1, -1, -1};
        pid_t pid = fork();
        int result = 0;

        if (pid == 0) {
                signal(SIGALRM, SIG_DFL);
                if (nr == SYS_futex && entry == NATIVE)
                        bad[1] = 0; /* an unknown operation is ENOSYS for the kernel, too */
                errno = 0;
                _exit(call(entry, nr, bad) < 0 ? errno : 0);
        }
        for (int i = 0; waitpid(pid, &result, WNOHANG) == 0; i++) {
                if (i == 5000)
                        kill(pid, SIGKILL);
                nanosleep(&(struct timespec){.tv_nsec = i < 50 ? 20000 : 400000}, NULL);
        }
        if (WIFEXITED(result))
                snprintf(outcome, 32, "%s", error_word(WEXITSTATUS(result)));
        else
                snprintf(outcome, 32, "signal %d", WTERMSIG(result));
}

static void sweep(const char *name, int entry)
{
        char outcome[32], text[16];

        for (long nr = 0; nr <= (entry == X32 ? 560 : LAST); nr++) {
                if (is_left_out(entry, nr))
                        continue;
                attempt(entry, nr, outcome);
                snprintf(text, sizeof text, "%ld", nr);
                say(name, text, outcome);
        }
}

static void calls(void)
{
        sweep("calls", NATIVE);
#ifdef __x86_64__
        sweep("x32", X32);
        sweep("i386", I386);
#endif
}

/* -- files that tell of the host or change it -- */

static int try_to_write(const char *path, const struct stat *st, int type, struct FTW *where)
{
        const char *name = strncmp(path, "/proc/", 6) == 0 ? path + 6 : "";

        /* what belongs to a process of the container's own may be written */
        if ((name[0] >= '0' && name[0] <= '9') || strncmp(name, "self", 4) == 0 ||
            strncmp(name, "thread-self", 11) == 0)
                return FTW_SKIP_SUBTREE;
        if (type == FTW_F && (S_ISREG(st->st_mode) || S_ISCHR(st->st_mode))) {
                int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
                struct stat found;
                /* what is masked by /dev/null takes anything and keeps nothing */
                if (fd >= 0 && fstat(fd, &found) == 0 &&
                    !(S_ISCHR(found.st_mode) && found.st_rdev == makedev(1, 3)))
                        say("writable", "", path);
                if (fd >= 0)
                        close(fd);
        }
        return FTW_CONTINUE;
}

static const char *look(const char *path)
{
        char byte;
        int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        struct stat st;
        int entries = 0;

        if (fd < 0)
                return error_word(errno);
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
                DIR *directory = fdopendir(fd);
                while (directory && readdir(directory))
                        entries++;
                return entries > 2 ? "entries" : "empty";
        }
        ssize_t n = read(fd, &byte, 1);
        return n < 0 ? error_word(errno) : n == 0 ? "empty" : "data";
}

static void files(void)
{
        static const char *const masked[] = {
                "/proc/acpi",           "/proc/asound",      "/proc/interrupts",
                "/proc/kcore",          "/proc/keys",        "/proc/latency_stats",
                "/proc/sched_debug",    "/proc/scsi",        "/proc/timer_list",
                "/proc/timer_stats",    "/sys/firmware",     "/sys/devices/virtual/powercap",
                "/sys/kernel/security", "/sys/kernel/debug", "/sys/kernel/tracing",
        };

        nftw("/proc", try_to_write, 16, FTW_PHYS | FTW_ACTIONRETVAL);
        nftw("/sys", try_to_write, 16, FTW_PHYS | FTW_ACTIONRETVAL);
        for (size_t i = 0; i < sizeof masked / sizeof masked[0]; i++)
                say("masked", masked[i], look(masked[i]));
}

static void self(void)
{
        file("status", "", "/proc/self/status");
        file("mounts", "", "/proc/self/mountinfo");
        links("fds", "/proc/self/fd");
        links("namespaces", "/proc/self/ns");
        limits();
        scheduling();
        process();
        environment();
        file("cgroup", "", "/proc/self/cgroup");
        file("uid_map", "", "/proc/self/uid_map");
        file("gid_map", "", "/proc/self/gid_map");
}

int main(int argc, char **argv)
{
        static char buffer[1 << 20];
        const char *what = argc > 1 ? argv[1] : "";

        setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
        if (!*what || strcmp(what, "self") == 0)
                self();
        if (!*what || strcmp(what, "files") == 0)
                files();
        if (!*what || strcmp(what, "calls") == 0)
                calls();
        return fflush(stdout) == 0 ? 0 : 1;
}
