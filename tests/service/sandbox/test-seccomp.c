/* The default profile's filter, in the kernel that it is for: every test forks a child which
 * installs the program as a container's child does, and tries. A call with bad pointers that
 * answers EFAULT has reached the kernel (bubblewrap's try-syscall). What cannot be called, because
 * it would block or end the child, is asked of the program by a small interpreter of its BPF; the
 * sweep holds the interpreter against the kernel, so that it cannot be wrong unnoticed. */

#include "service/sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/capability.h"
#include "tests/lib/case.h"
#include "tests/service/sandbox/evaluate.h"

#define BAD      (-1L)
#define LAST     600
#define HIGH_BIT (1UL << 32)

static SeccompProgram *filter; /* what the next child installs */
static SeccompProgram *no_set_id;

/* Row D2; on purpose not the filter's own table. */
/* clang-format off */
static const char *const forbidden[] = {
        "unshare", "setns", "mount", "umount2", "pivot_root", "open_tree", "move_mount", "fsopen",
        "fsconfig", "fsmount", "fspick", "mount_setattr", "bpf", "perf_event_open", "userfaultfd",
        "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key", "request_key",
        "process_madvise", "kcmp", "kexec_load", "kexec_file_load", "init_module", "finit_module",
        "delete_module", "create_module", "query_module", "get_kernel_syms", "open_by_handle_at",
        "nfsservctl", "acct", "swapon", "swapoff", "reboot", "syslog", "settimeofday",
        "clock_settime", "quotactl", "quotactl_fd", "lookup_dcookie", "iopl", "ioperm", "vhangup",
        "uselib", "ustat", "sysfs", "_sysctl", "modify_ldt", "sethostname", "setdomainname",
        "fanotify_init", "fanotify_mark", "mbind", "migrate_pages", "move_pages",
        "set_mempolicy_home_node",
};
/* clang-format on */

/* Decided by an argument, each with a test of its own; clone3 by default. */
static const char *const conditional[] = {"clone",      "ioctl",       "socket",
                                          "socketpair", "personality", "seccomp"};

/* Never implemented by the kernel, or not on every one and of the whole machine: ENOSYS. */
/* clang-format off */
static const char *const dead[] = {
        "io_setup", "io_destroy", "io_submit", "io_cancel", "io_getevents", "io_pgetevents",
        "afs_syscall", "clone3", "epoll_ctl_old", "epoll_wait_old", "getpmsg", "putpmsg",
        "security", "tuxcall", "vserver",
};
/* clang-format on */

/* Not to be called by the sweep: they end, block, copy or unwind the child. */
/* clang-format off */
static const char *const untouched[] = {
        "exit", "exit_group", "fork", "vfork", "pause", "rt_sigreturn", "sync", "restart_syscall",
};
/* clang-format on */

static bool is_in(const char *const *names, size_t n, const char *name)
{
        for (size_t i = 0; i < n; i++)
                if (g_str_equal(names[i], name))
                        return true;
        return false;
}
#define IS_IN(names, name) is_in((names), G_N_ELEMENTS(names), (name))

/* ---- what the program says of a call ---- */

static uint32_t decide(uint32_t arch, long number, unsigned int index, uint64_t argument)
{
        struct seccomp_data data = {.nr = (int) number, .arch = arch};

        data.args[index] = argument;
        return evaluate(filter, &data);
}

static uint32_t decide_native(long number, unsigned int index, uint64_t argument)
{
        return decide(seccomp_arch_native(), number, index, argument);
}

static void use_capabilities(uint64_t capabilities)
{
        g_autoptr(GError) error = NULL;

        seccomp_program_free(g_steal_pointer(&filter));
        seccomp_program_new(SECCOMP_SET_ID_ALLOWED, capabilities, &filter, &error);
        g_assert_no_error(error);
}

#define ALLOWED    SECCOMP_RET_ALLOW
#define REFUSED(e) (SECCOMP_RET_ERRNO | (uint32_t) (e))

/* ---- the child ---- */

static void install(void)
{
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter->program) < 0) {
                perror("cannot install the filter");
                _exit(99);
        }
}

/* Runs `body` in a child behind the filter; 0 from it is success. Returns the wait status. */
static int status_behind_filter(int (*body)(void))
{
        pid_t pid = fork();
        int status;

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                setsid(); /* a call that slips through must not reach our terminal */
                alarm(30);
                install();
                _exit(body());
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        return status;
}

static void behind_filter(int (*body)(void))
{
        g_assert_cmpint(status_behind_filter(body), ==, 0);
}

