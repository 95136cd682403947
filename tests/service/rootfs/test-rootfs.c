/* Root trees looked up with a caller's rights, and what their mounts become. Needs root; mounts are
 * made in a namespace of the test's own. */

#include "service/rootfs/lookup.h"
#include "service/rootfs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/rootfs/id-map.h"
#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"
#include "tests/lib/loop.h"
#include "tests/lib/user-namespace.h"

#define SYS_STATMOUNT 457

#define USER  65533u
#define GROUP 54400u

static gid_t users_groups[] = {65533, GROUP};
static const Credentials root = {.uid = 0},
                         user = {.uid = USER, .groups = users_groups, .n_groups = 2};

typedef struct Fixture {
        RootfsLookups *lookups;
        char *path; /* a tmpfs of the test's own */
        unsigned n_answers;
        size_t n_sources; /* beside the tree */
        Place sources[MOUNTS_MAX];
        int fd;
        gid_t gid;
        GError *error;
        unsigned fds_before;
} Fixture;

static char *below(const Fixture *f, const char *name)
{
        return g_build_filename(f->path, name, NULL);
}

static void make_directory(const Fixture *f, const char *name, uid_t uid, gid_t gid, mode_t mode)
{
        g_autofree char *path = below(f, name);

        g_assert_cmpint(mkdir(path, 0700), ==, 0);
        g_assert_cmpint(chown(path, uid, gid), ==, 0);
        g_assert_cmpint(chmod(path, mode), ==, 0);
}

static void set_up(Fixture *f, const void *unused)
{
        loop_settle();
        f->fd = -1;
        f->lookups = rootfs_lookups_new();
        f->path = g_dir_make_tmp("test-rootfs-XXXXXX", NULL);
        g_assert_cmpint(mount("tmpfs", f->path, "tmpfs", 0, "mode=0755"), ==, 0);
        f->fds_before = count_fds();
}

/* The throw-away child of a lookup that was given up is reaped from the loop. */
static bool no_child_left(void)
{
        for (int i = 0; i < 400; i++) {
                siginfo_t info = {0};
                if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 && errno == ECHILD)
                        return true;
                loop_for(5);
        }
        return false;
}

static void tear_down(Fixture *f, const void *unused)
{
        fd_clear(&f->fd);
        g_clear_error(&f->error);
        g_assert_true(no_child_left());
        loop_for(1);
        g_assert_cmpuint(count_fds(), ==, f->fds_before);
        rootfs_lookups_free(f->lookups);
        umount2(f->path, MNT_DETACH);
        g_rmdir(f->path);
        g_free(f->path);
}

static void on_tree(Place *found, GError *error, void *data)
{
        Fixture *f = data;

        g_assert_true((found == NULL) == (error != NULL));
        f->n_answers++;
        fd_clear(&f->fd);
        f->fd = found ? found->fd : -1;
        f->gid = found ? found->gid : 0;
        for (size_t i = 0; found && i < f->n_sources; i++)
                f->sources[i] = found[i + 1];
        g_clear_error(&f->error);
        f->error = error ? g_error_copy(error) : NULL;
}

static RootfsLookup *begin(Fixture *f, const char *path, const Credentials *owner)
{
        const RootfsSource tree = {.path = path, .is_tree = true};
        const RootfsRequest request = {.sources = &tree, .n = 1, .owner = owner};

        return rootfs_lookup(f->lookups, &request, on_tree, f);
}

static void look_up(Fixture *f, const char *path, const Credentials *owner)
{
        unsigned before = f->n_answers;
        RootfsLookup *lookup = begin(f, path, owner);

        g_assert_true(!lookup == (f->n_answers == before + 1));
        g_assert_true(loop_until(&f->n_answers, before + 1, 3000));
}

static void assert_found(Fixture *f, const char *name, const Credentials *owner)
{
        g_autofree char *path = name[0] == '/' ? g_strdup(name) : below(f, name);
        struct stat expected, found;

        look_up(f, path, owner);
        g_assert_no_error(f->error);
        g_assert_cmpint(stat(path, &expected), ==, 0);
        g_assert_cmpint(fstat(f->fd, &found), ==, 0);
        g_assert_cmpuint(found.st_ino, ==, expected.st_ino);
        g_assert_cmpuint(found.st_dev, ==, expected.st_dev);
        g_assert_cmpint(fcntl(f->fd, F_GETFD), ==, FD_CLOEXEC);
        g_assert_true(fcntl(f->fd, F_GETFL) & O_PATH);
}

