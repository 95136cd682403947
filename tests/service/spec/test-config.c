#include "service/spec/config.h"

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "service/rootfs/id-map.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "tests/lib/case.h"

static bool load(Config *config, const char *text, GError **error)
{
        g_autofree char *path = NULL;
        int fd = g_file_open_tmp("test-config-XXXXXX", &path, NULL);

        g_assert_cmpint(fd, >=, 0);
        g_assert_true(g_close(fd, NULL));
        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        bool done = config_load(config, path, error);
        g_unlink(path);
        return done;
}

static void assert_loaded(Config *config, const char *text)
{
        g_autoptr(GError) error = NULL;

        config_init(config);
        g_assert_true(load(config, text, &error));
        g_assert_no_error(error);
}

/* Refused with the word in the message, and nothing of the file taken over. */
static void assert_refused(const char *text, const char *word)
{
        g_autoptr(GError) error = NULL;
        Config config = {0}, untouched = {0}; /* padding is compared, too */

        config_init(&config);
        config_init(&untouched);
        g_assert_false(load(&config, text, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS);
        if (!strstr(error->message, word))
                g_error("'%s' does not name '%s'", error->message, word);
        g_assert_cmpmem(&config, sizeof config, &untouched, sizeof untouched);
}

static const struct {
        const char *key;
        size_t offset;
        bool is_wide;
        guint64 min, max;
} keys[] = {
        {"IdleTimeoutSec", offsetof(Config, idle_timeout_sec), false, 0, 86400},
        {"ContainersMax", offsetof(Config, containers_max), false, 1, 100000},
        {"ContainersPerUserMax", offsetof(Config, containers_per_user_max), false, 1, 100000},
        {"StoppedPerUserMax", offsetof(Config, stopped_per_user_max), false, 0, 100000},
        {"SandboxNeedsProcessFD", offsetof(Config, sandbox_needs_process_fd), false, 0, 1},
        {"PreparedSandboxes", offsetof(Config, prepared_sandboxes), false, 0, 64},
        {"TasksMax", offsetof(Config, tasks_max), true, 1, 4194304},
        {"UserTasksMax", offsetof(Config, user_tasks_max), true, 1, 4194304},
        {"SandboxTasksMax", offsetof(Config, sandbox_tasks_max), true, 1, 4194304},
        {"IdRangeStart", offsetof(Config, id_range_start), false, 65536, 0xfffe0000},
        {"IdRangeCount", offsetof(Config, id_range_count), false, 65536, 0xfffe0000},
};

static guint64 value_of(const Config *config, size_t key)
{
        const void *value = (const char *) config + keys[key].offset;

        return keys[key].is_wide ? *(const uint64_t *) value : *(const uint32_t *) value;
}

/* The other key of the range is set so that only the one looked at can be out of its bounds. */
static char *setting(size_t key, guint64 value)
{
        const char *other = strcmp(keys[key].key, "IdRangeStart") == 0   ? "IdRangeCount=65536\n"
                            : strcmp(keys[key].key, "IdRangeCount") == 0 ? "IdRangeStart=65536\n"
                                                                         : "";

        return g_strdup_printf("[Service]\n%s%s=%" G_GUINT64_FORMAT "\n", other, keys[key].key,
                               value);
}

/* Without a file the defaults are those of limits.h. */
TEST(missing_file)
{
        g_autoptr(GError) error = NULL;
        Config config;

        config_init(&config);
        g_assert_true(config_load(&config, "/nonexistent/naive-runc.conf", &error));
        g_assert_no_error(error);
        g_assert_cmpuint(config.idle_timeout_sec, ==, IDLE_TIMEOUT_SEC);
        g_assert_cmpuint(config.containers_max, ==, CONTAINERS_MAX);
        g_assert_cmpuint(config.containers_per_user_max, ==, CONTAINERS_PER_UID_MAX);
        g_assert_cmpuint(config.stopped_per_user_max, ==, STOPPED_PER_UID_MAX);
        g_assert_cmpuint(config.tasks_max, ==, TASKS_MAX_DEFAULT);
        g_assert_cmpuint(config.user_tasks_max, ==, USER_TASKS_MAX_DEFAULT);
        g_assert_cmpuint(config.user_memory_max, ==, UINT64_MAX);
}

/* The one key that is a size takes suffixes, and its own word for none. */
TEST(user_memory_max)
{
        Config config;

        assert_loaded(&config, "[Service]\nUserMemoryMax=3G\n");
        g_assert_cmpuint(config.user_memory_max, ==, UINT64_C(3) << 30);
        assert_loaded(&config, "[Service]\nUserMemoryMax=5\nUserTasksMax=7\n");
        g_assert_cmpuint(config.user_memory_max, ==, 5);
        assert_loaded(&config, "[Service]\nUserMemoryMax=infinity\n");
        g_assert_cmpuint(config.user_memory_max, ==, UINT64_MAX);
        assert_refused("[Service]\nUserMemoryMax=0\n", "UserMemoryMax=0");
        assert_refused("[Service]\nUserMemoryMax=50%\n", "UserMemoryMax=50%");
        assert_refused("[Service]\nUserMemoryMax=\n", "UserMemoryMax=");
        assert_refused("[Service]\nUserMemoryMax=-1\n", "UserMemoryMax=-1");
}

/* Of all sandboxes of a user: a quarter of the machine's memory, if nothing is said. */
TEST(sandbox_memory_max)
{
        const uint64_t memory =
                (uint64_t) sysconf(_SC_PHYS_PAGES) * (uint64_t) sysconf(_SC_PAGESIZE);
        Config config, defaults;

        config_init(&defaults);
        g_assert_cmpuint(defaults.sandbox_memory_max, <=, memory / 4);
        g_assert_cmpuint(defaults.sandbox_memory_max, >, memory / 5);
        assert_loaded(&config, "[Service]\nSandboxMemoryMax=25%\n");
        g_assert_cmpuint(config.sandbox_memory_max, ==, defaults.sandbox_memory_max);
        assert_loaded(&config, "[Service]\nSandboxMemoryMax=100%\n");
        g_assert_cmpuint(config.sandbox_memory_max, <=, memory);
        g_assert_cmpuint(config.sandbox_memory_max, >, memory / 5 * 4);
        assert_loaded(&config, "[Service]\nSandboxMemoryMax=64M\n");
        g_assert_cmpuint(config.sandbox_memory_max, ==, UINT64_C(64) << 20);
        assert_loaded(&config, "[Service]\nSandboxMemoryMax=infinity\n");
        g_assert_cmpuint(config.sandbox_memory_max, ==, UINT64_MAX);
        assert_refused("[Service]\nSandboxMemoryMax=0\n", "SandboxMemoryMax=0");
        assert_refused("[Service]\nSandboxMemoryMax=0%\n", "SandboxMemoryMax=0%");
        assert_refused("[Service]\nSandboxMemoryMax=101%\n", "SandboxMemoryMax=101%");
        assert_refused("[Service]\nSandboxMemoryMax=%\n", "SandboxMemoryMax=%");
        assert_refused("[Service]\nSandboxMemoryMax=\n", "SandboxMemoryMax=");
}

/* A file that is there and cannot be read is an error: its limits must not vanish. */
TEST(unreadable_file)
{
        g_autoptr(GError) error = NULL;
        Config config;

        config_init(&config);
        g_assert_false(config_load(&config, "/", &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_INVALID_ARGS);
}

/* An empty file, and an empty group, change nothing. */
TEST(empty_file)
{
        Config config = {0}, defaults = {0};

        config_init(&defaults);
        assert_loaded(&config, "");
        g_assert_cmpmem(&config, sizeof config, &defaults, sizeof defaults);
        assert_loaded(&config, "# naive-runc\n[Service]\n# ContainersMax=3\n");
        g_assert_cmpmem(&config, sizeof config, &defaults, sizeof defaults);
}

/* Every key takes its least and its greatest value, and sets its own field. */
TEST(bounds)
{
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
                const guint64 values[] = {keys[i].min, keys[i].max};
                for (size_t v = 0; v < G_N_ELEMENTS(values); v++) {
                        g_autofree char *text = setting(i, values[v]);
                        Config config;
                        assert_loaded(&config, text);
                        g_assert_cmpuint(value_of(&config, i), ==, values[v]);
                }
        }
}

/* Every key refuses what is one below or above, and names itself. */
TEST(beyond_bounds)
{
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
                g_autofree char *above = setting(i, keys[i].max + 1);
                assert_refused(above, keys[i].key);
                if (keys[i].min == 0)
                        continue;
                g_autofree char *below = setting(i, keys[i].min - 1);
                assert_refused(below, keys[i].key);
        }
}

