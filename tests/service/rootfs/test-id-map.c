/* Ranges and maps, on real processes in new user namespaces. Needs root. */

#include "service/rootfs/id-map.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"

#define START 0x70000000u
#define ALICE 54321u /* nobody in /etc/subuid */
#define BOB   54322u

static gid_t alices_groups[] = {54400, 54401};
static const Credentials root = {.uid = 0},
                         alice = {.uid = ALICE, .groups = alices_groups, .n_groups = 2},
                         bob = {.uid = BOB};

/* A process that waits in a user namespace of its own. */
static pid_t spawn(void)
{
        struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
        pid_t pid = (pid_t) syscall(SYS_clone3, &args, sizeof args);

        g_assert_cmpint(pid, >=, 0);
        if (pid == 0)
                for (;;)
                        syscall(SYS_pause);
        return pid;
}

static void end(pid_t pid)
{
        kill(pid, SIGKILL);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
}

/* A map file, its numbers parted by single spaces and its lines by commas. */
static char *read_map(pid_t pid, const char *file)
{
        g_autofree char *path = g_strdup_printf("/proc/%d/%s", (int) pid, file), *text = NULL;
        GString *map = g_string_new(NULL);

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_auto(GStrv) words = g_strsplit_set(text, " \n", -1);
        unsigned n = 0;
        for (char **word = words; *word; word++)
                if (**word)
                        g_string_append_printf(map, "%s%s",
                                               n == 0  ? ""
                                               : n % 3 ? " "
                                                       : ",",
                                               *word),
                                n++;
        return g_string_free(map, FALSE);
}

static IdMap *make(IdRanges *ranges, UserNamespaceMode mode, const Credentials *owner,
                   gid_t tree_gid)
{
        g_autoptr(GError) error = NULL;
        IdMap *map = NULL;

        id_map_new(ranges, mode, owner, tree_gid, &map, &error);
        g_assert_no_error(error);
        return map;
}

static IdMap *make_auto(IdRanges *ranges, const Credentials *owner)
{
        return make(ranges, USER_NAMESPACE_AUTO, owner, 0);
}

static void assert_full(IdRanges *ranges)
{
        g_autoptr(GError) error = NULL;
        IdMap *map = NULL;

        g_assert_false(id_map_new(ranges, USER_NAMESPACE_AUTO, &root, 0, &map, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_LIMITS_EXCEEDED);
        g_assert_null(map);
}

static void apply(const IdMap *map, pid_t pid)
{
        g_autoptr(GError) error = NULL;

        id_map_apply(map, pid, &error);
        g_assert_no_error(error);
}

static void assert_maps(const IdMap *map, const char *uids, const char *gids,
                        const char *set_groups)
{
        pid_t pid = spawn();

        apply(map, pid);
        g_autofree char *uid_map = read_map(pid, "uid_map"), *gid_map = read_map(pid, "gid_map"),
                        *groups = read_map(pid, "setgroups");
        end(pid);
        g_assert_cmpstr(uid_map, ==, uids);
        g_assert_cmpstr(gid_map, ==, gids);
        g_assert_cmpstr(groups, ==, set_groups);
}

static guint64 base_of(const IdMap *map)
{
        pid_t pid = spawn();

        apply(map, pid);
        g_autofree char *uid_map = read_map(pid, "uid_map");
        end(pid);
        g_assert_true(g_str_has_prefix(uid_map, "0 ") && g_str_has_suffix(uid_map, " 65536"));
        return g_ascii_strtoull(uid_map + 2, NULL, 10);
}

/* Every container alive has a range of its own, whole and inside the configured one. */
TEST(distinct)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 4 * ID_RANGE_SIZE);
        IdMap *maps[4];
        guint64 bases[4];

        for (int i = 0; i < 4; i++) {
                maps[i] = make_auto(ranges, i % 2 ? &alice : &root);
                bases[i] = base_of(maps[i]);
                g_assert_cmpuint(bases[i], >=, START);
                g_assert_cmpuint(bases[i] + ID_RANGE_SIZE, <=, START + 4 * ID_RANGE_SIZE);
                g_assert_cmpuint((bases[i] - START) % ID_RANGE_SIZE, ==, 0);
                for (int k = 0; k < i; k++)
                        g_assert_cmpuint(bases[i], !=, bases[k]);
        }
        for (int i = 0; i < 4; i++)
                id_map_free(maps[i]);
}

