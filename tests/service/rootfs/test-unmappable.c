/* What is said of a tree that cannot be id-mapped. Needs root; mounts are made in a namespace of
 * the test's own. */

#include "service/rootfs/unmappable.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/user-namespace.h"

/* <sys/mount.h> clashes with <linux/mount.h> */
extern int mount(const char *, const char *, const char *, unsigned long, const void *);
extern int umount2(const char *, int);
#define PRIVATE (1ul << 18)
#define REC     16384ul
#define BIND    4096ul
#define MOVE    8192ul
#define DETACH  2

static gid_t users_group[] = {65533};
static const Credentials root = {.uid = 0},
                         user = {.uid = 65533, .groups = users_group, .n_groups = 1};

typedef struct Fixture {
        char *path; /* a tmpfs of the test's own */
        int user_namespace;
} Fixture;

static char *make(const Fixture *f, const char *name, mode_t mode)
{
        char *path = g_build_filename(f->path, name, NULL);

        g_assert_cmpint(mkdir(path, 0700), ==, 0);
        g_assert_cmpint(chmod(path, mode), ==, 0);
        return path;
}

static void set_up(Fixture *f, const void *unused)
{
        f->path = g_dir_make_tmp("test-unmappable-XXXXXX", NULL);
        g_assert_cmpint(mount("tmpfs", f->path, "tmpfs", 0, "mode=0755"), ==, 0);
        f->user_namespace = make_user_namespace(65533, 0x70000000);
        g_free(make(f, "tree", 0755));
}

static void tear_down(Fixture *f, const void *unused)
{
        fd_close(f->user_namespace);
        umount2(f->path, DETACH);
        g_rmdir(f->path);
        g_free(f->path);
}

static void mount_on(const char *path, const char *type, const char *options)
{
        g_assert_cmpint(mount("none", path, type, 0, options), ==, 0);
}

/* What is said of the directory `name`; a "%s" in `expected` is where the fixture's tmpfs is. */
static void assert_said(const Fixture *f, const char *name, const Credentials *owner,
                        const char *expected)
{
        g_autofree char *path =
                name[0] == '/' ? g_strdup(name) : g_build_filename(f->path, name, NULL);
        autofd int fd = open(path, O_PATH | O_CLOEXEC);
        g_autofree char *said =
                unmappable_find(&(const UnmappableTree){fd, f->user_namespace, false, owner});
        g_auto(GStrv) parts = g_strsplit(expected ? expected : "", "%s", -1);
        g_autofree char *full = expected ? g_strjoinv(f->path, parts) : NULL;

        g_assert_cmpstr(said, ==, full);
        g_assert_cmpuint(syscall(SYS_setfsuid, -1), ==, 0);
}

/* The mount is named that a tree lies on, wherever that begins. */
FIXTURE_TEST(own)
{
        assert_said(f, "/proc", &user, "the file system at '/proc' (proc) cannot be id-mapped");
        assert_said(f, "/proc/sys/net", &root,
                    "the file system at '/proc' (proc) cannot be id-mapped");
}

