/* A leaf: its limits, who is born in it, how it ends, and what a later service finds of it. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "service/spec/error.h"
#include "service/util/fd.h"
#include "tests/lib/case.h"
#include "tests/lib/fds.h"
#include "tests/service/cgroup/leaves.h"

/* -- finding the place -- */

/* The mode that is found is the one that the mounts of this machine make. */
TEST(mode)
{
        CgroupMode mode = cgroup_tree_mode(tree);
        const char *expected = g_getenv("CGROUP_TEST_MODE");

        g_test_message("mode %s", cgroup_mode_to_string(mode));
        if (expected) {
                g_assert_cmpstr(cgroup_mode_to_string(mode), ==, expected);
                return;
        }
        if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0)
                g_assert_cmpint(mode, ==, CGROUP_MODE_UNIFIED);
        else if (access("/sys/fs/cgroup/unified/cgroup.controllers", F_OK) == 0)
                g_assert_cmpint(mode, ==, CGROUP_MODE_HYBRID);
        else
                g_assert_cmpint(mode, ==, CGROUP_MODE_LEGACY);
}

static void as_nobody(void)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *strange = g_strconcat(top, "-nobody", NULL);
        CgroupLimits limits = {10 * MIB, CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};
        Cgroup *cgroup = NULL;

        if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
                _exit(1);
        g_autoptr(CgroupTree) mine = cgroup_tree_new(strange);
        if (cgroup_tree_mode(mine) != CGROUP_MODE_NONE)
                _exit(2);
        if (cgroup_new(mine, OWNER, 1, &limits, &cgroup, &error))
                _exit(3);
        if (!g_error_matches(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED) ||
            !strstr(error->message, "memory") || !strstr(error->message, "Permission denied"))
                _exit(4);
        if (!cgroup_new(mine, OWNER, 1, &unlimited, &cgroup, NULL))
                _exit(5);
        if (cgroup_birth_fd(cgroup) != -1 || cgroup_entry_fd(cgroup, 0) != -1 ||
            *cgroup_path(cgroup))
                _exit(6);
        if (cgroup_kill(cgroup, NULL) || !cgroup_remove(cgroup, NULL))
                _exit(7);
        cgroup_free(cgroup);
        /* A parent that is there already, but root's. */
        g_autoptr(CgroupTree) other = cgroup_tree_new(parent);
        _exit(cgroup_tree_mode(other) == CGROUP_MODE_NONE ? 0 : 8);
}

/* Without the right to any hierarchy a limit is refused with the reason, and no limit is fine. */
TEST(no_permission)
{
        pid_t pid = fork();

        if (pid == 0)
                as_nobody();
        g_assert_cmpint(wait_for(pid), ==, 0);
}

/* -- limits -- */

/* Limits stand in the kernel's files before anything is in the leaf. */
TEST(limits)
{
        CgroupLimits limits = {10 * MIB, 0, 17};

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        Cgroup *cgroup = make(1, &limits);
        g_autofree char *tasks = leaf_file(1, CGROUP_PIDS, "pids.max");
        g_autofree char *swap =
                leaf_file(1, CGROUP_MEMORY,
                          is_v1(CGROUP_MEMORY) ? "memory.memsw.limit_in_bytes" : "memory.swap.max");
        g_assert_cmpuint(memory_limit(1), ==, 10 * MIB);
        g_assert_cmpstr(tasks, ==, "17");
        if (swap)
                g_assert_cmpuint(g_ascii_strtoull(swap, NULL, 10), ==,
                                 is_v1(CGROUP_MEMORY) ? 10 * MIB : 0);
        finish(cgroup);
}

/* A byte does not become "no limit", and nothing becomes more than was asked. */
TEST(odd_limits)
{
        static const uint64_t asked[] = {0, 1, 4095, 4097, 10 * MIB + 1, INT64_MAX, UINT64_MAX - 1};

        NEED(CGROUP_MEMORY)
        for (unsigned i = 0; i < G_N_ELEMENTS(asked); i++) {
                CgroupLimits limits = {asked[i], CGROUP_NO_LIMIT, CGROUP_NO_LIMIT};
                Cgroup *cgroup = make(1, &limits);
                g_assert_cmpuint(memory_limit(1), <=, asked[i]);
                g_assert_cmpuint(memory_limit(1), >=,
                                 MIN(asked[i], INT64_MAX - 65536 * 3) & ~UINT64_C(65535));
                limits.memory_swap_max = UINT64_MAX - 1; /* the sum must not wrap around */
                finish(cgroup);
                finish(make(1, &limits));
        }
}