/* A range is given again only when it has been given back, and to its owner; beyond the last it is
 * LimitsExceeded. */
TEST(exhausted)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 2 * ID_RANGE_SIZE + 65535);
        IdMap *one = make_auto(ranges, &root), *two = make_auto(ranges, &alice);
        guint64 base = base_of(one);

        assert_full(ranges);
        id_map_free(one);
        IdMap *again = make_auto(ranges, &root);
        g_assert_cmpuint(base_of(again), ==, base);
        assert_full(ranges);
        id_map_free(two);
        id_map_free(again);
}

/* Less than a whole range is none. */
TEST(too_few)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, ID_RANGE_SIZE - 1);

        assert_full(ranges);
}

/* `self` takes no range, so there is always one. */
TEST(self_takes_none)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 0);
        g_autoptr(IdMap) one = make(ranges, USER_NAMESPACE_SELF, &alice, 0);
        g_autoptr(IdMap) two = make(ranges, USER_NAMESPACE_SELF, &alice, 0);

        g_assert_nonnull(one);
        g_assert_nonnull(two);
}

/* `auto`: 65,536 uids and gids from the range's base on, supplementary groups allowed. */
TEST(auto_maps)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, ID_RANGE_SIZE);
        g_autoptr(IdMap) map = make_auto(ranges, &alice);

        assert_maps(map, "0 1879048192 65536", "0 1879048192 65536", "allow");
        g_assert_true(id_map_allows_set_groups(map));
        g_assert_true(id_map_has_gid(map, 5));
        g_assert_true(id_map_has_gid(map, 65535));
        g_assert_false(id_map_has_gid(map, 65536));
}

/* `self`: container root is the caller, there is nobody else, and no supplementary group can be
 * dropped. */
TEST(self_maps)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 0);
        g_autoptr(IdMap) map = make(ranges, USER_NAMESPACE_SELF, &alice, 0);

        assert_maps(map, "0 54321 1", "0 54400 1", "deny");
        g_assert_false(id_map_allows_set_groups(map));
        g_assert_true(id_map_has_gid(map, 0));
        g_assert_false(id_map_has_gid(map, 5));
}

/* The group of the tree is container root's if the caller is in it, and never otherwise. */
TEST(tree_gid)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 0);
        g_autoptr(IdMap) member = make(ranges, USER_NAMESPACE_SELF, &alice, 54401);
        g_autoptr(IdMap) stranger = make(ranges, USER_NAMESPACE_SELF, &alice, 42);
        g_autoptr(IdMap) nobody = make(ranges, USER_NAMESPACE_SELF, &bob, 42);
        g_autoptr(IdMap) master = make(ranges, USER_NAMESPACE_SELF, &root, 42);

        assert_maps(member, "0 54321 1", "0 54401 1", "deny");
        assert_maps(stranger, "0 54321 1", "0 54400 1", "deny");
        assert_maps(nobody, "0 54322 1", "0 65534 1", "deny");
        assert_maps(master, "0 0 1", "0 0 1", "deny");
}

/* A user's own is what is its user's; to root all is. (Subordinate ids:
 * tests/integration/test_trees.py.) */
TEST(own)
{
        g_assert_true(id_map_is_own(&alice, ALICE));
        g_assert_false(id_map_is_own(&alice, 0));
        g_assert_false(id_map_is_own(&alice, ALICE + 1));
        g_assert_true(id_map_is_own(&root, ALICE));
}

/* A process that is gone, or has maps already, is an error that says what could not be done. */
TEST(apply_fails)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, ID_RANGE_SIZE);
        g_autoptr(IdMap) map = make_auto(ranges, &root);
        g_autoptr(GError) gone = NULL, twice = NULL;
        pid_t pid = spawn();

        apply(map, pid);
        g_assert_false(id_map_apply(map, pid, &twice));
        g_assert_error(twice, RUNTIME_ERROR, RUNTIME_ERROR_SETUP_FAILED);
        g_assert_nonnull(strstr(twice->message, "1879048192"));
        end(pid);
        g_assert_false(id_map_apply(map, pid, &gone));
        g_assert_error(gone, RUNTIME_ERROR, RUNTIME_ERROR_SETUP_FAILED);
}

