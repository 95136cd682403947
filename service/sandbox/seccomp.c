#include "service/sandbox/seccomp.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/sandbox/argument-rules.h"
#include "service/spec/error.h"
#include "service/util/capability.h"
#include "service/util/fd.h"

/* An allow-list, since a deny-list is out of date with the next kernel: flatpak's did not know
 * clone3 and the mount calls by file descriptor (CVE-2021-41133). What no table here names gets
 * ENOSYS, the answer of an older kernel, for which every libc has a fallback. What is named as
 * forbidden gets EPERM, the answer to a process without the capability, which programs can word.
 *
 * The program has two parts. The first decides, by their arguments, the few calls that are neither
 * good nor bad in themselves (argument-rules.c). The second is libseccomp's: names to numbers of
 * this machine's architecture, as a binary tree. All jumps of classic BPF are relative and forward,
 * so the two are concatenated. */

/* Allowed: acts on the caller's own process, memory, descriptors and files, or is guarded by the
 * kernel with a capability that the user namespace confines. Much as Docker's default, but without
 * io_setup and its kin: one call of it takes all that fs.aio-max-nr lets the whole machine have. As
 * on a kernel without them they get ENOSYS, upon which databases and web servers go on with
 * threads. */
/* clang-format off */
static const char *const allowed[] = {
        /* files and directories */
        "access", "chdir", "chmod", "chown", "chroot", "copy_file_range", "creat", "faccessat", "faccessat2",
        "fadvise64", "fallocate", "fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchownat",
        "fdatasync", "fgetxattr", "flistxattr", "flock", "fremovexattr", "fsetxattr", "fstat",
        "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd", "getdents", "getdents64",
        "getxattr", "lchown", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
        "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat", "mknod", "mknodat",
        "name_to_handle_at", "newfstatat", "open", "openat", "openat2", "readahead", "readlink", "readlinkat",
        "removexattr", "rename", "renameat", "renameat2", "rmdir", "setxattr", "stat", "statfs",
        "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "truncate", "umask",
        "unlink", "unlinkat", "utime", "utimensat", "utimes",
        /* descriptors: reading, writing, waiting, events */
        "close", "close_range", "dup", "dup2", "dup3", "epoll_create", "epoll_create1", "epoll_ctl",
        "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "fcntl",
        "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "pipe", "pipe2",
        "poll", "ppoll", "pread64", "preadv", "preadv2", "pselect6", "pwrite64", "pwritev",
        "pwritev2", "read", "readv", "select", "sendfile", "signalfd", "signalfd4", "splice", "tee",
        "timerfd_create", "timerfd_gettime", "timerfd_settime", "vmsplice", "write", "writev",
        /* sockets that exist, and System V and POSIX IPC: confined by their namespaces */
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt",
        "listen", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend",
        "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "recvfrom", "recvmmsg", "recvmsg",
        "semctl", "semget", "semop", "semtimedop", "sendmmsg", "sendmsg", "sendto", "shmat", "shmctl", "shmdt", "shmget", "shutdown",
        /* memory */
        "brk", "cachestat", "get_mempolicy", "madvise", "membarrier", "memfd_create", "memfd_secret", "mincore",
        "mlock", "mlock2", "mlockall", "mmap", "mprotect", "mremap", "mseal", "msync", "munlock",
        "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect", "remap_file_pages",
        "set_mempolicy",
        /* processes, threads, signals; clone is decided by its flags */
        "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork",
        "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list",
        "getcpu", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid",
        "getppid", "getpriority", "getresgid", "getresuid", "getrlimit", "getrusage", "getsid",
        "gettid", "getuid", "ioprio_get", "ioprio_set", "kill", "pause", "pidfd_open",
        "pidfd_send_signal", "prctl", "process_mrelease", "restart_syscall", "rseq",
        "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
        "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max",
        "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
        "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
        "sched_setparam", "sched_setscheduler", "sched_yield", "set_robust_list", "set_tid_address",
        "setfsgid", "setfsuid", "setgid", "setgroups", "setpgid", "setpriority", "setregid",
        "setresgid", "setresuid", "setreuid", "setsid", "setuid", "sigaltstack",
        "tgkill", "tkill", "vfork", "wait4", "waitid",
        /* debuggers, sanitizers and MPI: the pid namespace holds them, and what sets a container up
         * or joins one cannot be traced. Since Linux 4.8 a tracer cannot pass the filter */
        "pidfd_getfd", "process_vm_readv", "process_vm_writev", "ptrace",
        /* clocks, read and waited for; to set one takes a capability that no namespace gives */
        "adjtimex", "alarm", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
        "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun",
        "timer_gettime", "timer_settime", "times",
        /* facts about the machine, and restrictions that a process puts on itself */
        "getrandom", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
        "sysinfo", "uname",
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
         * them */
        "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
        "open_tree", "open_tree_attr", "pivot_root", "umount", "umount2",
        /* new namespaces: most ways from user to root in the kernel begin in one (CVE-2022-0185,
         * CVE-2024-1086) */
        "setns", "unshare",
        /* large interfaces with a record of holes, beside which nothing needs them */
        "bpf", "io_uring_enter", "io_uring_register", "io_uring_setup", "perf_event_open",
        "userfaultfd",
        /* keyrings have no namespace of their own; the host's session keyring stays out of reach */
        "add_key", "keyctl", "request_key",
        /* tell of kernel addresses, or act on other processes' memory */
        "kcmp", "process_madvise",
        /* a handle opens files by number, past directories that were never visible; "shocker" */
        "open_by_handle_at",
        /* watches whole mounts */
        "fanotify_init", "fanotify_mark",
        /* the machine's kernel, clock, disks and console are not a container's */
        "acct", "clock_settime", "clock_settime64", "create_module", "delete_module",
        "finit_module", "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load",
        "query_module", "quotactl", "quotactl_fd", "reboot", "setdomainname", "sethostname",
        "settimeofday", "stime", "swapoff", "swapon", "syslog", "vhangup",
        /* move the memory of other processes to another NUMA node, or give each page of a file a
         * policy, whose memory no cgroup counts */
        "mbind", "migrate_pages", "move_pages", "set_mempolicy_home_node",
        /* old, unused and little looked at; modify_ldt and vm86 serve 16-bit programs */
        "_sysctl", "get_kernel_syms", "lookup_dcookie", "modify_ldt", "nfsservctl", "subpage_prot",
        "sysfs", "uselib", "ustat", "vm86", "vm86old",
};
/* clang-format on */

