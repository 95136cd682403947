#include "service/spec/config.h"

#include <string.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/size.h"

#define GROUP "Service"

/* Above systemd's range for containers (up to 0x6fffffff) and useradd's subordinate ids, below
 * systemd's "foreign" ids and the sign bit that old file systems and tools trip over. */
#define ID_RANGE_START 0x70000000u
#define ID_RANGE_COUNT 0x0ffe0000u

#define SANDBOX_MEMORY_PERCENT 25u

static uint64_t part_of_memory(uint64_t percent)
{
        const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);

        return (uint64_t) pages / 100 * percent * (uint64_t) page;
}

void config_init(Config *config)
{
        *config = (Config){
                .idle_timeout_sec = IDLE_TIMEOUT_SEC,
                .containers_max = CONTAINERS_MAX,
                .containers_per_user_max = CONTAINERS_PER_UID_MAX,
                .stopped_per_user_max = STOPPED_PER_UID_MAX,
                .tasks_max = TASKS_MAX_DEFAULT,
                .prepared_sandboxes = PREPARED_SANDBOXES,
                .user_memory_max = UINT64_MAX,
                .user_tasks_max = USER_TASKS_MAX_DEFAULT,
                .sandbox_memory_max = part_of_memory(SANDBOX_MEMORY_PERCENT),
                .sandbox_tasks_max = SANDBOX_TASKS_MAX_DEFAULT,
                .id_range_start = ID_RANGE_START,
                .id_range_count = ID_RANGE_COUNT,
        };
}

static bool set_user_memory_max(Config *config, const char *text, GError **error)
{
        uint64_t value;

        if (!size_parse(text, &value) || value == 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "UserMemoryMax=%s is not a number of bytes, such as 4G, nor "
                                 "'infinity'",
                                 text);
        config->user_memory_max = value;
        return true;
}

/* "25%" of the machine's memory, or as UserMemoryMax. */
static bool set_sandbox_memory_max(Config *config, const char *text, GError **error)
{
        g_autofree char *number =
                g_str_has_suffix(text, "%") ? g_strndup(text, strlen(text) - 1) : NULL;
        guint64 percent;
        uint64_t value;

        if (number && g_ascii_string_to_unsigned(number, 10, 1, 100, &percent, NULL))
                value = part_of_memory(percent);
        else if (number || !size_parse(text, &value) || value == 0)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "SandboxMemoryMax=%s is not a number of bytes, such as 4G, nor a "
                                 "part of the memory, such as 25%%, nor 'infinity'",
                                 text);
        config->sandbox_memory_max = value;
        return true;
}

static bool set_value(Config *config, const char *key, const char *text, GError **error)
{
        const struct {
                const char *key;
                uint32_t *value;
                uint64_t *wide; /* one of the two */
                uint32_t min, max;
        } keys[] = {
                {"IdleTimeoutSec", &config->idle_timeout_sec, NULL, 0, 86400},
                {"ContainersMax", &config->containers_max, NULL, 1, 100000},
                {"ContainersPerUserMax", &config->containers_per_user_max, NULL, 1, 100000},
                {"StoppedPerUserMax", &config->stopped_per_user_max, NULL, 0, 100000},
                {"TasksMax", NULL, &config->tasks_max, 1, 4194304},
                {"UserTasksMax", NULL, &config->user_tasks_max, 1, 4194304},
                {"SandboxTasksMax", NULL, &config->sandbox_tasks_max, 1, 4194304},
                {"SandboxNeedsProcessFD", &config->sandbox_needs_process_fd, NULL, 0, 1},
                {"PreparedSandboxes", &config->prepared_sandboxes, NULL, 0, 64},
                {"IdRangeStart", &config->id_range_start, NULL, ID_RANGE_SIZE,
                 0xffff0000u - ID_RANGE_SIZE},
                {"IdRangeCount", &config->id_range_count, NULL, ID_RANGE_SIZE,
                 0xffff0000u - ID_RANGE_SIZE},
        };

        if (strcmp(key, "UserMemoryMax") == 0)
                return set_user_memory_max(config, text, error);
        if (strcmp(key, "SandboxMemoryMax") == 0)
                return set_sandbox_memory_max(config, text, error);
        for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
                guint64 value;
                if (strcmp(keys[i].key, key) != 0)
                        continue;
                if (!g_ascii_string_to_unsigned(text, 10, keys[i].min, keys[i].max, &value, NULL))
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s=%s is not a number from %u to %u", key, text,
                                         keys[i].min, keys[i].max);
                if (keys[i].wide)
                        *keys[i].wide = value;
                else
                        *keys[i].value = (uint32_t) value;
                return true;
        }
        return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "unknown key %s in [" GROUP "]", key);
}

bool config_load(Config *config, const char *path, GError **error)
{
        g_autoptr(GKeyFile) file = g_key_file_new();
        g_autoptr(GError) local = NULL;
        Config loaded = *config;

        if (!g_key_file_load_from_file(file, path, G_KEY_FILE_NONE, &local)) {
                if (g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
                        return true;
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS, "%s: %s", path, local->message);
        }
        g_auto(GStrv) groups = g_key_file_get_groups(file, NULL);
        for (char **group = groups; *group; group++)
                if (g_strcmp0(*group, GROUP) != 0)
                        return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                         "%s: unknown group [%s]", path, *group);
        g_auto(GStrv) keys = g_key_file_get_keys(file, GROUP, NULL, NULL);
        for (char **key = keys; key && *key; key++) {
                g_autofree char *text = g_key_file_get_string(file, GROUP, *key, NULL);
                if (!set_value(&loaded, *key, text ? text : "", error)) {
                        g_prefix_error(error, "%s: ", path);
                        return false;
                }
        }
        if ((uint64_t) loaded.id_range_start + loaded.id_range_count > UINT32_MAX)
                return error_set(error, RUNTIME_ERROR_INVALID_ARGS,
                                 "%s: IdRangeStart and IdRangeCount go beyond the last user id",
                                 path);
        *config = loaded;
        return true;
}
