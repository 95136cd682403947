#include "service/sandbox/argument-rules.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "service/util/capability.h"

/* Made here and not by libseccomp, which can compare the low half of an argument for equality alone
 * and cannot say "otherwise allow" beside a default of ENOSYS. The kernel takes most arguments as
 * 32 bits: a filter that compares 64 is passed by setting bit 32 (CVE-2019-10063). Both halves are
 * looked at where the kernel takes both, as it does with a pointer. */

/* True if (the half of an argument & mask) == value. */
typedef struct Comparison {
        unsigned int half; /* LOW(…) or HIGH(…) of the argument */
        uint32_t mask, value;
} Comparison;

/* The first row of a call whose comparisons all hold decides; its last row has none. A call's rows
 * stand together. */
typedef struct ArgumentRule {
        const char *name;
        Comparison comparisons[3]; /* the first without a mask ends them */
        uint32_t action;
        uint64_t with, without; /* capabilities: the row counts with one of these, without those */
} ArgumentRule;

#ifndef TCP_AO_ADD_KEY
#define TCP_AO_ADD_KEY 38 /* since Linux 6.7 */
#endif

#define LOW(index)  (2u * (index))
#define HIGH(index) (2u * (index) + 1)
#define ALLOW       SECCOMP_RET_ALLOW
#define REFUSE(e)   (SECCOMP_RET_ERRNO | (e))
#define IGNORE      SECCOMP_RET_ERRNO /* the call returns 0 and has done nothing */
#define IS(v)       UINT32_MAX, (uint32_t) (v)
#define NONE_OF(v)  (uint32_t)(v), 0
#define EITHER(v)   ~1u, (uint32_t) (v) /* an even number, or the next one */
/* clang-format off */
#define OTHERWISE   {{0, 0, 0}}
/* clang-format on */

/* No CLONE_NEWTIME: in the flags of clone its bit is part of the exit signal; only unshare and
 * clone3 take it. */
#define NAMESPACES                                                                                 \
        (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |             \
         CLONE_NEWPID | CLONE_NEWNET)

#ifdef __s390__
#define CLONE_FLAGS LOW(1) /* argument order of CONFIG_CLONE_BACKWARDS2 */
#else
#define CLONE_FLAGS LOW(0)
#endif

#define ADMIN     CAPABILITY(SYS_ADMIN)
#define NET_ADMIN CAPABILITY(NET_ADMIN)
#define NET_RAW   CAPABILITY(NET_RAW)

/* The arguments of socket(). The kernel keeps flags in the upper bits of the type, and refuses
 * those that it does not know. */
#define FAMILY LOW(0)
#define TYPE(v)                                                                                    \
        {                                                                                          \
                LOW(1), 0xf, (uint32_t) (v)                                                        \
        }
#define PROTOCOL(v)                                                                                \
        {                                                                                          \
                LOW(2), IS(v)                                                                      \
        }
#define INET_OR_INET6                                                                              \
        {                                                                                          \
                FAMILY, ~(uint32_t) (AF_INET ^ AF_INET6), AF_INET &AF_INET6                        \
        }
_Static_assert(((AF_INET ^ AF_INET6) & ((AF_INET ^ AF_INET6) - 1)) == 0, "they differ in one bit");

