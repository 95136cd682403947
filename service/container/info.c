#include "service/container/info.h"

#include <glib.h>

const char *container_state_to_string(ContainerState state)
{
        static const char *const words[] = {"creating", "created", "running", "paused", "stopped"};

        return words[state];
}

bool container_state_is_running(ContainerState state)
{
        return state == CONTAINER_RUNNING || state == CONTAINER_PAUSED;
}

static const char *const result_words[_RESULT_MAX] = {
        [RESULT_NONE] = "",
        [RESULT_SUCCESS] = "success",
        [RESULT_EXIT_CODE] = "exit-code",
        [RESULT_SIGNAL] = "signal",
        [RESULT_CORE_DUMP] = "core-dump",
        [RESULT_OOM_KILL] = "oom-kill",
        [RESULT_TIMEOUT] = "timeout",
        [RESULT_SETUP_FAILED] = "setup-failed",
        [RESULT_UNKNOWN] = "unknown",
};

const char *container_result_to_string(ContainerResult result)
{
        return result_words[result];
}

ContainerResult container_result_from_string(const char *word)
{
        for (ContainerResult result = RESULT_SUCCESS; result < _RESULT_MAX; result++)
                if (g_strcmp0(word, result_words[result]) == 0)
                        return result;
        return RESULT_UNKNOWN;
}

void container_info_clear(ContainerInfo *info)
{
        g_free(info->id);
        g_free(info->control_group);
        g_free(info->watcher);
        g_strfreev(info->deviations);
        *info = (ContainerInfo){0};
}
