#pragma once

/* Lists of strings as an order has them: each in one block of memory. */

#include <glib.h>
#include <string.h>

/* Consumes `strv`. */
static inline char **strv_pack(char **strv)
{
        gsize n = g_strv_length(strv), size = 0;

        for (gsize i = 0; i < n; i++)
                size += strlen(strv[i]) + 1;
        char **list = g_malloc((n + 1) * sizeof *list + size);
        char *at = (char *) (list + n + 1);
        for (gsize i = 0; i < n; i++) {
                size = strlen(strv[i]) + 1;
                list[i] = at;
                at = (char *) memcpy(at, strv[i], size) + size;
        }
        list[n] = NULL;
        g_strfreev(strv);
        return list;
}