/* A test whose body is run in a child behind the filter, and succeeds with 0. */
#define FILTERED_TEST(name)                                                                        \
        static int try_##name(void);                                                               \
        TEST(name)                                                                                 \
        {                                                                                          \
                behind_filter(try_##name);                                                         \
        }                                                                                          \
        static int try_##name(void)

#define CHECK(claim)                                                                               \
        do {                                                                                       \
                if (!(claim)) {                                                                    \
                        fprintf(stderr, "%d: %s: %s\n", __LINE__, #claim, strerror(errno));        \
                        return 1;                                                                  \
                }                                                                                  \
        } while (0)

static int errno_of(long number, long a, long b, long c)
{
        errno = 0;
        return syscall(number, a, b, c, BAD, BAD, BAD) < 0 ? errno : 0;
}

/* ---- D2: what is forbidden answers EPERM and never sees its pointers ---- */

FILTERED_TEST(forbidden)
{
        int wrong = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(forbidden); i++) {
                int number = seccomp_syscall_resolve_name(forbidden[i]);
                int e = number < 0 ? EPERM : errno_of(number, BAD, BAD, BAD);

                if (e != EPERM) {
                        fprintf(stderr, "%s: %s\n", forbidden[i], strerror(e));
                        wrong = 1;
                }
                if (number >= 0 && decide_native(number, 0, 0) != REFUSED(EPERM))
                        wrong = 1; /* not the kernel's own EPERM */
        }
        return wrong;
}

/* ---- D2: every number up to 600 is allowed, forbidden or unknown, and the kernel agrees ---- */

static int sweep_one(int number, const char *name)
{
        uint32_t decision = decide_native(number, 0, (uint64_t) BAD);
        int e = errno_of(number, BAD, BAD, BAD);

        if (decision != ALLOWED && e != (int) (decision & SECCOMP_RET_DATA))
                fprintf(stderr, "%d %s: 0x%x, yet %s\n", number, name, decision, strerror(e));
        else if (decision != ALLOWED && e == EFAULT)
                fprintf(stderr, "%d %s: reached the kernel\n", number, name);
        else
                return 0;
        return 1;
}

/* The kernel lets uretprobe and uprobe of x86-64 past every filter, and raises SIGILL for a caller
 * that is not its own trampoline. */
static bool is_exempt(int number)
{
#ifdef __x86_64__
        return number == 335 || number == 336;
#else
        return false;
#endif
}

FILTERED_TEST(sweep)
{
        int wrong = 0;

        for (int number = 0; number <= LAST; number++) {
                if (is_exempt(number))
                        continue;
                g_autofree char *name =
                        seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);

                if (name && (IS_IN(untouched, name) || IS_IN(conditional, name)))
                        continue;
                wrong |= sweep_one(number, name ? name : "(unknown)");
        }
        return wrong;
}

#ifdef __x86_64__ /* other tables have names of their own */
/* No name is forgotten: it is in one of the lists here, or allowed; a number without one is ENOSYS.
 */
TEST(every_number_is_decided)
{
        for (int number = 0; number <= LAST; number++) {
                g_autofree char *name =
                        seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);
                uint32_t decision = decide_native(number, 0, 0), expected = ALLOWED;

                if (!name || IS_IN(dead, name))
                        expected = REFUSED(ENOSYS);
                else if (IS_IN(forbidden, name))
                        expected = REFUSED(EPERM);
                else if (IS_IN(conditional, name))
                        continue;
                else if (number > 450 && decision == REFUSED(ENOSYS))
                        continue; /* known to a libseccomp newer than the table */
                if (decision != expected)
                        g_test_message("%d %s", number, name ? name : "(unknown)");
                g_assert_cmphex(decision, ==, expected);
        }
        g_assert_cmphex(decide_native(100000, 0, 0), ==, REFUSED(ENOSYS));
}
#endif

/* ---- D5: no new namespaces by clone; the flags of clone3 cannot be seen ---- */

FILTERED_TEST(clone)
{
        static const unsigned long spaces[] = {CLONE_NEWNS,  CLONE_NEWCGROUP, CLONE_NEWUTS,
                                               CLONE_NEWIPC, CLONE_NEWUSER,   CLONE_NEWPID,
                                               CLONE_NEWNET};

        for (size_t i = 0; i < G_N_ELEMENTS(spaces); i++) {
                /* CLONE_THREAD without CLONE_SIGHAND: EINVAL, should it reach the kernel */
                CHECK(errno_of(SYS_clone, (long) (spaces[i] | CLONE_THREAD), 0, 0) == EPERM);
                CHECK(errno_of(SYS_clone, (long) (spaces[i] | SIGCHLD), 0, 0) == EPERM);
                CHECK(errno_of(SYS_clone, (long) (spaces[i] | HIGH_BIT | CLONE_THREAD), 0, 0) ==
                      EPERM);
        }
        CHECK(errno_of(SYS_clone, CLONE_THREAD, 0, 0) == EINVAL);
        CHECK(errno_of(SYS_clone3, BAD, BAD, BAD) == ENOSYS);
        CHECK(errno_of(SYS_unshare, CLONE_NEWUSER, 0, 0) == EPERM);
        return 0;
}

/* ---- what must go on working: fork, threads, vfork, popen, signals ---- */

