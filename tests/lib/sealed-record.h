#pragma once

/* A record as the service would have written it, for tests that make up what it says. */

#include <glib.h>

/* `name`: the name of the file. The text, up to a NUL, comes behind a line with its checksum. */
static inline char *sealed_record(const char *name, const char *text, size_t length)
{
        g_autofree char *body = g_strndup(text, length);
        g_autofree char *all = g_strconcat(name, body, NULL);
        g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, all, -1);

        return g_strconcat("# ", sum, "\n", body, NULL);
}