/* -- the mount's namespace -- */

static int open_namespace(IdMap *map, pid_t pid)
{
        g_autoptr(GError) error = NULL;
        int fd = -7;

        id_map_open_mount_namespace(map, pid, &fd, &error);
        g_assert_no_error(error);
        return fd;
}

static ino_t inode_of(int fd)
{
        struct stat status;

        g_assert_cmpint(fstat(fd, &status), ==, 0);
        return status.st_ino;
}

/* The map of a namespace without a process: one enters it. */
static char *map_of_namespace(int fd, const char *file)
{
        int ready[2];
        char byte;

        g_assert_cmpint(pipe2(ready, O_CLOEXEC), ==, 0);
        pid_t pid = fork();
        if (pid == 0) {
                if (setns(fd, CLONE_NEWUSER) < 0 || write(ready[1], "", 1) != 1)
                        _exit(1);
                for (;;)
                        pause();
        }
        g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
        fd_close(ready[0]);
        fd_close(ready[1]);
        char *map = read_map(pid, file);
        end(pid);
        return map;
}

/* `host`: no range is taken, nothing is mapped, every id is there, and root's files are root's. */
TEST(host)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 0);
        g_autoptr(IdMap) map = make(ranges, USER_NAMESPACE_HOST, &alice, 0);
        int fd = 0;

        g_assert_cmpuint(id_map_base(map), ==, 0);
        g_assert_cmpuint(id_map_size(map), ==, 0);
        apply(map, 0); /* touches no process */
        g_assert_true(id_map_open_mount_namespace(map, 0, &fd, NULL));
        g_assert_cmpint(fd, ==, -1);
        g_assert_true(id_map_allows_set_groups(map));
        g_assert_true(id_map_has_gid(map, 4000000));
        g_assert_true(id_map_shows_root(map));
}

/* With `self` the tree is shown as it is. */
TEST(namespace_self)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 0);
        g_autoptr(IdMap) map = make(ranges, USER_NAMESPACE_SELF, &alice, 0);

        g_assert_cmpint(open_namespace(map, getpid()), ==, -1);
}

/* The id that owns the namespace of `self` is no other container's, over a restart as well. */
TEST(self_adopted)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 2 * ID_RANGE_SIZE);
        g_autoptr(IdMap) map = make(ranges, USER_NAMESPACE_SELF, &alice, 0);
        g_autoptr(IdRanges) later = id_ranges_new(START, 2 * ID_RANGE_SIZE);
        g_autoptr(IdMap) adopted = NULL;

        g_assert_cmpuint(id_map_base(map), ==, START);
        g_assert_true(id_map_adopt(later, id_map_base(map), alice.uid, false, &adopted, NULL));
        g_assert_cmpuint(id_map_root_uid(adopted), ==, alice.uid);
        g_assert_cmpuint(id_map_size(adopted), ==, 1);
        g_assert_cmpuint(id_map_base(adopted), ==, START);
        g_autoptr(IdMap) next = make(later, USER_NAMESPACE_AUTO, &alice, 0);
        g_assert_cmpuint(id_map_namespace_owner(next), !=, id_map_namespace_owner(map));
}

/* Of root's container its own namespace serves: what is 0 on disk is 0 inside, and so on for all
 * ids. */
TEST(namespace_root)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, ID_RANGE_SIZE);
        g_autoptr(IdMap) map = make_auto(ranges, &root);
        pid_t pid = spawn();

        apply(map, pid);
        autofd int fd = open_namespace(map, pid);
        g_autofree char *path = g_strdup_printf("/proc/%d/ns/user", (int) pid);
        struct stat own;
        g_assert_cmpint(stat(path, &own), ==, 0);
        g_assert_cmpuint(inode_of(fd), ==, own.st_ino);
        g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
        end(pid);
}