static void *return_argument(void *argument)
{
        return argument;
}

FILTERED_TEST(processes)
{
        pthread_t thread;
        void *result = NULL;
        char line[8] = "";
        int status = -1;
        pid_t pid = fork();

        if (pid == 0)
                _exit(7);
        CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 7);
        CHECK(pthread_create(&thread, NULL, return_argument, line) == 0);
        CHECK(pthread_join(thread, &result) == 0 && result == line);

        FILE *output = popen("echo one", "r");
        CHECK(output && fgets(line, sizeof line, output) && g_str_equal(line, "one\n"));
        CHECK(pclose(output) == 0);

        char *argv[] = {(char *) "true", NULL};
        CHECK(posix_spawnp(&pid, "true", NULL, NULL, argv, NULL) == 0);
        CHECK(waitpid(pid, &status, 0) == pid && status == 0);
        CHECK(kill(getpid(), 0) == 0);
        return 0;
}

/* ---- D1: nothing is typed into the terminal, whatever the upper half of the request says ---- */

FILTERED_TEST(terminal)
{
        int master = posix_openpt(O_RDWR | O_NOCTTY), waiting = -1;
        CHECK(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
        int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
        CHECK(slave >= 0 && ioctl(slave, TIOCSCTTY, 0) == 0);

        static const unsigned long requests[] = {TIOCSTI, TIOCLINUX, TIOCSETD};
        char newline[2] = "\n";
        for (size_t i = 0; i < G_N_ELEMENTS(requests); i++) {
                CHECK(errno_of(SYS_ioctl, slave, (long) requests[i], (long) newline) == EPERM);
                CHECK(errno_of(SYS_ioctl, slave, (long) (HIGH_BIT | requests[i]), (long) newline) ==
                      EPERM);
                CHECK(errno_of(SYS_ioctl, slave, (long) (0xffffffffUL << 32 | requests[i]),
                               (long) newline) == EPERM);
        }
        CHECK(ioctl(slave, FIONREAD, &waiting) == 0 && waiting == 0);
        CHECK(isatty(slave));
        return 0;
}

/* Any other request passes, negative ones included, which some C libraries extend to 64 bits. */
TEST(ioctl_decisions)
{
        static const uint64_t passing[] = {
                TCGETS, FIONREAD, TIOCSTI + 1, 0x80000000u, 0xffffffff80045430u, UINT64_MAX};

        for (size_t i = 0; i < G_N_ELEMENTS(passing); i++)
                g_assert_cmphex(decide_native(SYS_ioctl, 1, passing[i]), ==, ALLOWED);
        g_assert_cmphex(decide_native(SYS_ioctl, 1, TIOCSTI), ==, REFUSED(EPERM));
}

/* ---- address families: a list, compared as the kernel does, in 32 bits ---- */

static int try_sockets(void)
{
        int pair[2];

        CHECK(socket(AF_UNIX, SOCK_STREAM, 0) >= 0);
        CHECK(socket(AF_INET, SOCK_DGRAM, 0) >= 0);
        CHECK(socket(AF_NETLINK, SOCK_RAW, 0) >= 0);
        CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
        CHECK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP) >= 0);
        CHECK(socket(AF_INET, SOCK_STREAM | 0x100, 0) < 0 && errno == EINVAL); /* the kernel's */
        CHECK(socket(AF_VSOCK, SOCK_STREAM, 0) < 0 && errno == EAFNOSUPPORT);
        CHECK(socket(AF_ALG, SOCK_SEQPACKET, 0) < 0 && errno == EAFNOSUPPORT);
        return 0;
}

static uint32_t decide_socket(long number, uint64_t family, uint64_t type, uint64_t protocol)
{
        struct seccomp_data data = {.nr = (int) number,
                                    .arch = seccomp_arch_native(),
                                    .args = {family, type, protocol}};

        return evaluate(filter, &data);
}

/* What socket() is expected to say, on purpose not in the filter's words. */
static uint32_t expect_socket(unsigned family, unsigned type, unsigned protocol, bool raw,
                              bool admin)
{
        const unsigned ping = family == AF_INET ? 1 : 58;

        switch (family) {
        case AF_UNIX:
                return protocol <= 1 ? ALLOWED : REFUSED(EAFNOSUPPORT);
        case AF_INET:
        case AF_INET6:
                if (type == SOCK_RAW)
                        return raw ? ALLOWED : REFUSED(EPERM);
                if ((type == SOCK_STREAM && (protocol == 0 || protocol == 6)) ||
                    (type == SOCK_DGRAM && (protocol == 0 || protocol == 17 || protocol == ping)))
                        return ALLOWED;
                return REFUSED(EINVAL);
        case AF_NETLINK:
                return admin || protocol == 0 ? ALLOWED : REFUSED(EINVAL);
        case AF_PACKET:
                return raw ? ALLOWED : REFUSED(EPERM);
        default:
                return REFUSED(EAFNOSUPPORT);
        }
}

