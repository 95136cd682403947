#include "service/sandbox/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/capability.h"
#include "service/util/fd.h"

/* An allow-list, since a deny-list is out of date with the next kernel: flatpak's did not know
 * clone3 and the mount calls by file descriptor (CVE-2021-41133). What no table here names gets
 * ENOSYS, the answer of an older kernel, for which every libc has a fallback. What is named as
 * forbidden gets EPERM, the answer to a process without the capability, which programs can word.
 *
 * The program has two parts. The first decides, by their arguments, the few calls that are neither
 * good nor bad in themselves; it is made here, because libseccomp can compare the low half of an
 * argument for equality alone and cannot say "otherwise allow" beside a default of ENOSYS. (The
 * kernel takes an ioctl number, an address family and a personality as 32 bits; a filter that
 * compares 64 is passed by setting bit 32: CVE-2019-10063.) The second is libseccomp's: names to
 * numbers of this machine's architecture, as a binary tree. All jumps of classic BPF are relative
 * and forward, so the two are concatenated. */

/* Allowed: acts on the caller's own process, memory, descriptors and files, or is guarded by the
 * kernel with a capability that the user namespace confines. Much as Docker's default. */
/* clang-format off */
static const char *const allowed[] = {
        /* files and directories */
        "access", "chdir", "chmod", "chown", "copy_file_range", "creat", "faccessat", "faccessat2",
        "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat",
        "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat",
        "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64",
        "getxattr", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
        "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat", "mknod", "mknodat",
        "newfstatat", "open", "openat", "openat2", "readahead", "readlink", "readlinkat",
        "removexattr", "rename", "renameat", "renameat2", "rmdir", "setxattr", "stat", "statfs",
        "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "truncate", "umask",
        "unlink", "unlinkat", "utime", "utimensat", "utimes",
        /* descriptors: reading, writing, waiting, events */
        "close", "close_range", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
        "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "fcntl",
        "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel",
        "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit", "pipe", "pipe2",
        "poll", "ppoll", "pread64", "preadv", "preadv2", "pselect6", "pwrite64", "pwritev",
        "pwritev2", "read", "readv", "select", "sendfile", "signalfd", "signalfd4", "splice", "tee",
        "timerfd_create", "timerfd_gettime", "timerfd_settime", "vmsplice", "write", "writev",
        /* sockets that exist, and System V and POSIX IPC: confined by their namespaces */
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
        "listen", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend",
        "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "recvfrom", "recvmmsg", "recvmsg",
        "semctl", "semget", "semop", "semtimedop", "sendmmsg", "sendmsg", "sendto", "setsockopt",
        "shmat", "shmctl", "shmdt", "shmget", "shutdown",
        /* memory */
        "brk", "cachestat", "madvise", "membarrier", "memfd_create", "memfd_secret", "mincore",
        "mlock", "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync", "munlock",
        "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages",
        /* processes, threads, signals; clone is decided by its flags */
        "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork",
        "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
        "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid",
        "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
        "gettid", "getuid", "ioprio_get", "ioprio_set", "kill", "pause", "pidfd_open",
        "pidfd_send_signal", "prctl", "prlimit64", "process_mrelease", "restart_syscall", "rseq",
        "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
        "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max",
        "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
        "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
        "sched_setparam", "sched_setscheduler", "sched_yield", "set_robust_list", "set_tid_address",
        "setfsgid", "setfsuid", "setgid", "setgroups", "setpgid", "setpriority", "setregid",
        "setresgid", "setresuid", "setreuid", "setrlimit", "setsid", "setuid", "sigaltstack",
        "tgkill", "tkill", "vfork", "wait4", "waitid",
        /* clocks, read and waited for; never set */
        "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
        "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun",
        "timer_gettime", "timer_settime", "times",
        /* facts about the machine, and restrictions that a process puts on itself */
        "getrandom", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
        "seccomp", "sysinfo", "uname",
        /* the same in the words of other architectures; libseccomp knows which apply */
        "_llseek", "_newselect", "arm_fadvise64_64", "arm_sync_file_range", "cacheflush", "chown32",
        "clock_getres_time64", "clock_gettime64", "clock_nanosleep_time64", "fadvise64_64",
        "fchown32", "fcntl64", "fstat64", "fstatat64", "fstatfs64", "ftruncate64", "futex_time64",
        "get_thread_area", "getegid32", "geteuid32", "getgid32", "getgroups32", "getresgid32",
        "getresuid32", "getuid32", "io_pgetevents_time64", "lchown32", "lstat64", "mmap2",
        "mq_timedreceive_time64", "mq_timedsend_time64", "ppoll_time64", "pselect6_time64", "recv",
        "recvmmsg_time64", "riscv_flush_icache", "riscv_hwprobe", "rt_sigtimedwait_time64",
        "sched_rr_get_interval_time64", "semtimedop_time64", "send", "sendfile64",
        "set_thread_area", "set_tls", "setfsgid32", "setfsuid32", "setgid32", "setgroups32",
        "setregid32", "setresgid32", "setresuid32", "setreuid32", "setuid32", "sigaction",
        "sigpending", "signal", "sigprocmask", "sigreturn", "sigsuspend", "stat64", "statfs64",
        "sync_file_range2", "timer_gettime64", "timer_settime64", "timerfd_gettime64",
        "timerfd_settime64", "truncate64", "ugetrlimit", "utimensat_time64", "waitpid",
};
/* clang-format on */