/* A value that reads back larger than what was written is an error: here a file that keeps its
 * tail. */
TEST(read_back)
{
        g_autoptr(GError) error = NULL;
        g_autofree char *directory = g_dir_make_tmp("test-cgroup-XXXXXX", &error);
        g_autofree char *file = g_build_filename(directory, "limit", NULL);
        autofd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        g_assert_true(g_file_set_contents(file, "10", -1, &error));
        g_assert_true(cgroup_set_value(fd, "limit", 12, &error));
        g_assert_true(g_file_set_contents(file, "100", -1, &error));
        g_assert_false(cgroup_set_value(fd, "limit", 12, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_CGROUP_FAILED);
        g_assert_cmpint(unlink(file), ==, 0);
        g_assert_cmpint(rmdir(directory), ==, 0);
}

/* Without limits no leaf of a controller is needed, and v2's is at "max". */
TEST(no_limits)
{
        Cgroup *cgroup = make(1, &unlimited);
        g_autofree char *tasks = leaf_file(1, CGROUP_PIDS, "pids.max");

        g_assert_cmpstr(tasks, ==, is_v1(CGROUP_PIDS) || !serves(CGROUP_PIDS) ? NULL : "max");
        g_assert_cmpuint(cgroup_oom_kills(cgroup), ==, 0);
        if (tree->mode == CGROUP_MODE_HYBRID)
                g_assert_cmpint(cgroup_entry_fd(cgroup, is_v1(CGROUP_CPU) ? 1 : 0), ==, -1);
        finish(cgroup);
}

/* v1 has no way to limit swap alone, and says so instead of ignoring it. */
TEST(swap_alone)
{
        g_autoptr(GError) error = NULL;
        CgroupLimits limits = {CGROUP_NO_LIMIT, 0, CGROUP_NO_LIMIT};
        Cgroup *cgroup = NULL;

        NEED(CGROUP_MEMORY)
        if (!is_v1(CGROUP_MEMORY)) {
                cgroup = make(1, &limits);
                g_autofree char *swap = leaf_file(1, CGROUP_MEMORY, "memory.swap.max");
                g_assert_cmpstr(swap ? swap : "0", ==, "0");
                finish(cgroup);
                return;
        }
        g_assert_false(cgroup_new(tree, OWNER, 1, &limits, &cgroup, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NOT_SUPPORTED);
}

/* A limit of tasks stops forks at that number. */
TEST(tasks_bite)
{
        CgroupLimits limits = {CGROUP_NO_LIMIT, CGROUP_NO_LIMIT, 10};

        NEED(CGROUP_PIDS)
        Cgroup *cgroup = make(1, &limits);
        int status = wait_for(spawn(cgroup, fork_40));
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 9);
        finish(cgroup);
}

/* -- processes -- */

static bool listed(const char *pids, pid_t pid)
{
        g_auto(GStrv) lines = g_strsplit(pids, "\n", -1);
        g_autofree char *text = g_strdup_printf("%d", (int) pid);

        return g_strv_contains((const char *const *) lines, text);
}

static void assert_inside(const Cgroup *cgroup, pid_t pid, CgroupController controller)
{
        g_autofree char *pids = leaf_file(1, controller, "cgroup.procs");
        g_autofree char *proc = g_strdup_printf("/proc/%d/cgroup", (int) pid);
        g_autofree char *text = NULL;

        if (serves(controller)) {
                g_assert_nonnull(pids);
                g_assert_true(listed(pids, pid));
        }
        g_assert_true(g_file_get_contents(proc, &text, NULL, NULL));
        g_assert_nonnull(strstr(text, cgroup_path(cgroup)));
}

/* A child is in every leaf after its birth and the writes of its own. */
TEST(birth)
{
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, 50};

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        Cgroup *cgroup = make(1, &limits);
        g_assert_false(cgroup_is_populated(cgroup));
        pid_t pid = spawn(cgroup, sleep_forever);
        g_assert_true(cgroup_is_populated(cgroup));
        assert_inside(cgroup, pid, CGROUP_MEMORY);
        assert_inside(cgroup, pid, CGROUP_PIDS);
        kill(pid, SIGKILL);
        wait_for(pid);
        finish(cgroup);
}