/* Every family, type and protocol; SCTP is 132, L2TP 115, UDP-Lite 136, SMC 256, MPTCP 262. Flags
 * of the type and upper halves, which the kernel does not look at, change nothing. */
static void assert_sockets(bool raw, bool admin)
{
        for (unsigned family = 0; family < 50; family++)
                for (unsigned type = 0; type < 16; type++)
                        for (unsigned protocol = 0; protocol < 300; protocol++) {
                                uint32_t expected =
                                        expect_socket(family, type, protocol, raw, admin);
                                g_assert_cmphex(decide_socket(SYS_socket, family, type, protocol),
                                                ==, expected);
                                g_assert_cmphex(decide_socket(SYS_socket, HIGH_BIT | family,
                                                              HIGH_BIT | SOCK_CLOEXEC |
                                                                      SOCK_NONBLOCK | type,
                                                              HIGH_BIT | protocol),
                                                ==, expected);
                                expected = family == AF_UNIX && protocol <= 1
                                                   ? ALLOWED
                                                   : REFUSED(EAFNOSUPPORT);
                                g_assert_cmphex(decide_socket(SYS_socketpair, HIGH_BIT | family,
                                                              type, protocol),
                                                ==, expected);
                        }
        g_assert_cmphex(decide_socket(SYS_socket, AF_INET, SOCK_STREAM, (uint64_t) -1), ==,
                        REFUSED(EINVAL));
}

TEST(sockets)
{
        behind_filter(try_sockets);
        assert_sockets(false, false);
}

/* ---- no ioctl of a socket makes the kernel load a module for bridges or VLANs ---- */

TEST(module_ioctls)
{
        static const uint64_t loading[] = {SIOCGIFBR,   SIOCSIFBR,   SIOCBRADDBR,
                                           SIOCBRDELBR, SIOCGIFVLAN, SIOCSIFVLAN};
        static const uint64_t beside[] = {SIOCGIFBR - 1, SIOCSIFBR + 1,   SIOCBRADDBR - 1,
                                          SIOCBRADDIF,   SIOCGIFVLAN - 1, SIOCSIFVLAN + 1,
                                          SIOCGIFCONF,   SIOCGIFFLAGS,    SIOCETHTOOL};

        for (size_t i = 0; i < G_N_ELEMENTS(loading); i++) {
                g_assert_cmphex(decide_native(SYS_ioctl, 1, loading[i]), ==, REFUSED(EPERM));
                g_assert_cmphex(decide_native(SYS_ioctl, 1, HIGH_BIT | loading[i]), ==,
                                REFUSED(EPERM));
        }
        for (size_t i = 0; i < G_N_ELEMENTS(beside); i++)
                g_assert_cmphex(decide_native(SYS_ioctl, 1, beside[i]), ==, ALLOWED);
}

/* ---- no key of TCP-AO, which would name a hash for the kernel to load, and no other protocol on
 * top of TCP ---- */

TEST(tcp_options)
{
        struct seccomp_data data = {.nr = SYS_setsockopt,
                                    .arch = seccomp_arch_native(),
                                    .args = {3, HIGH_BIT | IPPROTO_TCP, HIGH_BIT | 38}};

        g_assert_cmphex(evaluate(filter, &data), ==, REFUSED(ENOPROTOOPT));
        for (data.args[2] = 0; data.args[2] < 100; data.args[2]++)
                g_assert_cmphex(evaluate(filter, &data), ==,
                                data.args[2] == 31 || data.args[2] == 38 ? REFUSED(ENOPROTOOPT)
                                                                         : ALLOWED);
        data.args[1] = SOL_SOCKET; /* SO_MAX_PACING_RATE and the like have the same numbers */
        data.args[2] = 38;
        g_assert_cmphex(evaluate(filter, &data), ==, ALLOWED);
        use_capabilities(CAPABILITY(NET_ADMIN));
        data.args[1] = IPPROTO_TCP;
        g_assert_cmphex(evaluate(filter, &data), ==, ALLOWED);
        use_capabilities(0);
}

/* ---- the limit of core dumps is not set, and whoever sets it goes on ---- */

FILTERED_TEST(core_limit)
{
        struct rlimit before, after, old = {7, 7}, new = {0, 0};
        const long core = RLIMIT_CORE;

        CHECK(getrlimit(RLIMIT_CORE, &before) == 0);
        CHECK(before.rlim_max > 0); /* or nothing below could be seen */
        CHECK(syscall(SYS_setrlimit, core, &new) == 0);
        CHECK(syscall(SYS_setrlimit, HIGH_BIT | (unsigned long) core, &new) == 0);
        CHECK(syscall(SYS_prlimit64, 0, core, &new, NULL) == 0);
        CHECK(syscall(SYS_prlimit64, 0, HIGH_BIT | (unsigned long) core, &new, NULL) == 0);
        CHECK(syscall(SYS_prlimit64, 0, core, &new, &old) < 0 && errno == EPERM);
        CHECK(old.rlim_cur == 7);
        CHECK(setrlimit(RLIMIT_CORE, &new) == 0);
        CHECK(getrlimit(RLIMIT_CORE, &after) == 0);
        CHECK(after.rlim_cur == before.rlim_cur && after.rlim_max == before.rlim_max);
        CHECK(syscall(SYS_prlimit64, 0, core, NULL, &old) == 0 && old.rlim_cur == before.rlim_cur);
        /* any other limit is its owner's */
        CHECK(getrlimit(RLIMIT_NOFILE, &new) == 0 && prlimit(0, RLIMIT_NOFILE, &new, &old) == 0);
        CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){1 << 20, 1 << 20}) == 0);
        return 0;
}

