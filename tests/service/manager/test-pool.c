/* Sandboxes that wait: made when there is time, taken by whom they were made for, and gone without
 * a trace in every other case. Needs root. */

#include "service/manager/pool.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fcntl.h>
#include <glib/gstdio.h>

#include "service/spec/limits.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"
#include "tests/lib/loop.h"

#define USER    54321u
#define OTHER   54322u
#define SANDBOX "(naive-runc)"

static Profile *profile;
static CgroupTree *tree;

typedef struct Fixture {
        IdRanges *ranges;
        uint64_t serial;
        unsigned n_fds;
        Pool *pool;
} Fixture;

static void count_leaf(uid_t owner, uint64_t serial, bool populated, void *data)
{
        ++*(unsigned *) data;
}

static unsigned count_leaves(void)
{
        unsigned n = 0;

        cgroup_tree_foreach_leaf(tree, count_leaf, &n);
        return n;
}

static bool has_name(const char *pid, const char *name)
{
        g_autofree char *path = g_strdup_printf("/proc/%s/comm", pid), *text = NULL;

        return g_file_get_contents(path, &text, NULL, NULL) && strcmp(g_strchomp(text), name) == 0;
}

/* NULL-terminated pids as text, zombies included; all with `name` NULL. */
static char **list_children(const char *name)
{
        g_autofree char *text = NULL;
        g_autofree char *path = g_strdup_printf("/proc/self/task/%d/children", (int) getpid());
        g_autoptr(GStrvBuilder) found = g_strv_builder_new();

        g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
        g_auto(GStrv) pids = g_strsplit(g_strstrip(text), " ", -1);
        for (char **pid = pids; *pid; pid++)
                if (**pid && (!name || has_name(*pid, name)))
                        g_strv_builder_add(found, *pid);
        return g_strv_builder_end(found);
}

static unsigned count_children(const char *name)
{
        g_auto(GStrv) pids = list_children(name);

        return g_strv_length(pids);
}

static bool is_child(const char *pid)
{
        g_auto(GStrv) pids = list_children(NULL);

        return g_strv_contains((const char *const *) pids, pid);
}

/* The eldest that is no sandbox: a younger one may be one that has no name of its own yet. */
static char *find_maker(void)
{
        g_auto(GStrv) pids = list_children(NULL);

        for (char **pid = pids; *pid; pid++)
                if (!has_name(*pid, SANDBOX))
                        return g_strdup(*pid);
        return NULL;
}

static char *kill_maker(int signal)
{
        g_autofree char *pid = find_maker();

        g_assert_nonnull(pid);
        g_assert_cmpint(kill((pid_t) g_ascii_strtoll(pid, NULL, 10), signal), ==, 0);
        return g_steal_pointer(&pid);
}

static void set_up_with(Fixture *f, unsigned size, unsigned n_ranges)
{
        loop_settle();
        f->n_fds = count_fds();
        f->serial = 1;
        f->ranges = id_ranges_new(0x70000000, n_ranges * ID_RANGE_SIZE);
        f->pool = pool_new(&(PoolOptions){.size = size,
                                          .profile = profile,
                                          .cgroups = tree,
                                          .ranges = f->ranges,
                                          .next_serial = &f->serial});
}

static void set_up(Fixture *f, const void *unused)
{
        set_up_with(f, 2, 64);
}

static void tear_down(Fixture *f, const void *unused)
{
        pool_free(f->pool);
        id_ranges_free(f->ranges);
        loop_settle();
        g_assert_cmpuint(count_children(NULL), ==, 0);
        g_assert_cmpuint(count_leaves(), ==, 0);
        g_assert_cmpuint(count_fds(), ==, f->n_fds);
}

static bool take(Fixture *f, uid_t uid, Prepared *ret)
{
        const Credentials owner = {.uid = uid};

        return pool_take(f->pool, &owner, 0, ret);
}

static void assert_nothing_for(Fixture *f, uid_t uid)
{
        Prepared none;

        g_assert_false(take(f, uid, &none));
}

/* Lets the loop go round until there are `n`, for some seconds. */
static void wait_for_count(Fixture *f, unsigned n)
{
        gint64 deadline = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;

        while (pool_count(f->pool) != n && g_get_monotonic_time() < deadline)
                g_main_context_iteration(NULL, TRUE);
        g_assert_cmpuint(pool_count(f->pool), ==, n);
}

/* Nothing is there for the user, and with what is made then there are `n` for all. */
static void make_for(Fixture *f, uid_t uid, unsigned n)
{
        assert_nothing_for(f, uid);
        wait_for_count(f, n);
}

static void take_away(Fixture *f, uid_t uid)
{
        Prepared prepared;

        g_assert_true(take(f, uid, &prepared));
        prepared_clear(&prepared);
}

static void run_for(unsigned msec)
{
        gint64 end = g_get_monotonic_time() + msec * 1000;

        while (g_get_monotonic_time() < end) {
                g_usleep(1000);
                loop_settle();
        }
}

