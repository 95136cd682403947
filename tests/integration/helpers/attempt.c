/* attempt WHAT [ARGUMENT…]: tries what a hostile command would, and prints a line for each: what it
 * was, and "ok", the name of the error, or the signal that came of it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void report(const char *what, long result)
{
        printf("%s: %s\n", what, result < 0 ? strerrorname_np(errno) : "ok");
        fflush(stdout);
}

/* In a child, for it may be killed, and what it gets must not help the next one. */
static void apart(const char *what, long (*function)(void))
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                report(what, function());
                _exit(0);
        }
        waitpid(pid, &status, 0);
        if (WIFSIGNALED(status))
                printf("%s: signal %d\n", what, WTERMSIG(status));
        fflush(stdout);
}

/* -- D1: the terminal on fd 0, as one's own controlling terminal if that is to be had -- */

static void type(void)
{
        const char letter = 'x';
        int discipline = 0;
        char subcode[2] = {3, 0};

        printf("TIOCSCTTY: %s\n", ioctl(0, TIOCSCTTY, 0) < 0 ? strerrorname_np(errno) : "ok");
        report("TIOCSTI", syscall(SYS_ioctl, 0, (unsigned long) TIOCSTI, &letter));
        report("TIOCSTI, high", syscall(SYS_ioctl, 0, (1ul << 32) | TIOCSTI, &letter));
        report("TIOCLINUX", syscall(SYS_ioctl, 0, (unsigned long) TIOCLINUX, subcode));
        report("TIOCLINUX, high", syscall(SYS_ioctl, 0, (1ul << 32) | TIOCLINUX, subcode));
        report("TIOCSETD", syscall(SYS_ioctl, 0, (unsigned long) TIOCSETD, &discipline));
        report("TIOCSETD, high", syscall(SYS_ioctl, 0, (1ul << 63) | TIOCSETD, &discipline));
}

/* -- D5: a user namespace of one's own -- */

static long by_unshare(void)
{
        return unshare(CLONE_NEWUSER);
}

static long by_clone(void)
{
        long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

        if (pid == 0)
                _exit(0);
        return pid;
}

static long by_clone3(void)
{
        struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
        long pid = syscall(SYS_clone3, &args, sizeof args);

        if (pid == 0)
                _exit(0);
        return pid;
}

static long by_setns(void)
{
        int fd = open("/proc/1/ns/mnt", O_RDONLY | O_CLOEXEC);

        return fd < 0 ? -1 : setns(fd, 0);
}

#ifdef __x86_64__
static long i386_unshare(void)
{
        long result;

        __asm__ volatile("int $0x80"
                         : "=a"(result)
                         : "a"(310l), "b"((long) CLONE_NEWUSER)
                         : "memory", "r8", "r9", "r10", "r11");
        errno = (int) -result;
        return result < 0 ? -1 : 0;
}

static long x32_unshare(void)
{
        return syscall(0x40000000 | SYS_unshare, CLONE_NEWUSER);
}
#endif

static void namespaces(void)
{
        apart("unshare", by_unshare);
        apart("clone", by_clone);
        apart("clone3", by_clone3);
        apart("setns", by_setns);
#ifdef __x86_64__
        apart("unshare, i386", i386_unshare);
        apart("unshare, x32", x32_unshare);
#endif
}

/* -- D6: what listens on the host -- */

static long to_name(const char *name)
{
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

        snprintf(address.sun_path + 1, sizeof address.sun_path - 1, "%s", name);
        return connect(fd, (struct sockaddr *) &address,
                       (socklen_t) (offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name)));
}

static long to_port(const char *host, int port)
{
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t) port)};
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        inet_pton(AF_INET, host, &address.sin_addr);
        return connect(fd, (struct sockaddr *) &address, sizeof address);
}

/* -- D7: keys -- */

static void keys(void)
{
        report("KEYCTL_GET_KEYRING_ID", syscall(SYS_keyctl, 0, -3, 0, 0, 0));
        report("KEYCTL_SEARCH", syscall(SYS_keyctl, 10, -3, "user", "naive-secret", 0));
        report("request_key", syscall(SYS_request_key, "user", "naive-secret", NULL, -3));
        report("add_key", syscall(SYS_add_key, "user", "mine", "x", 1, -3));
}

/* -- D3: groups -- */

static void groups(void)
{
        const gid_t wanted[] = {1, 5};
        gid_t found[64];

        printf("getgroups: %d\n", getgroups(64, found));
        report("setgroups to none", setgroups(0, NULL));
        report("setgroups", setgroups(2, wanted));
}

int main(int argc, char **argv)
{
        const char *what = argc > 1 ? argv[1] : "";

        if (strcmp(what, "type") == 0)
                type();
        else if (strcmp(what, "namespaces") == 0)
                namespaces();
        else if (strcmp(what, "connect") == 0 && argc == 5) {
                report("abstract socket", to_name(argv[2]));
                report("127.0.0.1", to_port("127.0.0.1", (int) strtol(argv[3], NULL, 10)));
                report("the host's address", to_port(argv[4], (int) strtol(argv[3], NULL, 10)));
        } else if (strcmp(what, "keys") == 0)
                keys();
        else if (strcmp(what, "groups") == 0)
                groups();
        else if (strcmp(what, "crash") == 0)
                raise(SIGSEGV);
        else
                return 2;
        return 0;
}