/* A pointer counts with both halves: one that is a multiple of 2^32 is no NULL. */
TEST(core_limit_pointers)
{
        static const struct {
                uint64_t new, old;
                uint32_t decision;
        } rows[] = {
                {0, 0, ALLOWED},
                {0, 1, ALLOWED},
                {0, HIGH_BIT, ALLOWED},
                {1, 0, REFUSED(0)},
                {HIGH_BIT, 0, REFUSED(0)},
                {1, 1, REFUSED(EPERM)},
                {1, HIGH_BIT, REFUSED(EPERM)},
                {HIGH_BIT, 1, REFUSED(EPERM)},
                {HIGH_BIT, HIGH_BIT, REFUSED(EPERM)},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                struct seccomp_data data = {
                        .nr = SYS_prlimit64,
                        .arch = seccomp_arch_native(),
                        .args = {1, HIGH_BIT | RLIMIT_CORE, rows[i].new, rows[i].old}};

                g_assert_cmphex(evaluate(filter, &data), ==, rows[i].decision);
                data.args[1] = RLIMIT_NOFILE;
                g_assert_cmphex(evaluate(filter, &data), ==, ALLOWED);
        }
}

/* ---- personality: may be asked and set to what changes words, not protections ---- */

FILTERED_TEST(personality)
{
        CHECK(personality(0xffffffff) >= 0);
        CHECK(personality(PER_LINUX) >= 0);
        CHECK(personality(ADDR_NO_RANDOMIZE) < 0 && errno == EPERM);
        CHECK(personality(READ_IMPLIES_EXEC) < 0 && errno == EPERM);
        CHECK(errno_of(SYS_personality, (long) (HIGH_BIT | READ_IMPLIES_EXEC), 0, 0) == EPERM);
        return 0;
}

/* ---- D2, D5: a call by another architecture's numbers kills the process ---- */

#ifdef __x86_64__
static int call_i386(void)
{
        long result;

        /* getpid of i386; the entry clears r8 to r11 */
        __asm__ volatile("int $0x80"
                         : "=a"(result)
                         : "0"(20L)
                         : "memory", "r8", "r9", "r10", "r11");
        return result == getpid() ? 0 : 1;
}

static int call_x32(void)
{
        syscall(0x40000000L | SYS_getpid);
        return 0;
}

static bool has_i386(void)
{
        pid_t pid = fork();
        int status;

        if (pid == 0)
                _exit(call_i386());
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        return status == 0;
}

static void assert_killed(int (*body)(void))
{
        int status = status_behind_filter(body);

        g_assert_true(WIFSIGNALED(status));
        g_assert_cmpint(WTERMSIG(status), ==, SIGSYS);
}

TEST(foreign_calls)
{
        assert_killed(call_x32);
        if (has_i386())
                assert_killed(call_i386);
        else
                g_test_skip("this kernel has no i386 calls");
}
#endif

TEST(foreign_decisions)
{
        static const uint32_t architectures[] = {AUDIT_ARCH_I386,  AUDIT_ARCH_X86_64,
                                                 AUDIT_ARCH_ARM,   AUDIT_ARCH_AARCH64,
                                                 AUDIT_ARCH_S390X, 0,
                                                 UINT32_MAX};

        for (size_t i = 0; i < G_N_ELEMENTS(architectures); i++)
                for (int number = 0; number <= LAST; number++)
                        if (architectures[i] != seccomp_arch_native())
                                g_assert_cmphex(decide(architectures[i], number, 0, 0), ==,
                                                SECCOMP_RET_KILL_PROCESS);
#ifdef __x86_64__
        for (int number = 0; number <= LAST; number++)
                g_assert_cmphex(decide_native(0x40000000 | number, 0, 0), ==,
                                SECCOMP_RET_KILL_PROCESS);
#endif
}

/* ---- programs as they are found in images ---- */

static char **program_argv;

static int exec_program(void)
{
        execv(program_argv[0], program_argv);
        return 98;
}

/* `argv` ends in NULL; argv[0] is a path. */
static void assert_program_runs(char **argv)
{
        if (access(argv[0], X_OK) < 0) {
                g_test_skip(argv[0]);
                return;
        }
        program_argv = argv;
        g_assert_cmpint(status_behind_filter(exec_program), ==, 0);
}