/* A user's container shows that user's files as container root's, and no others. */
TEST(namespace_user)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, ID_RANGE_SIZE);
        g_autoptr(IdMap) map = make(ranges, USER_NAMESPACE_AUTO, &alice, 54401);
        autofd int fd = open_namespace(map, 0);
        g_autofree char *uids = map_of_namespace(fd, "uid_map"),
                        *gids = map_of_namespace(fd, "gid_map");

        g_assert_cmpstr(uids, ==, "54321 1879048192 1");
        g_assert_cmpstr(gids, ==, "54401 1879048192 1");
        g_assert_cmpint(fcntl(fd, F_GETFD), ==, FD_CLOEXEC);
}

/* The next container of the same owner in the same range finds the namespace ready. */
TEST(namespace_cached)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, ID_RANGE_SIZE);
        IdMap *map = make_auto(ranges, &alice);
        autofd int first = open_namespace(map, 0);
        autofd int same = open_namespace(map, 0);

        id_map_free(map);
        map = make_auto(ranges, &alice);
        autofd int again = open_namespace(map, 0);
        g_assert_cmpint(again, !=, first);
        g_assert_cmpuint(inode_of(same), ==, inode_of(first));
        g_assert_cmpuint(inode_of(again), ==, inode_of(first));
        id_map_free(map);
}

/* Another owner, and the same one with another group, never gets a namespace that was made for
 * somebody. */
TEST(namespace_not_shared)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 2 * ID_RANGE_SIZE);
        IdMap *map = make_auto(ranges, &alice);
        autofd int alices = open_namespace(map, 0);

        id_map_free(map);
        map = make_auto(ranges, &bob);
        autofd int bobs = open_namespace(map, 0);
        g_autofree char *uids = map_of_namespace(bobs, "uid_map");
        id_map_free(map);
        map = make(ranges, USER_NAMESPACE_AUTO, &alice, 54401);
        autofd int others = open_namespace(map, 0);
        g_autofree char *gids = map_of_namespace(others, "gid_map");
        id_map_free(map);
        g_assert_cmpuint(inode_of(bobs), !=, inode_of(alices));
        g_assert_cmpuint(inode_of(others), !=, inode_of(alices));
        g_assert_cmpstr(uids, ==, "54322 1879113728 1");
        g_assert_cmpstr(gids, ==, "54401 1879048192 1");
}

/* An owner's cached range is taken first, so that two owners in turn each keep their own. */
TEST(namespace_kept_apart)
{
        g_autoptr(IdRanges) ranges = id_ranges_new(START, 2 * ID_RANGE_SIZE);
        IdMap *a = make_auto(ranges, &alice), *b = make_auto(ranges, &bob);
        autofd int alices = open_namespace(a, 0), bobs = open_namespace(b, 0);

        id_map_free(a);
        id_map_free(b);
        a = make_auto(ranges, &alice);
        autofd int again = open_namespace(a, 0);
        g_assert_cmpuint(inode_of(again), ==, inode_of(alices));
        g_assert_cmpuint(inode_of(again), !=, inode_of(bobs));
        id_map_free(a);
}

/* A hundred containers leave one cached namespace, and with the ranges that is gone too. No process
 * stays. */
TEST(nothing_left)
{
        unsigned before = count_fds();
        IdRanges *ranges = id_ranges_new(START, ID_RANGE_SIZE);

        for (int i = 0; i < 100; i++) {
                g_autoptr(IdMap) map = make_auto(ranges, &alice);
                autofd int fd = open_namespace(map, 0);
                g_assert_cmpint(fd, >=, 0);
        }
        g_assert_cmpuint(count_fds(), ==, before + 1);
        id_ranges_free(ranges);
        g_assert_cmpuint(count_fds(), ==, before);
        g_assert_cmpint(waitpid(-1, NULL, WNOHANG), ==, -1);
        g_assert_cmpint(errno, ==, ECHILD);
}

/* NULL is fine everywhere. */
TEST(free_nothing)
{
        id_map_free(NULL);
        id_ranges_free(NULL);
}

int main(int argc, char **argv)
{
        return geteuid() == 0 ? run_cases(argc, argv) : skip_cases(argc, argv, "needs root");
}