/* Forbidden, with EPERM. A name unknown to this libseccomp falls to the default, which is as
 * closed. */
/* clang-format off */
static const char *const refused[] = {
        /* would undo the sandbox's mounts: their flags are not locked in the namespace that owns
         * them. chroot as well, though CAP_SYS_CHROOT is granted and Docker lets it pass: a root of
         * one's own with a descriptor outside it is the oldest way out, and dpkg and apt call it
         * only when told of another root. What breaks: servers that lock themselves up, as sshd */
        "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
        "open_tree", "open_tree_attr", "pivot_root", "umount", "umount2",
        /* new namespaces: most ways from user to root in the kernel begin in one (CVE-2022-0185,
         * CVE-2024-1086) */
        "setns", "unshare",
        /* large interfaces with a record of holes, beside which nothing needs them */
        "bpf", "io_uring_enter", "io_uring_register", "io_uring_setup", "perf_event_open",
        "userfaultfd",
        /* keyrings have no namespace of their own; the host's session keyring stays out of reach */
        "add_key", "keyctl", "request_key",
        /* other processes' memory and descriptors; a debugger belongs outside the container */
        "kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace",
        /* a handle opens files by number, past directories that were never visible; "shocker" */
        "name_to_handle_at", "open_by_handle_at",
        /* watches whole mounts */
        "fanotify_init", "fanotify_mark",
        /* the machine's kernel, clock, disks and console are not a container's. The adjtimex pair
         * may also read, which nothing but a time server does */
        "acct", "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64",
        "create_module", "delete_module", "finit_module", "init_module", "ioperm", "iopl",
        "kexec_file_load", "kexec_load", "query_module", "quotactl", "quotactl_fd", "reboot",
        "setdomainname", "sethostname", "settimeofday", "stime", "swapoff", "swapon", "syslog",
        "vhangup",
        /* placement on NUMA nodes: acts on the whole machine and on other processes */
        "get_mempolicy", "mbind", "migrate_pages", "move_pages", "set_mempolicy",
        "set_mempolicy_home_node",
        /* old, unused and little looked at; modify_ldt and vm86 serve 16-bit programs */
        "_sysctl", "get_kernel_syms", "lookup_dcookie", "modify_ldt", "nfsservctl", "subpage_prot",
        "sysfs", "uselib", "ustat", "vm86", "vm86old",
};
/* clang-format on */

/* Those of the refused calls that are for a capability which only some containers have: as with
 * Docker's profile, whoever adds the capability means the calls. */