/* Every key refuses what is no plain number. */
TEST(no_number)
{
        const char *const bad[] = {"",
                                   "x",
                                   "-1",
                                   "+1",
                                   "1.0",
                                   "0x10",
                                   "1 2",
                                   "10K",
                                   "1e3",
                                   "infinity",
                                   "18446744073709551617",
                                   "99999999999999999999999",
                                   "\xff"};

        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
                for (size_t b = 0; b < G_N_ELEMENTS(bad); b++) {
                        g_autofree char *text =
                                g_strdup_printf("[Service]\n%s=%s\n", keys[i].key, bad[b]);
                        assert_refused(text, keys[i].key);
                }
}

/* Keys are set independently of each other. */
TEST(several_keys)
{
        Config config;

        assert_loaded(&config, "[Service]\nContainersMax=7\nTasksMax=8\nStoppedPerUserMax=9\n");
        g_assert_cmpuint(config.containers_max, ==, 7);
        g_assert_cmpuint(config.tasks_max, ==, 8);
        g_assert_cmpuint(config.stopped_per_user_max, ==, 9);
        g_assert_cmpuint(config.containers_per_user_max, ==, CONTAINERS_PER_UID_MAX);
}

/* An unknown key, or one of another case, is an error that names it, not a limit that vanished. */
TEST(unknown_key)
{
        assert_refused("[Service]\nContainersMax=3\nContainersMaximum=3\n", "ContainersMaximum");
        assert_refused("[Service]\ncontainersmax=3\n", "containersmax");
}

