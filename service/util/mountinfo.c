#include "service/util/mountinfo.h"

#include <string.h>

#define TAGS_BEGIN 6 /* there may be any number of tags, and a "-" ends them */

static void mount_free(gpointer data)
{
        MountInfo *mount = data;

        g_free(mount->device);
        g_free(mount->root);
        g_free(mount->point);
        g_free(mount->type);
        g_free(mount->options);
        g_free(mount);
}

/* "36 31 0:33 /root /point rw,opts [tags...] - type source super,options". The kernel writes a
 * space in a path as \040, and g_strcompress() reads that. */
static MountInfo *parse_line(const char *line)
{
        g_auto(GStrv) fields = g_strsplit(line, " ", -1);
        unsigned n = g_strv_length(fields), dash = TAGS_BEGIN;

        while (dash < n && strcmp(fields[dash], "-") != 0)
                dash++;
        if (dash + 3 >= n)
                return NULL;
        MountInfo *mount = g_new0(MountInfo, 1);
        mount->id = (int) g_ascii_strtoll(fields[0], NULL, 10);
        mount->parent = (int) g_ascii_strtoll(fields[1], NULL, 10);
        mount->device = g_strdup(fields[2]);
        mount->root = g_strcompress(fields[3]);
        mount->point = g_strcompress(fields[4]);
        for (unsigned i = TAGS_BEGIN; i < dash; i++)
                mount->is_unbindable |= strcmp(fields[i], "unbindable") == 0;
        mount->type = g_strdup(fields[dash + 1]);
        mount->options = g_strdup(fields[dash + 3]);
        return mount;
}

GPtrArray *mountinfo_parse(const char *text)
{
        GPtrArray *mounts = g_ptr_array_new_with_free_func(mount_free);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++) {
                MountInfo *mount = parse_line(*line);
                if (mount)
                        g_ptr_array_add(mounts, mount);
        }
        return mounts;
}

GPtrArray *mountinfo_read(void)
{
        g_autofree char *text = NULL;

        if (!g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL))
                return mountinfo_parse("");
        return mountinfo_parse(text);
}