/* clang-format off */
static const struct {
        uint64_t capability;
        const char *const *names;
} opened[] = {
        {CAPABILITY(SYS_ADMIN), (const char *const[]) {
                "bpf", "fanotify_init", "fanotify_mark", "fsconfig", "fsmount", "fsopen", "fspick",
                "mount", "mount_setattr", "move_mount", "name_to_handle_at", "open_tree",
                "open_tree_attr", "perf_event_open", "pivot_root", "quotactl", "quotactl_fd",
                "setdomainname", "sethostname", "setns", "syslog", "umount", "umount2", "unshare",
                NULL}},
        {CAPABILITY(SYS_PTRACE), (const char *const[]) {
                "kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev",
                "ptrace", NULL}},
        {CAPABILITY(DAC_READ_SEARCH), (const char *const[]) {
                "name_to_handle_at", "open_by_handle_at", NULL}},
        {CAPABILITY(SYS_NICE), (const char *const[]) {
                "get_mempolicy", "mbind", "migrate_pages", "move_pages", "set_mempolicy",
                "set_mempolicy_home_node", NULL}},
        {CAPABILITY(SYS_TIME), (const char *const[]) {
                "adjtimex", "clock_adjtime", "clock_adjtime64", "clock_settime", "clock_settime64",
                "settimeofday", "stime", NULL}},
        {CAPABILITY(SYS_MODULE), (const char *const[]) {
                "delete_module", "finit_module", "init_module", NULL}},
        {CAPABILITY(SYS_BOOT), (const char *const[]) {
                "kexec_file_load", "kexec_load", "reboot", NULL}},
        {CAPABILITY(SYS_RAWIO), (const char *const[]) {"ioperm", "iopl", NULL}},
        {CAPABILITY(SYS_PACCT), (const char *const[]) {"acct", NULL}},
        {CAPABILITY(SYS_TTY_CONFIG), (const char *const[]) {"vhangup", NULL}},
        {CAPABILITY(SYSLOG), (const char *const[]) {"syslog", NULL}},
        {CAPABILITY(BPF), (const char *const[]) {"bpf", NULL}},
        {CAPABILITY(PERFMON), (const char *const[]) {"perf_event_open", NULL}},
};
/* clang-format on */

/* Decided by one argument: the first row of a call for which (low 32 bits & mask) == value decides,
 * and its last row always applies. A call's rows stand together. clone3 is not here, although it
 * makes threads: its flags lie in memory, where no filter can see them, so it gets ENOSYS by
 * default and libc falls back to clone. */
typedef struct ArgumentRule {
        const char *name;
        unsigned int index;
        uint32_t mask, value;
        uint32_t action;
} ArgumentRule;

#define ALLOW      SECCOMP_RET_ALLOW
#define REFUSE(e)  (SECCOMP_RET_ERRNO | (e))
#define IS(v)      UINT32_MAX, (uint32_t) (v)
#define NONE_OF(v) (uint32_t)(v), 0
#define OTHERWISE  0, 0

/* No CLONE_NEWTIME: in the flags of clone its bit is part of the exit signal; only unshare and
 * clone3 take it. */
#define NAMESPACES                                                                                 \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
         CLONE_NEWPID | CLONE_NEWNET)

#ifdef __s390__
#define CLONE_FLAGS 1 /* argument order of CONFIG_CLONE_BACKWARDS2 */
#else
#define CLONE_FLAGS 0
#endif

/* processes and threads, but no namespaces */
static const ArgumentRule clone_rules[] = {
        {"clone", CLONE_FLAGS, NONE_OF(NAMESPACES), ALLOW},
        {"clone", CLONE_FLAGS, OTHERWISE, REFUSE(EPERM)},
};

static const ArgumentRule argument_rules[] = {
        /* typing into the terminal of whoever started us, and switching its line discipline: a way
         * out for a container that shares a caller's terminal (CVE-2017-5226, CVE-2023-28100) */
        {"ioctl", 1, IS(TIOCSTI), REFUSE(EPERM)},
        {"ioctl", 1, IS(TIOCLINUX), REFUSE(EPERM)},
        {"ioctl", 1, IS(TIOCSETD), REFUSE(EPERM)},
        {"ioctl", 1, OTHERWISE, ALLOW},

        /* the families that programs use and a network namespace confines. Docker refuses AF_VSOCK
         * alone, which reaches the hypervisor and its other guests past the namespace; the rest
         * (AF_ALG, AF_RDS, AF_TIPC, AF_CAN...) load kernel modules at a container's wish.
         * EAFNOSUPPORT is what a kernel without the family says */
        {"socket", 0, IS(AF_UNIX), ALLOW},
        {"socket", 0, IS(AF_INET), ALLOW},
        {"socket", 0, IS(AF_INET6), ALLOW},
        {"socket", 0, IS(AF_NETLINK), ALLOW},
        {"socket", 0, IS(AF_PACKET), ALLOW},
        {"socket", 0, OTHERWISE, REFUSE(EAFNOSUPPORT)},
        {"socketpair", 0, IS(AF_UNIX), ALLOW},
        {"socketpair", 0, OTHERWISE, REFUSE(EAFNOSUPPORT)},

        /* what uname reports, and the query of the current value; not READ_IMPLIES_EXEC,
         * ADDR_NO_RANDOMIZE and the like, which make a program easier to attack */
        {"personality", 0, IS(0), ALLOW},          /* PER_LINUX */
        {"personality", 0, IS(0x0008), ALLOW},     /* PER_LINUX32 */
        {"personality", 0, IS(0x20000), ALLOW},    /* UNAME26 */
        {"personality", 0, IS(0x20008), ALLOW},    /* both */
        {"personality", 0, IS(0xffffffff), ALLOW}, /* the query */
        {"personality", 0, OTHERWISE, REFUSE(EPERM)},
};