/* A process beyond the limit of memory is killed, and that is counted and reported. */
TEST(oom)
{
        CgroupLimits limits = {10 * MIB, 0, CGROUP_NO_LIMIT};
        struct pollfd poll_fd = {0};

        NEED(CGROUP_MEMORY)
        Cgroup *cgroup = make(1, &limits);
        poll_fd.fd = cgroup_oom_fd(cgroup, &poll_fd.events);
        g_assert_cmpint(poll_fd.fd, >=, 0);
        g_assert_cmpint(poll(&poll_fd, 1, 0), ==, 0);
        int status = wait_for(spawn_touch(cgroup, 32 * MIB));
        g_assert_true(WIFSIGNALED(status));
        g_assert_cmpint(WTERMSIG(status), ==, SIGKILL);
        g_assert_cmpint(poll(&poll_fd, 1, 2000), ==, 1);
        g_assert_cmpuint(cgroup_oom_kills(cgroup), >=, 1); /* a group kill counts the first twice */
        g_usleep(50000);                                   /* v2 reports within 10 ms */
        cgroup_oom_kills(cgroup);
        g_assert_cmpint(poll(&poll_fd, 1, 0), ==, 0); /* rearmed */
        finish(cgroup);
}

/* A process within the limit lives, and nothing is counted. */
TEST(no_oom)
{
        CgroupLimits limits = {10 * MIB, 0, CGROUP_NO_LIMIT};

        NEED(CGROUP_MEMORY)
        Cgroup *cgroup = make(1, &limits);
        int status = wait_for(spawn_touch(cgroup, 4 * MIB));
        g_assert_true(WIFEXITED(status));
        g_assert_cmpint(WEXITSTATUS(status), ==, 7);
        g_assert_cmpuint(cgroup_oom_kills(cgroup), ==, 0);
        finish(cgroup);
}

/* Four levels deep, each process deaf to what it can be deaf to. */
static int deaf_tree(void)
{
        signal(SIGTERM, SIG_IGN);
        for (int i = 0; i < 4; i++)
                if (fork() < 0)
                        return 97;
        return sleep_forever();
}

static pid_t spawn_tree(const Cgroup *cgroup)
{
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        g_autofree char *name = g_strdup_printf("%u/1", OWNER);
        autofd int leaf = openat(h->parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        pid_t pid = spawn(cgroup, deaf_tree);

        for (int i = 0; i < 1000 && cgroup_signal_all(leaf, 0) < 16; i++)
                g_usleep(5000);
        g_assert_cmpuint(cgroup_signal_all(leaf, 0), ==, 16);
        return pid;
}

/* 16 processes of four generations that ignore SIGTERM all end by the kill, and soon. */
TEST(kill)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = make(1, &unlimited);
        pid_t pid = spawn_tree(cgroup);

        cgroup_signal(cgroup, SIGTERM, 0, &error);
        g_assert_no_error(error);
        g_usleep(100000);
        g_assert_cmpint(waitpid(pid, NULL, WNOHANG), ==, 0);
        g_assert_true(cgroup_is_populated(cgroup));
        cgroup_kill(cgroup, &error);
        g_assert_no_error(error);
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGKILL);
        for (int i = 0; i < 400 && cgroup_is_populated(cgroup); i++)
                g_usleep(5000);
        g_assert_false(cgroup_is_populated(cgroup));
        finish(cgroup);
}

/* Another signal reaches every process, and no stranger. */
TEST(signal)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = make(1, &unlimited);
        pid_t pids[3], stranger = fork();

        if (stranger == 0)
                sleep_forever();
        for (int i = 0; i < 3; i++)
                pids[i] = spawn(cgroup, sleep_forever);
        cgroup_signal(cgroup, SIGTERM, 0, &error);
        g_assert_no_error(error);
        for (int i = 0; i < 3; i++)
                g_assert_cmpint(WTERMSIG(wait_for(pids[i])), ==, SIGTERM);
        g_assert_cmpint(waitpid(stranger, NULL, WNOHANG), ==, 0);
        kill(stranger, SIGKILL);
        wait_for(stranger);
        finish(cgroup);
}

/* Where there is no cgroup.kill, a freezer holds a fork bomb still; no freezer, and rounds must do.
 */
TEST(kill_listed)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = make(1, &unlimited);
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        g_autofree char *name = g_strdup_printf("%u/1", OWNER);
        autofd int leaf = openat(h->parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        pid_t pid = spawn_tree(cgroup);

        cgroup_legacy.kill(leaf, &error); /* on v2 a leaf without freezer.state */
        g_assert_no_error(error);
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGKILL);
        finish(cgroup);
}

/* -- removing -- */