static void assert_refused(Fixture *f, const char *name, const Credentials *owner, int errnum)
{
        g_autofree char *path = name[0] == '/' ? g_strdup(name) : below(f, name);

        look_up(f, path, owner);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
        g_assert_nonnull(strstr(f->error->message, path));
        if (!strstr(f->error->message, g_strerror(errnum))) {
                g_test_message("'%s' does not say '%s'", f->error->message, g_strerror(errnum));
                g_test_fail();
        }
}

/* -- looking up -- */

/* What root asks for and the kernel knows is answered from inside the call: no process, no turn. */
FIXTURE_TEST(cached)
{
        make_directory(f, "tree", 0, 0, 0700);
        g_autofree char *path = below(f, "tree");
        g_assert_null(begin(f, path, &root));
        g_assert_cmpuint(f->n_answers, ==, 1);
        g_assert_no_error(f->error);
        assert_found(f, "tree", &root);
}

static void assert_own_ids(void)
{
        g_assert_cmpuint((uid_t) setfsuid((uid_t) -1), ==, geteuid());
        g_assert_cmpuint((gid_t) setfsgid((gid_t) -1), ==, getegid());
        g_assert_cmpint(getgroups(0, NULL), ==, 0);
        g_assert_cmpint(prctl(PR_GET_DUMPABLE), ==, 0);
}

/* So is a user's, with the user's rights, and the process has its own afterwards, whatever came of
 * it. Before Linux 6.8 only on a device: there is no telling tmpfs from proc without asking it. */
FIXTURE_TEST(cached_as_user)
{
        g_autofree char *path = below(f, "tree"), *secret = below(f, "secret");

        if (syscall(SYS_STATMOUNT, NULL, NULL, 0, 0) < 0 && errno == ENOSYS) {
                g_test_skip("this kernel has no statmount()");
                return;
        }
        make_directory(f, "tree", USER, GROUP, 0700);
        make_directory(f, "secret", 0, 0, 0744);
        g_assert_null(begin(f, path, &user));
        g_assert_cmpuint(f->n_answers, ==, 1);
        g_assert_no_error(f->error);
        g_assert_cmpuint(f->gid, ==, GROUP);
        assert_own_ids();
        g_assert_nonnull(begin(f, secret, &user)); /* the reason is for the child to find */
        assert_own_ids();
        g_assert_true(loop_until(&f->n_answers, 2, 3000));
        g_assert_true(g_error_matches(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID));
        /* another's proc, seen without a link */
        g_assert_nonnull(begin(f, "/proc/1", &user));
        g_assert_true(loop_until(&f->n_answers, 3, 3000));
        g_assert_nonnull(f->error);
        assert_own_ids();
}

/* What is missing, no directory, or a circle of links is refused with that reason, to root and to
 * users. */
FIXTURE_TEST(not_a_directory)
{
        const Credentials *const owners[] = {&root, &user};
        g_autofree char *file = below(f, "file"), *loop = below(f, "loop");
        g_autofree char *long_name = g_strnfill(300, 'n');

        g_assert_true(g_file_set_contents(file, "", 0, NULL));
        g_assert_cmpint(chmod(file, 0777), ==, 0);
        g_assert_cmpint(symlink("loop", loop), ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(owners); i++) {
                assert_refused(f, "missing", owners[i], ENOENT);
                assert_refused(f, "file", owners[i], ENOTDIR);
                assert_refused(f, "file/below", owners[i], ENOTDIR);
                assert_refused(f, "loop", owners[i], ELOOP);
                assert_refused(f, long_name, owners[i], ENAMETOOLONG);
        }
}

/* An ordinary symbolic link is followed, as for any other program of the caller's. */
FIXTURE_TEST(symlink)
{
        g_autofree char *link = below(f, "link");

        make_directory(f, "tree", USER, USER, 0700);
        g_assert_cmpint(symlink("tree", link), ==, 0);
        assert_found(f, "link", &root);
        assert_found(f, "link", &user);
}