/* For a container whose files belong to the host's root: a set-id file made inside would be a
 * set-id file of the host. Looks at the arguments that systemd's RestrictSUIDSGID= looks at.
 * openat2 keeps its mode in memory, where no filter sees it, so libc has to do without. The kernel
 * reads a mode only where a file may be made. */
#define SET_ID      (S_ISUID | S_ISGID)
#define MAKES_FILES (O_CREAT | (O_TMPFILE & ~O_DIRECTORY))
static const ArgumentRule set_id_rules[] = {
        {"chmod", 1, NONE_OF(SET_ID), ALLOW},      {"chmod", 1, OTHERWISE, REFUSE(EPERM)},
        {"fchmod", 1, NONE_OF(SET_ID), ALLOW},     {"fchmod", 1, OTHERWISE, REFUSE(EPERM)},
        {"fchmodat", 2, NONE_OF(SET_ID), ALLOW},   {"fchmodat", 2, OTHERWISE, REFUSE(EPERM)},
        {"fchmodat2", 2, NONE_OF(SET_ID), ALLOW},  {"fchmodat2", 2, OTHERWISE, REFUSE(EPERM)},
        {"mkdir", 1, NONE_OF(SET_ID), ALLOW},      {"mkdir", 1, OTHERWISE, REFUSE(EPERM)},
        {"mkdirat", 2, NONE_OF(SET_ID), ALLOW},    {"mkdirat", 2, OTHERWISE, REFUSE(EPERM)},
        {"mknod", 1, NONE_OF(SET_ID), ALLOW},      {"mknod", 1, OTHERWISE, REFUSE(EPERM)},
        {"mknodat", 2, NONE_OF(SET_ID), ALLOW},    {"mknodat", 2, OTHERWISE, REFUSE(EPERM)},
        {"creat", 1, NONE_OF(SET_ID), ALLOW},      {"creat", 1, OTHERWISE, REFUSE(EPERM)},
        {"open", 1, NONE_OF(MAKES_FILES), ALLOW},  {"open", 2, NONE_OF(SET_ID), ALLOW},
        {"open", 2, OTHERWISE, REFUSE(EPERM)},     {"openat", 2, NONE_OF(MAKES_FILES), ALLOW},
        {"openat", 3, NONE_OF(SET_ID), ALLOW},     {"openat", 3, OTHERWISE, REFUSE(EPERM)},
        {"openat2", 0, OTHERWISE, REFUSE(ENOSYS)},
};

#define LOAD(offset)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define AND(mask)         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (mask))
#define SKIP_UNLESS(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (n))
#define RETURN(action)    BPF_STMT(BPF_RET | BPF_K, (action))
#define RULE_INSTRUCTIONS 4
#define LOW_HALF(index)                                                                            \
        (offsetof(struct seccomp_data, args) + (index) * sizeof(uint64_t) +                        \
         (G_BYTE_ORDER == G_BIG_ENDIAN ? sizeof(uint32_t) : 0))

static void append(GArray *code, struct sock_filter instruction)
{
        g_array_append_val(code, instruction);
}

static void append_rule(GArray *code, const ArgumentRule *rule)
{
        append(code, (struct sock_filter) LOAD(LOW_HALF(rule->index)));
        append(code, (struct sock_filter) AND(rule->mask));
        append(code, (struct sock_filter) SKIP_UNLESS(rule->value, 1));
        append(code, (struct sock_filter) RETURN(rule->action));
}

/* Numbers of a foreign architecture mean other calls, so for those the whole part is passed over,
 * to meet libseccomp's check and be killed. */
static void append_argument_rules(GArray *code, const ArgumentRule *rules, size_t n)
{
        size_t head = code->len + 1;

        append(code, (struct sock_filter) LOAD(offsetof(struct seccomp_data, arch)));
        append(code, (struct sock_filter) SKIP_UNLESS(seccomp_arch_native(), 0));
        append(code, (struct sock_filter) LOAD(offsetof(struct seccomp_data, nr)));
        for (size_t i = 0, next; i < n; i = next) {
                int number = seccomp_syscall_resolve_name(rules[i].name);

                for (next = i + 1; next < n; next++)
                        if (!g_str_equal(rules[next].name, rules[i].name))
                                break;
                if (number < 0)
                        continue; /* made through socketcall(), which is not allowed */
                append(code, (struct sock_filter) SKIP_UNLESS((uint32_t) number,
                                                              (next - i) * RULE_INSTRUCTIONS));
                for (size_t k = i; k < next; k++)
                        append_rule(code, &rules[k]);
        }
        g_assert(code->len - head - 1 <= UINT8_MAX);
        g_array_index(code, struct sock_filter, head).jf = (uint8_t) (code->len - head - 1);
}