/* Of the allowed calls, what the strict variant refuses: a process takes memory and descriptors of
 * another one, which need not notice. A tracer, which stops what it reads, does without them. */
static const char *const strictly_refused[] = {"pidfd_getfd", "process_vm_readv",
                                               "process_vm_writev", NULL};

/* Those of the refused calls that are for a capability which only some containers have: as with
 * Docker's profile, whoever adds the capability means the calls. */
/* clang-format off */
static const struct {
        uint64_t capability;
        const char *const *names;
} opened[] = {
        {CAPABILITY(SYS_ADMIN), (const char *const[]) {
                "bpf", "fanotify_init", "fanotify_mark", "fsconfig", "fsmount", "fsopen", "fspick",
                "mount", "mount_setattr", "move_mount", "open_tree", "open_tree_attr",
                "perf_event_open", "pivot_root", "quotactl", "quotactl_fd",
                "setdomainname", "sethostname", "setns", "syslog", "umount", "umount2", "unshare",
                NULL}},
        {CAPABILITY(SYS_PTRACE), (const char *const[]) {
                "kcmp", "process_madvise", NULL}},
        {CAPABILITY(DAC_READ_SEARCH), (const char *const[]) {"open_by_handle_at", NULL}},
        {CAPABILITY(SYS_NICE), (const char *const[]) {
                "mbind", "migrate_pages", "move_pages", "set_mempolicy_home_node", NULL}},
        {CAPABILITY(SYS_TIME), (const char *const[]) {
                "clock_settime", "clock_settime64", "settimeofday", "stime", NULL}},
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
        return argument_rules_open(capabilities);
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
static int fill_filter(scmp_filter_ctx filter, SeccompVariant variant, uint64_t capabilities)
{
        int r = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

        if (r >= 0)
                r = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        for (size_t i = 0; i < G_N_ELEMENTS(allowed) && r >= 0; i++) {
                bool is_refused =
                        variant == SECCOMP_STRICT && g_strv_contains(strictly_refused, allowed[i]);
                r = add_names(filter, is_refused ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_ALLOW,
                              &allowed[i], 1);
        }
        for (size_t i = 0; i < G_N_ELEMENTS(refused) && r >= 0; i++)
                r = add_names(filter,
                              is_opened(capabilities, refused[i]) ? SCMP_ACT_ALLOW
                                                                  : SCMP_ACT_ERRNO(EPERM),
                              &refused[i], 1);
        return r;
}

/* libseccomp 2.5 exports to a descriptor only. */
int seccomp_append_exported(GArray *code, void *filter)
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

SeccompVariant seccomp_variant(RightsFilter filter)
{
        return filter == RIGHTS_FILTER_STRICT           ? SECCOMP_STRICT
               : filter == RIGHTS_FILTER_SET_ID_REFUSED ? SECCOMP_SET_ID_REFUSED
                                                        : SECCOMP_SET_ID_ALLOWED;
}

bool seccomp_program_new(SeccompVariant variant, uint64_t capabilities, SeccompProgram **ret,
                         GError **error)
{
        g_autoptr(GArray) code = g_array_new(false, false, sizeof(struct sock_filter));
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));

        if (!filter)
                return error_set(error, RUNTIME_ERROR_FAILED, "cannot begin a seccomp filter");
        argument_rules_append(code, variant, capabilities);
        int r = fill_filter(filter, variant, capabilities);
        if (r >= 0)
                r = seccomp_append_exported(code, filter);
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
