/* What is seen to be mounted in a tree. Needs root; mounts are made in a namespace of the test's
 * own. */

#include "service/rootfs/submounts.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/util/fd.h"
#include "tests/lib/case.h"

#define ROUNDS 200

typedef struct Fixture {
        char *path; /* a tmpfs of the test's own, with "up/tree" */
        int tree;
} Fixture;

static void make(const Fixture *f, const char *name)
{
        g_autofree char *path = g_build_filename(f->path, name, NULL);

        g_assert_cmpint(g_mkdir_with_parents(path, 0755), ==, 0);
}

static void mount_on(const Fixture *f, const char *name, unsigned long propagation)
{
        g_autofree char *path = g_build_filename(f->path, name, NULL);

        make(f, name);
        g_assert_cmpint(mount("none", path, "tmpfs", 0, NULL), ==, 0);
        g_assert_cmpint(mount(NULL, path, NULL, propagation, NULL), ==, 0);
}

static void set_up(Fixture *f, const void *unused)
{
        f->path = g_dir_make_tmp("test-submounts-XXXXXX", NULL);
        g_assert_cmpint(mount("none", f->path, "tmpfs", 0, "mode=0755"), ==, 0);
        make(f, "up/tree");
        make(f, "other");
        g_autofree char *tree = g_build_filename(f->path, "up/tree", NULL);
        f->tree = open(tree, O_PATH | O_CLOEXEC);
        g_assert_cmpint(f->tree, >=, 0);
}

static void tear_down(Fixture *f, const void *unused)
{
        fd_close(f->tree);
        umount2(f->path, MNT_DETACH);
        g_rmdir(f->path);
        g_free(f->path);
}

static void assert_seen(const Fixture *f, SubmountsSeen expected)
{
        SubmountsSeen seen;

        g_assert_true(submounts_see(f->tree, &seen));
        g_assert_cmpint(seen, ==, expected);
}

/* What lies beside the tree is not in it. */
FIXTURE_TEST(nothing)
{
        assert_seen(f, SUBMOUNTS_NONE);
        mount_on(f, "up/tree-more", MS_PRIVATE);
        assert_seen(f, SUBMOUNTS_NONE);
}

/* What every container covers is told apart, with all that stands on it. */
FIXTURE_TEST(covered)
{
        mount_on(f, "up/tree/proc", MS_PRIVATE);
        mount_on(f, "up/tree/proc/deeper", MS_PRIVATE);
        assert_seen(f, SUBMOUNTS_COVERED);
        mount_on(f, "up/tree/processes", MS_PRIVATE);
        assert_seen(f, SUBMOUNTS_OTHERS);
}

/* E43: what lies below a directory that is no mount can be moved out of it: it counts. */
FIXTURE_TEST(below_covered)
{
        mount_on(f, "up/tree/dev/pts", MS_PRIVATE);
        assert_seen(f, SUBMOUNTS_OTHERS);
}

/* A mount that no copy of the tree has, since the administrator said so, is in the way all the
 * same. */
FIXTURE_TEST(unbindable)
{
        mount_on(f, "up/tree/a", MS_UNBINDABLE);
        assert_seen(f, SUBMOUNTS_OTHERS);
}

/* The host's table is as before. */
FIXTURE_TEST(nothing_stays)
{
        g_autoptr(GPtrArray) before = mountinfo_read();

        mount_on(f, "up/tree/a", MS_PRIVATE);
        assert_seen(f, SUBMOUNTS_OTHERS);
        g_autoptr(GPtrArray) after = mountinfo_read();
        g_assert_cmpuint(after->len, ==, before->len + 1);
}

static _Noreturn void rename_over_and_over(const Fixture *f)
{
        g_autofree char *one = g_build_filename(f->path, "up", NULL);
        g_autofree char *other = g_build_filename(f->path, "other", NULL);

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
                renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE);
}

/* E43: a directory on the way to the tree that is renamed all the time hides no mount. */
FIXTURE_TEST(renamed)
{
        mount_on(f, "up/tree/a", MS_PRIVATE);
        pid_t pid = fork();
        if (pid == 0)
                rename_over_and_over(f);
        g_assert_cmpint(pid, >, 0);
        for (unsigned i = 0; i < ROUNDS; i++)
                assert_seen(f, SUBMOUNTS_OTHERS);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

int main(int argc, char **argv)
{
        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return skip_cases(argc, argv, "needs root");
        return run_cases(argc, argv);
}