/* A user's own directory is found, with its group. */
FIXTURE_TEST(own)
{
        make_directory(f, "tree", USER, GROUP, 0700);
        assert_found(f, "tree", &user);
        g_assert_cmpuint(f->gid, ==, GROUP);
}

/* A directory that the user may not enter is refused: itself, and whatever is below it. */
FIXTURE_TEST(foreign)
{
        make_directory(f, "secret", 0, 0, 0700);
        make_directory(f, "secret/tree", USER, USER, 0777);
        make_directory(f, "listed", 0, 0, 0744);
        assert_refused(f, "secret", &user, EACCES);
        assert_refused(f, "secret/tree", &user, EACCES);
        assert_refused(f, "listed", &user, EACCES);
        assert_found(f, "secret/tree", &root);
}

/* What is hidden and what is missing below it look alike. */
FIXTURE_TEST(no_oracle)
{
        make_directory(f, "secret", 0, 0, 0700);
        make_directory(f, "secret/tree", 0, 0, 0777);
        assert_refused(f, "secret/tree", &user, EACCES);
        assert_refused(f, "secret/missing", &user, EACCES);
}

/* A group of the caller's opens what is open to that group; no group, no door. */
FIXTURE_TEST(groups)
{
        const Credentials alone = {.uid = USER};

        make_directory(f, "team", 0, GROUP, 0750);
        assert_found(f, "team", &user);
        g_assert_cmpuint(f->gid, ==, GROUP);
        assert_refused(f, "team", &alone, EACCES);
        /* the service's own groups are not the caller's */
        make_directory(f, "wheel", 1, 0, 0750);
        assert_refused(f, "wheel", &user, EACCES);
        assert_refused(f, "wheel", &alone, EACCES);
}

/* Links of /proc that lead by magic, not by a path, would lead from the service's own place:
 * refused. */
FIXTURE_TEST(magic_links)
{
        static const char *const paths[] = {"/proc/self/root", "/proc/self/cwd",
                                            "/proc/self/root/tmp", "/proc/thread-self/root"};
        g_autofree char *link = below(f, "link");

        for (size_t i = 0; i < G_N_ELEMENTS(paths); i++) {
                assert_refused(f, paths[i], &root, ELOOP);
                look_up(f, paths[i], &user);
                g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
        }
        g_assert_cmpint(symlink("/proc/self/root", link), ==, 0);
        assert_refused(f, "link", &root, ELOOP);
        assert_refused(f, "link", &user, ELOOP);
}

/* The fd of a directory of the service's own that was opened before is no way in either. */
FIXTURE_TEST(fd_links)
{
        autofd int secret = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", secret);

        /* a link that must not be followed, or not even there: the child keeps nothing of the
         * service's */
        look_up(f, path, &root);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
        look_up(f, path, &user);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
}

/* -- a file system that never answers -- */

static int mount_silence(const Fixture *f)
{
        int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        g_autofree char *options =
                g_strdup_printf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fd);
        g_autofree char *path = below(f, "silence");

        make_directory(f, "silence", 0, 0, 0755);
        if (fd < 0 || mount("silence", path, "fuse", 0, options) < 0) {
                g_test_skip("no FUSE here");
                fd_clear(&fd);
        }
        return fd;
}

static gboolean on_tick(void *data)
{
        ++*(unsigned *) data;
        return G_SOURCE_CONTINUE;
}

/* -- sources of mounts, and an fd in place of the tree's path -- */

static void look_up_all(Fixture *f, const RootfsSource *sources, size_t n, const Credentials *owner)
{
        const RootfsRequest request = {.sources = sources, .n = n, .owner = owner};
        unsigned before = f->n_answers;

        f->n_sources = n - 1;
        rootfs_lookup(f->lookups, &request, on_tree, f);
        g_assert_true(loop_until(&f->n_answers, before + 1, 3000));
}

static void on_learned(Place *found, GError *error, void *data)
{
        Fixture *f = data;

        g_assert_no_error(error);
        f->n_answers++;
}

