/* Limits of linux.resources in the machine's own cgroups, read back from the kernel's files, of
 * either version. Needs root. */

#include "cli/oci/cgroup/limits.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"

#define MIB INT64_C(1048576)

static char *top;

typedef struct Fixture {
        PathCgroup *cgroup;
} Fixture;

static void set_up(Fixture *f, const void *data)
{
        g_autoptr(GError) error = NULL;

        path_cgroup_make(top, "unused", &f->cgroup, &error);
        g_assert_no_error(error);
}

static void tear_down(Fixture *f, const void *data)
{
        g_assert_true(path_cgroup_remove(f->cgroup, NULL));
        path_cgroup_free(f->cgroup);
}

static void set(const Fixture *f, const OciResources *resources)
{
        g_autoptr(GError) error = NULL;

        oci_limits_set(f->cgroup, resources, &error);
        g_assert_no_error(error);
}

static void refuse(const Fixture *f, const OciResources *resources, const char *words)
{
        g_autoptr(GError) error = NULL;

        g_assert_false(oci_limits_set(f->cgroup, resources, &error));
        g_assert_nonnull(error);
        if (!strstr(error->message, words))
                g_test_message("%s", error->message);
        g_assert_nonnull(strstr(error->message, words));
}

/* The file of this controller has this text, by the version that has the controller. */
static void expect(const Fixture *f, const char *controller, const char *legacy_file,
                   const char *legacy, const char *unified_file, const char *unified)
{
        char text[4096];
        bool is_unified;
        int fd = path_cgroup_of(f->cgroup, controller, &is_unified);
        const char *file = is_unified ? unified_file : legacy_file;

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(fd_read_file_at(fd, file, text, sizeof text), >, 0);
        g_assert_cmpstr(g_strchomp(text), ==, is_unified ? unified : legacy);
}

static bool has_swap_file(const Fixture *f)
{
        bool is_unified;
        int fd = path_cgroup_of(f->cgroup, "memory", &is_unified);

        return faccessat(fd, is_unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes", F_OK,
                         0) == 0;
}

static void expect_memory(const Fixture *f, const char *bytes, const char *sum, const char *swap)
{
        expect(f, "memory", "memory.limit_in_bytes", bytes, "memory.max", bytes);
        if (has_swap_file(f))
                expect(f, "memory", "memory.memsw.limit_in_bytes", sum, "memory.swap.max", swap);
}

/* Memory, and swap counted with it; larger and smaller in either order; a part alone. */
FIXTURE_TEST(memory)
{
        OciResources resources = {.memory = {.limit = {true, 64 * MIB}, .swap = {true, 96 * MIB}}};

        set(f, &resources);
        expect_memory(f, "67108864", "100663296", "33554432");
        resources.memory.limit.value = 256 * MIB;
        resources.memory.swap.value = 256 * MIB;
        set(f, &resources);
        expect_memory(f, "268435456", "268435456", "0");
        resources.memory.limit.value = 32 * MIB;
        resources.memory.swap.value = 40 * MIB;
        set(f, &resources);
        expect_memory(f, "33554432", "41943040", "8388608");
        resources = (OciResources){.memory.reservation = {true, 16 * MIB}};
        set(f, &resources);
        expect(f, "memory", "memory.soft_limit_in_bytes", "16777216", "memory.low", "16777216");
        expect_memory(f, "33554432", "41943040", "8388608");
        resources = (OciResources){.memory.limit = {true, 33 * MIB}};
        set(f, &resources);
        expect_memory(f, "34603008", "41943040", "8388608");
}

/* Without a limit again: in v1 the sum goes with it. */
FIXTURE_TEST(memory_unlimited)
{
        OciResources resources = {.memory = {.limit = {true, 64 * MIB}, .swap = {true, 64 * MIB}}};

        set(f, &resources);
        resources = (OciResources){.memory.limit = {true, -1}};
        set(f, &resources);
        expect(f, "memory", "memory.limit_in_bytes", "9223372036854771712", "memory.max", "max");
}