/* Nothing is made before somebody has run something; then one is ready for the next time. */
FIXTURE_TEST(take)
{
        Prepared prepared;

        g_assert_cmpuint(pool_count(f->pool), ==, 0);
        make_for(f, USER, 1);
        g_assert_true(take(f, USER, &prepared));
        g_assert_cmpuint(prepared.serial, ==, 1);
        g_assert_true(sandbox_is_sound(prepared.sandbox));
        g_assert_cmpint(kill(prepared.sandbox->pid, 0), ==, 0);
        prepared_clear(&prepared);
        wait_for_count(f, 1);
}

/* One that was made for a user is for nobody else; each has a range and a leaf of its own. */
FIXTURE_TEST(owners)
{
        Prepared one, other;

        make_for(f, USER, 1);
        make_for(f, OTHER, 2);
        g_assert_true(take(f, OTHER, &other));
        g_assert_true(take(f, USER, &one));
        g_assert_nonnull(strstr(cgroup_path(one.cgroup), "/54321/"));
        g_assert_nonnull(strstr(cgroup_path(other.cgroup), "/54322/"));
        g_assert_cmpuint(id_map_base(one.map), !=, id_map_base(other.map));
        prepared_clear(&one);
        prepared_clear(&other);
}

/* When there are too many, the oldest goes. */
FIXTURE_TEST(full)
{
        make_for(f, USER, 1);
        make_for(f, OTHER, 2);
        g_auto(GStrv) before = list_children(SANDBOX);
        assert_nothing_for(f, 0);
        while (is_child(before[0]))
                g_main_context_iteration(NULL, TRUE);
        g_assert_cmpuint(pool_count(f->pool), ==, 2);
        g_assert_cmpuint(count_children(NULL), ==, 3); /* and the maker */
        assert_nothing_for(f, USER);
        take_away(f, 0);
}

/* One that was killed meanwhile is not handed out, and leaves nothing. */
FIXTURE_TEST(killed)
{
        Prepared prepared;

        make_for(f, USER, 1);
        g_assert_true(take(f, USER, &prepared));
        wait_for_count(f, 1);
        /* the one in the pool is the other one, once it has its name */
        while (count_children(SANDBOX) < 2)
                g_usleep(1000);
        g_auto(GStrv) pids = list_children(SANDBOX);
        for (char **pid = pids; *pid; pid++)
                if (g_ascii_strtoll(*pid, NULL, 10) != prepared.sandbox->pid)
                        kill((pid_t) g_ascii_strtoll(*pid, NULL, 10), SIGKILL);
        prepared_clear(&prepared);
        wait_for_count(f, 0);
        g_assert_cmpuint(count_children(SANDBOX), ==, 0);
}

/* All can be let go at any time, and what was still to be made with them. */
FIXTURE_TEST(clear)
{
        make_for(f, USER, 1);
        g_assert_true(pool_clear(f->pool));
        g_assert_cmpuint(count_children(NULL), ==, 0);
        g_assert_cmpuint(count_leaves(), ==, 0);
        g_assert_false(pool_clear(f->pool));
        assert_nothing_for(f, USER);
        pool_clear(f->pool);
        loop_settle();
        g_usleep(20000);
        loop_settle();
        g_assert_cmpuint(pool_count(f->pool), ==, 0);
}

/* Where ids are few, what waits takes none from a run: none is made, and that is no failure. */
FIXTURE_TEST(few_ids)
{
        tear_down(f, NULL);
        set_up_with(f, 2, 1);
        assert_nothing_for(f, USER);
        g_usleep(20000);
        loop_settle();
        assert_nothing_for(f, USER);
        g_assert_cmpuint(pool_count(f->pool), ==, 0);
        g_assert_false(id_ranges_has_plenty(f->ranges, USER));
}

/* With a size of 0 there is never one. */
FIXTURE_TEST(off)
{
        tear_down(f, NULL);
        set_up_with(f, 0, 64);
        assert_nothing_for(f, USER);
        g_usleep(20000);
        loop_settle();
        g_assert_cmpuint(pool_count(f->pool), ==, 0);
        g_assert_cmpuint(f->serial, ==, 1);
}

/* What waits has nothing of the service's open, and can be traced or read by nobody. */
FIXTURE_TEST(holds_nothing)
{
        int ends[2];
        char byte;
        Prepared prepared;
        struct stat status;

        g_assert_cmpint(pipe2(ends, 0), ==, 0); /* no O_CLOEXEC */
        make_for(f, USER, 1);
        fd_close(ends[1]);
        g_assert_cmpint(read(ends[0], &byte, 1), ==, 0); /* nobody else has the other end */
        fd_close(ends[0]);
        g_assert_true(take(f, USER, &prepared));
        /* of a process that is not dumpable this belongs to root, whoever it runs as */
        g_autofree char *path = g_strdup_printf("/proc/%d/environ", (int) prepared.sandbox->pid);
        g_assert_cmpint(stat(path, &status), ==, 0);
        g_assert_cmpuint(status.st_uid, ==, 0);
        prepared_clear(&prepared);
}

/* -- the maker -- */