static void assert_learns(Fixture *f, uid_t uid, gid_t expected)
{
        gid_t groups[] = {1, 65533, expected};
        Credentials owner = {.uid = uid, .groups = groups, .n_groups = 3};
        const RootfsRequest request = {.owner = &owner, .learns = &owner};
        unsigned before = f->n_answers;

        g_assert_nonnull(rootfs_lookup(f->lookups, &request, on_learned, f));
        g_assert_true(loop_until(&f->n_answers, before + 1, 3000));
        g_assert_true(owner.has_primary);
        g_assert_cmpuint(id_map_primary_group(&owner), ==, expected);
}

/* A user's primary group is asked for, also where there is nothing else to look up. */
FIXTURE_TEST(primary_group)
{
        const struct passwd *games = getpwnam("games");

        g_assert_nonnull(games);
        assert_learns(f, games->pw_uid, games->pw_gid);
        assert_learns(f, 54321, 1); /* whom nobody knows */
}

/* One look-up finds the tree and as many sources as are allowed, each with its owner and its kind.
 */
FIXTURE_TEST(sources)
{
        g_autofree char *tree = below(f, "tree"), *file = below(f, "tree/file"),
                        *fifo = below(f, "tree/fifo");
        RootfsSource sources[1 + MOUNTS_MAX];

        make_directory(f, "tree", USER, GROUP, 0755);
        g_assert_true(g_file_set_contents(file, "x", 1, NULL));
        g_assert_cmpint(chown(file, 7, 8), ==, 0);
        g_assert_cmpint(chmod(file, 0644), ==, 0);
        g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
                sources[i] = (RootfsSource){.path = i % 3 == 0   ? tree
                                                    : i % 3 == 1 ? file
                                                                 : fifo,
                                            .is_tree = i == 0};
        look_up_all(f, sources, G_N_ELEMENTS(sources), &user);
        g_assert_no_error(f->error);
        for (size_t i = 0; i < f->n_sources; i++) {
                const Place *found = &f->sources[i];
                struct stat status, expected;
                g_assert_cmpint(stat(sources[i + 1].path, &expected), ==, 0);
                g_assert_cmpint(fstat(found->fd, &status), ==, 0);
                g_assert_cmpuint(status.st_ino, ==, expected.st_ino);
                g_assert_cmpuint(found->uid, ==, expected.st_uid);
                g_assert_cmpuint(found->gid, ==, expected.st_gid);
                g_assert_true(found->is_directory == (sources[i + 1].path == tree));
                fd_close(found->fd);
        }
}

/* The source that cannot be used is named, root's or a user's; and nothing is kept of the others.
 */
FIXTURE_TEST(wrong_source)
{
        g_autofree char *tree = below(f, "tree"), *secret = below(f, "tree/secret"),
                        *disk = below(f, "tree/disk");
        const struct {
                const Credentials *owner;
                const char *path, *words;
        } wrong[] = {
                {&user, secret, "Permission denied"},
                {&user, disk, "a device"},
                {&root, disk, "a device"},
                {&root, "/proc/version", "proc file system"},
                {&root, "/nonexistent", "No such"},
        };

        make_directory(f, "tree", USER, GROUP, 0755);
        g_assert_true(g_file_set_contents(secret, "x", 1, NULL));
        g_assert_cmpint(chmod(secret, 0600), ==, 0);
        g_assert_cmpint(mknod(disk, S_IFBLK | 0666, 7 << 8 | 200), ==, 0);
        for (size_t i = 0; i < G_N_ELEMENTS(wrong); i++) {
                const RootfsSource sources[] = {{.path = tree, .is_tree = true},
                                                {.path = tree},
                                                {.path = wrong[i].path},
                                                {.path = tree}};
                look_up_all(f, sources, G_N_ELEMENTS(sources), wrong[i].owner);
                g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_MOUNT_INVALID);
                g_assert_nonnull(strstr(f->error->message, wrong[i].path));
                g_assert_nonnull(strstr(f->error->message, wrong[i].words));
        }
}

/* An optional source that is not there is no error and has no place; one that the owner may not
 * enter is an error nevertheless. Without a root tree the first source is one like the others. */