#define ASSERT_RUNS(...) assert_program_runs((char **) (const char *[]){__VA_ARGS__, NULL})

TEST(shell)
{
        ASSERT_RUNS("/bin/busybox", "sh", "-c",
                    "set -e; busybox=/bin/busybox; "
                    "test \"$(echo one | $busybox tr a-z A-Z | $busybox cat)\" = ONE; "
                    "(sleep 0 & wait); trap 'exit 0' TERM; kill -TERM $$; exit 1");
}

TEST(python)
{
        ASSERT_RUNS("/usr/bin/python3", "-c",
                    "import os, socket, subprocess, tempfile, threading, time\n"
                    "t = threading.Thread(target=time.sleep, args=(0.01,))\n"
                    "t.start(); t.join()\n"
                    "assert subprocess.check_output(['echo', 'x']) == b'x\\n'\n"
                    "a, b = socket.socketpair(); a.send(b'x'); assert b.recv(1) == b'x'\n"
                    "with tempfile.NamedTemporaryFile() as f:\n"
                    "    os.chmod(f.name, 0o600); os.stat(f.name)\n");
}

TEST(dpkg)
{
        ASSERT_RUNS("/bin/sh", "-c", "test ! -x /usr/bin/dpkg || dpkg --version >/dev/null");
        ASSERT_RUNS("/bin/sh", "-c", "test ! -x /usr/bin/dpkg || dpkg -s base-files >/dev/null");
}

/* ---- the variant for trees where the host's root owns what is written: no file gets a set-id bit
 * ---- */

#define NR_FCHMODAT2 452
#define MODE         (-2L) /* in a row: where the mode stands */

/* In the directory of the moment; "f" is a file there, "n" is made by the call. */
typedef struct ModeCall {
        const char *name;
        long number;
        long arguments[4];
        mode_t type;
} ModeCall;

static int errno_with_mode(const ModeCall *call, long mode)
{
        long a[4];

        unlink("n");
        rmdir("n");
        for (size_t i = 0; i < G_N_ELEMENTS(a); i++)
                a[i] = call->arguments[i] == MODE ? mode | (long) call->type : call->arguments[i];
        errno = 0;
        return syscall(call->number, a[0], a[1], a[2], a[3]) < 0 ? errno : 0;
}

/* Whether each call that takes a mode passes one with a set-id bit exactly if `passes`; any other
 * always. */
static int try_modes(bool passes)
{
        static const long set_id[] = {04755, 02755, 06777, 04000, (long) HIGH_BIT | 04755};
        static const long harmless[] = {0755, 01777, 0};
        const long here = AT_FDCWD, f = (long) "f", n = (long) "n";
        int fd = open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        const ModeCall calls[] = {
                {"chmod", 0, {f, MODE}, 0},
                {"fchmod", 0, {fd, MODE}, 0},
                {"fchmodat", 0, {here, f, MODE}, 0},
                {"fchmodat2", NR_FCHMODAT2, {here, f, MODE, 0}, 0},
                {"mkdir", 0, {n, MODE}, 0},
                {"mkdirat", 0, {here, n, MODE}, 0},
                {"mknod", 0, {n, MODE, 0}, S_IFREG},
                {"mknodat", 0, {here, n, MODE, 0}, S_IFREG},
                {"creat", 0, {n, MODE}, 0},
                {"open", 0, {n, O_CREAT | O_RDWR, MODE}, 0},
                {"open", 0, {(long) ".", O_TMPFILE | O_RDWR, MODE}, 0},
                {"openat", 0, {here, n, O_CREAT | O_RDWR, MODE}, 0},
                {"openat", 0, {here, (long) ".", O_TMPFILE | O_RDWR, MODE}, 0},
        };
        int wrong = fd < 0;

        for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
                ModeCall call = calls[i];

                call.number = call.number ? call.number : seccomp_syscall_resolve_name(call.name);
                if (call.number < 0)
                        continue; /* of another architecture */
                for (size_t k = 0; k < G_N_ELEMENTS(set_id) + G_N_ELEMENTS(harmless); k++) {
                        bool bad = k < G_N_ELEMENTS(set_id);
                        long mode = bad ? set_id[k] : harmless[k - G_N_ELEMENTS(set_id)];
                        int e = errno_with_mode(&call, mode);
                        /* a libseccomp that does not know the name refuses it whole */
                        bool fine = e == (bad && !passes ? EPERM : 0) ||
                                    (e == ENOSYS && call.number == NR_FCHMODAT2) ||
                                    (e == EOPNOTSUPP &&
                                     (call.arguments[1] | call.arguments[2]) & O_TMPFILE);
                        if (!fine)
                                fprintf(stderr, "%s %lo: %s\n", call.name, mode, strerror(e));
                        wrong |= !fine;
                }
        }
        return wrong;
}