/* Contradictions, and what a version does not have, by the name in the config. */
FIXTURE_TEST(memory_refused)
{
        OciResources resources = {.memory = {.limit = {true, 64 * MIB}, .swap = {true, 32 * MIB}}};
        bool is_unified;

        path_cgroup_of(f->cgroup, "memory", &is_unified);
        refuse(f, &resources, "linux.resources.memory");
        if (!is_unified) {
                resources = (OciResources){.memory.swappiness = {true, 201}};
                refuse(f, &resources, "linux.resources.memory.swappiness");
                resources.memory.swappiness.value = 7;
                set(f, &resources);
                expect(f, "memory", "memory.swappiness", "7", "", "");
                return;
        }
        resources = (OciResources){.memory.swappiness = {true, 7}};
        refuse(f, &resources, "linux.resources.memory.swappiness");
        resources = (OciResources){.memory.disable_oom_killer = {true, true}};
        refuse(f, &resources, "linux.resources.memory.disableOOMKiller");
        resources = (OciResources){.memory.swap = {true, 64 * MIB}};
        refuse(f, &resources, "linux.resources.memory.swap");
}

/* Shares in v2 by the curve of runc and crun; a quota of one part keeps the other. */
FIXTURE_TEST(cpu)
{
        OciResources resources = {
                .cpu = {.shares = {true, 2048}, .quota = {true, 50000}, .period = {true, 100000}}};

        set(f, &resources);
        expect(f, "cpu", "cpu.shares", "2048", "cpu.weight", "174");
        expect(f, "cpu", "cpu.cfs_quota_us", "50000", "cpu.max", "50000 100000");
        resources = (OciResources){.cpu.period = {true, 200000}};
        set(f, &resources);
        expect(f, "cpu", "cpu.cfs_quota_us", "50000", "cpu.max", "50000 200000");
        resources = (OciResources){.cpu = {.quota = {true, 2000}, .period = {true, 10000}}};
        set(f, &resources);
        expect(f, "cpu", "cpu.cfs_period_us", "10000", "cpu.max", "2000 10000");
        resources = (OciResources){.cpu.quota = {true, -1}};
        set(f, &resources);
        expect(f, "cpu", "cpu.cfs_quota_us", "-1", "cpu.max", "max 10000");
        resources = (OciResources){.cpu.shares = {true, 0}};
        set(f, &resources);
        expect(f, "cpu", "cpu.shares", "2048", "cpu.weight", "174");
}

/* Processors and memory of a list; one that is not there is refused. */
FIXTURE_TEST(cpuset)
{
        OciResources resources = {.cpu = {.cpus = (char *) "0", .mems = (char *) "0"}};

        set(f, &resources);
        expect(f, "cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0");
        expect(f, "cpuset", "cpuset.mems", "0", "cpuset.mems", "0");
        resources.cpu.cpus = (char *) "x";
        refuse(f, &resources, "linux.resources.cpu");
}

/* -1 is none; 0 is a limit, beside which the container's own process is there. */
FIXTURE_TEST(pids)
{
        static const struct {
                int64_t limit;
                const char *text;
        } rows[] = {{100, "100"}, {-1, "max"}, {0, "1"}, {INT64_MAX, "max"}, {1, "1"}};

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
                OciResources resources = {.pids = {true, rows[i].limit}};
                set(f, &resources);
                expect(f, "pids", "pids.max", rows[i].text, "pids.max", rows[i].text);
        }
}

/* A key of `unified` is a file of limits, and no way to move or to end processes. */
FIXTURE_TEST(unified)
{
        static const char *const bad[] = {
                "cgroup.procs", "cgroup.kill", "cgroup.freeze", "../memory.max", "memory/max",
                "memory",       ".x"};
        OciPair pair = {(char *) "cgroup.max.descendants", (char *) "7"};
        OciResources resources = {.unified = {&pair, 1}};
        char text[16];
        int fd = path_cgroup_unified(f->cgroup);

        if (fd >= 0) {
                set(f, &resources);
                g_assert_cmpint(fd_read_file_at(fd, pair.key, text, sizeof text), >, 0);
                g_assert_cmpstr(text, ==, "7\n");
        }
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                pair.key = (char *) bad[i];
                refuse(f, &resources, "linux.resources.unified");
        }
        pair.key = (char *) "memory.nothing";
        refuse(f, &resources, "unified");
}

/* A controller that is nowhere, a disk that is not there, a container without a cgroup. */
FIXTURE_TEST(cannot_be_had)
{
        OciHugepageLimit page = {(char *) "3MB", 0};
        OciDeviceNumber disk = {.major = 4095, .minor = 1, .value = 5};
        OciResources resources = {.hugepages = &page, .n_hugepages = 1};
        g_autoptr(GError) error = NULL;

        refuse(f, &resources, "linux.resources.hugepageLimits");
        resources = (OciResources){.block_io.read_bps = {&disk, 1}};
        refuse(f, &resources, "linux.resources.blockIO.throttleReadBpsDevice");
        resources = (OciResources){.block_io.weight = {true, 5}};
        refuse(f, &resources, "linux.resources.blockIO.weight");
        resources = (OciResources){.pids = {true, 5}};
        g_assert_false(oci_limits_set(NULL, &resources, &error));
        g_assert_nonnull(strstr(error->message, "no cgroup"));
        resources = (OciResources){0};
        g_assert_true(oci_limits_set(NULL, &resources, NULL));
}