FIXTURE_TEST(optional_sources)
{
        g_autofree char *tree = below(f, "tree"), *absent = below(f, "tree/absent"),
                        *inside = below(f, "tree/closed/x");

        make_directory(f, "tree", USER, GROUP, 0755);
        make_directory(f, "tree/closed", 0, 0, 0700);
        const RootfsSource sources[] = {{.path = tree},
                                        {.path = absent, .is_optional = true},
                                        {.path = tree, .is_optional = true}};
        look_up_all(f, sources, G_N_ELEMENTS(sources), &user);
        g_assert_no_error(f->error);
        g_assert_cmpint(f->sources[0].fd, ==, -1);
        g_assert_cmpint(f->sources[1].fd, >=, 0);
        fd_close(f->sources[1].fd);
        const RootfsSource refused[] = {{.path = tree}, {.path = inside, .is_optional = true}};
        look_up_all(f, refused, G_N_ELEMENTS(refused), &user);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_MOUNT_INVALID);
        g_assert_nonnull(strstr(f->error->message, "Permission denied"));
        look_up_all(f, &(const RootfsSource){.path = absent}, 1, &user);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_MOUNT_INVALID);
}

/* A directory that the caller holds is found, if its owner may enter it and a path leads to it. */
FIXTURE_TEST(root_fd)
{
        g_autofree char *tree = below(f, "tree"), *closed = below(f, "closed"),
                        *gone = below(f, "gone");
        struct stat expected, found;

        make_directory(f, "tree", 0, 0, 0755);
        make_directory(f, "closed", 0, 0, 0700);
        make_directory(f, "gone", USER, GROUP, 0755);
        autofd int fd = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        autofd int closed_fd = open(closed, O_PATH | O_CLOEXEC);
        autofd int gone_fd = open(gone, O_PATH | O_CLOEXEC);
        g_assert_cmpint(rmdir(gone), ==, 0);
        const Credentials *const owners[] = {&root, &user};
        for (size_t i = 0; i < G_N_ELEMENTS(owners); i++) {
                const RootfsSource sources[] = {{.fd = fd, .is_tree = true},
                                                {.fd = closed_fd, .is_tree = true},
                                                {.fd = gone_fd, .is_tree = true}};
                look_up_all(f, &sources[0], 1, owners[i]);
                g_assert_no_error(f->error);
                g_assert_cmpint(fstat(fd, &expected), ==, 0);
                g_assert_cmpint(fstat(f->fd, &found), ==, 0);
                g_assert_cmpuint(found.st_ino, ==, expected.st_ino);
                look_up_all(f, &sources[1], 1, owners[i]);
                g_assert_true((f->error != NULL) == (owners[i] == &user));
                look_up_all(f, &sources[2], 1, owners[i]);
                g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
                g_assert_nonnull(strstr(f->error->message, "deleted"));
        }
}

/* What a mount hides has a path that leads elsewhere: it is refused, like a detached mount, which
 * has the path that it says only inside itself. */
FIXTURE_TEST(root_fd_off_the_path)
{
        g_autofree char *tree = below(f, "tree");

        make_directory(f, "tree", USER, GROUP, 0755);
        autofd int hidden = open(tree, O_PATH | O_CLOEXEC);
        autofd int detached =
                (int) syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        autofd int inside = openat(detached, "usr", O_PATH | O_CLOEXEC);
        g_assert_cmpint(inside, >=, 0);
        g_assert_cmpint(mount("tmpfs", tree, "tmpfs", 0, "mode=0755"), ==, 0);
        const int fds[] = {hidden, detached, inside};
        for (size_t i = 0; i < G_N_ELEMENTS(fds); i++) {
                const RootfsSource source = {.fd = fds[i], .is_tree = true};
                look_up_all(f, &source, 1, &root);
                g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
                g_assert_nonnull(strstr(f->error->message, "mount namespace"));
        }
        g_assert_cmpint(umount2(tree, MNT_DETACH), ==, 0);
}

