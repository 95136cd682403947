#include "service/container/status/words.h"

#include <glib.h>

char *status_words_created(void)
{
        return g_strdup("{\"state\":\"created\"}\n");
}

char *status_words_running(const char *path, const char *id, pid_t pid)
{
        return g_strdup_printf("{\"state\":\"running\",\"path\":\"%s\",\"id\":\"%s\",\"pid\":%d}\n",
                               path, id, (int) pid);
}

char *status_words_stopped(ContainerResult result, int code, LimitHit limit_hit,
                           const CgroupUsage *usage)
{
        GString *line = g_string_new(NULL);
        const char *comma = "";

        g_string_printf(line,
                        "{\"state\":\"stopped\",\"result\":\"%s\",\"code\":%d,\"limit_hit\":\"%s\","
                        "\"usage\":{",
                        container_result_to_string(result), code, limit_hit_to_string(limit_hit));
        for (CgroupFigure i = 0; i < _CGROUP_USAGE_MAX; i++) {
                if (!(usage->known & UINT64_C(1) << i))
                        continue;
                g_string_append_printf(line, "%s\"%s\":%" G_GUINT64_FORMAT, comma,
                                       cgroup_figure_name(i), usage->values[i]);
                comma = ",";
        }
        g_string_append(line, "}}\n");
        return g_string_free(line, FALSE);
}