/* A leaf with a process in it is not removed, in words; after the kill it is. */
TEST(remove_populated)
{
        g_autoptr(GError) error = NULL;
        Cgroup *cgroup = make(1, &unlimited);
        pid_t pid = spawn(cgroup, sleep_forever);

        g_assert_false(cgroup_remove(cgroup, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_CGROUP_FAILED);
        g_assert_nonnull(strstr(error->message, "there are processes in it"));
        g_assert_true(cgroup_kill(cgroup, NULL));
        wait_for(pid);
        finish(cgroup);
}

/* Sub-cgroups made inside go with the leaf; a second removal is fine. */
TEST(remove_nested)
{
        Cgroup *cgroup = make(1, &unlimited);
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        static const char *const names[] = {"a", "a/b", "a/b/c", "d", "d/e"};

        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
                g_autofree char *name = g_strdup_printf("%u/1/%s", OWNER, names[i]);
                g_assert_cmpint(mkdirat(h->parent_fd, name, 0755), ==, 0);
        }
        g_assert_true(cgroup_remove(cgroup, NULL));
        finish(cgroup);
        g_autofree char *after = listing(parent);
        g_assert_null(strstr(after, "/4242/1"));
}

/* A process in a sub-cgroup belongs to the leaf: it is seen, signalled and ended with it. */
TEST(nested_process)
{
        Cgroup *cgroup = make(1, &unlimited);
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        g_autofree char *name = g_strdup_printf("%u/1/a/b", OWNER);
        pid_t pid = spawn(cgroup, sleep_forever);

        *strrchr(name, '/') = '\0';
        g_assert_cmpint(mkdirat(h->parent_fd, name, 0755), ==, 0);
        name[strlen(name)] = '/';
        g_assert_cmpint(mkdirat(h->parent_fd, name, 0755), ==, 0);
        g_autofree char *procs = g_strconcat(name, "/cgroup.procs", NULL);
        g_autofree char *text = g_strdup_printf("%d", (int) pid);
        g_assert_cmpint(fd_write_file_at(h->parent_fd, procs, text), ==, 0);
        g_assert_true(cgroup_is_populated(cgroup));
        g_assert_false(cgroup_remove(cgroup, NULL));
        g_assert_true(cgroup_signal(cgroup, SIGTERM, 0, NULL));
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGTERM);
        finish(cgroup);
}

/* When making fails half way, no leaf is left in any hierarchy, and a stranger's leaf is not
 * touched. */
TEST(failure_leaves_nothing)
{
        g_autoptr(GError) error = NULL;
        CgroupLimits limits = {10 * MIB, CGROUP_NO_LIMIT, 10};
        Cgroup *cgroup = NULL;

        NEED(CGROUP_MEMORY)
        finish(make(1, &limits));
        g_autofree char *before = listing(parent);
        /* The leaf of the last hierarchy that it is made in is there already. */
        int last = tree->serving[serves(CGROUP_CPU) ? CGROUP_CPU : CGROUP_MEMORY];
        const CgroupHierarchy *h = &tree->hierarchies[last];
        g_autofree char *name = g_strdup_printf("%u/9", OWNER);
        g_assert_cmpint(mkdirat(h->parent_fd, name, 0755), ==, 0);
        g_autofree char *stale = listing(parent);
        g_assert_false(cgroup_new(tree, OWNER, 9, &limits, &cgroup, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_CGROUP_FAILED);
        g_assert_nonnull(strstr(error->message, "File exists"));
        g_autofree char *after = listing(parent);
        g_assert_cmpstr(after, ==, stale);
        g_assert_cmpint(unlinkat(h->parent_fd, name, AT_REMOVEDIR), ==, 0);
        g_autofree char *end = listing(parent);
        g_assert_cmpstr(end, ==, before);
}

/* -- a predecessor's leaves -- */

/* Each leaf is told once with its owner, number and whether it lives; what is not a number is none.
 */
TEST(foreach)
{
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, 10};
        const CgroupHierarchy *h = &tree->hierarchies[tree->tracking];
        Cgroup *empty = NULL, *populated;

        populated = make(1, serves(CGROUP_MEMORY) && serves(CGROUP_PIDS) ? &limits : &unlimited);
        g_assert_true(cgroup_new(tree, 0, UINT64_MAX, &unlimited, &empty, NULL));
        g_assert_cmpint(mkdirat(h->parent_fd, "supervisor", 0755), ==, 0);
        g_assert_cmpint(mkdirat(h->parent_fd, "0/01", 0755), ==, 0);
        pid_t pid = spawn(populated, sleep_forever);
        look();
        g_assert_cmpuint(seen_populated, ==, 1);
        g_assert_cmpuint(seen_empty, ==, 1);
        g_assert_cmpuint(seen_other, ==, 0);
        kill(pid, SIGKILL);
        wait_for(pid);
        g_assert_cmpint(unlinkat(h->parent_fd, "0/01", AT_REMOVEDIR), ==, 0);
        g_assert_cmpint(unlinkat(h->parent_fd, "supervisor", AT_REMOVEDIR), ==, 0);
        finish(populated);
        finish(empty);
}

