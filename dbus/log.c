#include "dbus/log.h"

#include <stdarg.h>

#define FIELDS_MAX 5

/* Writes a message with these fields, but for those without a value. */
static void write_fields(const char *const (*pairs)[2], size_t n)
{
        GLogField fields[FIELDS_MAX + 1] = {{"PRIORITY", "6", -1}};
        size_t used = 1;

        g_assert(n <= FIELDS_MAX);
        for (size_t i = 0; i < n; i++)
                if (pairs[i][1])
                        fields[used++] = (GLogField){pairs[i][0], pairs[i][1], -1};
        g_log_structured_array(G_LOG_LEVEL_MESSAGE, fields, used);
}

void log_container(const ContainerInfo *info, const char *message_id, const char *format, ...)
{
        char owner[16];
        va_list arguments;

        va_start(arguments, format);
        g_autofree char *text = g_strdup_vprintf(format, arguments);
        va_end(arguments);
        g_autofree char *line =
                g_strdup_printf("container %s of user %u %s", info->id, info->owner, text);
        g_snprintf(owner, sizeof owner, "%u", info->owner);
        const char *const pairs[][2] = {
                {"MESSAGE", line},
                {"MESSAGE_ID", message_id},
                {"CONTAINER_ID", info->id},
                {"CONTAINER_OWNER_UID", owner},
        };
        write_fields(pairs, G_N_ELEMENTS(pairs));
}

void log_decision(uid_t caller, const char *action, const char *text)
{
        char sender[16];

        g_autofree char *line = g_strdup_printf("user %u%s%s: %s", caller, action ? ", " : "",
                                                action ? action : "", text);
        g_snprintf(sender, sizeof sender, "%u", caller);
        const char *const pairs[][2] = {
                {"MESSAGE", line},
                {"MESSAGE_ID", LOG_ID_DECISION},
                {"SENDER_UID", sender},
                {"ACTION", action},
        };
        write_fields(pairs, G_N_ELEMENTS(pairs));
}