/* clang-format off */
static const ArgumentRule usual_rules[] = {
        /* Processes and threads, but no namespaces. clone3 is not here, although it makes threads:
         * its flags lie in memory, where no filter can see them, so it gets ENOSYS by default and
         * libc falls back to clone. */
        {"clone", {{CLONE_FLAGS, NONE_OF(NAMESPACES)}}, ALLOW, .without = ADMIN},
        {"clone", OTHERWISE, REFUSE(EPERM), .without = ADMIN},
        {"clone", OTHERWISE, ALLOW, .with = ADMIN},

        /* typing into the terminal of whoever started us, and switching its line discipline: a way
         * out for a container that shares a caller's terminal (CVE-2017-5226, CVE-2023-28100) */
        {"ioctl", {{LOW(1), IS(TIOCSTI)}}, REFUSE(EPERM)},
        {"ioctl", {{LOW(1), IS(TIOCLINUX)}}, REFUSE(EPERM)},
        {"ioctl", {{LOW(1), IS(TIOCSETD)}}, REFUSE(EPERM)},
        /* of any socket; without a look at who asks, they make the kernel load its modules for
         * bridges and VLANs */
        {"ioctl", {{LOW(1), EITHER(SIOCGIFBR)}}, REFUSE(EPERM), .without = NET_ADMIN},
        {"ioctl", {{LOW(1), EITHER(SIOCBRADDBR)}}, REFUSE(EPERM), .without = NET_ADMIN},
        {"ioctl", {{LOW(1), EITHER(SIOCGIFVLAN)}}, REFUSE(EPERM), .without = NET_ADMIN},
        {"ioctl", OTHERWISE, ALLOW},

        /* What programs use and a network namespace confines, by family, type and protocol. Docker
         * refuses AF_VSOCK alone, which reaches the hypervisor and its other guests past the
         * namespace; the rest (AF_ALG, AF_RDS, AF_TIPC, AF_CAN...) load kernel modules at a
         * container's wish, and so do protocols (SCTP, L2TP, SMC) and types (SOCK_DCCP; SOCK_PACKET,
         * which is AF_PACKET by another name). MPTCP and UDP-Lite are refused too: large or
         * forgotten, and whoever wants them has to do without on many a kernel.
         * What packet and raw sockets, and netlink sockets of one process to another, hold is
         * counted by no cgroup, a packet socket's ring least of all. EAFNOSUPPORT and EINVAL are
         * what an older kernel says of a family and of a protocol; libaudit and whatever tries
         * MPTCP first take them for "not there" and go on. */
        {"socket", {{FAMILY, IS(AF_UNIX)}, {LOW(2), NONE_OF(~(uint32_t) PF_UNIX)}}, ALLOW},
        {"socket", {INET_OR_INET6, TYPE(SOCK_STREAM), PROTOCOL(0)}, ALLOW},
        {"socket", {INET_OR_INET6, TYPE(SOCK_STREAM), PROTOCOL(IPPROTO_TCP)}, ALLOW},
        {"socket", {INET_OR_INET6, TYPE(SOCK_DGRAM), PROTOCOL(0)}, ALLOW},
        {"socket", {INET_OR_INET6, TYPE(SOCK_DGRAM), PROTOCOL(IPPROTO_UDP)}, ALLOW},
        {"socket", {{FAMILY, IS(AF_INET)}, TYPE(SOCK_DGRAM), PROTOCOL(IPPROTO_ICMP)}, ALLOW},
        {"socket", {{FAMILY, IS(AF_INET6)}, TYPE(SOCK_DGRAM), PROTOCOL(IPPROTO_ICMPV6)}, ALLOW},
        {"socket", {INET_OR_INET6, TYPE(SOCK_RAW)}, ALLOW, .with = NET_RAW},
        {"socket", {INET_OR_INET6, TYPE(SOCK_RAW)}, REFUSE(EPERM), .without = NET_RAW},
        {"socket", {INET_OR_INET6}, REFUSE(EINVAL)},
        {"socket", {{FAMILY, IS(AF_NETLINK)}, PROTOCOL(NETLINK_ROUTE)}, ALLOW},
        {"socket", {{FAMILY, IS(AF_NETLINK)}}, ALLOW, .with = NET_ADMIN},
        {"socket", {{FAMILY, IS(AF_NETLINK)}}, REFUSE(EINVAL), .without = NET_ADMIN},
        {"socket", {{FAMILY, IS(AF_PACKET)}}, ALLOW, .with = NET_RAW},
        {"socket", {{FAMILY, IS(AF_PACKET)}}, REFUSE(EPERM), .without = NET_RAW},
        {"socket", OTHERWISE, REFUSE(EAFNOSUPPORT)},
        {"socketpair", {{FAMILY, IS(AF_UNIX)}, {LOW(2), NONE_OF(~(uint32_t) PF_UNIX)}}, ALLOW},
        {"socketpair", OTHERWISE, REFUSE(EAFNOSUPPORT)},

        /* a key of TCP-AO names a hash, whichever, and the kernel loads it: what AF_ALG is refused
         * for. ENOPROTOOPT is what a kernel without TCP-AO says */
        {"setsockopt", {{LOW(1), IS(IPPROTO_TCP)}, {LOW(2), IS(TCP_AO_ADD_KEY)}}, REFUSE(ENOPROTOOPT),
         .without = NET_ADMIN},
        /* makes a socket of TCP another one: of SMC, which socket() refuses, or of TLS, whose keys
         * name ciphers for the kernel to load; whoever tries it goes on without */
        {"setsockopt", {{LOW(1), IS(IPPROTO_TCP)}, {LOW(2), IS(TCP_ULP)}}, REFUSE(ENOPROTOOPT),
         .without = NET_ADMIN},
        {"setsockopt", OTHERWISE, ALLOW},

        /* A filter of one's own may be added, but none that asks a supervisor: its answer "go on"
         * would stand in the place of ours where ours asks the service (SeccompLog) and that has
         * ended. EBUSY is what the kernel says where there is a supervisor already. */
        {"seccomp", {{LOW(1), NONE_OF(SECCOMP_FILTER_FLAG_NEW_LISTENER)}}, ALLOW},
        {"seccomp", OTHERWISE, REFUSE(EBUSY)},

        /* The limit of core dumps stays 1: with any other number, 0 included, a crash starts the
         * host's handler (settle.c). Whoever may set it today may lower it, and asks for what holds
         * anyway: no core. So the call does nothing and succeeds; gpg, ssh-agent and su end if it
         * fails. Where the old limit is asked for in the same call nobody would write it down. */
        {"setrlimit", {{LOW(0), IS(RLIMIT_CORE)}}, IGNORE},
        {"setrlimit", OTHERWISE, ALLOW},
        {"prlimit64", {{LOW(1), IS(RLIMIT_CORE)}, {LOW(2), IS(0)}, {HIGH(2), IS(0)}}, ALLOW},
        {"prlimit64", {{LOW(1), IS(RLIMIT_CORE)}, {LOW(3), IS(0)}, {HIGH(3), IS(0)}}, IGNORE},
        {"prlimit64", {{LOW(1), IS(RLIMIT_CORE)}}, REFUSE(EPERM)},
        {"prlimit64", OTHERWISE, ALLOW},

        /* what uname reports, and the query of the current value; not READ_IMPLIES_EXEC,
         * ADDR_NO_RANDOMIZE and the like, which make a program easier to attack */
        {"personality", {{LOW(0), IS(0)}}, ALLOW},          /* PER_LINUX */
        {"personality", {{LOW(0), IS(0x0008)}}, ALLOW},     /* PER_LINUX32 */
        {"personality", {{LOW(0), IS(0x20000)}}, ALLOW},    /* UNAME26 */
        {"personality", {{LOW(0), IS(0x20008)}}, ALLOW},    /* both */
        {"personality", {{LOW(0), IS(0xffffffff)}}, ALLOW}, /* the query */
        {"personality", OTHERWISE, REFUSE(EPERM)},
};

