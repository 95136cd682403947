/* How the limits of a live leaf are written, to files of the test's own. Needs root, to mount. */

#include "service/cgroup/live/write.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/loop.h"

typedef struct Fixture {
        char *path;
        int leaf, fuse;
} Fixture;

static void set_up(Fixture *f, const void *unused)
{
        f->fuse = -1;
        f->path = g_dir_make_tmp("live-write-XXXXXX", NULL);
        g_assert_nonnull(f->path);
        f->leaf = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(f->leaf, >=, 0);
}

static void tear_down(Fixture *f, const void *unused)
{
        fd_clear(&f->fuse);
        umount2(f->path, MNT_DETACH);
        unlinkat(f->leaf, "memory.max", 0);
        fd_close(f->leaf);
        g_assert_cmpint(g_rmdir(f->path), ==, 0);
        g_free(f->path);
}

/* In the place of the leaf, a file system whose server answers nothing. */
static bool cover(Fixture *f)
{
        f->fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        if (f->fuse < 0)
                return false;
        g_autofree char *options =
                g_strdup_printf("fd=%d,rootmode=40000,user_id=0,group_id=0", f->fuse);
        g_assert_cmpint(mount("test", f->path, "fuse", MS_NOSUID | MS_NODEV, options), ==, 0);
        int leaf = open(f->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        g_assert_cmpint(leaf, >=, 0);
        g_assert_cmpint(dup3(leaf, f->leaf, O_CLOEXEC), ==, f->leaf);
        close(leaf);
        return true;
}

/* The process's error is the caller's. */
FIXTURE_TEST(written)
{
        g_autofree char *path = g_build_filename(f->path, "memory.max", NULL), *text = NULL;

        g_assert_cmpint(live_write_patiently(f->leaf, "memory.max", "1"), ==, -ENOENT);
        g_assert_true(g_file_set_contents(path, "", 0, NULL));
        g_assert_cmpint(live_write_patiently(f->leaf, "memory.max", "4096"), ==, 0);
        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_assert_cmpstr(text, ==, "4096");
        g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
}

/* What takes for ever is given up, and the process is not left behind. */
FIXTURE_TEST(given_up)
{
        if (!cover(f)) {
                g_test_skip("no /dev/fuse here");
                return;
        }
        gint64 start = g_get_monotonic_time();
        g_assert_cmpint(live_write_patiently(f->leaf, "memory.max", "1"), ==, -ETIMEDOUT);
        g_assert_cmpint(g_get_monotonic_time() - start, <, 10 * G_USEC_PER_SEC);
        siginfo_t end;
        for (unsigned i = 0; i < 200 && waitid(P_ALL, 0, &end, WEXITED | WNOHANG | WNOWAIT) == 0;
             i++)
                loop_for(50);
        g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
}

int main(int argc, char **argv)
{
        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return skip_cases(argc, argv, "needs root, to mount");
        return run_cases(argc, argv);
}
