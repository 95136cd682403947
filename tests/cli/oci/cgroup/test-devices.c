/* Rules on devices, and the program that v2 asks, held against them by the kernel where it lets us.
 */

#include "cli/oci/cgroup/devices.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/cgroup/path/path.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"

#define ALL(allowed)                                                                               \
        {                                                                                          \
                .allow = allowed, .type = 'a', .read = true, .write = true, .mknod = true          \
        }
#define SOME(allowed, kind, first, second, r, w)                                                   \
        {                                                                                          \
                .allow = allowed, .type = kind, .major = {true, first}, .minor = {true, second},   \
                .read = r, .write = w                                                              \
        }

static const DeviceException *find(const DeviceRules *rules, char type, int64_t major,
                                   int64_t minor)
{
        for (guint i = 0; i < rules->exceptions->len; i++) {
                const DeviceException *there =
                        &g_array_index(rules->exceptions, DeviceException, i);
                if (there->type == type && there->major == major && there->minor == minor)
                        return there;
        }
        return NULL;
}

/* What every container has is there after any rules, and nothing else without a rule. */
TEST(common)
{
        static const OciDeviceRule deny[] = {ALL(false), SOME(false, 'c', 1, 3, true, true)};

        for (size_t n = 0; n <= G_N_ELEMENTS(deny); n++) {
                g_auto(DeviceRules) rules = {0};
                g_assert_true(device_rules_make(deny, n, &rules, NULL));
                g_assert_false(rules.allows);
                g_assert_cmpuint(rules.exceptions->len, ==, 9);
                g_assert_cmpuint(find(&rules, 'c', 1, 3)->access, ==, DEVICE_ALL);
                g_assert_cmpuint(find(&rules, 'c', 136, DEVICE_ANY)->access, ==, DEVICE_ALL);
        }
}

/* A later rule takes back what an earlier one gave, in part or all; all clears all. */
TEST(order)
{
        static const OciDeviceRule list[] = {SOME(true, 'b', 8, 0, true, true),
                                             SOME(true, 'b', 8, 1, true, false),
                                             SOME(false, 'b', 8, 0, false, true),
                                             SOME(false, 'b', 8, 1, true, true),
                                             ALL(true),
                                             SOME(false, 'b', 9, 0, false, true)};
        g_auto(DeviceRules) first = {0}, second = {0};

        g_assert_true(device_rules_make(list, 4, &first, NULL));
        g_assert_cmpuint(find(&first, 'b', 8, 0)->access, ==, DEVICE_READ);
        g_assert_null(find(&first, 'b', 8, 1));
        g_assert_true(device_rules_make(list, 6, &second, NULL));
        g_assert_true(second.allows);
        g_assert_cmpuint(second.exceptions->len, ==, 1);
        g_assert_cmpuint(find(&second, 'b', 9, 0)->access, ==, DEVICE_WRITE);
}

/* A part of what a wider rule gave cannot be told to v1: it is refused, not forgotten. */
TEST(narrower)
{
        static const OciDeviceRule list[] = {SOME(true, 'b', 8, -1, true, true),
                                             SOME(false, 'b', 8, 3, true, false)};
        g_autoptr(GError) error = NULL;
        DeviceRules rules;

        g_assert_false(device_rules_make(list, 2, &rules, &error));
        g_assert_nonnull(strstr(error->message, "8:3"));
}

/* The kernel takes the program for v2, and it decides: also where v1 has the controller. */
TEST(program)
{
        static const OciDeviceRule list[] = {ALL(false), SOME(true, 'c', 1, 11, true, false)};
        g_autofree char *path = g_strdup_printf("/naive-devices-%d", (int) getpid());
        g_autoptr(PathCgroup) cgroup = NULL;
        g_auto(DeviceRules) rules = {0};
        g_autoptr(GError) error = NULL;
        int status;

        if (geteuid() != 0) {
                g_test_skip("needs root");
                return;
        }
        g_assert_true(path_cgroup_make(path, "id", &cgroup, &error));
        g_assert_true(device_rules_make(list, 2, &rules, &error));
        int fd = path_cgroup_unified(cgroup);
        if (fd < 0) {
                g_test_skip("there is no cgroup v2");
                g_assert_true(path_cgroup_remove(cgroup, NULL));
                return;
        }
        device_rules_attach(&rules, fd, &error);
        g_assert_no_error(error);
        pid_t pid = fork();
        if (pid == 0) {
                bool ok = fd_write_file_at(fd, "cgroup.procs", "0") == 0 &&
                          open("/dev/null", O_RDWR) >= 0 && open("/dev/kmsg", O_RDONLY) >= 0 &&
                          open("/dev/kmsg", O_WRONLY) < 0 && errno == EPERM &&
                          open("/dev/kmsg", O_RDWR) < 0 && errno == EPERM;
                _exit(ok ? 0 : 1);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_cmpint(status, ==, 0);
        g_assert_true(path_cgroup_remove(cgroup, NULL));
}