/* Killed at whatever moment, in the midst of making too: what it has begun goes with it. */
FIXTURE_TEST(maker_killed)
{
        for (unsigned i = 0; i < 60; i++) {
                tear_down(f, NULL);
                set_up_with(f, 4, 64);
                for (unsigned k = 0; k < 3; k++)
                        assert_nothing_for(f, USER);
                while (f->serial < 4)
                        g_main_context_iteration(NULL, TRUE);
                g_usleep(i * 60);
                g_autofree char *maker = kill_maker(SIGKILL);
                if (i % 2 == 0) /* else it is let go before its end is known */
                        while (is_child(maker))
                                g_main_context_iteration(NULL, TRUE);
        }
}

/* The next one is not begun at once, so that one that always fails costs nothing; but it is. */
FIXTURE_TEST(maker_again)
{
        gint64 begun = g_get_monotonic_time();

        make_for(f, USER, 1);
        g_autofree char *maker = kill_maker(SIGKILL);
        while (is_child(maker))
                g_main_context_iteration(NULL, TRUE);
        take_away(f, USER); /* what it has made is as good as before */
        while (count_children(NULL) == 0) {
                assert_nothing_for(f, USER);
                g_usleep(20000);
                g_main_context_iteration(NULL, FALSE);
        }
        g_assert_cmpint(g_get_monotonic_time() - begun, >=, MAKER_PAUSE_MSEC * 1000);
        wait_for_count(f, 1);
}

/* One that stands still holds up nobody, and can be let go. */
FIXTURE_TEST(maker_stopped)
{
        make_for(f, USER, 1);
        G_GNUC_UNUSED g_autofree char *maker = kill_maker(SIGSTOP);
        gint64 begun = g_get_monotonic_time();
        take_away(f, USER);
        for (unsigned i = 0; i < 20; i++) {
                assert_nothing_for(f, USER);
                g_usleep(1000);
                loop_settle();
        }
        g_assert_cmpint(g_get_monotonic_time() - begun, <, 2 * G_USEC_PER_SEC);
        g_assert_true(pool_clear(f->pool)); /* what was asked for */
        g_assert_cmpuint(count_children(NULL), ==, 0);
}

/* Until it has not answered for too long: then it goes, and there is another one. */
FIXTURE_TEST(maker_stuck)
{
        make_for(f, USER, 1);
        g_autofree char *maker = kill_maker(SIGSTOP);
        for (unsigned i = 0; i < 100 && is_child(maker); i++) {
                assert_nothing_for(f, OTHER);
                run_for(100);
        }
        g_assert_false(is_child(maker));
        wait_for_count(f, 2);
}

/* What waits for a user who runs nothing any more is let go, though others go on. */
FIXTURE_TEST(forgotten)
{
        gint64 begun = g_get_monotonic_time();

        make_for(f, USER, 1);
        make_for(f, OTHER, 2);
        while (g_get_monotonic_time() - begun < (PREPARED_HOLD_MSEC - 2000) * 1000) {
                take_away(f, OTHER);
                run_for(1000);
                g_assert_cmpuint(pool_count(f->pool), ==, 2);
        }
        run_for(3000);
        take_away(f, OTHER);
        run_for(200);
        g_assert_cmpuint(pool_count(f->pool), ==, 1);
        take_away(f, OTHER);
}

/* What cannot be made is told, and is not the maker's end: here its leaf is there already. */
FIXTURE_TEST(maker_refuses)
{
        g_autoptr(Cgroup) leaf = NULL;
        Prepared prepared;

        make_for(f, USER, 1);
        g_autofree char *maker = find_maker();
        g_assert_true(cgroup_new(tree, USER, f->serial, NULL, &leaf, NULL));
        take_away(f, USER);
        while (f->serial < 3)
                g_main_context_iteration(NULL, TRUE);
        make_for(f, USER, 1);
        g_assert_true(is_child(maker));
        g_assert_true(take(f, USER, &prepared));
        g_assert_cmpuint(prepared.serial, ==, 3);
        prepared_clear(&prepared);
        (void) cgroup_remove(leaf, NULL);
}

int main(int argc, char **argv)
{
        g_autofree char *state = g_dir_make_tmp("test-pool-state-XXXXXX", NULL);
        g_autoptr(GError) error = NULL;

        if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
            mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
                return skip_cases(argc, argv, "needs root");
        g_assert_cmpint(mount("tmpfs", state, "tmpfs", 0, "mode=0755"), ==, 0);
        autofd int state_dir = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        g_autofree char *parent =
                g_strdup_printf("/naive-runc-test-pool-%d%s", (int) getpid(),
                                g_getenv("NAIVE_RUN") ? g_getenv("NAIVE_RUN") : "");
        tree = cgroup_tree_new(parent);
        profile_new(state_dir, &profile, &error);
        g_assert_no_error(error);
        int status = run_cases(argc, argv);
        profile_free(profile);
        cgroup_tree_sweep(tree);
        cgroup_tree_free(tree);
        umount2(state, MNT_DETACH);
        g_rmdir(state);
        return status;
}
