#include "service/rootfs/uncopied.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/rootfs/submounts.h"
#include "service/util/fd.h"

#define TRIES_MAX 16 /* while somebody renames a directory on the way */
#define DEPTH_MAX 4096

char *uncopied_read(void)
{
        g_autofree char *text = NULL;

        /* a space in a path stands there as \040 */
        return g_file_get_contents("/proc/self/mountinfo", &text, NULL, NULL) &&
                               strstr(text, " unbindable ")
                       ? g_steal_pointer(&text)
                       : NULL;
}

static const MountInfo *find_id(const GPtrArray *table, int id)
{
        for (guint i = 0; i < table->len; i++)
                if (((const MountInfo *) table->pdata[i])->id == id)
                        return table->pdata[i];
        return NULL;
}

/* Steps are counted, for the root is its own parent. */
static bool stands_on(const GPtrArray *table, int id, int lower)
{
        for (guint left = table->len; left > 0 && id != lower; left--) {
                const MountInfo *mount = find_id(table, id);
                if (!mount)
                        return false;
                id = mount->parent;
        }
        return id == lower;
}

/* What a mount is mounted on is in the kernel's cache, with all directories above it. */
static int open_cached(int directory, const char *name)
{
        struct open_how how = {
                .flags = O_PATH | O_CLOEXEC,
                .resolve = RESOLVE_CACHED | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
        };

        return (int) syscall(SYS_openat2, directory, name, &how, sizeof how);
}

/* The directory that has the mount in it: by its path, but believed only if the mount is there. */
static int open_directory_of(const GPtrArray *table, const MountInfo *mount)
{
        g_autofree char *path = g_path_get_dirname(mount->point);
        g_autofree char *name = g_path_get_basename(mount->point);
        autofd int directory = open_cached(AT_FDCWD, path);
        autofd int there = directory < 0 ? -1 : open_cached(directory, name);

        return there >= 0 && stands_on(table, submounts_id_of(there), mount->id)
                       ? steal_fd(&directory)
                       : -1;
}

static bool is_same(int fd, int other)
{
        struct stat one, two;

        return fstat(fd, &one) == 0 && fstat(other, &two) == 0 && one.st_ino == two.st_ino &&
               one.st_dev == two.st_dev && submounts_id_of(fd) == submounts_id_of(other);
}

/* Goes up from the mount: whatever is renamed above the tree meanwhile, the way between the two
 * stays. 1: it lies in the tree; 0: it does not; -1: unknown. */
static int lies_in(const GPtrArray *table, const MountInfo *mount, int tree)
{
        autofd int at = open_directory_of(table, mount);

        for (unsigned depth = 0; at >= 0 && depth < DEPTH_MAX; depth++) {
                if (is_same(at, tree))
                        return 1;
                autofd int up = open_cached(at, "..");
                if (up >= 0 && is_same(at, up))
                        return 0;
                fd_close(at);
                at = steal_fd(&up);
        }
        return -1;
}

char *uncopied_find(const char *text, int fd)
{
        g_autoptr(GPtrArray) table = mountinfo_parse(text);
        int own = submounts_id_of(fd);

        for (guint i = 0; i < table->len; i++) {
                const MountInfo *mount = table->pdata[i];
                int lies = -1;
                if (!mount->is_unbindable || mount->id == own || !stands_on(table, mount->id, own))
                        continue;
                for (unsigned left = TRIES_MAX; lies < 0 && left > 0; left--)
                        lies = lies_in(table, mount, fd);
                if (lies != 0)
                        return g_strdup(mount->point);
        }
        return NULL;
}