/* For a container whose files belong to the host's root: a set-id file made inside would be a
 * set-id file of the host. Looks at the arguments that systemd's RestrictSUIDSGID= looks at.
 * openat2 keeps its mode in memory, where no filter sees it, so libc has to do without. The kernel
 * reads a mode only where a file may be made. */
#define NO_SET_ID(index) {{LOW(index), NONE_OF(S_ISUID | S_ISGID)}}
#define NO_FILE(index)   {{LOW(index), NONE_OF(O_CREAT | (O_TMPFILE & ~O_DIRECTORY))}}
static const ArgumentRule set_id_rules[] = {
        {"chmod", NO_SET_ID(1), ALLOW},     {"chmod", OTHERWISE, REFUSE(EPERM)},
        {"fchmod", NO_SET_ID(1), ALLOW},    {"fchmod", OTHERWISE, REFUSE(EPERM)},
        {"fchmodat", NO_SET_ID(2), ALLOW},  {"fchmodat", OTHERWISE, REFUSE(EPERM)},
        {"fchmodat2", NO_SET_ID(2), ALLOW}, {"fchmodat2", OTHERWISE, REFUSE(EPERM)},
        {"mkdir", NO_SET_ID(1), ALLOW},     {"mkdir", OTHERWISE, REFUSE(EPERM)},
        {"mkdirat", NO_SET_ID(2), ALLOW},   {"mkdirat", OTHERWISE, REFUSE(EPERM)},
        {"mknod", NO_SET_ID(1), ALLOW},     {"mknod", OTHERWISE, REFUSE(EPERM)},
        {"mknodat", NO_SET_ID(2), ALLOW},   {"mknodat", OTHERWISE, REFUSE(EPERM)},
        {"creat", NO_SET_ID(1), ALLOW},     {"creat", OTHERWISE, REFUSE(EPERM)},
        {"open", NO_FILE(1), ALLOW},        {"open", NO_SET_ID(2), ALLOW},
        {"open", OTHERWISE, REFUSE(EPERM)},
        {"openat", NO_FILE(2), ALLOW},      {"openat", NO_SET_ID(3), ALLOW},
        {"openat", OTHERWISE, REFUSE(EPERM)},
        {"openat2", OTHERWISE, REFUSE(ENOSYS)},
};
/* clang-format on */

