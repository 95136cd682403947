/* Cgroups at paths, in the machine's own hierarchies, below names of the test's own. Needs root. */

#include "service/cgroup/path/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/cgroup/internal.h"
#include "service/spec/error.h"
#include "service/util/fd.h"
#include "service/util/proc.h"
#include "tests/lib/case.h"

static char *top; /* "/naive-path-1234" */

typedef struct Fixture {
        PathCgroup *cgroup;
        char **directories;
        pid_t pids[8];
        unsigned n;
} Fixture;

static void set_up(Fixture *f, const void *data)
{
        g_autofree char *path = g_strconcat(top, "/leaf", NULL);
        g_autoptr(GError) error = NULL;

        path_cgroup_make(path, "unused", &f->cgroup, &error);
        g_assert_no_error(error);
        f->directories = path_cgroup_directories(f->cgroup);
        g_assert_cmpuint(g_strv_length(f->directories), >, 0);
}

static void reap(Fixture *f)
{
        while (f->n > 0)
                g_assert_cmpint(waitpid(f->pids[--f->n], NULL, 0), >, 0);
}

static bool remove_soon(PathCgroup *cgroup)
{
        bool ok = false;

        for (unsigned i = 0; i < 1000 && !(ok = path_cgroup_remove(cgroup, NULL)); i++)
                g_usleep(10000);
        return ok;
}

static void tear_down(Fixture *f, const void *data)
{
        path_cgroup_set_frozen(f->cgroup, false, NULL);
        path_cgroup_kill(f->cgroup, NULL);
        reap(f);
        g_assert_true(remove_soon(f->cgroup));
        for (char **directory = f->directories; *directory; directory++) {
                g_autofree char *parent = g_path_get_dirname(*directory);
                g_assert_cmpint(access(*directory, F_OK), <, 0);
                g_assert_cmpint(rmdir(parent), ==, 0);
        }
        g_strfreev(f->directories);
        path_cgroup_free(f->cgroup);
}

/* A process that sleeps, born in v2 and entered in v1, as a container's. */
static pid_t start(Fixture *f)
{
        int entries[PATH_CGROUPS_MAX + 1], birth = path_cgroup_birth_fd(f->cgroup);
        struct clone_args args = {.exit_signal = SIGCHLD};
        g_autoptr(GError) error = NULL;

        if (birth >= 0) {
                args.flags = CLONE_INTO_CGROUP;
                args.cgroup = (uint64_t) birth;
        }
        path_cgroup_open_entries(f->cgroup, entries, &error);
        g_assert_no_error(error);
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0) {
                for (int *entry = entries; *entry >= 0; entry++)
                        if (write(*entry, "0", 1) != 1)
                                _exit(1);
                for (;;)
                        pause();
        }
        g_assert_cmpint(pid, >, 0);
        for (int *entry = entries; *entry >= 0; entry++)
                close(*entry);
        f->pids[f->n++] = pid;
        return pid;
}

static bool is_in_all(const Fixture *f, pid_t pid)
{
        char text[PROC_CGROUP_SIZE];
        ProcCgroup cgroups[PROC_CGROUPS_MAX];
        unsigned found = 0, n = proc_list_cgroups(pid, text, cgroups);

        for (unsigned i = 0; i < n; i++)
                found += strcmp(cgroups[i].path, path_cgroup_name(f->cgroup)) == 0;
        return found == g_strv_length(f->directories);
}

static void wait_until_in(const Fixture *f, pid_t pid)
{
        for (unsigned i = 0; i < 1000 && !is_in_all(f, pid); i++)
                g_usleep(10000);
        g_assert_true(is_in_all(f, pid));
}

/* The process is in the same path of every hierarchy, and is listed once. */
FIXTURE_TEST(in_all)
{
        g_autoptr(GArray) pids = g_array_new(FALSE, FALSE, sizeof(pid_t));

        g_assert_false(path_cgroup_is_populated(f->cgroup));
        pid_t pid = start(f);
        wait_until_in(f, pid);
        g_assert_true(path_cgroup_is_populated(f->cgroup));
        path_cgroup_list(f->cgroup, 100, pids);
        g_assert_cmpuint(pids->len, ==, 1);
        g_assert_cmpint(g_array_index(pids, pid_t, 0), ==, pid);
}

/* What has a process in it, or stands still, nobody gets; and nothing of it changes. */
FIXTURE_TEST(in_use)
{
        g_autofree char *path = g_strconcat(top, "/leaf", NULL);
        g_autoptr(GError) error = NULL, frozen = NULL;
        PathCgroup *other = NULL;

        g_assert_true(path_cgroup_set_frozen(f->cgroup, true, &error));
        g_assert_false(path_cgroup_make(path, "unused", &other, &frozen));
        g_assert_nonnull(strstr(frozen->message, "frozen"));
        g_assert_true(path_cgroup_set_frozen(f->cgroup, false, &error));
        g_assert_no_error(error);
        wait_until_in(f, start(f));
        g_assert_false(path_cgroup_make(path, "unused", &other, &error));
        g_assert_nonnull(strstr(error->message, "in use"));
        for (char **directory = f->directories; *directory; directory++)
                g_assert_cmpint(access(*directory, F_OK), ==, 0);
}

/* A kill reaches sub-cgroups, and whoever stands still, by whichever version. */
FIXTURE_TEST(kill_what_is_frozen)
{
        g_autoptr(GError) error = NULL;
        bool is_unified;
        int freezer = path_cgroup_of(f->cgroup, "freezer", &is_unified);

        wait_until_in(f, start(f));
        wait_until_in(f, start(f));
        g_assert_true(path_cgroup_set_frozen(f->cgroup, true, &error));
        g_assert_true(path_cgroup_is_frozen(f->cgroup));
        if (freezer >= 0)
                g_assert_cmpint(fd_write_file_at(freezer, "freezer.state", "FROZEN"), ==, 0);
        g_assert_true(path_cgroup_kill(f->cgroup, &error));
        g_assert_no_error(error);
        reap(f);
        g_assert_true(remove_soon(f->cgroup));
}

