/* linux.seccomp as a program, which the kernel is asked about: each case in a process of its own.
 */

#include "cli/oci/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "tests/lib/case.h"

/* A mistake in a name would show as a call that is allowed. */
#define NAMES(...) ((char **) (const char *const[]){__VA_ARGS__, NULL})

static char *none[] = {NULL};

static SeccompProgram *compile(const OciSeccomp *seccomp)
{
        SeccompProgram *program = NULL;
        unsigned flags = 99;
        g_autoptr(GError) error = NULL;

        oci_seccomp_compile(seccomp, &program, &flags, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(flags, ==, 0);
        return program;
}

/* What a call comes to under the program: 0, or its error. 1000 and more: a signal. */
static int call(const SeccompProgram *program, long number, long a, long b, long c)
{
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
                    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program->program) < 0)
                        _exit(254);
                long r = syscall(number, a, b, c, 0, 0, 0);
                _exit(r < 0 ? errno : 0);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        return WIFSIGNALED(status) ? 1000 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* Names that libseccomp does not know are left out; errors are as they are said, or EPERM. */
TEST(names_and_errors)
{
        OciSeccompRule rules[] = {
                {.names = NAMES("getpid", "no_such_call", "getppid"), .action = OCI_SECCOMP_ERRNO},
                {.names = NAMES("getuid"), .action = OCI_SECCOMP_ERRNO, .errno_value = {true, 38}},
                {.names = NAMES("getgid"), .action = OCI_SECCOMP_KILL_PROCESS},
                {.names = NAMES("getegid"), .action = OCI_SECCOMP_TRAP},
        };
        OciSeccomp seccomp = {.default_action = OCI_SECCOMP_ALLOW,
                              .architectures = NAMES("SCMP_ARCH_X86_64", "SCMP_ARCH_X86"),
                              .flags = none,
                              .rules = rules,
                              .n_rules = G_N_ELEMENTS(rules)};
        g_autoptr(SeccompProgram) program = compile(&seccomp);

        g_assert_cmpint(call(program, SYS_getpid, 0, 0, 0), ==, EPERM);
        g_assert_cmpint(call(program, SYS_getppid, 0, 0, 0), ==, EPERM);
        g_assert_cmpint(call(program, SYS_getuid, 0, 0, 0), ==, ENOSYS);
        g_assert_cmpint(call(program, SYS_getgid, 0, 0, 0), ==, 1000 + SIGSYS);
        g_assert_cmpint(call(program, SYS_getegid, 0, 0, 0), ==, 1000 + SIGSYS);
        g_assert_cmpint(call(program, SYS_gettid, 0, 0, 0), ==, 0);
}

/* All comparisons; several rules for a call; two for one argument, of which either fits. */
TEST(arguments)
{
        static const struct {
                OciSeccompOperator operator;
                uint64_t value, value_two;
                long fits, does_not;
        } rows[] = {
                {OCI_SECCOMP_NE, 5, 0, 6, 5},
                {OCI_SECCOMP_LT, 5, 0, 4, 5},
                {OCI_SECCOMP_LE, 5, 0, 5, 6},
                {OCI_SECCOMP_EQ, 5, 0, 5, 4},
                {OCI_SECCOMP_GE, 5, 0, 5, 4},
                {OCI_SECCOMP_GT, 5, 0, 6, 5},
                {OCI_SECCOMP_MASKED_EQ, 0xf0, 0x30, 0x3a, 0x4a},
                {OCI_SECCOMP_EQ, UINT64_C(0x100000005), 0, 0x100000005, 5},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                OciSeccompArgument argument = {1, rows[i].value, rows[i].value_two,
                                               rows[i].operator};
                OciSeccompRule rule = {.names = NAMES("getsid"),
                                       .action = OCI_SECCOMP_ERRNO,
                                       .errno_value = {true, 77},
                                       .args = &argument,
                                       .n_args = 1};
                OciSeccomp seccomp = {.default_action = OCI_SECCOMP_ALLOW,
                                      .architectures = none,
                                      .flags = none,
                                      .rules = &rule,
                                      .n_rules = 1};
                g_autoptr(SeccompProgram) program = compile(&seccomp);
                g_assert_cmpint(call(program, SYS_getsid, 0, rows[i].fits, 0), ==, 77);
                g_assert_cmpint(call(program, SYS_getsid, 0, rows[i].does_not, 0), ==, 0);
        }
}

TEST(arguments_together)
{
        OciSeccompArgument both[] = {{1, 5, 0, OCI_SECCOMP_EQ}, {2, 6, 0, OCI_SECCOMP_EQ}};
        OciSeccompArgument either[] = {{1, 7, 0, OCI_SECCOMP_EQ}, {1, 8, 0, OCI_SECCOMP_EQ}};
        OciSeccompRule rules[] = {
                {NAMES("getsid"), OCI_SECCOMP_ERRNO, {true, 77}, both, 2},
                {NAMES("getsid"), OCI_SECCOMP_ERRNO, {true, 78}, either, 2},
        };
        OciSeccomp seccomp = {.default_action = OCI_SECCOMP_ALLOW,
                              .architectures = none,
                              .flags = none,
                              .rules = rules,
                              .n_rules = G_N_ELEMENTS(rules)};
        g_autoptr(SeccompProgram) program = compile(&seccomp);

        g_assert_cmpint(call(program, SYS_getsid, 0, 5, 6), ==, 77);
        g_assert_cmpint(call(program, SYS_getsid, 0, 5, 7), ==, 0);
        g_assert_cmpint(call(program, SYS_getsid, 0, 7, 0), ==, 78);
        g_assert_cmpint(call(program, SYS_getsid, 0, 8, 0), ==, 78);
}