/* An unknown group is an error that names it, and so is a key outside of any group. */
TEST(unknown_group)
{
        assert_refused("[Service]\n[Limits]\nContainersMax=3\n", "[Limits]");
        assert_refused("ContainersMax=3\n", "group");
}

/* The last of the ids is a valid one: a range that would go beyond is refused. */
TEST(id_range_end)
{
        Config config;

        assert_loaded(&config, "[Service]\nIdRangeStart=4294836224\nIdRangeCount=65536\n");
        assert_refused("[Service]\nIdRangeStart=4294836224\nIdRangeCount=131072\n", "IdRange");
        assert_refused("[Service]\nIdRangeStart=4294836224\n", "IdRange");
}

/* The default range holds whole ranges and meets none that systemd or useradd gives out. */
TEST(default_range)
{
        static const struct {
                const char *who;
                guint64 first, last;
        } others[] = {
                {"users of the system and of people", 0, 65535},
                {"systemd's dynamic users", 61184, 65519},
                {"useradd's subordinate ids", 100000, 600100000},
                {"systemd's containers", 524288, 1879048191},
                {"systemd's foreign ids", 0x7ffe0000, 0x7ffeffff},
                {"ids that are negative for old tools", 0x80000000, UINT32_MAX},
        };
        Config config;

        config_init(&config);
        guint64 first = config.id_range_start, last = first + config.id_range_count - 1;
        g_assert_cmpuint(config.id_range_count % ID_RANGE_SIZE, ==, 0);
        g_assert_cmpuint(config.id_range_count / ID_RANGE_SIZE, >=, CONTAINERS_MAX);
        for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
                if (first <= others[i].last && others[i].first <= last) {
                        g_test_message("%#" G_GINT64_MODIFIER "x-%#" G_GINT64_MODIFIER "x meets %s",
                                       first, last, others[i].who);
                        g_test_fail();
                }
}