#define LOAD(offset)      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (offset))
#define AND(mask)         BPF_STMT(BPF_ALU | BPF_AND | BPF_K, (mask))
#define SKIP_UNLESS(k, n) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), 0, (n))
#define SKIP_IF(k, n)     BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (k), (n), 0)
#define SKIP(n)           BPF_STMT(BPF_JMP | BPF_JA, (n))
#define RETURN(action)    BPF_STMT(BPF_RET | BPF_K, (action))

#define COMPARISON_INSTRUCTIONS 3
#define PLACE_OF_HALF(half)                                                                        \
        (offsetof(struct seccomp_data, args) +                                                     \
         ((half) ^ (G_BYTE_ORDER == G_BIG_ENDIAN ? 1u : 0)) * sizeof(uint32_t))

static void append(GArray *code, struct sock_filter instruction)
{
        g_array_append_val(code, instruction);
}

static void append_rule(GArray *code, const ArgumentRule *rule)
{
        size_t n = 0;

        while (n < G_N_ELEMENTS(rule->comparisons) && rule->comparisons[n].mask)
                n++;
        for (size_t i = 0; i < n; i++) {
                const Comparison *comparison = &rule->comparisons[i];
                size_t rest = (n - i - 1) * COMPARISON_INSTRUCTIONS + 1;

                append(code, (struct sock_filter) LOAD(PLACE_OF_HALF(comparison->half)));
                append(code, (struct sock_filter) AND(comparison->mask));
                append(code, (struct sock_filter) SKIP_UNLESS(comparison->value, (uint8_t) rest));
        }
        append(code, (struct sock_filter) RETURN(rule->action));
}

static bool is_for(const ArgumentRule *rule, uint64_t capabilities)
{
        return (!rule->with || capabilities & rule->with) && !(capabilities & rule->without);
}

/* The rules of one call. The number of the call is in the accumulator before and, for another call,
 * after them. */
static void append_call(GArray *code, const ArgumentRule *rules, size_t n, uint64_t capabilities)
{
        int number = seccomp_syscall_resolve_name(rules->name);
        size_t head = code->len;

        if (number < 0)
                return; /* made through socketcall(), which is not allowed, or of another machine */
        append(code, (struct sock_filter) SKIP_UNLESS((uint32_t) number, 0));
        for (size_t i = 0; i < n; i++)
                if (is_for(&rules[i], capabilities))
                        append_rule(code, &rules[i]);
        g_assert(code->len - head - 1 <= UINT8_MAX);
        g_array_index(code, struct sock_filter, head).jf = (uint8_t) (code->len - head - 1);
}

/* Numbers of a foreign architecture mean other calls, so for those the whole part is passed over,
 * to meet libseccomp's check and be killed. */
static void append_rules(GArray *code, const ArgumentRule *rules, size_t n, uint64_t capabilities)
{
        size_t head = code->len + 2;

        append(code, (struct sock_filter) LOAD(offsetof(struct seccomp_data, arch)));
        append(code, (struct sock_filter) SKIP_IF(seccomp_arch_native(), 1));
        append(code, (struct sock_filter) SKIP(0));
        append(code, (struct sock_filter) LOAD(offsetof(struct seccomp_data, nr)));
        for (size_t i = 0, next; i < n; i = next) {
                for (next = i + 1; next < n; next++)
                        if (!g_str_equal(rules[i].name, rules[next].name))
                                break;
                append_call(code, rules + i, next - i, capabilities);
        }
        g_array_index(code, struct sock_filter, head).k = (uint32_t) (code->len - head - 1);
}

void argument_rules_append(GArray *code, SeccompVariant variant, uint64_t capabilities)
{
        append_rules(code, usual_rules, G_N_ELEMENTS(usual_rules), capabilities);
        if (variant != SECCOMP_SET_ID_ALLOWED)
                append_rules(code, set_id_rules, G_N_ELEMENTS(set_id_rules), 0);
}

bool argument_rules_open(uint64_t capabilities)
{
        return capabilities & (ADMIN | NET_ADMIN | NET_RAW);
}
