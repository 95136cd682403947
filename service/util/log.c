#include "service/util/log.h"

#include <stdarg.h>

void log_container(const ContainerInfo *info, const char *format, ...)
{
        char owner[16];
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        g_autofree char *line =
                g_strdup_printf("container %s of user %u %s", info->id, info->owner, text);
        g_snprintf(owner, sizeof owner, "%u", info->owner);
        const GLogField fields[] = {
                {"MESSAGE", line, -1},
                {"PRIORITY", "6", -1},
                {"CONTAINER_ID", info->id, -1},
                {"CONTAINER_OWNER_UID", owner, -1},
        };
        g_log_structured_array(G_LOG_LEVEL_MESSAGE, fields, G_N_ELEMENTS(fields));
}
