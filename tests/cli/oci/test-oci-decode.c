/* config.json: what becomes of it, and what is refused, with the path of the value. */

#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "cli/oci/decode/config.h"
#include "cli/oci/decode/document.h"
#include "tests/lib/case.h"

#define START                                                                                      \
        "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"},"                                     \
        "\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\""
#define LINUX "},\"linux\":{\"namespaces\":[{\"type\":\"mount\"}"

static OciSpec *decode(const char *text)
{
        g_autoptr(GError) error = NULL;
        OciSpec *spec = NULL;

        config_decode(text, strlen(text), &spec, &error);
        g_assert_no_error(error);
        return spec;
}

static void assert_refused(const char *text, const char *words)
{
        g_autoptr(GError) error = NULL;
        OciSpec *spec = NULL;

        g_assert_false(config_decode(text, strlen(text), &spec, &error));
        g_assert_nonnull(error);
        if (!strstr(error->message, words))
                g_error("\"%s\" is not in \"%s\"", words, error->message);
        g_assert_null(spec);
}

TEST(least)
{
        g_autoptr(OciSpec) spec = decode(START LINUX "]}}");

        g_assert_cmpstr(spec->process.args[0], ==, "sh");
        g_assert_cmpuint(spec->n_namespaces, ==, 1);
        g_assert_nonnull(oci_spec_find_namespace(spec, CLONE_NEWNS));
}

/* What podman sends for --ulimit memlock=-1. */
TEST(infinity)
{
        g_autoptr(OciSpec) spec =
                decode(START ",\"rlimits\":[{\"type\":\"RLIMIT_MEMLOCK\",\"soft\":"
                             "18446744073709551615,\"hard\":18446744073709551615}]" LINUX "]}}");

        g_assert_cmpint(spec->process.rlimits[0].resource, ==, RLIMIT_MEMLOCK);
        g_assert_cmpuint(spec->process.rlimits[0].soft, ==, UINT64_MAX);
}

/* RLIMIT_CPU is 0. */
TEST(limit_of_number_zero)
{
        g_autoptr(OciSpec) spec = decode(
                START ",\"rlimits\":[{\"type\":\"RLIMIT_CPU\",\"soft\":1,\"hard\":2}]" LINUX "]}}");

        g_assert_cmpint(spec->process.rlimits[0].resource, ==, RLIMIT_CPU);
}

/* podman writes a device's mode with the type in it. */
TEST(device)
{
        g_autoptr(OciSpec) spec = decode(
                START LINUX "],\"devices\":[{\"path\":\"/dev/x\",\"type\":\"c\",\"major\":1,"
                            "\"minor\":3,\"fileMode\":8630},{\"path\":\"/dev/y\",\"type\":\"b\"},"
                            "{\"path\":\"/dev/z\",\"type\":\"p\",\"fileMode\":0}]}}");

        g_assert_cmpuint(spec->devices[0].mode, ==, 0666);
        g_assert_cmpuint(spec->devices[1].mode, ==, 0666);
        g_assert_cmpuint(spec->devices[1].type, ==, S_IFBLK);
        g_assert_cmpuint(spec->devices[2].mode, ==, 0);
}

TEST(mount_options)
{
        g_autoptr(OciSpec) spec =
                decode(START LINUX
                       "]},\"mounts\":[{\"destination\":\"/t\",\"type\":\"tmpfs\","
                       "\"options\":[\"nosuid\",\"ro\",\"rw\",\"rro\",\"noatime\",\"rprivate\","
                       "\"mode=755\",\"tmpcopyup\"]},{\"destination\":\"/b\",\"type\":\"bind\","
                       "\"source\":\"/x\",\"options\":[\"rbind\"]}]}");
        const OciMount *mount = &spec->mounts[0];

        g_assert_cmpuint(mount->set, ==, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOATIME);
        g_assert_cmpuint(mount->clear, ==, MOUNT_ATTR_RDONLY | MOUNT_ATTR__ATIME);
        g_assert_cmpuint(mount->set_below, ==, MOUNT_ATTR_RDONLY);
        g_assert_cmpuint(mount->propagation, ==, MS_PRIVATE);
        g_assert_true(mount->propagation_is_recursive);
        g_assert_true(mount->copy_up);
        g_assert_cmpstr(mount->data[0], ==, "mode=755");
        g_assert_null(mount->data[1]);
        g_assert_true(spec->mounts[1].bind_recursive);
        g_assert_false(spec->mounts[1].bind);
}