/* A restart changes nothing of what out of memory means: it is watched for wherever there is a leaf
 * that tells, with a limit or without, and v2 ends the whole container. */
TEST(oom_after_restart)
{
        Cgroup *first = make(1, &unlimited), *second = NULL;
        g_autofree char *leaf = leaf_file(1, CGROUP_MEMORY, "cgroup.procs");
        g_autofree char *group = leaf_file(1, CGROUP_MEMORY, "memory.oom.group");
        short events;
        bool is_watched = cgroup_oom_fd(first, &events) >= 0;

        g_assert_cmpint(is_watched, ==, leaf != NULL);
        g_assert_true(!group || strcmp(group, "1") == 0);
        cgroup_free(first);
        g_assert_true(cgroup_open(tree, OWNER, 1, &second, NULL));
        g_assert_cmpint(cgroup_oom_fd(second, &events) >= 0, ==, is_watched);
        g_autofree char *after = leaf_file(1, CGROUP_MEMORY, "memory.oom.group");
        g_assert_cmpstr(after, ==, group);
        finish(second);
}

/* A leaf can be opened by another object, as after a restart: counted, killed, removed. */
TEST(open)
{
        g_autoptr(GError) error = NULL;
        CgroupLimits limits = {10 * MIB, 0, CGROUP_NO_LIMIT};
        Cgroup *first, *second = NULL;
        short events;

        NEED(CGROUP_MEMORY)
        first = make(1, &limits);
        g_assert_true(WIFSIGNALED(wait_for(spawn_touch(first, 32 * MIB))));
        pid_t pid = spawn(first, sleep_forever);
        cgroup_free(first);
        cgroup_open(tree, OWNER, 1, &second, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(cgroup_oom_kills(second), >=, 1);
        g_assert_cmpint(cgroup_oom_fd(second, &events), >=, 0);
        g_assert_true(cgroup_is_populated(second));
        g_assert_true(cgroup_kill(second, &error));
        g_assert_cmpint(WTERMSIG(wait_for(pid)), ==, SIGKILL);
        finish(second);
        g_assert_false(cgroup_open(tree, OWNER, 1, &second, &error));
        g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_CGROUP_FAILED);
}

/* Sweeping takes the empty leaves and directories of our making, spares the living, and what it
 * took is made again on demand. */
TEST(sweep)
{
        CgroupLimits limits = {64 * MIB, CGROUP_NO_LIMIT, 10};

        NEED(CGROUP_MEMORY)
        NEED(CGROUP_PIDS)
        Cgroup *living = make(1, &limits);
        cgroup_free(make(2, &limits));
        pid_t pid = spawn(living, sleep_forever);
        cgroup_tree_sweep(tree);
        g_autofree char *while_alive = listing(parent);
        g_assert_nonnull(strstr(while_alive, "/4242/1"));
        g_assert_null(strstr(while_alive, "/4242/2"));
        g_assert_true(cgroup_kill(living, NULL));
        wait_for(pid);
        finish(living);
        cgroup_tree_sweep(tree);
        g_autofree char *swept = listing(top);
        g_assert_cmpstr(swept, ==, "");
        Cgroup *again = make(3, &limits);
        g_assert_cmpuint(memory_limit(3), ==, 64 * MIB);
        finish(again);
}

/* 100 runs leave neither a directory nor an fd. */
TEST(hundred)
{
        CgroupLimits limits = {serves(CGROUP_MEMORY) ? 64 * MIB : CGROUP_NO_LIMIT, CGROUP_NO_LIMIT,
                               serves(CGROUP_PIDS) ? 10 : CGROUP_NO_LIMIT};

        finish(make(1, &limits));
        unsigned fds = count_fds();
        g_autofree char *before = listing(parent);
        gint64 start = g_get_monotonic_time();
        for (unsigned i = 0; i < 100; i++) {
                Cgroup *cgroup = make(100 + i, &limits);
                g_assert_true(cgroup_remove(cgroup, NULL));
                cgroup_free(cgroup);
        }
        g_test_message("new + remove: %.0f us", (double) (g_get_monotonic_time() - start) / 100);
        g_autofree char *after = listing(parent);
        g_assert_cmpstr(after, ==, before);
        g_assert_cmpuint(count_fds(), ==, fds);
}

int main(int argc, char **argv)
{
        return run_leaf_cases(argc, argv);
}