/* The names of podman's default profile, with its rules about arguments and its default. */
static char **read_podmans(void)
{
        g_autofree char *file =
                g_test_build_filename(G_TEST_DIST, "service/sandbox/podman-default", NULL);
        g_autofree char *text = NULL;
        g_autoptr(GStrvBuilder) names = g_strv_builder_new();
        static const char *const apart[] = {"personality", "clone", "socket", "swapon", NULL};

        g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
        const char *list = strstr(text, "\n_llseek"); /* behind the head */
        g_assert_nonnull(list);
        g_auto(GStrv) words = g_strsplit_set(list, " \n", -1);
        for (char **word = words; *word; word++)
                if (**word && !g_strv_contains(apart, *word))
                        g_strv_builder_add(names, *word);
        return g_strv_builder_end(names);
}

TEST(podman_default)
{
        g_auto(GStrv) names = read_podmans();
        OciSeccompArgument usual = {0, 0, 0, OCI_SECCOMP_EQ};
        OciSeccompArgument namespaces = {0, 2114060288, 0, OCI_SECCOMP_MASKED_EQ};
        OciSeccompArgument audit[] = {{0, AF_NETLINK, 0, OCI_SECCOMP_EQ},
                                      {2, 9, 0, OCI_SECCOMP_EQ}};
        OciSeccompArgument others = {0, AF_NETLINK, 0, OCI_SECCOMP_NE};
        OciSeccompArgument protocols = {2, 9, 0, OCI_SECCOMP_NE};
        OciSeccompRule rules[] = {
                {.names = names, .action = OCI_SECCOMP_ALLOW},
                {NAMES("personality"), OCI_SECCOMP_ALLOW, {0}, &usual, 1},
                {NAMES("clone"), OCI_SECCOMP_ALLOW, {0}, &namespaces, 1},
                {NAMES("socket"), OCI_SECCOMP_ERRNO, {true, EINVAL}, audit, 2},
                {NAMES("socket"), OCI_SECCOMP_ALLOW, {0}, &protocols, 1},
                {NAMES("socket"), OCI_SECCOMP_ALLOW, {0}, &others, 1},
                {NAMES("kexec_load", "swapon"), OCI_SECCOMP_ERRNO, {true, EPERM}, NULL, 0},
        };
        OciSeccomp seccomp = {.default_action = OCI_SECCOMP_ERRNO,
                              .default_errno = {true, ENOSYS},
                              .architectures =
                                      NAMES("SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"),
                              .flags = none,
                              .rules = rules,
                              .n_rules = G_N_ELEMENTS(rules)};
        g_autoptr(SeccompProgram) program = compile(&seccomp);

        g_assert_cmpint(call(program, SYS_getpid, 0, 0, 0), ==, 0);
        g_assert_cmpint(call(program, SYS_personality, 0, 0, 0), ==, 0);
        g_assert_cmpint(call(program, SYS_personality, READ_IMPLIES_EXEC, 0, 0), ==, ENOSYS);
        g_assert_cmpint(call(program, SYS_clone, CLONE_NEWUSER, 0, 0), ==, ENOSYS);
        g_assert_cmpint(call(program, SYS_socket, AF_NETLINK, SOCK_RAW, 9), ==, EINVAL);
        g_assert_cmpint(call(program, SYS_socket, AF_UNIX, SOCK_STREAM, 0), ==, 0);
        g_assert_cmpint(call(program, SYS_swapon, 0, 0, 0), ==, EPERM);
        g_assert_cmpint(call(program, 4711, 0, 0, 0), ==, ENOSYS);
}

/* Flags that the kernel knows, and what is none; architectures likewise. */
TEST(words)
{
        static const struct {
                const char *flag, *architecture;
                bool ok;
                unsigned flags;
        } rows[] = {
                {"SECCOMP_FILTER_FLAG_LOG", "SCMP_ARCH_X86", true, SECCOMP_FILTER_FLAG_LOG},
                {"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SCMP_ARCH_AARCH64", true,
                 SECCOMP_FILTER_FLAG_SPEC_ALLOW},
                {"SECCOMP_FILTER_FLAG_TSYNC", "SCMP_ARCH_X86_64", true, 0},
                {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SCMP_ARCH_X86", false, 0},
                {"LOG", "SCMP_ARCH_X86", false, 0},
                {"SECCOMP_FILTER_FLAG_LOG", "SCMP_ARCH_PDP11", false, 0},
                {"SECCOMP_FILTER_FLAG_LOG", "x86", false, 0},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                OciSeccomp seccomp = {.default_action = OCI_SECCOMP_ALLOW,
                                      .architectures = NAMES(rows[i].architecture),
                                      .flags = NAMES(rows[i].flag)};
                g_autoptr(SeccompProgram) program = NULL;
                g_autoptr(GError) error = NULL;
                unsigned flags = 0;
                g_assert_cmpint(oci_seccomp_compile(&seccomp, &program, &flags, &error), ==,
                                rows[i].ok);
                g_assert_cmpuint(flags, ==, rows[i].flags);
                g_assert_cmpint(!error, ==, rows[i].ok);
        }
}
