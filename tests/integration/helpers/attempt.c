/* attempt WHAT [ARGUMENT…]: tries what a hostile command would, and prints a line for each: what it
 * was, and "ok", the name of the error, or the signal that came of it. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
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

/* -- E15, E27, E28: sockets -- */

static void sockets(void)
{
        static const struct {
                const char *name;
                int family, type, protocol;
        } rows[] = {
                {"unix", AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0},
                {"tcp", AF_INET, SOCK_STREAM | SOCK_NONBLOCK, IPPROTO_TCP},
                {"udp6", AF_INET6, SOCK_DGRAM, 0},
                {"ping", AF_INET, SOCK_DGRAM, IPPROTO_ICMP},
                {"ping6", AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6},
                {"alg", 38, SOCK_SEQPACKET, 0},
                {"vsock", 40, SOCK_STREAM, 0},
                {"tipc", 30, SOCK_STREAM, 0},
                {"netlink route", AF_NETLINK, SOCK_RAW, 0},
                {"netlink usersock", AF_NETLINK, SOCK_RAW, 2},
                {"netlink diag", AF_NETLINK, SOCK_DGRAM, 4},
                {"netlink audit", AF_NETLINK, SOCK_RAW, 9},
                {"netlink netfilter", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 12},
                {"netlink generic", AF_NETLINK, SOCK_RAW, 16},
                {"packet", AF_PACKET, SOCK_RAW, 0},
                {"raw", AF_INET, SOCK_RAW, IPPROTO_ICMP},
                {"raw6", AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6},
                {"old packet", AF_INET, SOCK_PACKET, 0},
                {"dccp by type", AF_INET, SOCK_DCCP, 0},
                {"seqpacket", AF_INET, SOCK_SEQPACKET, 0},
                {"sctp", AF_INET, SOCK_STREAM, 132},
                {"sctp6", AF_INET6, SOCK_SEQPACKET, 132},
                {"l2tp", AF_INET, SOCK_DGRAM, 115},
                {"udplite", AF_INET, SOCK_DGRAM, 136},
                {"smc", AF_INET, SOCK_STREAM, 256},
                {"mptcp", AF_INET6, SOCK_STREAM, 262},
        };
        static const struct {
                const char *name;
                unsigned long number;
        } requests[] = {
                {"SIOCGIFBR", 0x8940},   {"SIOCSIFBR", 0x8941},   {"SIOCBRADDBR", 0x89a0},
                {"SIOCBRDELBR", 0x89a1}, {"SIOCGIFVLAN", 0x8982}, {"SIOCSIFVLAN", 0x8983},
        };
        const unsigned long high = 1ul << 32;
        int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char name[64];

                report(rows[i].name, socket(rows[i].family, rows[i].type, rows[i].protocol));
                snprintf(name, sizeof name, "%s, high", rows[i].name);
                report(name,
                       syscall(SYS_socket, high | (unsigned) rows[i].family,
                               high | (unsigned) rows[i].type, high | (unsigned) rows[i].protocol));
        }
        for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++)
                report(requests[i].name,
                       syscall(SYS_ioctl, fd, high | requests[i].number, (char[64]){0}));
        fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        report("smc by option", setsockopt(fd, IPPROTO_TCP, TCP_ULP, "smc", 4));
        report("tls by option", setsockopt(fd, IPPROTO_TCP, TCP_ULP, "tls", 4));
}

/* Sends an echo request to the loopback address and waits for the answer. */
static long ping(int family)
{
        const struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
        const struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr.s6_addr[15] = 1};
        char packet[16] = {family == AF_INET ? 8 : (char) 128};
        int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC,
                        family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6);

        alarm(5);
        if (fd < 0 ||
            (family == AF_INET ? connect(fd, (const void *) &v4, sizeof v4)
                               : connect(fd, (const void *) &v6, sizeof v6)) < 0 ||
            send(fd, packet, sizeof packet, 0) < 0)
                return -1;
        return recv(fd, packet, sizeof packet, 0);
}

/* -- E29: the limit of core dumps -- */

static void set_core(void)
{
        static const rlim_t wanted[][2] = {{0, 0}, {0, 1}, {0, 2}, {RLIM_INFINITY, RLIM_INFINITY}};
        struct rlimit limit;

        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
                for (unsigned long high = 0; high <= 1ul << 32; high += 1ul << 32) {
                        const unsigned long core = high | RLIMIT_CORE;
                        limit = (struct rlimit){wanted[i][0], wanted[i][1]};
                        syscall(SYS_setrlimit, core, &limit);
                        syscall(SYS_prlimit64, 0, core, &limit, NULL);
                        syscall(SYS_prlimit64, getpid(), core, &limit, &(struct rlimit){0, 0});
                        getrlimit(RLIMIT_CORE, &limit);
                        printf("core: %ld %ld\n", (long) limit.rlim_cur, (long) limit.rlim_max);
                }
        limit = (struct rlimit){0, 0};
        report("setrlimit", setrlimit(RLIMIT_CORE, &limit));
        report("prlimit, old and new", prlimit(0, RLIMIT_CORE, &limit, &limit));
        report("prlimit, another limit", prlimit(0, RLIMIT_FSIZE, &limit, &limit));
}

/* -- E30 … E32: kernel objects that are not in any namespace -- */

static bool take_one(const char *what)
{
        unsigned long context = 0;

        if (strcmp(what, "aio") == 0)
                return syscall(SYS_io_setup, 1024, &context) == 0;
        if (strcmp(what, "inotify") == 0)
                return inotify_init1(IN_CLOEXEC) >= 0;
        return open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0;
}

/* Takes as many as there are, and keeps them until it is killed. */
static void take(const char *what)
{
        struct rlimit files;
        unsigned n = 0;

        getrlimit(RLIMIT_NOFILE, &files);
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
        while (take_one(what))
                n++;
        printf("%s: %u\nready\n", what, n);
        fflush(stdout);
        pause();
}

/* Locks the files, says who opens them, until it is killed. */
static void watch(char **paths)
{
        char buffer[4096];
        int watches = inotify_init1(IN_CLOEXEC);

        for (char **path = paths; *path; path++) {
                int fd = open(*path, O_RDONLY | O_CLOEXEC);
                if (fd >= 0)
                        printf("%s %s\n",
                               flock(fd, LOCK_EX | LOCK_NB) < 0 ? "is locked:" : "locks:", *path);
        }
        for (char **path = paths; *path; path++)
                inotify_add_watch(watches, *path, IN_OPEN);
        printf("ready\n");
        fflush(stdout);
        while (read(watches, buffer, sizeof buffer) > 0) {
                printf("saw somebody\n");
                fflush(stdout);
        }
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
        else if (strcmp(what, "sockets") == 0)
                sockets();
        else if (strcmp(what, "ping") == 0) {
                report("ping", ping(AF_INET));
                report("ping6", ping(AF_INET6));
        } else if (strcmp(what, "core") == 0)
                set_core();
        else if (strcmp(what, "take") == 0 && argc == 3)
                take(argv[2]);
        else if (strcmp(what, "watch") == 0)
                watch(argv + 2);
        else if (strcmp(what, "crash") == 0)
                raise(SIGSEGV);
#ifdef __x86_64__
        else if (strcmp(what, "foreign") == 0)
                x32_unshare();
#endif
        else
                return 2;
        return 0;
}
