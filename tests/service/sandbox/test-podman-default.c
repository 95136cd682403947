/* What runs under podman's default profile runs under the default filter as well, but for what
 * naive-runc(7) lists with a reason. */

#include <linux/audit.h>
#include <seccomp.h>

#include "service/util/capability.h"
#include "tests/lib/case.h"
#include "tests/service/sandbox/evaluate.h"

#define LIST_MARK "podman: the filter is held against this list"

static char *read_source(const char *path)
{
        g_autofree char *file = g_test_build_filename(G_TEST_DIST, path, NULL);
        g_autoptr(GError) error = NULL;
        char *text = NULL;

        g_file_get_contents(file, &text, NULL, &error);
        g_assert_no_error(error);
        return text;
}

/* The names after ".It Li " in the manual's list. */
static GStrv read_exceptions(void)
{
        g_autofree char *manual = read_source("../service/naive-runc.7");
        const char *list = strstr(manual, LIST_MARK);
        g_autoptr(GString) names = g_string_new(NULL);

        g_assert_nonnull(list);
        g_autofree char *part = g_strndup(list, (size_t) (strstr(list, "\n.El") - list));
        g_auto(GStrv) lines = g_strsplit(part, "\n", -1);
        for (size_t i = 0; lines[i]; i++)
                if (g_str_has_prefix(lines[i], ".It Li "))
                        g_string_append_printf(names, "%s%s", names->len > 0 ? " " : "",
                                               lines[i] + strlen(".It Li "));
        return g_strsplit(names->str, " ", -1);
}

static GStrv read_podmans(void)
{
        g_autofree char *text = read_source("service/sandbox/podman-default");
        g_autoptr(GString) names = g_string_new(NULL);
        g_auto(GStrv) lines = g_strsplit(g_strchomp(text), "\n", -1);

        for (size_t i = 0; lines[i]; i++)
                if (lines[i][0] != '#')
                        g_string_append_printf(names, "%s%s", names->len > 0 ? " " : "", lines[i]);
        return g_strsplit(names->str, " ", -1);
}

static bool is_allowed(const SeccompProgram *filter, int number, uint64_t argument)
{
        struct seccomp_data data = {.nr = number, .arch = seccomp_arch_native()};

        for (size_t i = 0; i < G_N_ELEMENTS(data.args); i++)
                data.args[i] = argument;
        return evaluate(filter, &data) == SECCOMP_RET_ALLOW;
}

/* Every argument that was tried, or none: what depends on one stands in the list of exceptions. */
static bool is_allowed_always(const SeccompProgram *filter, int number)
{
        static const uint64_t arguments[] = {0, 1, 2, 9, 16, 0x10000000, 0x7fffffff};
        bool all = true;

        for (size_t i = 0; i < G_N_ELEMENTS(arguments); i++)
                all = all && is_allowed(filter, number, arguments[i]);
        return all;
}

/* Decided by an argument in which podman's users have no interest: the limit of core dumps, the
 * terminal's and bridges' ioctls, TLS by the kernel. naive-runc(7) tells of them elsewhere. */
static bool is_small_matter(const char *name)
{
        static const char *const names[] = {"ioctl", "prlimit64", "setrlimit", "setsockopt", NULL};

        return g_strv_contains(names, name);
}

TEST(exceptions)
{
        g_autoptr(SeccompProgram) filter = NULL;
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) podmans = read_podmans();
        g_auto(GStrv) exceptions = read_exceptions();

        g_assert_true(seccomp_program_new(SECCOMP_SET_ID_ALLOWED, 0, &filter, &error));
        g_assert_cmpuint(g_strv_length(podmans), >, 300);
        for (size_t i = 0; podmans[i]; i++) {
                int number = seccomp_syscall_resolve_name(podmans[i]);
                bool is_listed = g_strv_contains((const char *const *) exceptions, podmans[i]);

                if (number < 0 || is_small_matter(podmans[i]))
                        continue;
                g_test_message("%s is %slisted", podmans[i], is_listed ? "" : "not ");
                g_assert_true(is_allowed_always(filter, number) != is_listed);
        }
        for (size_t i = 0; exceptions[i]; i++) {
                g_test_message("%s is listed", exceptions[i]);
                g_assert_true(g_strv_contains((const char *const *) podmans, exceptions[i]));
        }
}

/* containers-common 0.50.1, as an unprivileged container of podman has them. */
TEST(capabilities)
{
        static const char *const podmans[] = {
                "CAP_CHOWN",   "CAP_DAC_OVERRIDE",     "CAP_FOWNER",    "CAP_FSETID",
                "CAP_KILL",    "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",   "CAP_SETGID",
                "CAP_SETPCAP", "CAP_SETUID",           "CAP_SYS_CHROOT"};

        for (size_t i = 0; i < G_N_ELEMENTS(podmans); i++) {
                uint64_t bit = 0;

                g_assert_true(capability_from_name(podmans[i], &bit));
                g_assert_true(CAPABILITIES_DEFAULT & bit);
        }
}