/* A tree of layers, as container engines make it, is named by the type that it has now. */
FIXTURE_TEST(overlay)
{
        g_autofree char *tree = g_build_filename(f->path, "tree", NULL);
        g_autofree char *lower = make(f, "lower", 0755), *upper = make(f, "upper", 0755),
                        *work = make(f, "work", 0755);
        g_autofree char *options =
                g_strdup_printf("lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);

        if (mount("none", tree, "overlay", 0, options) < 0) {
                g_test_skip("the kernel has no overlayfs, or none here");
                return;
        }
        g_free(make(f, "tree/below", 0755));
        assert_said(f, "tree/below", &user,
                    "the file system at '%s/tree' (overlay) cannot be id-mapped");
}

/* Nothing is said of what can be mapped. */
FIXTURE_TEST(nothing)
{
        g_autofree char *more = make(f, "tree/more", 0755);

        mount_on(more, "tmpfs", NULL);
        assert_said(f, "tree", &root, NULL);
}

/* What is mounted in a tree is named, with a blank as it is: the outermost, and no neighbour whose
 * name begins alike. */
FIXTURE_TEST(below)
{
        g_autofree char *neighbour = make(f, "tree-more", 0755), *more = make(f, "tree/more", 0755),
                        *deep = NULL, *blank = NULL;

        mount_on(neighbour, "ramfs", NULL);
        mount_on(more, "tmpfs", NULL);
        assert_said(f, "tree", &root, NULL);
        deep = make(f, "tree/more/d", 0755);
        mount_on(deep, "ramfs", NULL);
        assert_said(f, "tree", &root,
                    "the file system at '%s/tree/more/d' (ramfs) cannot be id-mapped");
        blank = make(f, "tree/a b", 0755);
        mount_on(blank, "proc", NULL);
        assert_said(f, "tree", &user,
                    "the file system at '%s/tree/a b' (proc) cannot be id-mapped");
}

/* A mount that another one hides is in no clone of the tree, so it is not the culprit. */
FIXTURE_TEST(hidden)
{
        g_autofree char *more = make(f, "tree/more", 0755);
        g_autofree char *tree = g_build_filename(f->path, "tree", NULL);

        mount_on(more, "ramfs", NULL);
        mount_on(tree, "tmpfs", "mode=0755");
        assert_said(f, "tree", &root, NULL);
}

/* The same of a file system that was moved to where it is: mounts stand in the table in the order
 * in which they were made. */
FIXTURE_TEST(moved)
{
        g_autofree char *inner = make(f, "inner", 0755), *outer = make(f, "tree/more", 0755);
        g_autofree char *deep = g_build_filename(outer, "d", NULL);

        mount_on(inner, "proc", NULL);
        mount_on(outer, "ramfs", NULL);
        g_assert_cmpint(mkdir(deep, 0755), ==, 0);
        g_assert_cmpint(mount("/", "/", NULL, PRIVATE | REC, NULL), ==, 0);
        g_assert_cmpint(mount(inner, deep, NULL, MOVE, NULL), ==, 0);
        assert_said(f, "tree", &root,
                    "the file system at '%s/tree/more' (ramfs) cannot be id-mapped");
        assert_said(f, "tree/more/d", &root,
                    "the file system at '%s/tree/more/d' (proc) cannot be id-mapped");
}

/* B3: a caller is told neither name nor type of a mount that the caller cannot look up. */
FIXTURE_TEST(out_of_reach)
{
        g_autofree char *closed = make(f, "tree/closed", 0700),
                        *secret = make(f, "tree/closed/secret", 0755);

        mount_on(secret, "ramfs", NULL);
        assert_said(f, "tree", &user, "what is mounted in it cannot be id-mapped");
        assert_said(f, "tree", &root,
                    "the file system at '%s/tree/closed/secret' (ramfs) cannot be id-mapped");
        g_assert_cmpint(chmod(closed, 0711), ==, 0);
        assert_said(f, "tree", &user,
                    "the file system at '%s/tree/closed/secret' (ramfs) cannot be id-mapped");
}

/* Of a mount with ids of its own that is said, and not that its file system cannot do it. */
FIXTURE_TEST(mapped_already)
{
        struct mount_attr map = {.attr_set = MOUNT_ATTR_IDMAP,
                                 .userns_fd = (uint64_t) f->user_namespace};
        g_autofree char *tree = g_build_filename(f->path, "tree", NULL);
        autofd int mapped =
                (int) syscall(SYS_open_tree, AT_FDCWD, tree, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

        g_assert_cmpint(
                (int) syscall(SYS_mount_setattr, mapped, "", AT_EMPTY_PATH, &map, sizeof map), ==,
                0);
        g_assert_cmpint(
                (int) syscall(SYS_move_mount, mapped, "", AT_FDCWD, tree, MOVE_MOUNT_F_EMPTY_PATH),
                ==, 0);
        assert_said(f, "tree", &user, "the mount at '%s/tree' (tmpfs) is id-mapped already");
}

int main(int argc, char **argv)
{
        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, REC | PRIVATE, NULL) < 0)
                return skip_cases(argc, argv, "needs root");
        return run_cases(argc, argv);
}