static int try_set_id_refused(void)
{
        struct stat st;

        CHECK(try_modes(false) == 0);
        CHECK(chmod("f", 0755) == 0 && chmod("f", 04755) < 0 && errno == EPERM);
        CHECK(stat("f", &st) == 0 && (st.st_mode & 07777) == 0755);
        return 0;
}

static int try_set_id_allowed(void)
{
        struct stat st;

        CHECK(try_modes(true) == 0);
        CHECK(chmod("f", 04755) == 0);
        CHECK(stat("f", &st) == 0 && (st.st_mode & 07777) == 04755);
        return 0;
}

/* Where no file is made there is no mode: whatever stands in the register is not looked at. */
static int try_no_mode(void)
{
        CHECK(close(open("f", O_RDWR | O_CREAT, 0600)) == 0);
        CHECK(errno_of(SYS_openat, AT_FDCWD, (long) "f", O_RDONLY) == 0);
        CHECK(syscall(SYS_openat, AT_FDCWD, "f", O_RDWR | O_TRUNC, 07777) >= 0);
        CHECK(syscall(SYS_openat, AT_FDCWD, ".", O_RDONLY | O_DIRECTORY, BAD) >= 0);
        CHECK(syscall(SYS_openat, AT_FDCWD, ".", O_PATH | O_DIRECTORY, 04755) >= 0);
#ifdef SYS_open
        CHECK(syscall(SYS_open, "f", O_RDWR | O_APPEND, 07777) >= 0);
        CHECK(syscall(SYS_open, ".", O_RDONLY | O_DIRECTORY, BAD) >= 0);
#endif
        /* its mode is in memory, where a filter does not see it */
        CHECK(errno_of(SYS_openat2, AT_FDCWD, (long) "f", BAD) == ENOSYS);
        return 0;
}

static void in_directory(const SeccompProgram *program, int (*body)(void))
{
        g_autoptr(GError) error = NULL;
        g_autofree char *directory = g_dir_make_tmp("test-seccomp-XXXXXX", &error),
                        *before = g_get_current_dir();
        SeccompProgram *usual = filter;

        g_assert_no_error(error);
        g_assert_cmpint(chdir(directory), ==, 0);
        filter = (SeccompProgram *) program;
        behind_filter(body);
        filter = usual;
        unlink("f");
        unlink("n");
        rmdir("n");
        g_assert_cmpint(chdir(before), ==, 0);
        g_assert_cmpint(rmdir(directory), ==, 0);
}

TEST(set_id)
{
        in_directory(no_set_id, try_set_id_refused);
        in_directory(no_set_id, try_no_mode);
}

/* The usual filter says nothing of modes. */
TEST(set_id_allowed)
{
        in_directory(filter, try_set_id_allowed);
        g_assert_cmphex(decide_native(SYS_openat2, 0, 0), ==, ALLOWED);
}

/* Without a set-id bit the two decide alike, openat2 apart; foreign calls are killed by both. */
TEST(set_id_differs_in_nothing_else)
{
        SeccompProgram *usual = filter;

        for (long number = 0; number <= LAST; number++) {
                uint32_t expected =
                        number == SYS_openat2 ? REFUSED(ENOSYS) : decide_native(number, 0, 0);

                filter = no_set_id;
                uint32_t decision = decide_native(number, 0, 0);
                uint32_t foreign = decide(AUDIT_ARCH_I386, number, 0, 0);
                filter = usual;
                g_assert_cmphex(decision, ==, expected);
                g_assert_cmphex(foreign, ==, SECCOMP_RET_KILL_PROCESS);
        }
}

/* A filter that is added has no supervisor: nobody inside answers in the place of the service. */
TEST(supervisors)
{
        static const uint64_t refused[] = {SECCOMP_FILTER_FLAG_NEW_LISTENER,
                                           SECCOMP_FILTER_FLAG_NEW_LISTENER |
                                                   SECCOMP_FILTER_FLAG_TSYNC,
                                           SECCOMP_FILTER_FLAG_NEW_LISTENER | HIGH_BIT, UINT64_MAX};

        for (size_t i = 0; i < G_N_ELEMENTS(refused); i++)
                g_assert_cmphex(decide_native(SYS_seccomp, 1, refused[i]), ==, REFUSED(EBUSY));
        g_assert_cmphex(decide_native(SYS_seccomp, 1, 0), ==, ALLOWED);
        g_assert_cmphex(decide_native(SYS_seccomp, 1, SECCOMP_FILTER_FLAG_TSYNC), ==, ALLOWED);
}

/* ---- what capabilities open ---- */

static uint32_t decide_name(const char *name)
{
        return decide_native(seccomp_syscall_resolve_name(name), 0, CLONE_NEWNS | SIGCHLD);
}