/* What another has frozen in v1 is thawed, and shows as frozen before. */
FIXTURE_TEST(thaw_both)
{
        g_autoptr(GError) error = NULL;
        int freezer = path_cgroup_of(f->cgroup, "freezer", NULL);

        if (freezer < 0) {
                g_test_skip("there is no freezer of v1");
                return;
        }
        wait_until_in(f, start(f));
        g_assert_cmpint(fd_write_file_at(freezer, "freezer.state", "FROZEN"), ==, 0);
        g_assert_true(path_cgroup_is_frozen(f->cgroup));
        g_assert_true(path_cgroup_set_frozen(f->cgroup, false, &error));
        g_assert_no_error(error);
        g_assert_false(path_cgroup_is_frozen(f->cgroup));
}

/* It is found again by its directories, as much of it as is left. */
FIXTURE_TEST(open_again)
{
        g_autoptr(PathCgroup) again = NULL, part = NULL, none = NULL;
        g_auto(GStrv) there = NULL;
        g_autoptr(GError) error = NULL;
        const char *const first[] = {f->directories[0], "/etc", "/sys/fs/cgroup/../x", NULL};
        const char *const gone[] = {"/sys/fs/cgroup/unified/naive-path-gone", NULL};

        g_assert_true(path_cgroup_open((const char *const *) f->directories, &again, &error));
        there = path_cgroup_directories(again);
        g_assert_cmpstrv(there, f->directories);
        g_assert_true(path_cgroup_open(first, &part, &error));
        g_auto(GStrv) one = path_cgroup_directories(part);
        g_assert_cmpuint(g_strv_length(one), ==, 1);
        g_assert_true(path_cgroup_open(gone, &none, &error));
        g_auto(GStrv) nothing = path_cgroup_directories(none);
        g_assert_cmpuint(g_strv_length(nothing), ==, 0);
        g_assert_true(path_cgroup_kill(none, &error) && path_cgroup_remove(none, &error));
        g_assert_false(path_cgroup_is_populated(none) || path_cgroup_is_frozen(none));
        g_assert_cmpstr(path_cgroup_name(none), ==, "");
}

/* Without a path, and with a relative one, it is below "naive-oci" in our own cgroup, or beside. */
TEST(relative)
{
        g_autofree char *id = g_strdup_printf("naive-path-%d", (int) getpid());
        g_autofree char *tail = g_strconcat("/naive-oci/", id, NULL);
        const char *const paths[] = {NULL, id};

        for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
                g_autoptr(PathCgroup) cgroup = NULL;
                g_autoptr(GError) error = NULL;
                path_cgroup_make(paths[i], id, &cgroup, &error);
                g_assert_no_error(error);
                g_auto(GStrv) directories = path_cgroup_directories(cgroup);
                for (char **directory = directories; *directory; directory++)
                        g_assert_true(g_str_has_suffix(*directory, tail));
                g_assert_true(path_cgroup_remove(cgroup, &error));
        }
}

/* Paths that lead elsewhere, or are another manager's, are refused, and make nothing. */
TEST(bad_paths)
{
        static const char *const paths[] = {"/",     "",           "//",
                                            "/../x", "/a/../../b", "/a/./b",
                                            "..",    "/a\nb",      "system.slice:libpod:1"};

        for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
                PathCgroup *cgroup = NULL;
                g_autoptr(GError) error = NULL;
                g_assert_false(path_cgroup_make(paths[i], "id", &cgroup, &error));
                g_assert_nonnull(error);
                g_assert_null(cgroup);
        }
}

/* What cannot be made in one hierarchy is in none afterwards. */
TEST(all_or_nothing)
{
        g_autofree char *shared = g_strconcat(top, "/one", NULL);
        g_autofree char *path = g_strconcat(shared, "/two", NULL);
        g_autoptr(PathCgroup) first = NULL;
        g_autoptr(GError) error = NULL;
        PathCgroup *second = NULL;

        path_cgroup_make(shared, "id", &first, &error);
        g_assert_no_error(error);
        g_auto(GStrv) directories = path_cgroup_directories(first);
        guint n = g_strv_length(directories);
        if (n < 2) {
                g_test_skip("there is one hierarchy");
                g_assert_true(path_cgroup_remove(first, &error));
                return;
        }
        int fd = path_cgroup_of(first, "freezer", NULL);
        if (fd >= 0) {
                g_assert_cmpint(fd_write_file_at(fd, "freezer.state", "FROZEN"), ==, 0);
                g_assert_false(path_cgroup_make(path, "id", &second, &error));
                for (char **directory = directories; *directory; directory++) {
                        g_autofree char *two = g_build_filename(*directory, "two", NULL);
                        g_assert_cmpint(access(two, F_OK), <, 0);
                }
                g_assert_cmpint(fd_write_file_at(fd, "freezer.state", "THAWED"), ==, 0);
        }
        g_assert_true(path_cgroup_remove(first, NULL));
        for (char **directory = directories; *directory; directory++) {
                g_autofree char *parent = g_path_get_dirname(*directory);
                g_assert_cmpint(rmdir(parent), ==, 0);
        }
}

int main(int argc, char **argv)
{
        if (geteuid() != 0)
                return skip_cases(argc, argv, "needs root");
        top = g_strdup_printf("/naive-path-%d", (int) getpid());
        int r = run_cases(argc, argv);
        g_free(top);
        return r;
}
