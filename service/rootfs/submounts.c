#include "service/rootfs/submounts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/rootfs/apart.h"
#include "service/rootfs/lookup.h"
#include "service/util/fd.h"

#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif

const char *const submounts_covered[] = {"proc", "sys", "dev", NULL};

/* By the kernel's word for the fd: a path may lead to another mount by now. */
int submounts_id_of(int fd)
{
        g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", fd), *text = NULL;
        const char *line =
                g_file_get_contents(path, &text, NULL, NULL) ? strstr(text, "mnt_id:") : NULL;

        return line ? (int) g_ascii_strtoll(line + strlen("mnt_id:"), NULL, 10) : -1;
}

static GHashTable *index_by_id(const GPtrArray *mounts)
{
        GHashTable *by_id = g_hash_table_new(NULL, NULL);

        for (guint i = 0; i < mounts->len; i++) {
                MountInfo *mount = mounts->pdata[i];
                g_hash_table_insert(by_id, GINT_TO_POINTER(mount->id), mount);
        }
        return by_id;
}

static const MountInfo *find_id(GHashTable *by_id, int id)
{
        return g_hash_table_lookup(by_id, GINT_TO_POINTER(id));
}

/* Steps are counted, for the root is its own parent, and the table may have changed while it was
 * read. */
static bool stands_on(GHashTable *by_id, const MountInfo *mount, int id)
{
        for (guint left = g_hash_table_size(by_id); mount && left > 0; left--) {
                if (mount->parent == id)
                        return true;
                mount = find_id(by_id, mount->parent);
        }
        return false;
}

/* The part of `path` below the directory `top`, "" for `top` itself; NULL: it is not below it. */
static const char *part_below(const char *path, const char *top)
{
        size_t length = strcmp(top, "/") == 0 ? 0 : strlen(top);

        if (strncmp(path, top, length) != 0 || (path[length] != '/' && path[length] != '\0'))
                return NULL;
        return path[length] == '/' ? path + length + 1 : path + length;
}

static int by_length(const void *a, const void *b)
{
        const MountInfo *const *one = a, *const *other = b;
        size_t length = strlen((*one)->point), other_length = strlen((*other)->point);

        return (length > other_length) - (length < other_length);
}

void submounts_read(int fd, Submounts *ret)
{
        int id = submounts_id_of(fd);

        *ret = (Submounts){.table = mountinfo_read(), .top = rootfs_path_of(fd)};
        ret->list = g_ptr_array_new();
        g_autoptr(GHashTable) by_id = index_by_id(ret->table);
        ret->own = find_id(by_id, id);
        for (guint i = 0; ret->top && i < ret->table->len; i++) {
                MountInfo *mount = ret->table->pdata[i];
                if (part_below(mount->point, ret->top) && stands_on(by_id, mount, id))
                        g_ptr_array_add(ret->list, mount);
        }
        /* where an inner one is opened, all that it lies in may be */
        g_ptr_array_sort(ret->list, by_length);
}

void submounts_clear(Submounts *submounts)
{
        g_clear_pointer(&submounts->list, g_ptr_array_unref);
        g_clear_pointer(&submounts->table, g_ptr_array_unref);
        g_free(submounts->top);
}

const char *submounts_part(const Submounts *submounts, const MountInfo *mount)
{
        return part_below(mount->point, submounts->top);
}

bool submounts_is_covered(const Submounts *submounts, const MountInfo *mount)
{
        const char *part = submounts_part(submounts, mount);

        for (const char *const *name = submounts_covered; *name; name++)
                if (part_below(part, *name))
                        return true;
        return false;
}

/* -- a copy -- */

static char *read_all(int file)
{
        g_autoptr(GString) text = g_string_new(NULL);
        char piece[16384];
        ssize_t n;

        while ((n = read(file, piece, sizeof piece)) != 0) {
                if (n < 0 && errno != EINTR)
                        return NULL;
                g_string_append_len(text, piece, MAX(n, 0));
        }
        return g_string_free(g_steal_pointer(&text), FALSE);
}

/* The table of the namespace that the clone was attached in, on "/". */
static SubmountsSeen judge_table(const char *text, int clone_id)
{
        g_autoptr(GPtrArray) table = mountinfo_parse(text);
        SubmountsSeen seen = SUBMOUNTS_NONE;

        for (guint i = 0; i < table->len; i++) {
                const MountInfo *mount = table->pdata[i];
                if (mount->parent != clone_id)
                        continue;
                if (!g_strv_contains(submounts_covered, mount->point + 1))
                        return SUBMOUNTS_OTHERS;
                seen = SUBMOUNTS_COVERED;
        }
        return seen;
}

static SubmountsSeen judge_paths(int fd)
{
        g_auto(Submounts) submounts = {0};

        submounts_read(fd, &submounts);
        /* a tree that no path leads to any more */
        if (!submounts.top || !submounts.own)
                return SUBMOUNTS_OTHERS;
        for (guint i = 0; i < submounts.list->len; i++)
                if (!submounts_is_covered(&submounts, submounts.list->pdata[i]))
                        return SUBMOUNTS_OTHERS;
        return submounts.list->len ? SUBMOUNTS_COVERED : SUBMOUNTS_NONE;
}

bool submounts_see(int fd, SubmountsSeen *ret)
{
        autofd int clone =
                (int) syscall(SYS_open_tree, fd, "",
                              OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
        const ApartWork work = {.verb = APART_LOOK, .mount = clone};
        int id = clone < 0 ? -1 : submounts_id_of(clone), opened = -1;

        if (id < 0 || !apart_do(&work, &opened))
                return false;
        autofd int file = opened;
        g_autofree char *text = read_all(file);
        if (!text)
                return false;
        SubmountsSeen copied = judge_table(text, id), told = judge_paths(fd);
        *ret = MAX(copied, told);
        return true;
}

bool submounts_is_local(const MountInfo *mount)
{
        static const char *const types[] = {"ext4",  "xfs",     "btrfs",    "f2fs",  "erofs",
                                            "vfat",  "exfat",   "squashfs", "tmpfs", "bcachefs",
                                            "ntfs3", "overlay", NULL};

        return g_strv_contains(types, mount->type);
}