/* null is as good as absent, and what nobody knows is ignored. */
TEST(ignored)
{
        g_autoptr(OciSpec) spec =
                decode(START LINUX "],\"seccomp\":null,\"intelRdt\":null,\"new\":{\"x\":[1]}},"
                                   "\"windows\":{\"servicing\":true}}");

        g_assert_null(spec->seccomp);
}

TEST(seccomp)
{
        g_autoptr(OciSpec) spec = decode(
                START LINUX "],\"seccomp\":{\"defaultAction\":\"SCMP_ACT_ERRNO\","
                            "\"defaultErrnoRet\":38,\"architectures\":[\"SCMP_ARCH_X86\"],"
                            "\"syscalls\":[{\"names\":[\"read\"],\"action\":\"SCMP_ACT_ALLOW\","
                            "\"args\":[{\"index\":1,\"value\":2,\"valueTwo\":3,"
                            "\"op\":\"SCMP_CMP_MASKED_EQ\"}]}]}}}");

        g_assert_cmpint(spec->seccomp->default_action, ==, OCI_SECCOMP_ERRNO);
        g_assert_cmpuint(spec->seccomp->default_errno.value, ==, 38);
        g_assert_cmpuint(spec->seccomp->rules[0].args[0].value_two, ==, 3);
}