static bool is_opened(uint64_t capabilities, const char *name)
{
        for (size_t i = 0; i < G_N_ELEMENTS(opened); i++)
                if (capabilities & opened[i].capability && g_strv_contains(opened[i].names, name))
                        return true;
        return false;
}

bool seccomp_opens(uint64_t capabilities)
{
        for (size_t i = 0; i < G_N_ELEMENTS(opened); i++)
                if (capabilities & opened[i].capability)
                        return true;
        return false;
}

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                int number = seccomp_syscall_resolve_name(names[i]);

                if (number < 0)
                        continue; /* unknown to this libseccomp, or of another architecture */
                int r = seccomp_rule_add_exact(filter, action, number, 0);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Every call that is decided by name alone. Calls of another architecture (i386, x32) kill the
 * process: they are a second door to the kernel, and no native program makes one by mistake. */
static int fill_filter(scmp_filter_ctx filter, uint64_t capabilities)
{
        static const char *const clone = "clone";
        int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

        if (r >= 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        if (r >= 0)
                r = add_names(filter, SCMP_ACT_ALLOW, allowed, G_N_ELEMENTS(allowed));
        if (r >= 0 && capabilities & CAPABILITY(SYS_ADMIN))
                r = add_names(filter, SCMP_ACT_ALLOW, &clone, 1);
        for (size_t i = 0; i < G_N_ELEMENTS(refused) && r >= 0; i++)
                r = add_names(filter,
                              is_opened(capabilities, refused[i]) ? SCMP_ACT_ALLOW
                                                                  : SCMP_ACT_ERRNO(EPERM),
                              &refused[i], 1);
        return r;
}

/* libseccomp 2.5 exports to a descriptor only. */
static int append_exported(GArray *code, scmp_filter_ctx filter)
{
        autofd int fd = memfd_create("seccomp", MFD_CLOEXEC);
        struct stat st;

        if (fd < 0)
                return -errno;
        int r = seccomp_export_bpf(filter, fd);
        if (r < 0)
                return r;
        if (fstat(fd, &st) < 0)
                return -errno;

        size_t before = code->len, size = (size_t) st.st_size;
        if (size == 0 || size % sizeof(struct sock_filter) != 0 ||
            before + size / sizeof(struct sock_filter) > BPF_MAXINSNS)
                return -E2BIG;
        g_array_set_size(code, (unsigned int) (before + size / sizeof(struct sock_filter)));
        ssize_t n = pread(fd, &g_array_index(code, struct sock_filter, before), size, 0);
        if (n < 0)
                return -errno;
        return (size_t) n == size ? 0 : -EIO;
}

bool seccomp_program_new(SeccompSetId set_id, uint64_t capabilities, SeccompProgram **ret,
                         GError **error)
{
        g_autoptr(GArray) code = g_array_new(false, false, sizeof(struct sock_filter));
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

        if (!filter)
                return error_set(error, RUNTIME_ERROR_FAILED, "cannot begin a seccomp filter");
        if (!(capabilities & CAPABILITY(SYS_ADMIN)))
                append_argument_rules(code, clone_rules, G_N_ELEMENTS(clone_rules));
        append_argument_rules(code, argument_rules, G_N_ELEMENTS(argument_rules));
        if (set_id == SECCOMP_SET_ID_REFUSED)
                append_argument_rules(code, set_id_rules, G_N_ELEMENTS(set_id_rules));
        int r = fill_filter(filter, capabilities);
        if (r >= 0)
                r = append_exported(code, filter);
        seccomp_release(filter);
        if (r < 0)
                return error_set_errno(error, RUNTIME_ERROR_FAILED, -r,
                                       "cannot build the seccomp filter");

        SeccompProgram *program = g_new0(SeccompProgram, 1);
        program->program.len = (unsigned short) code->len;
        program->program.filter = g_array_steal(code, NULL);
        *ret = program;
        return true;
}

void seccomp_program_free(SeccompProgram *program)
{
        if (!program)
                return;
        g_free(program->program.filter);
        g_free(program);
}