/* -- devices -- */

static pid_t fork_inside(const Fixture *f)
{
        int entries[PATH_CGROUPS_MAX + 1], birth = path_cgroup_birth_fd(f->cgroup);

        g_assert_true(path_cgroup_open_entries(f->cgroup, entries, NULL));
        pid_t pid = fork();
        if (pid == 0) {
                if (birth >= 0 && fd_write_file_at(birth, "cgroup.procs", "0") < 0)
                        _exit(100);
                for (int *entry = entries; *entry >= 0; entry++)
                        if (write(*entry, "0", 1) != 1)
                                _exit(101);
        }
        for (int *entry = entries; *entry >= 0; entry++)
                close(*entry);
        return pid;
}

static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/urandom", "/dev/kmsg"};

/* A bit for each of them that can be opened inside; the highest, if /dev/null can for reading. */
static unsigned opened_inside(const Fixture *f)
{
        int status;
        pid_t pid = fork_inside(f);

        if (pid == 0) {
                int result = 0;
                for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
                        if (open(devices[i], O_WRONLY) >= 0)
                                result |= 1 << i;
                if (open("/dev/kmsg", O_RDONLY) >= 0)
                        result |= 1 << 4;
                _exit(result);
        }
        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFEXITED(status));
        return (unsigned) WEXITSTATUS(status);
}

static OciDeviceRule rule(bool allow, char type, int64_t major, int64_t minor, const char *access)
{
        return (OciDeviceRule){
                .allow = allow,
                .type = type,
                .major = {major >= 0, major},
                .minor = {minor >= 0, minor},
                .read = strchr(access, 'r'),
                .write = strchr(access, 'w'),
                .mknod = strchr(access, 'm'),
        };
}

static void set_devices(const Fixture *f, const OciDeviceRule *rules, size_t n)
{
        g_autoptr(GError) error = NULL;

        oci_devices_set(f->cgroup, rules, n, &error);
        g_assert_no_error(error);
}

/* Without a rule, and after the one that denies all: what every container has, and no other. */
FIXTURE_TEST(devices_common)
{
        const OciDeviceRule deny = rule(false, 'a', -1, -1, "rwm");

        set_devices(f, &deny, 1);
        g_assert_cmphex(opened_inside(f), ==, 0x7);
}

/* A device is allowed to be read and not to be written; the last rule counts. */
FIXTURE_TEST(devices_part)
{
        const OciDeviceRule rules[] = {rule(false, 'a', -1, -1, "rwm"),
                                       rule(true, 'c', 1, 11, "rwm"),
                                       rule(false, 'c', 1, 11, "wm")};

        set_devices(f, rules, G_N_ELEMENTS(rules));
        g_assert_cmphex(opened_inside(f), ==, 0x17);
}

/* All, as for a privileged container, but one. */
FIXTURE_TEST(devices_all)
{
        const OciDeviceRule rules[] = {rule(true, 'a', -1, -1, "rwm"),
                                       rule(false, 'c', 1, 11, "w")};

        set_devices(f, rules, 1);
        g_assert_cmphex(opened_inside(f), ==, 0x1f);
        set_devices(f, rules, 2);
        g_assert_cmphex(opened_inside(f), ==, 0x17);
}

/* What is written is what runc writes: the members that its readers know. */
FIXTURE_TEST(statistics)
{
        static const char *const words[] = {
                "\"cpu\"", "\"usage\"", "\"total\"",   "\"throttling\"", "\"memory\"", "\"limit\"",
                "\"raw\"", "\"pids\"",  "\"current\"", "\"blkio\"",      "\"hugetlb\""};
        OciResources resources = {.pids = {true, 77}};
        Json json;

        set(f, &resources);
        json_init(&json, false);
        oci_stats_write(f->cgroup, &json);
        g_autofree char *text = json_finish(&json);
        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                g_assert_nonnull(strstr(text, words[i]));
        g_assert_nonnull(strstr(text, "\"limit\":77"));
}

int main(int argc, char **argv)
{
        if (geteuid() != 0)
                return skip_cases(argc, argv, "needs root");
        top = g_strdup_printf("/naive-limits-%d", (int) getpid());
        int r = run_cases(argc, argv);
        g_free(top);
        return r;
}
