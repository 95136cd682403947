#include "dbus/paths.h"

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>

#include "dbus/names.h"
#include "service/spec/order.h"

#define EXEC_PART "/exec/"

char *path_of_container(const ContainerInfo *info)
{
        char prefix[64];
        char *path = NULL;

        g_snprintf(prefix, sizeof prefix, CONTAINER_PATH_PREFIX "/%u", info->owner);
        return sd_bus_path_encode(prefix, info->id, &path) < 0 ? NULL : path;
}

bool path_is_in_container(const char *path)
{
        const char *prefix = CONTAINER_PATH_PREFIX "/";

        return g_str_has_prefix(path, prefix) && strchr(path + strlen(prefix), '/');
}

char *path_of_exec(const ContainerInfo *info, unsigned number)
{
        g_autofree char *container = path_of_container(info);

        return g_strdup_printf("%s" EXEC_PART "%u", container, number);
}

bool path_parse_exec(const char *path, uid_t *ret_owner, char **ret_id, unsigned *ret_number)
{
        const char *part = g_strrstr(path, EXEC_PART); /* the last: "exec" can be an id, too */
        g_autofree char *container = part ? g_strndup(path, (gsize) (part - path)) : NULL;
        guint64 number;

        /* the number as we write it, and no other way */
        if (!part || part[strlen(EXEC_PART)] == '0' ||
            !g_ascii_string_to_unsigned(part + strlen(EXEC_PART), 10, 1, UINT_MAX, &number, NULL) ||
            !path_parse(container, ret_owner, ret_id))
                return false;
        *ret_number = (unsigned) number;
        return true;
}

bool path_parse(const char *path, uid_t *ret_owner, char **ret_id)
{
        char prefix[64];
        char *end;

        if (!g_str_has_prefix(path, CONTAINER_PATH_PREFIX "/"))
                return false;
        guint64 owner = g_ascii_strtoull(path + strlen(CONTAINER_PATH_PREFIX "/"), &end, 10);
        if (*end != '/' || owner >= UINT32_MAX)
                return false;
        g_snprintf(prefix, sizeof prefix, CONTAINER_PATH_PREFIX "/%" G_GUINT64_FORMAT, owner);
        if (sd_bus_path_decode(path, prefix, ret_id) <= 0)
                return false;
        if (!order_id_is_valid(*ret_id)) {
                g_clear_pointer(ret_id, free);
                return false;
        }
        *ret_owner = (uid_t) owner;
        return true;
}