/* Each error names the place, or the line where the text itself is wrong. */
TEST(refused)
{
        static const struct {
                const char *text, *words;
        } rows[] = {
                {"", "config.json: "},
                {"[]", "config.json: not a JSON object"},
                {"{\"a\":\n1} x", "config.json: line 2: "},
                {"{'a':1}", "config.json: line 1: "},
                {"{\"a\":\"\\u0000\"}", "a string contains a NUL"},
                {"{\"a\":\"\xff\"}", "config.json: "},
                {"{\"a\":99999999999999999999}", "the number has more than 64 bits"},
                {"{\"a\":-9223372036854775809}", "the number has more than 64 bits"},
                {"{}", "ociVersion: is missing"},
                {START "}}", "linux.namespaces: a new mount namespace is missing"},
                {START ",\"rlimits\":[{\"type\":\"RLIMIT_X\"}]" LINUX "]}}",
                 "process.rlimits[0].type: \"RLIMIT_X\" is not supported"},
                {START ",\"rlimits\":[{\"soft\":1}]" LINUX "]}}",
                 "process.rlimits[0].type: is missing"},
                {START ",\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":-1}]" LINUX "]}}",
                 "process.rlimits[0].soft: -1 is not within"},
                {START ",\"rlimits\":[{\"type\":\"RLIMIT_AS\",\"soft\":2,\"hard\":1}]" LINUX "]}}",
                 "process.rlimits[0].soft: is above the hard limit"},
                {START ",\"user\":{\"uid\":4294967296}" LINUX "]}}", "process.user.uid: "},
                {START ",\"user\":{\"uid\":1.5}" LINUX "]}}",
                 "process.user.uid: is not an integer"},
                {START ",\"env\":[\"A=1\",\"B\"]" LINUX "]}}",
                 "process.env: [1] is not NAME=VALUE"},
                {START ",\"selinuxLabel\":\"x\"" LINUX "]}}",
                 "process.selinuxLabel: is not supported"},
                {START ",\"scheduler\":{\"nice\":1}" LINUX "]}}",
                 "process.scheduler.policy: is missing"},
                {START ",\"scheduler\":{\"policy\":\"SCHED_ISO\"}" LINUX "]}}",
                 "process.scheduler.policy: \"SCHED_ISO\" is not supported"},
                {START ",\"scheduler\":{\"policy\":\"SCHED_RR\",\"priority\":100}" LINUX "]}}",
                 "process.scheduler.priority: 100"},
                {START ",\"scheduler\":{\"policy\":\"SCHED_RR\",\"flags\":[\"X\"]}" LINUX "]}}",
                 "process.scheduler.flags[0]: \"X\""},
                {START ",\"ioPriority\":{\"priority\":1}" LINUX "]}}",
                 "process.ioPriority.class: is missing"},
                {START ",\"ioPriority\":{\"class\":\"IOPRIO_CLASS_BE\",\"priority\":8}" LINUX "]}}",
                 "process.ioPriority.priority: 8"},
                {START ",\"oomScoreAdj\":1001" LINUX "]}}", "process.oomScoreAdj: 1001"},
                {START LINUX ",{\"type\":\"mount\"}]}}", "linux.namespaces[1].type: stands twice"},
                {START LINUX ",{\"type\":\"net\"}]}}", "linux.namespaces[1].type: \"net\""},
                {START LINUX ",{\"type\":\"pid\",\"path\":\"x\"}]}}",
                 "linux.namespaces[1].path: is not absolute"},
                {START LINUX "],\"intelRdt\":{\"closID\":\"x\"}}}",
                 "linux.intelRdt: is not supported"},
                {START LINUX "],\"cgroupsPath\":\"/a/../../b\"}}", "linux.cgroupsPath: has \"..\""},
                {START LINUX "],\"sysctl\":{\"kernel.panic\":\"1\"}}}",
                 "linux.sysctl.kernel.panic: "},
                {START LINUX
                 ",{\"type\":\"network\"}],\"sysctl\":{\"net/../kernel/panic\":\"1\"}}}",
                 "linux.sysctl.net/../kernel/panic: "},
                {START LINUX "],\"maskedPaths\":[\"x\"]}}", "linux.maskedPaths[0]: "},
                {START LINUX "],\"resources\":{\"unified\":{\"a/b.c\":\"1\"}}}}",
                 "linux.resources.unified: "},
                {START LINUX "],\"resources\":{\"memory\":{\"limit\":2,\"swap\":1}}}}",
                 "linux.resources.memory.swap: "},
                {START LINUX "],\"uidMappings\":[{\"size\":1}]}}",
                 "linux.uidMappings: needs a user namespace"},
                {START LINUX "],\"seccomp\":{\"defaultAction\":\"SCMP_ACT_NOTIFY\"}}}",
                 "linux.seccomp.defaultAction: \"SCMP_ACT_NOTIFY\" is not supported"},
                {START LINUX "],\"seccomp\":{}}}", "linux.seccomp.defaultAction: is missing"},
                {START LINUX "]},\"mounts\":[{\"type\":\"tmpfs\"}]}",
                 "mounts[0].destination: is missing"},
                {START LINUX "]},\"hooks\":{\"prestart\":[{\"path\":\"x\"}]}}",
                 "hooks.prestart[0].path: "},
                {START LINUX "]},\"annotations\":{\"a\":1}}", "annotations.a: is not a string"},
                {START LINUX "]},\"hostname\":\"x\"}", "hostname: needs a new uts namespace"},
        };

        for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
                assert_refused(rows[i].text, rows[i].words);
}

/* Depth and size have bounds. */
TEST(bounds)
{
        g_autofree char *deep = g_strdup_printf("{\"a\":%0*d", 40, 0);
        g_autofree char *large = g_malloc(DOCUMENT_SIZE_MAX + 2);
        g_autoptr(GError) error = NULL;
        OciSpec *spec = NULL;

        memset(deep + 5, '[', 40);
        assert_refused(deep, "config.json: line 1: nesting too deep");
        memset(large, ' ', DOCUMENT_SIZE_MAX + 1);
        large[DOCUMENT_SIZE_MAX + 1] = '\0';
        g_assert_false(config_decode(large, DOCUMENT_SIZE_MAX + 1, &spec, &error));
        g_assert_nonnull(strstr(error->message, "longer than"));
}