/* Each capability opens the calls that it is for, and none else. */
TEST(capabilities)
{
        static const struct {
                uint64_t capabilities;
                const char *opened[8];
        } rows[] = {
                {CAPABILITY(NET_BIND_SERVICE), {NULL}},
                {CAPABILITY(SYS_ADMIN),
                 {"mount", "umount2", "unshare", "setns", "clone", "fsopen", "sethostname"}},
                {CAPABILITY(SYS_PTRACE), {"process_madvise", "kcmp"}},
                {CAPABILITY(SYS_TIME), {"clock_settime", "settimeofday"}},
                {CAPABILITY(SYS_PTRACE) | CAPABILITY(SYS_BOOT), {"kcmp", "reboot"}},
        };
        static const char *const never[] = {"keyctl", "userfaultfd", "io_uring_setup"};

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                use_capabilities(rows[i].capabilities);
                g_assert_true(seccomp_opens(rows[i].capabilities) == !!rows[i].opened[0]);
                for (size_t k = 0; k < G_N_ELEMENTS(rows); k++)
                        for (size_t n = 0; rows[k].opened[n]; n++) {
                                const char *name = rows[k].opened[n];
                                bool is_open = g_strv_contains(rows[i].opened, name);
                                g_test_message("%zu %s", i, name);
                                if (rows[i].capabilities & rows[k].capabilities && k != i)
                                        continue;
                                g_assert_cmphex(decide_name(name), ==,
                                                is_open ? ALLOWED : REFUSED(EPERM));
                        }
                for (size_t n = 0; n < G_N_ELEMENTS(never); n++)
                        g_assert_cmphex(decide_name(never[n]), ==, REFUSED(EPERM));
                g_assert_cmphex(decide_native(SYS_clone3, 0, 0), ==, REFUSED(ENOSYS));
        }
        use_capabilities(0);
}

/* CAP_NET_RAW is for raw and packet sockets; CAP_NET_ADMIN for the kernel's other netlink families
 * and the ioctls of bridges and VLANs. Neither is for protocols. */
TEST(network_capabilities)
{
        for (unsigned i = 0; i < 4; i++) {
                bool raw = i & 1, admin = i & 2;

                use_capabilities((raw ? CAPABILITY(NET_RAW) : 0) |
                                 (admin ? CAPABILITY(NET_ADMIN) : 0));
                g_assert_true(seccomp_opens(raw ? CAPABILITY(NET_RAW) : 0) == raw);
                g_assert_true(seccomp_opens(admin ? CAPABILITY(NET_ADMIN) : 0) == admin);
                assert_sockets(raw, admin);
                g_assert_cmphex(decide_native(SYS_ioctl, 1, SIOCGIFVLAN), ==,
                                admin ? ALLOWED : REFUSED(EPERM));
                g_assert_cmphex(decide_native(SYS_ioctl, 1, TIOCSTI), ==, REFUSED(EPERM));
        }
        use_capabilities(0);
}

/* With all of them nothing that is not for one is open: only forbidden names are. */
TEST(all_capabilities)
{
        g_autofree uint32_t *before = g_new0(uint32_t, LAST + 1);

        for (int number = 0; number <= LAST; number++)
                before[number] = decide_native(number, 0, 0);
        use_capabilities(UINT64_MAX);
        for (int number = 0; number <= LAST; number++) {
                g_autofree char *name =
                        seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);
                if (decide_native(number, 0, 0) != before[number])
                        g_assert_true(IS_IN(forbidden, name));
        }
        use_capabilities(0);
}

/* The strict variant refuses three calls more and, as the one without set-id bits, those modes;
 * whatever else the default decides by name, it decides alike. */
TEST(strict)
{
        static const char *const more[] = {"pidfd_getfd", "process_vm_readv", "process_vm_writev"};
        g_autoptr(SeccompProgram) strict = NULL;
        SeccompProgram *usual = filter;
        uint32_t before[LAST + 1];

        g_assert_true(seccomp_program_new(SECCOMP_STRICT, 0, &strict, NULL));
        filter = no_set_id;
        for (int number = 0; number <= LAST; number++)
                before[number] = decide_native(number, 0, 0);
        filter = strict;
        for (int number = 0; number <= LAST; number++) {
                g_autofree char *name =
                        seccomp_syscall_resolve_num_arch(seccomp_arch_native(), number);
                g_assert_cmphex(decide_native(number, 0, 0), ==,
                                name && IS_IN(more, name) ? REFUSED(EPERM) : before[number]);
        }
        g_assert_cmphex(decide_native(SYS_fchmod, 1, S_ISUID), ==, REFUSED(EPERM));
        filter = usual;
}

int main(int argc, char **argv)
{
        g_autoptr(GError) error = NULL;

        if (!seccomp_program_new(SECCOMP_SET_ID_ALLOWED, 0, &filter, &error) ||
            !seccomp_program_new(SECCOMP_SET_ID_REFUSED, 0, &no_set_id, &error))
                g_error("%s", error->message);
        int result = run_cases(argc, argv);
        seccomp_program_free(no_set_id);
        seccomp_program_free(filter);
        return result;
}