/* A file system that never answers costs its caller an error in time, and nobody else anything. */
FIXTURE_TEST(silence)
{
        const Credentials *const owners[] = {&root, &user};
        autofd int server = mount_silence(f);
        g_autofree char *path = below(f, "silence/tree");
        unsigned ticks = 0;

        if (server < 0)
                return;
        guint timer = g_timeout_add(50, on_tick, &ticks);
        gint64 start = g_get_monotonic_time();
        for (size_t i = 0; i < G_N_ELEMENTS(owners); i++) {
                begin(f, path, owners[i]);
                g_assert_cmpuint(f->n_answers, ==, 0);
        }
        g_assert_cmpint(g_get_monotonic_time() - start, <,
                        500000); /* the call itself does not wait */
        g_assert_true(loop_until(&f->n_answers, 2, RESOLVE_TIMEOUT_MSEC + 2000));
        g_assert_cmpint(g_get_monotonic_time() - start, >=, RESOLVE_TIMEOUT_MSEC * 1000);
        g_assert_error(f->error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
        g_assert_nonnull(strstr(f->error->message, "did not answer"));
        g_assert_cmpuint(ticks, >, RESOLVE_TIMEOUT_MSEC / 50 / 2);
        g_source_remove(timer);
        g_assert_true(no_child_left()); /* before the server goes, and with it the wait */
}

/* A lookup that is given up calls nobody back and leaves neither process nor fd. */
FIXTURE_TEST(cancel)
{
        autofd int server = mount_silence(f);
        g_autofree char *path = below(f, "silence/tree");
        unsigned before = count_fds();

        if (server < 0)
                return;
        for (int i = 0; i < 10; i++) {
                RootfsLookup *lookup = begin(f, path, i % 2 ? &user : &root);
                g_assert_nonnull(lookup);
                if (i % 3)
                        loop_for(2);
                rootfs_lookup_cancel(lookup);
        }
        g_assert_true(no_child_left());
        loop_for(1);
        g_assert_cmpuint(f->n_answers, ==, 0);
        g_assert_cmpuint(count_fds(), ==, before);
}

/* Given up at the moment when the answer is there already: still nobody is called back. */
FIXTURE_TEST(cancel_late)
{
        make_directory(f, "secret", 0, 0, 0700);
        g_autofree char *path = below(f, "secret");
        RootfsLookup *lookup = begin(f, path, &user);

        g_assert_nonnull(lookup);
        g_usleep(50000);
        rootfs_lookup_cancel(lookup);
        loop_for(20);
        g_assert_cmpuint(f->n_answers, ==, 0);
        rootfs_lookup_cancel(NULL);
}

/* -- the mount -- */

static int clone_tree(Fixture *f, const char *name)
{
        g_autoptr(GError) error = NULL;
        int mounted = -1;

        assert_found(f, name, &root);
        const RootfsTree tree = {.fd = f->fd, .path = name};
        rootfs_clone(&tree, &mounted, &error);
        g_assert_no_error(error);
        g_assert_cmpint(fcntl(mounted, F_GETFD), ==, FD_CLOEXEC);
        return mounted;
}

static unsigned long flags_of(int mounted, const char *name)
{
        autofd int fd = openat(mounted, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct statvfs status;

        g_assert_cmpint(fd, >=, 0);
        g_assert_cmpint(fstatvfs(fd, &status), ==, 0);
        return status.f_flag & (ST_RDONLY | ST_NOSUID | ST_NODEV);
}

static void protect(Fixture *f, int mounted, bool read_only, int user_namespace)
{
        g_autoptr(GError) error = NULL;

        const RootfsTree tree = {.fd = f->fd,
                                 .path = "tree",
                                 .attributes =
                                         MOUNT_ATTR_NOSUID | (read_only ? MOUNT_ATTR_RDONLY : 0)};
        rootfs_protect(&tree, &mounted, user_namespace, &error);
        g_assert_no_error(error);
}

static void make_tree(const Fixture *f)
{
        g_autofree char *sub = below(f, "tree/sub");

        make_directory(f, "tree", 0, 0, 0755);
        make_directory(f, "tree/sub", 0, 0, 0755);
        g_assert_cmpint(mount("tmpfs", sub, "tmpfs", 0, "mode=0777"), ==, 0);
}

/* A read-only root is read-only, nosuid and nodev, with all that is mounted in it; the host's stays
 * as it is. */
FIXTURE_TEST(read_only)
{
        make_tree(f);
        autofd int mounted = clone_tree(f, "tree");
        protect(f, mounted, true, -1);
        g_assert_cmpuint(flags_of(mounted, "."), ==, ST_RDONLY | ST_NOSUID | ST_NODEV);
        g_assert_cmpuint(flags_of(mounted, "sub"), ==, ST_RDONLY | ST_NOSUID | ST_NODEV);
        g_assert_cmpint(mkdirat(mounted, "new", 0700), ==, -1);
        g_assert_cmpint(errno, ==, EROFS);
        g_assert_cmpint(mkdirat(mounted, "sub/new", 0700), ==, -1);
        g_assert_cmpint(errno, ==, EROFS);
        g_assert_cmpint(mkdirat(f->fd, "new", 0700), ==, 0);
}

/* A writable root is nosuid and nodev all the same. */
FIXTURE_TEST(writable)
{
        make_tree(f);
        autofd int mounted = clone_tree(f, "tree");
        protect(f, mounted, false, -1);
        g_assert_cmpuint(flags_of(mounted, "."), ==, ST_NOSUID | ST_NODEV);
        g_assert_cmpuint(flags_of(mounted, "sub"), ==, ST_NOSUID | ST_NODEV);
        g_assert_cmpint(mkdirat(mounted, "new", 0700), ==, 0);
        g_assert_cmpint(mkdirat(mounted, "sub/new", 0700), ==, 0);
}

/* What the host mounts later does not appear in a clone. */
FIXTURE_TEST(private)
{
        g_assert_cmpint(mount(NULL, f->path, NULL, MS_SHARED, NULL), ==, 0);
        make_directory(f, "tree", 0, 0, 0755);
        make_directory(f, "tree/late", 0, 0, 0755);
        autofd int mounted = clone_tree(f, "tree");
        protect(f, mounted, true, -1);
        g_autofree char *late = below(f, "tree/late");
        g_assert_cmpint(mount("tmpfs", late, "tmpfs", 0, "mode=0700"), ==, 0);
        struct stat inside, outside;
        g_assert_cmpint(fstatat(mounted, "late", &inside, 0), ==, 0);
        g_assert_cmpint(stat(late, &outside), ==, 0);
        g_assert_cmpuint(inside.st_dev, !=, outside.st_dev);
}

/* An id-mapped tree shows the caller's files as the mapped id's and everybody else's as nobody's.
 */
FIXTURE_TEST(id_mapped)
{
        struct stat status;

        make_directory(f, "tree", USER, USER, 0755);
        make_directory(f, "tree/own", USER, USER, 0700);
        make_directory(f, "tree/roots", 0, 0, 0700);
        autofd int user_namespace = make_user_namespace(USER, 0x70000000);
        autofd int mounted = clone_tree(f, "tree");
        protect(f, mounted, true, user_namespace);
        g_assert_cmpint(fstatat(mounted, "own", &status, 0), ==, 0);
        g_assert_cmpuint(status.st_uid, ==, 0x70000000);
        g_assert_cmpuint(status.st_gid, ==, 0x70000000);
        g_assert_cmpint(fstatat(mounted, "roots", &status, 0), ==, 0);
        g_assert_cmpuint(status.st_uid, ==, 65534);
}

/* A file system that cannot be id-mapped is an error that says so, and what to do. */
FIXTURE_TEST(unmappable)
{
        g_autoptr(GError) error = NULL;
        autofd int user_namespace = make_user_namespace(USER, 0x70000000);
        autofd int mounted = clone_tree(f, "/proc");

        const RootfsTree tree = {.fd = f->fd, .path = "/proc", .owner = &user};
        g_assert_false(rootfs_protect(&tree, &mounted, user_namespace, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_ROOTFS_INVALID);
        g_assert_nonnull(
                strstr(error->message, "'/proc' (proc) cannot be id-mapped; copy the rootfs to"));
}

int main(int argc, char **argv)
{
        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return skip_cases(argc, argv, "needs root");
        return run_cases(argc, argv);
}
