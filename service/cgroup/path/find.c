/* The hierarchies that are mounted: all of v1, each once, and v2. */

#include "service/cgroup/path/internal.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "service/util/mountinfo.h"

static bool is_unified(const MountInfo *mount)
{
        return strcmp(mount->type, "cgroup2") == 0;
}

/* The list also has mounts that something else covers. */
static bool is_there(const MountInfo *mount)
{
        struct statfs fs;

        return statfs(mount->point, &fs) == 0 &&
               fs.f_type == (is_unified(mount) ? CGROUP2_SUPER_MAGIC : CGROUP_SUPER_MAGIC);
}

/* Of several mounts of a hierarchy the first that shows all of it. */
static bool is_best(const GPtrArray *mounts, const MountInfo *candidate)
{
        bool is_whole = strcmp(candidate->root, "/") == 0;

        for (unsigned i = 0; i < mounts->len; i++) {
                const MountInfo *other = mounts->pdata[i];
                bool is_later = other->id > candidate->id;
                if (other == candidate || strcmp(other->device, candidate->device) != 0 ||
                    !is_there(other))
                        continue;
                if (strcmp(other->root, "/") == 0 ? !is_whole || !is_later : !is_whole && !is_later)
                        return false;
        }
        return true;
}

/* The options of a v1 mount name its controllers among others. */
static char **controllers_of(const MountInfo *mount)
{
        static const char *const others[] = {
                "rw", "ro", "xattr", "noprefix", "clone_children", "favordynmods", "cpuset_v2_mode",
                NULL};
        g_auto(GStrv) options = g_strsplit(mount->options, ",", -1);
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        for (char **option = options; *option && !is_unified(mount); option++)
                if (!g_strv_contains(others, *option) &&
                    !g_str_has_prefix(*option, "release_agent="))
                        g_strv_builder_add(builder, *option);
        return g_strv_builder_end(builder);
}

/* "4:memory:/path": is the line the hierarchy's? */
static bool names_hierarchy(const char *line, const PathLeaf *leaf)
{
        const char *names = strchr(line, ':'), *end = names ? strchr(names + 1, ':') : NULL;

        if (!end)
                return false;
        if (leaf->backend == &cgroup_unified)
                return g_str_has_prefix(line, "0::");
        g_autofree char *text = g_strndup(names + 1, (gsize) (end - names - 1));
        g_auto(GStrv) list = g_strsplit(text, ",", -1);
        return leaf->controllers[0] &&
               g_strv_contains((const char *const *) list, leaf->controllers[0]);
}

/* What the mount does not show is taken as its root. */
static char *find_own(const char *text, const PathLeaf *leaf)
{
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
        size_t length = strlen(leaf->mount_root);

        for (char **line = lines; *line; line++) {
                if (!names_hierarchy(*line, leaf))
                        continue;
                const char *path = strchr(strchr(*line, ':') + 1, ':') + 1;
                if (strncmp(path, leaf->mount_root, length) != 0 || path[length] != '/' ||
                    g_str_has_prefix(path, "/.."))
                        break;
                return g_strdup(path[length + 1] ? path + length : "");
        }
        return g_strdup("");
}

static void add(PathCgroup *cgroup, const MountInfo *mount, const char *own)
{
        PathLeaf *leaf = &cgroup->leaves[cgroup->n++];

        *leaf = (PathLeaf){
                .backend = is_unified(mount) ? &cgroup_unified : &cgroup_legacy,
                .mount_point = g_strdup(mount->point),
                .mount_root = g_strdup(strcmp(mount->root, "/") == 0 ? "" : mount->root),
                .controllers = controllers_of(mount),
                .fd = -1,
        };
        leaf->own = find_own(own, leaf);
}

void path_cgroup_find(PathCgroup *cgroup)
{
        g_autoptr(GPtrArray) mounts = mountinfo_read();
        g_autofree char *own = NULL;

        if (!g_file_get_contents("/proc/self/cgroup", &own, NULL, NULL))
                own = g_strdup("");
        for (unsigned unified = 2; unified-- > 0;)
                for (unsigned i = 0; i < mounts->len; i++) {
                        const MountInfo *mount = mounts->pdata[i];
                        if (strcmp(mount->type, unified ? "cgroup2" : "cgroup") == 0 &&
                            cgroup->n < PATH_CGROUPS_MAX && is_there(mount) &&
                            is_best(mounts, mount))
                                add(cgroup, mount, own);
                }
}
